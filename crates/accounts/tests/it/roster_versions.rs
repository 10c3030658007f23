//! XEP-0237: a client that has the roster already is not sent it again.

use crate::world::{CHAMBER, JULIET, NURSE, World};
use xmpp::{Element, ns};

fn get(w: &mut World, who: &str, ver: &str) -> String {
    w.says(who, &format!("<iq type='get' id='r1'><query xmlns='jabber:iq:roster' ver='{ver}'/></iq>"));
    w.hears(who).concat()
}

fn set(w: &mut World, who: &str, item: &str) {
    w.says(who, &format!("<iq type='set' id='s1'><query xmlns='jabber:iq:roster'>{item}</query></iq>"));
}

fn version(stanza: &str) -> String {
    let stanza = Element::parse(stanza).expect("it was written by us");
    let query = stanza.get_child("query", ns::ROSTER).expect("it has a roster");
    query.get("ver").expect("it has a version").to_owned()
}

fn same(who: &str) -> String {
    format!("<iq type='result' id='r1' to='{who}'/>")
}

#[test]
fn s2_4_the_whole_roster_or_none_of_it() {
    let mut w = World::new();
    w.online(JULIET);
    set(&mut w, JULIET, "<item jid='romeo@example.net'/>");
    w.forget();
    let first = get(&mut w, JULIET, "");
    assert!(first.contains("<item jid='romeo@example.net'"), "{first}");
    let ver = version(&first);
    assert_eq!(get(&mut w, JULIET, &ver), same(JULIET));
    w.restart("example.com");
    w.online(JULIET);
    assert_eq!(get(&mut w, JULIET, &ver), same(JULIET), "also by another run of the server");
    w.online(NURSE);
    assert_ne!(get(&mut w, NURSE, &ver), same(NURSE), "an empty roster is another");
    set(&mut w, JULIET, "<item jid='romeo@example.net' name='Romeo'/>");
    w.forget();
    assert!(get(&mut w, JULIET, &ver).contains("name='Romeo'"));
}

#[test]
fn s2_4_each_push_has_a_version_of_its_own() {
    let mut w = World::new();
    w.online(CHAMBER);
    w.online(JULIET);
    get(&mut w, JULIET, "");
    let mut pushed = |name: &str| {
        set(&mut w, CHAMBER, &format!("<item jid='romeo@example.net' name='{name}'/>"));
        let ver = version(&w.hears(JULIET).concat());
        assert!(!w.hears(CHAMBER).concat().contains("ver="), "who keeps none gets none");
        assert_eq!(get(&mut w, JULIET, &ver), same(JULIET));
        ver
    };
    let versions = [pushed("Romeo"), pushed("Montague"), pushed("Romeo")];
    assert_ne!(versions[0], versions[2]);
    assert_ne!(versions[0], versions[1]);
    assert_eq!(get(&mut w, JULIET, &versions[0]), same(JULIET), "the same roster again");
    assert_ne!(get(&mut w, JULIET, &versions[1]), same(JULIET));
}
