//! Private XML storage (XEP-0049) and vCards (XEP-0054).

use crate::world::{CHAMBER, JULIET, NURSE, ROMEO, World};

const EXODUS: &str = "<exodus xmlns='exodus:prefs'><defaultnick>Hamlet</defaultnick></exodus>";
const CARD: &str = "<vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard>";

fn ask(w: &mut World, who: &str, kind: &str, to: &str, payload: &str) -> String {
    let to = if to.is_empty() { String::new() } else { format!(" to='{to}'") };
    w.says(who, &format!("<iq type='{kind}' id='q1'{to}>{payload}</iq>"));
    w.hears(who).concat()
}

fn private(content: &str) -> String {
    format!("<query xmlns='jabber:iq:private'>{content}</query>")
}

fn is(answer: &str, condition: &str) {
    assert!(answer.contains(&format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>")), "{answer}");
}

#[test]
fn xep_0049_s2_what_is_put_by_is_there_for_all_sessions_and_after_a_restart() {
    let mut w = World::new();
    w.online(JULIET);
    let empty = private("<exodus xmlns='exodus:prefs'/>");
    assert!(ask(&mut w, JULIET, "get", "", &empty).contains(&empty));
    let done = format!("<iq type='result' id='q1' to='{JULIET}'/>");
    assert_eq!(ask(&mut w, JULIET, "set", "", &private(EXODUS)), done);
    w.restart("example.com");
    w.online(CHAMBER);
    assert!(ask(&mut w, CHAMBER, "get", "juliet@example.com", &empty).contains(&private(EXODUS)));
    let other = "<exodus xmlns='exodus:prefs'><defaultnick>Ophelia</defaultnick></exodus>";
    ask(&mut w, CHAMBER, "set", "", &private(&format!("{other}<a xmlns='b'/>")));
    assert!(ask(&mut w, CHAMBER, "get", "", &empty).contains(&private(other)));
}

#[test]
fn xep_0049_s2_3_nobody_elses_and_nothing_of_the_protocols() {
    let mut w = World::lovers();
    w.online(NURSE);
    for who in [ROMEO, NURSE] {
        is(&ask(&mut w, who, "get", "juliet@example.com", &private(EXODUS)), "forbidden");
        is(&ask(&mut w, who, "set", "juliet@example.com", &private(EXODUS)), "forbidden");
    }
    is(&ask(&mut w, ROMEO, "get", "tybalt@example.com", &private(EXODUS)), "forbidden");
    is(&ask(&mut w, JULIET, "set", "", &private("<exodus/>")), "not-acceptable");
    is(&ask(&mut w, JULIET, "set", "", &private("")), "bad-request");
}

#[test]
fn xep_0054_s3_ones_own_is_set_and_everybody_sees_it() {
    let mut w = World::new();
    w.online(JULIET);
    w.online(ROMEO);
    is(&ask(&mut w, JULIET, "get", "", "<vCard xmlns='vcard-temp'/>"), "item-not-found");
    let of_nobody = |w: &mut World, who: &str| {
        ask(w, ROMEO, "get", &format!("{who}@example.com"), "<vCard xmlns='vcard-temp'/>").replace(who, "X")
    };
    assert_eq!(of_nobody(&mut w, "juliet"), of_nobody(&mut w, "tybalt"));
    is(&of_nobody(&mut w, "juliet"), "service-unavailable");
    assert_eq!(ask(&mut w, JULIET, "set", "", CARD), format!("<iq type='result' id='q1' to='{JULIET}'/>"));
    w.restart("example.com");
    assert!(ask(&mut w, ROMEO, "get", "juliet@example.com", "<vCard xmlns='vcard-temp'/>").contains(CARD));
    is(&ask(&mut w, ROMEO, "set", "juliet@example.com", CARD), "forbidden");
    is(&ask(&mut w, ROMEO, "set", "tybalt@example.com", CARD), "forbidden");
}

/// All that an account puts by has one bound; what takes the place of something counts the difference.
#[test]
fn what_is_put_by_has_a_bound() {
    let mut w = World::new();
    w.settings = |config| config.kept_bytes = 1_000;
    w.restart("example.com");
    w.online(JULIET);
    let card = |bytes: usize| format!("<vCard xmlns='vcard-temp'><FN>{}</FN></vCard>", "x".repeat(bytes));
    assert!(ask(&mut w, JULIET, "set", "", &card(600)).contains("type='result'"));
    is(
        &ask(&mut w, JULIET, "set", "", &private(&format!("<a xmlns='b'>{}</a>", "x".repeat(600)))),
        "resource-constraint",
    );
    assert!(ask(&mut w, JULIET, "set", "", &card(700)).contains("type='result'"));
    let twice = private(&"<c xmlns='d'>1</c>".repeat(2));
    assert!(ask(&mut w, JULIET, "set", "", &twice).contains("type='result'"));
    assert!(ask(&mut w, JULIET, "set", "", &twice).contains("type='result'"), "what is named twice is there once");
    w.says(JULIET, "<iq type='get' id='q1'><query xmlns='jabber:iq:private'><a xmlns='b'/></query></iq>");
    assert!(w.hears(JULIET).concat().contains("<a xmlns='b'/>"), "nothing of it was kept");
}

#[test]
fn what_the_disk_refuses_is_not_kept() {
    let mut w = World::new();
    w.online(JULIET);
    w.held = true;
    assert_eq!(ask(&mut w, JULIET, "set", "", CARD), "");
    w.fail();
    is(&w.hears(JULIET).concat(), "internal-server-error");
    w.held = false;
    is(&ask(&mut w, JULIET, "get", "", "<vCard xmlns='vcard-temp'/>"), "item-not-found");
}
