//! Blocking (XEP-0191) and copies (XEP-0280) where stanzas go past the accounts: between sessions and from rooms.

use crate::resume::{body, says, site};
use crate::rooms::{create, enter};
use crate::site::Settings;
use crate::user::User;
use xmpp::ns;

const ROOM: &str = "coven@rooms.montague.lit";
const ROMEO: &str = "romeo@montague.lit/orchard";

#[test]
fn who_blocks_an_occupant_stays_in_the_room() {
    let site = site(Settings::clear());
    let mut romeo = User::online(&site, ROMEO);
    create(&mut romeo, "romeo");
    let mut benvolio = User::online(&site, "benvolio@montague.lit/square");
    enter(&mut benvolio, "benvolio");
    romeo.quiet();
    romeo.send(&format!(
        "<iq type='set' id='b1'><block xmlns='urn:xmpp:blocking'><item jid='{ROOM}/benvolio'/></block></iq>"
    ));
    assert_eq!(romeo.next_of("iq").get("type"), Some("result"));
    benvolio.send(&format!("<message to='{ROOM}/romeo' type='chat'><body>psst</body></message>"));
    says(&mut benvolio, "hark");
    assert_eq!(body(&romeo.next_of("message")), "hark");
    says(&mut romeo, "I am here");
    while body(&benvolio.next_of("message")) != "I am here" {}
}

#[test]
fn a_message_to_one_session_is_copied_to_the_other() {
    let site = site(Settings::clear());
    let mut orchard = User::online(&site, ROMEO);
    let mut tomb = User::online(&site, "romeo@montague.lit/tomb");
    tomb.send("<iq type='set' id='c1'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    assert_eq!(tomb.next_of("iq").get("type"), Some("result"));
    let mut benvolio = User::online(&site, "benvolio@montague.lit/square");
    benvolio.send(&format!("<message to='{ROMEO}' type='chat'><body>coz</body></message>"));
    assert_eq!(body(&orchard.next_of("message")), "coz");
    assert!(tomb.next_of("message").has_child("received", ns::CARBONS));
    orchard.send("<message to='benvolio@montague.lit/square' type='chat'><body>ay me</body></message>");
    assert_eq!(body(&benvolio.next_of("message")), "ay me");
    assert!(tomb.next_of("message").has_child("sent", ns::CARBONS));
}
