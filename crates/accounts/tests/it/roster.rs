//! RFC 6121 section 2: the roster.

use crate::world::{CHAMBER, JULIET, NURSE, ROMEO, World};
use accounts::config::{GROUPS_PER_ITEM_MAX, NAME_BYTES_MAX, ROSTER_ITEMS_MAX};

const GET: &str = "<iq type='get' id='hu2bac18'><query xmlns='jabber:iq:roster'/></iq>";

/// A roster set with these contents.
fn set(items: &str) -> String {
    format!("<iq type='set' id='rs1'><query xmlns='jabber:iq:roster'>{items}</query></iq>")
}

const ADD_NURSE: &str = "<item jid='nurse@example.com' name='Nurse'><group>Servants</group></item>";

#[test]
fn s2_1_3_a_client_gets_its_roster() {
    let mut w = World::lovers();
    w.says(JULIET, &set(ADD_NURSE));
    w.forget();
    w.says(JULIET, GET);
    assert_eq!(
        w.hears(JULIET),
        [format!(
            "<iq type='result' id='hu2bac18' to='{JULIET}'><query xmlns='jabber:iq:roster'>\
             <item jid='nurse@example.com' name='Nurse' subscription='none'><group>Servants</group></item>\
             <item jid='romeo@example.net' subscription='both'/></query></iq>"
        )]
    );
}

#[test]
fn s2_3_2_an_added_contact_is_pushed_to_interested_resources_only() {
    let mut w = World::new();
    w.online(JULIET);
    w.bind(CHAMBER);
    w.says(JULIET, &set(ADD_NURSE));
    assert_eq!(
        w.hears(JULIET),
        [
            format!(
                "<iq from='juliet@example.com' id='push1' type='set' to='{JULIET}'><query xmlns='jabber:iq:roster'>\
                 <item jid='nurse@example.com' name='Nurse' subscription='none'><group>Servants</group></item>\
                 </query></iq>"
            ),
            format!("<iq type='result' id='rs1' to='{JULIET}'/>"),
        ]
    );
    assert_eq!(w.hears(CHAMBER), [""; 0]);
    w.says(CHAMBER, GET);
    w.forget();
    w.says(JULIET, &set("<item jid='nurse@example.com'/>"));
    assert_eq!((w.kinds(JULIET).len(), w.kinds(CHAMBER).len()), (2, 1));
}

#[test]
fn s2_3_3_a_bad_set_is_refused_with_the_condition_for_it() {
    let mut w = World::new();
    w.online(JULIET);
    let long = "n".repeat(NAME_BYTES_MAX + 1);
    let groups: String = (0..=GROUPS_PER_ITEM_MAX).map(|n| format!("<group>{n}</group>")).collect();
    for (items, condition) in [
        ("", "bad-request"),
        ("<item jid='a@b.lit'/><item jid='c@d.lit'/>", "bad-request"),
        ("<item/>", "bad-request"),
        ("<item jid='a@b@c'/>", "bad-request"),
        ("<item jid='a@b.lit'><group>x</group><group>x</group></item>", "bad-request"),
        ("<item jid='a@b.lit'><group/></item>", "not-acceptable"),
        (&format!("<item jid='a@b.lit'><group>{long}</group></item>"), "not-acceptable"),
        (&format!("<item jid='a@b.lit' name='{long}'/>"), "not-acceptable"),
        (&format!("<item jid='a@b.lit'>{groups}</item>"), "not-acceptable"),
        ("<item jid='juliet@example.com'/>", "not-allowed"),
        ("<item jid='a@b.lit' subscription='remove'/>", "item-not-found"),
    ] {
        w.says(JULIET, &set(items));
        let heard = w.hears(JULIET);
        assert_eq!(heard.len(), 1, "{items}");
        assert!(heard[0].contains(&format!("<{condition} ")), "{items}: {}", heard[0]);
    }
}

#[test]
fn s2_3_3_nobody_reads_or_writes_anothers_roster() {
    let mut w = World::lovers();
    for whom in ["juliet@example.com", "nurse@example.com", "tybalt@example.com"] {
        for kind in ["get", "set"] {
            w.says(ROMEO, &format!("<iq type='{kind}' id='1' to='{whom}'><query xmlns='jabber:iq:roster'/></iq>"));
            assert!(w.hears(ROMEO)[0].contains("<forbidden "), "{whom}");
        }
    }
}

#[test]
fn s2_3_a_set_cannot_change_a_subscription() {
    let mut w = World::new();
    w.online(JULIET);
    w.says(JULIET, &set("<item jid='romeo@example.net' subscription='both' approved='true' ask='subscribe'/>"));
    assert_eq!(
        w.item("juliet@example.com", "romeo@example.net"),
        "<item xmlns='jabber:iq:roster' jid='romeo@example.net' subscription='none'/>"
    );
}

#[test]
fn s2_4_another_name_leaves_the_subscription() {
    let mut w = World::lovers();
    w.says(JULIET, &set("<item jid='romeo@example.net' name='Montague'/>"));
    assert_eq!(
        w.item("juliet@example.com", "romeo@example.net"),
        "<item xmlns='jabber:iq:roster' jid='romeo@example.net' name='Montague' subscription='both'/>"
    );
}

#[test]
fn s2_5_2_removing_a_contact_ends_both_halves() {
    let mut w = World::lovers();
    w.says(JULIET, &set("<item jid='romeo@example.net' subscription='remove'/>"));
    let heard = w.hears(JULIET);
    assert!(heard[0].contains("<item jid='romeo@example.net' subscription='remove'/>"), "{heard:?}");
    assert_eq!(heard[1], format!("<iq type='result' id='rs1' to='{JULIET}'/>"));
    assert_eq!(
        w.kinds(ROMEO),
        ["presence unsubscribe", "iq set", "presence unavailable", "presence unsubscribed", "iq set"]
    );
    assert_eq!(w.item("juliet@example.com", "romeo@example.net"), "");
    assert!(w.item("romeo@example.net", "juliet@example.com").contains("subscription='none'"));
    assert!(!w.stores["example.com"].keys().any(|(space, ..)| space == "roster"));
}

#[test]
fn s2_a_set_is_answered_once_durable_and_a_refused_write_is_told_and_undone() {
    let mut w = World::new();
    w.online(JULIET);
    w.held = true;
    w.says(JULIET, &set(ADD_NURSE));
    w.says(JULIET, &set("<item jid='romeo@example.net'/>"));
    assert_eq!(w.hears(JULIET), [""; 0]);
    w.fail();
    assert_eq!(w.kinds(JULIET), ["iq error"]);
    w.commit();
    assert_eq!(w.kinds(JULIET), ["iq set", "iq result"]);
    w.held = false;
    assert_eq!(w.item("juliet@example.com", "nurse@example.com"), "");
    assert_ne!(w.item("juliet@example.com", "romeo@example.net"), "");
}

#[test]
fn s2_a_roster_shows_nothing_that_is_not_durable() {
    let mut w = World::new();
    w.online(JULIET);
    w.held = true;
    w.says(JULIET, &set(ADD_NURSE));
    w.says(JULIET, GET);
    assert_eq!(w.hears(JULIET), [""; 0]);
    w.commit();
    assert_eq!(w.kinds(JULIET), ["iq set", "iq result", "iq result"]);
}

#[test]
fn s2_a_change_built_on_a_refused_one_goes_back_to_what_is_kept() {
    let mut w = World::new();
    w.online(JULIET);
    w.says(JULIET, &set("<item jid='nurse@example.com' name='0'/>"));
    w.held = true;
    for name in 1..=3 {
        w.says(JULIET, &set(&format!("<item jid='nurse@example.com' name='{name}'/>")));
    }
    w.fail(); // 1: 2 and 3 are on their way
    w.commit(); // 2
    w.fail(); // 3: back to 2
    w.held = false;
    assert!(w.item("juliet@example.com", "nurse@example.com").contains("name='2'"));
    w.restart("example.com");
    assert!(w.item("juliet@example.com", "nurse@example.com").contains("name='2'"));
    w.online(JULIET);
    w.held = true;
    for name in 4..=5 {
        w.says(JULIET, &set(&format!("<item jid='nurse@example.com' name='{name}'/>")));
    }
    w.fail();
    w.fail();
    w.held = false;
    assert!(w.item("juliet@example.com", "nurse@example.com").contains("name='2'"));
}

#[test]
fn s2_a_roster_has_bounded_many_contacts() {
    let mut w = World::new();
    w.online(NURSE);
    for n in 0..=ROSTER_ITEMS_MAX {
        w.says(NURSE, &set(&format!("<item jid='capulet{n}@verona.lit'/>")));
    }
    assert!(w.hears(NURSE).pop().is_some_and(|last| last.contains("<policy-violation ")));
    w.says(NURSE, "<presence to='romeo@example.net' type='subscribe'/>");
    assert_eq!(w.kinds(NURSE), ["presence error"]);
    assert_eq!(w.stores["example.com"].keys().filter(|(space, ..)| space == "roster").count(), ROSTER_ITEMS_MAX);
}
