//! Servers that find each other by DNS alone: RFC 6120 3.2.1, XEP-0368.

use crate::servers::{condition, lovers_that_meet, talk};
use crate::site::{Settings, Site};
use driver::names::{self, Data, NameServer, Zone};
use std::net::{Ipv4Addr, TcpListener};

/// One is found by STARTTLS; of the other's two records one leads to a port where nobody listens any more, and the next
/// is for TLS from the first byte.
#[test]
fn xep_0368_servers_find_each_other_by_records_and_talk_under_direct_tls() {
    let names = NameServer::start(Ipv4Addr::LOCALHOST.into(), Zone::new()).unwrap();
    let settings = || Settings { s2s: format!("resolvers = [\"{}\"]", names.address()), ..Settings::tls() };
    let montague = Site::start("montague.lit", &["romeo"], &settings());
    let capulet = Site::start("capulet.lit", &["juliet"], &settings());
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();

    let srv = |priority, port| Data::Srv { priority, weight: 0, port, target: "xmpp.capulet.lit".to_owned() };
    let mut zone = Zone::new();
    names::server(&mut zone, "montague.lit", montague.address("s2s"));
    zone.insert("_xmpp-server._tcp.capulet.lit".to_owned(), vec![srv(1, gone.port())]);
    zone.insert("_xmpps-server._tcp.capulet.lit".to_owned(), vec![srv(2, capulet.address("s2s-tls").port())]);
    zone.insert("xmpp.capulet.lit".to_owned(), vec![Data::A(Ipv4Addr::LOCALHOST)]);
    let nowhere = Data::Srv { priority: 0, weight: 0, port: 0, target: ".".to_owned() };
    zone.insert("_xmpp-server._tcp.laurence.lit".to_owned(), vec![nowhere]);
    names.know(zone);

    let (mut romeo, mut juliet) = lovers_that_meet(&montague, &capulet);
    talk(&mut romeo, &mut juliet);

    for nobody in ["laurence.lit", "mantua.lit"] {
        romeo.send(&format!("<message to='friar@{nobody}' type='chat'><body>o</body></message>"));
        assert_eq!(condition(&mut romeo), "remote-server-not-found", "{nobody}");
    }
}
