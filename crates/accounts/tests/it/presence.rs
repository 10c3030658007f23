//! RFC 6121 section 4: presence broadcast, probes, directed presence.

use crate::world::{CHAMBER, JULIET, NURSE, ROMEO, World, jid};
use accounts::config::DIRECTED_PER_SESSION_MAX;

#[test]
fn s4_2_2_initial_presence_goes_to_subscribers_and_own_resources_and_contacts_are_probed() {
    let mut w = World::lovers();
    w.bind(CHAMBER);
    w.says(CHAMBER, "<presence><show>dnd</show></presence>");
    let shown = |to: &str| format!("<presence from='{CHAMBER}' to='{to}'><show>dnd</show></presence>");
    assert_eq!(w.hears(ROMEO), [shown(ROMEO)]);
    assert_eq!(w.hears(JULIET), [shown(JULIET)]);
    assert_eq!(
        w.hears(CHAMBER),
        [
            shown(CHAMBER),
            format!("<presence from='{JULIET}' to='{CHAMBER}'/>"),
            format!("<presence from='{ROMEO}' to='{CHAMBER}'/>"),
        ]
    );
}

#[test]
fn s4_3_2_a_probe_for_a_subscribed_contact_who_is_away_is_answered_unavailable() {
    let mut w = World::lovers();
    w.ends(ROMEO);
    w.forget();
    w.arrives(&format!("<presence from='{JULIET}' to='romeo@example.net' type='probe'/>"));
    assert_eq!(w.hears(JULIET), [format!("<presence from='romeo@example.net' type='unavailable' to='{JULIET}'/>")]);
}

#[test]
fn s4_3_2_a_probe_by_a_stranger_or_for_nobody_is_answered_alike() {
    let mut w = World::lovers();
    for whom in ["juliet@example.com", "tybalt@example.com", JULIET] {
        w.arrives(&format!("<presence from='paris@verona.lit/hall' to='{whom}' type='probe'/>"));
        let bare = jid(whom).bare();
        let denied = format!("<presence from='{bare}' type='unsubscribed' to='paris@verona.lit'/>");
        assert_eq!(std::mem::take(&mut w.abroad), [denied]);
    }
    assert_eq!(w.kinds(JULIET), [""; 0], "a client is shown no probe");
}

#[test]
fn s4_4_2_later_presence_is_broadcast_without_probes() {
    let mut w = World::lovers();
    w.says(JULIET, "<presence><show>away</show></presence>");
    assert_eq!((w.kinds(ROMEO), w.kinds(JULIET)), (vec!["presence".into()], vec!["presence".into()]));
}

#[test]
fn s4_5_2_unavailable_goes_to_all_who_saw_it() {
    let mut w = World::lovers();
    w.online(CHAMBER);
    w.says(JULIET, "<presence type='unavailable'><status>Farewell</status></presence>");
    let gone =
        |to| format!("<presence type='unavailable' from='{JULIET}' to='{to}'><status>Farewell</status></presence>");
    assert_eq!(w.hears(ROMEO), [gone(ROMEO)]);
    assert_eq!(w.hears(CHAMBER), [gone(CHAMBER)]);
    assert_eq!(w.hears(JULIET), [gone(JULIET)], "and to itself");
    w.says(ROMEO, "<presence/>");
    assert_eq!(w.kinds(JULIET), [""; 0], "it is not available any more");
}

#[test]
fn s4_5_2_the_end_of_a_stream_is_unavailable_presence() {
    let mut w = World::lovers();
    w.ends(JULIET);
    assert_eq!(w.hears(ROMEO), [format!("<presence from='{JULIET}' type='unavailable' to='{ROMEO}'/>")]);
    w.ends(JULIET);
    assert_eq!(w.hears(ROMEO), [""; 0], "once");
}

#[test]
fn s4_6_3_whom_a_session_showed_itself_to_learns_of_its_end() {
    let mut w = World::lovers();
    w.says(ROMEO, "<presence to='verona@rooms.example.org/Romeo'/>");
    w.says(ROMEO, "<presence to='mantua@rooms.example.org/Romeo'/>");
    w.says(ROMEO, &format!("<presence to='{JULIET}'/>"));
    w.says(ROMEO, "<presence to='mantua@rooms.example.org/Romeo' type='unavailable'/>");
    w.forget();
    w.ends(ROMEO);
    let left = format!("<presence from='{ROMEO}' type='unavailable' to='verona@rooms.example.org/Romeo'/>");
    assert_eq!(w.abroad, [left]);
    assert_eq!(w.kinds(JULIET), ["presence unavailable"], "a subscriber is told once");
}

#[test]
fn s4_6_3_also_when_it_never_was_available_to_all() {
    let mut w = World::new();
    w.bind(ROMEO);
    w.bind(JULIET);
    w.bind(NURSE);
    w.says(ROMEO, "<presence to='verona@rooms.example.org/Romeo'/>");
    w.says(NURSE, &format!("<presence to='{JULIET}'/>"));
    w.forget();
    w.says(ROMEO, "<presence type='unavailable'/>");
    w.ends(NURSE);
    assert_eq!(w.abroad.len(), 1);
    assert_eq!(w.kinds(JULIET), ["presence unavailable"]);
    w.ends(ROMEO);
    assert_eq!(w.abroad.len(), 1, "it has left already");
}

#[test]
fn s4_6_3_a_subscriber_too_learns_of_the_end_of_what_only_it_saw() {
    let mut w = World::lovers();
    w.bind(CHAMBER);
    w.says(CHAMBER, &format!("<presence to='{ROMEO}'/>"));
    w.forget();
    w.ends(CHAMBER);
    assert_eq!(w.hears(ROMEO), [format!("<presence from='{CHAMBER}' type='unavailable' to='{ROMEO}'/>")]);
}

#[test]
fn s4_6_a_session_is_in_a_bounded_number_of_rooms() {
    let mut w = World::new();
    w.online(ROMEO);
    for n in 0..=DIRECTED_PER_SESSION_MAX {
        w.says(ROMEO, &format!("<presence to='room{n}@rooms.example.org/Romeo'/>"));
    }
    assert_eq!(w.abroad.len(), DIRECTED_PER_SESSION_MAX);
    assert!(w.hears(ROMEO)[0].contains("<resource-constraint "));
    w.says(ROMEO, "<presence to='room0@rooms.example.org/Romeo'/>");
    assert_eq!(w.abroad.len(), DIRECTED_PER_SESSION_MAX + 1, "one it is in already");
}

#[test]
fn s4_7_2_3_a_priority_is_a_small_number() {
    let mut w = World::new();
    w.bind(ROMEO);
    for bad in ["128", "-129", "high", ""] {
        w.says(ROMEO, &format!("<presence><priority>{bad}</priority></presence>"));
        assert_eq!(w.kinds(ROMEO), ["presence error"], "{bad}");
    }
    w.says(ROMEO, "<presence><priority>-128</priority></presence>");
    assert_eq!(w.kinds(ROMEO), ["presence"]);
}

#[test]
fn s4_7_1_a_type_that_is_none_is_refused() {
    let mut w = World::new();
    w.bind(ROMEO);
    w.says(ROMEO, "<presence type='available'/>");
    assert!(w.hears(ROMEO)[0].contains("<bad-request "));
}

#[test]
fn s8_5_presence_for_nobody_is_dropped() {
    let mut w = World::new();
    for whom in ["tybalt@example.com", "juliet@example.com", JULIET, "example.com"] {
        w.arrives(&format!("<presence from='paris@verona.lit/hall' to='{whom}'/>"));
        w.arrives(&format!("<presence from='paris@verona.lit/hall' to='{whom}' type='unavailable'/>"));
    }
    assert_eq!(w.abroad, [""; 0]);
}
