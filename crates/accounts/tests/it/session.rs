//! Binding resources (RFC 6120 7) and the end of streams.

use crate::world::{JULIET, ROMEO, World, jid};
use accounts::BindError;
use accounts::config::SESSIONS_PER_ACCOUNT_MAX;
use xmpp::stanza::Condition;

#[test]
fn rfc_6120_7_6_1_the_server_makes_up_a_resource() {
    let mut w = World::new();
    let (mut out, site) = (Vec::new(), w.site_of(JULIET));
    let one = site.bind(&jid("juliet@example.com"), &mut out).unwrap();
    let two = site.bind(&jid("juliet@example.com"), &mut out).unwrap();
    assert_ne!(one.jid, two.jid);
    assert_eq!((one.jid.bare_str(), one.replaced, two.replaced), ("juliet@example.com", false, false));
    assert!(site.has_session(&one.jid) && site.has_session(&two.jid));
}

#[test]
fn rfc_6120_7_7_2_2_the_newer_stream_wins_and_the_older_is_seen_to_leave() {
    let mut w = World::lovers();
    w.says(JULIET, "<presence to='verona@rooms.example.org/Juliet'/>");
    w.forget();
    let bound = w.bind(JULIET);
    assert!(bound.replaced);
    assert_eq!(w.kinds(ROMEO), ["presence unavailable"]);
    assert_eq!(w.abroad.len(), 1, "the room is told");
    assert_eq!(w.kinds(JULIET), [""; 0], "the new stream gets nothing of the old one's end");
    w.says(ROMEO, "<presence/>");
    assert_eq!(w.kinds(JULIET), [""; 0], "the new stream is not available yet");
}

#[test]
fn rfc_6120_7_6_2_1_an_account_has_bounded_many_sessions() {
    let mut w = World::new();
    for n in 0..SESSIONS_PER_ACCOUNT_MAX {
        w.bind(&format!("juliet@example.com/{n}"));
    }
    let (mut out, site) = (Vec::new(), w.site_of(JULIET));
    let refused = site.bind(&jid(JULIET), &mut out).unwrap_err();
    assert_eq!((refused, refused.condition()), (BindError::TooManySessions, Condition::ResourceConstraint));
    assert!(site.bind(&jid("juliet@example.com/0"), &mut out).unwrap().replaced, "in place of another there is room");
    w.ends("juliet@example.com/1");
    assert!(w.site_of(JULIET).bind(&jid(JULIET), &mut out).is_ok());
}

#[test]
fn rfc_6120_7_6_2_2_nobody_binds_for_nobody() {
    let mut w = World::new();
    let refused = w.site_of(JULIET).bind(&jid("tybalt@example.com/tomb"), &mut Vec::new()).unwrap_err();
    assert_eq!((refused, refused.condition()), (BindError::NoAccount, Condition::NotAllowed));
    assert_eq!(w.site_of(JULIET).bind(&jid(ROMEO), &mut Vec::new()), Err(BindError::NoAccount));
}
