//! Binding resources (RFC 6120 7) and the end of streams.

use crate::world::{CHAMBER, JULIET, ROMEO, World, jid};
use accounts::BindError;
use accounts::config::SESSIONS_PER_ACCOUNT_MAX;
use machine::{Now, Output};
use xmpp::Element;
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

/// XEP-0198 4: as if it had been sent to a resource that is not there. What others are told of a resource, what rooms say,
/// and what only that client had asked for, go nowhere.
#[test]
fn xep_0198_s4_what_a_session_did_not_take_is_its_accounts() {
    let mut w = World::new();
    w.bind(CHAMBER);
    w.says(CHAMBER, "<presence/>");
    let site = w.site_of(JULIET);
    let now = Now { mono_ms: 1_000, unix_ms: 0 };
    let mut returned = |xml: &str| {
        let stanza = Element::parse(xml).unwrap().attr("to", JULIET);
        let mut out = Vec::new();
        site.undelivered(stanza, now, &mut out);
        let sent = |output: Output| match output {
            Output::Send { to, stanza } => Some((to.to_string(), stanza.element().get("type").map(str::to_owned))),
            _ => None,
        };
        out.into_iter().filter_map(sent).collect::<Vec<_>>()
    };
    let to = |who: &str, kind: &str| [(who.to_owned(), Some(kind.to_owned()))];
    assert_eq!(returned(&format!("<message type='chat' from='{ROMEO}'><body>o</body></message>")), to(CHAMBER, "chat"));
    assert_eq!(returned(&format!("<iq type='get' id='1' from='{ROMEO}'><q xmlns='x'/></iq>")), to(ROMEO, "error"));
    for nobodys in [
        "<message type='groupchat' from='verona@rooms.example.org/Romeo'><body>o</body></message>",
        "<message type='error' from='romeo@example.net'/>",
        "<message from='verona@rooms.example.org'><result xmlns='urn:xmpp:mam:2'/></message>",
        "<message type='chat' from='juliet@example.com'><body>a copy</body></message>",
        "<iq type='set' id='1' from='juliet@example.com'><query xmlns='jabber:iq:roster'/></iq>",
        "<iq type='get' id='1' from='example.com'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='result' id='1' from='romeo@example.net/orchard'/>",
    ] {
        assert_eq!(returned(nobodys), [], "{nobodys}");
    }
}
