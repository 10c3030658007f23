//! XEP-0227, by its own examples.

use crate::world::{World, left};
use transfer::Format;

const MAIN: &str = "<?xml version='1.0' encoding='UTF-8'?>\n<server-data xmlns='urn:xmpp:pie:0' \
    xmlns:xi='http://www.w3.org/2001/XInclude'>\n  <xi:include href='montague.lit.xml'/>\n  <host jid='verona.lit'/>\n</server-data>\n";
const HOST: &str = "<?xml version='1.0' encoding='UTF-8'?>\n<host xmlns='urn:xmpp:pie:0' \
    xmlns:xi='http://www.w3.org/2001/XInclude' jid='montague.lit'>\n  <xi:include href='montague.lit/juliet.xml'/>\n</host>\n";
const JULIET: &str = "<?xml version='1.0' encoding='UTF-8'?>
<user xmlns='urn:xmpp:pie:0' name='juliet' password='R0m30'>
  <query xmlns='jabber:iq:roster'>
    <item jid='romeo@montague.net' name='Romeo' subscription='both'><group>Friends</group></item>
  </query>
  <vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard>
  <query xmlns='jabber:iq:private'><exodus xmlns='exodus:prefs'><defaultnick>Hamlet</defaultnick></exodus></query>
  <query xmlns='jabber:iq:privacy'>
    <default name='public'/>
    <list name='public'><item type='jid' value='tybalt@example.com' action='deny' order='1'/><item action='allow' order='2'/></list>
    <list name='private'><item type='subscription' value='both' action='allow' order='10'/></list>
  </query>
  <offline-messages>
    <message xmlns='jabber:client' from='romeo@montague.net/orchard' to='juliet@montague.lit/balcony' type='chat'>
      <body>Neither, fair saint, if either thee dislike.</body>
      <delay xmlns='urn:xmpp:delay' from='montague.lit' stamp='1969-07-21T00:32:29Z'>Offline Storage</delay>
    </message>
  </offline-messages>
  <presence xmlns='jabber:client' type='subscribe' id='xk3h1v69' from='romeo@montague.org'><nick xmlns='http://jabber.org/protocol/nick'>Romeo</nick></presence>
  <archive xmlns='urn:xmpp:pie:0#mam'/>
</user>";

fn world() -> World {
    World::new().with("x/all.xml", MAIN).with("x/montague.lit.xml", HOST).with("x/montague.lit/juliet.xml", JULIET)
}

#[test]
fn s4_a_user_with_all_that_has_words_here() {
    let world = world();
    let report = world.import("x/all.xml").expect("imported");
    assert_eq!((report.accounts, report.contacts, report.rooms), (1, 2, 0));
    assert_eq!(
        left(&report),
        [
            "juliet@montague.lit, privacy lists, 1 items: nothing but addresses that are blocked altogether has its like here",
            "juliet@montague.lit, archive in urn:xmpp:pie:0#mam: is not taken",
            "verona.lit, : no domain of this configuration, neither of accounts nor of rooms",
        ]
    );
    assert!(world.value("blocked", "juliet", "tybalt@example.com").is_some());
    assert!(world.value("private", "juliet", "exodus:prefs exodus").is_some());
    let waiting = world.value("offline", "juliet", &format!("{:020}", 1)).expect("a message");
    assert_eq!(waiting["stamp_ms"].as_i64(), Some(-14_167_651_000));
    let asked = world.value("roster", "juliet", "romeo@montague.org").expect("a request");
    assert!(asked["request"].as_str().is_some_and(|request| request.contains("xk3h1v69")));
    let credentials = world.value("account", "juliet", "credentials").expect("credentials");
    let credentials = accounts::records::parse_credentials(&credentials.to_string()).expect("they can be read");
    assert!(credentials.verify_password("R0m30"));
}

/// What is written is read back as it was, without the password.
#[test]
fn there_and_back() {
    let world = world();
    world.import("x/all.xml").expect("imported");
    let written = world.export("netjoin.db", "out.xml", Format::Pie).expect("exported");
    assert_eq!((written.accounts, written.contacts, written.left_count), (1, 2, 0));
    let text = std::fs::read_to_string(world.path("out.xml")).expect("a file");
    assert!(text.contains("mechanism='SCRAM-SHA-256'") && !text.contains("R0m30"), "{text}");
    let read = world.import_as("out.xml", "second.db", store::Keep::Yes, transfer::There::Stays).expect("read back");
    assert_eq!(read.left, []);
    assert_eq!(world.held("second.db"), world.held("netjoin.db"));
}
