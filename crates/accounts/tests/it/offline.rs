//! Messages for who is not there: RFC 6121 8.5.2.2.1 and XEP-0160.

use crate::world::{CHAMBER, JULIET, ROMEO, World, jid};
use machine::Now;
use xmpp::Element;

const STAMP: &str = "<delay xmlns='urn:xmpp:delay' from='example.com' stamp='2023-11-14T22:13:20Z'/>";

fn says(w: &mut World, id: &str, kind: &str, content: &str) -> usize {
    w.says(ROMEO, &format!("<message id='{id}' to='juliet@example.com' type='{kind}'>{content}</message>"));
    w.hears(ROMEO).len()
}

/// What a session is told when it comes: its messages alone.
fn comes(w: &mut World, full: &str, priority: i8) -> Vec<String> {
    w.bind(full);
    w.says(full, &format!("<presence><priority>{priority}</priority></presence>"));
    w.hears(full).into_iter().filter(|xml| xml.starts_with("<message")).collect()
}

#[test]
fn xep_0160_s2_what_waits_is_given_once_in_order_with_its_time() {
    let mut w = World::new();
    w.online(ROMEO);
    assert_eq!(says(&mut w, "m1", "chat", "<body>Art thou not Romeo?</body>"), 0);
    assert_eq!(says(&mut w, "m2", "normal", "<body>And a Montague?</body>"), 0);
    w.restart("example.com");
    let message = |id: &str, kind: &str, body: &str| {
        format!("<message id='{id}' type='{kind}' from='{ROMEO}' to='{JULIET}'><body>{body}</body>{STAMP}</message>")
    };
    let given = comes(&mut w, JULIET, 0);
    let read = |xml: &String| Element::parse(xml).expect("XML");
    let expected = [message("m1", "chat", "Art thou not Romeo?"), message("m2", "normal", "And a Montague?")];
    for (given, expected) in given.iter().map(read).zip(expected.iter().map(read)) {
        assert_eq!(given.nodes(), expected.nodes());
        assert_eq!(
            ["id", "type", "from", "to"].map(|n| given.get(n)),
            ["id", "type", "from", "to"].map(|n| expected.get(n))
        );
    }
    assert_eq!(given.len(), 2);
    assert_eq!(comes(&mut w, CHAMBER, 0).len(), 0, "not a second time");
    w.restart("example.com");
    assert_eq!(comes(&mut w, JULIET, 0).len(), 0, "nor after a restart");
}

#[test]
fn xep_0160_s2_a_negative_priority_gets_nothing_until_it_is_none() {
    let mut w = World::new();
    w.online(ROMEO);
    says(&mut w, "m1", "chat", "<body>?</body>");
    assert_eq!(comes(&mut w, JULIET, -1).len(), 0);
    w.says(JULIET, "<presence/>");
    assert_eq!(w.kinds(JULIET).last().map(String::as_str), Some("message chat"));
}

#[test]
fn xep_0160_s3_what_is_kept() {
    for (kind, content, kept) in [
        ("chat", "<body>?</body>", true),
        ("normal", "<body>?</body>", true),
        ("serenade", "<body>?</body>", true),
        ("chat", "<encrypted xmlns='eu.siacs.conversations.axolotl'/><store xmlns='urn:xmpp:hints'/>", true),
        ("normal", "<x xmlns='jabber:x:conference' jid='coven@rooms.example.org'/>", true),
        ("normal", "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@b'/></x>", true),
        ("chat", "<received xmlns='urn:xmpp:receipts' id='1'/>", true),
        ("chat", "<active xmlns='http://jabber.org/protocol/chatstates'/>", false),
        ("chat", "<body>?</body><no-store xmlns='urn:xmpp:hints'/>", false),
        ("chat", "<body>?</body><x xmlns='http://jabber.org/protocol/muc#user'/>", false),
        ("groupchat", "<body>?</body>", false),
        ("headline", "<body>?</body>", false),
        ("error", "<body>?</body>", false),
    ] {
        let mut w = World::new();
        w.online(ROMEO);
        let refused = says(&mut w, "m1", kind, content);
        let silent = kept || matches!(kind, "headline" | "error");
        assert_eq!(refused == 0, silent, "{kind} {content}");
        assert_eq!(comes(&mut w, JULIET, 0).len() == 1, kept, "{kind} {content}");
    }
}

/// 8.5.2.2.1: what is over the bound is refused, and it is the account's own bound.
#[test]
fn s8_5_2_2_1_too_many_are_refused() {
    let mut w = World::new();
    w.settings = |config| config.offline_messages = 2;
    w.restart("example.com");
    w.online(ROMEO);
    assert_eq!([1, 2, 3].map(|n| says(&mut w, &n.to_string(), "chat", "<body>?</body>")), [0, 0, 1]);
    w.says(ROMEO, "<message to='nurse@example.com'><body>?</body></message>");
    assert_eq!(w.hears(ROMEO).len(), 0);
    assert_eq!(comes(&mut w, JULIET, 0).len(), 2);
    assert_eq!(says(&mut w, "4", "chat", "<body>?</body>"), 0);
    w.ends(JULIET);
    let long = format!("<body>{}</body>", "x".repeat(200_000));
    assert_eq!([5, 6].map(|n| says(&mut w, &n.to_string(), "chat", &long)), [0, 1], "in bytes as well");
}

#[test]
fn a_message_that_the_disk_refuses_is_refused() {
    let mut w = World::new();
    w.online(ROMEO);
    w.held = true;
    assert_eq!(says(&mut w, "m1", "chat", "<body>?</body>"), 0);
    w.fail();
    assert!(w.hears(ROMEO).concat().contains("<internal-server-error "));
    w.held = false;
    assert_eq!(comes(&mut w, JULIET, 0).len(), 0);
}

/// Until they are removed they are on disk: who dies with them unread has them again.
#[test]
fn what_the_disk_still_has_is_given_again() {
    let mut w = World::new();
    w.online(ROMEO);
    says(&mut w, "m1", "chat", "<body>?</body>");
    w.held = true;
    assert_eq!(comes(&mut w, JULIET, 0).len(), 1);
    w.waiting.clear();
    w.held = false;
    w.restart("example.com");
    assert_eq!(comes(&mut w, JULIET, 0).len(), 1);
}

/// XEP-0198 4: what a session that never came back did not take, with the time that the edge has put on it.
#[test]
fn xep_0198_s4_what_a_session_did_not_take_waits() {
    let mut w = World::new();
    let stamp = "<delay xmlns='urn:xmpp:delay' from='example.com' stamp='2023-11-14T22:00:00Z'/>";
    for kind in ["chat", "normal"] {
        let lost = format!("<message type='{kind}' from='{ROMEO}' to='{JULIET}'><body>o</body>{stamp}</message>");
        let mut out = Vec::new();
        let now = Now { mono_ms: 1_000, unix_ms: 1_700_000_000_000 };
        w.site_of(JULIET).undelivered(Element::parse(&lost).expect("XML"), now, &mut out);
        w.carry_out("example.com", out);
        let given = comes(&mut w, CHAMBER, 0).concat();
        assert!(given.contains(stamp) && !given.contains(STAMP), "{kind}: {given}");
        w.ends(CHAMBER);
    }
    assert!(!w.site_of(JULIET).has_session(&jid(CHAMBER)));
}

#[test]
fn a_removed_account_leaves_no_messages_to_the_next_of_its_name() {
    let mut w = World::new();
    w.online(ROMEO);
    says(&mut w, "m1", "chat", "<body>?</body>");
    let mut out = Vec::new();
    w.site_of(JULIET).delete("juliet", &mut out).unwrap();
    w.site_of(JULIET).create("juliet", crate::world::password("x"), &mut out).unwrap_err();
    w.carry_out("example.com", out);
    let mut out = Vec::new();
    w.site_of(JULIET).create("juliet", crate::world::password("x"), &mut out).unwrap();
    w.carry_out("example.com", out);
    assert_eq!(comes(&mut w, JULIET, 0).len(), 0);
}
