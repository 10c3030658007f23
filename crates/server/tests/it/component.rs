//! Rooms as a component of another server (XEP-0114), whose place the test takes.

use crate::servers::read_to;
use server::config::Config;
use server::serve::Server;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use tempfile::TempDir;

const HEADER: &str = "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' \
     from='rooms.montague.lit' id='s1'>";

fn rooms(listener: &TcpListener) -> (Server, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let address = listener.local_addr().unwrap();
    let text = format!(
        "[http]\nlisten = []\n[rooms]\ndomain = \"rooms.montague.lit\"\n\
         [[component]]\ndomain = \"rooms.montague.lit\"\nconnect = \"{address}\"\nsecret = \"test\"\n"
    );
    let checked = Config::check_text(&dir.path().join("netjoin.toml"), &text);
    let config = checked.config.unwrap_or_else(|| panic!("{:?}", checked.problems));
    (Server::start(config).unwrap(), dir)
}

/// Takes the component's next stream, up to its handshake.
fn take(listener: &TcpListener) -> TcpStream {
    let (mut socket, _) = listener.accept().unwrap();
    read_to(&mut socket, " to='rooms.montague.lit'>");
    socket.write_all(HEADER.as_bytes()).unwrap();
    read_to(&mut socket, "</handshake>");
    socket
}

fn welcome(listener: &TcpListener) -> TcpStream {
    let mut socket = take(listener);
    socket.write_all(b"<handshake/>").unwrap();
    socket
}

fn read_all_to(socket: &mut impl Read, end: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(end) {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        seen.push(char::from(byte[0]));
    }
    seen
}

fn join(socket: &mut TcpStream, who: &str) {
    let join = format!(
        "<presence from='{who}@montague.lit/o' to='orchard@rooms.montague.lit/{who}'>\
         <x xmlns='http://jabber.org/protocol/muc'/></presence>"
    );
    socket.write_all(join.as_bytes()).unwrap();
}

fn faults(server: &Server) -> Vec<String> {
    server.source().faults()
}

/// It comes again when its stream has ended, and what was to be sent meanwhile is sent then.
#[test]
fn s2_a_component_comes_again_and_what_waited_arrives() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (server, _dir) = rooms(&listener);
    let mut socket = welcome(&listener);
    join(&mut socket, "romeo");
    let seen = read_all_to(&mut socket, "code='201'");
    assert!(seen.contains("from='orchard@rooms.montague.lit/romeo'"), "{seen}");
    assert_eq!(faults(&server), [""; 0]);
    socket
        .write_all(
            b"<iq type='set' id='open' from='romeo@montague.lit/o' to='orchard@rooms.montague.lit'>\
              <query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>\
              <iq type='get' id='last' from='romeo@montague.lit/o' to='rooms.montague.lit'><ping xmlns='urn:xmpp:ping'/></iq>",
        )
        .unwrap();
    read_all_to(&mut socket, "id='last'");
    drop(socket);
    let mut socket = welcome(&listener);
    join(&mut socket, "juliet");
    let seen = read_all_to(&mut socket, "to='juliet@montague.lit/o'");
    assert!(seen.contains("from='orchard@rooms.montague.lit/juliet' to='romeo@montague.lit/o'"), "{seen}");
}

/// `/health` says why a component is not connected, in the words of the log.
#[test]
fn s2_a_wrong_secret_is_said_and_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (server, _dir) = rooms(&listener);
    let mut socket = take(&listener);
    let refused =
        "<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>";
    socket.write_all(refused.as_bytes()).unwrap();
    // The next attempt comes behind the first's failure.
    let mut socket = take(&listener);
    assert_eq!(faults(&server), ["component rooms.montague.lit: the server does not take the secret"]);
    socket.write_all(b"<handshake/>").unwrap();
    join(&mut socket, "romeo");
    read_all_to(&mut socket, "code='201'");
    assert_eq!(faults(&server), [""; 0]);
}

/// What is for nobody here is not passed on.
#[test]
fn s2_nothing_is_relayed_for_strangers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_server, _dir) = rooms(&listener);
    let mut socket = welcome(&listener);
    socket.write_all(b"<message from='a@b.lit' to='c@elsewhere.lit'><body>relay me</body></message>").unwrap();
    join(&mut socket, "romeo");
    let seen = read_all_to(&mut socket, "code='201'");
    assert!(!seen.contains("relay me") && !seen.contains("elsewhere.lit"), "{seen}");
}
