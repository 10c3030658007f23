//! RFC 6121 sections 5 and 8.5: who gets a message, and what the sender hears when nobody does.

use crate::world::{CHAMBER, JULIET, NURSE, ROMEO, World};

/// Romeo sends a message of this type to this address; who of Juliet's two sessions gets it, and what he hears.
fn fate(w: &mut World, kind: &str, to: &str) -> (usize, usize, Vec<String>) {
    w.forget();
    w.says(ROMEO, &format!("<message to='{to}' type='{kind}'><body>O blessed, blessed night!</body></message>"));
    (w.hears(JULIET).len(), w.hears(CHAMBER).len(), w.kinds(ROMEO))
}

const DELIVERED: [String; 0] = [];
fn bounced() -> Vec<String> {
    vec!["message error".into()]
}

/// Juliet on the balcony with one priority and in the chamber with another.
fn juliet_twice(balcony: i8, chamber: i8) -> World {
    let mut w = World::new();
    w.online(ROMEO);
    for (full, priority) in [(JULIET, balcony), (CHAMBER, chamber)] {
        w.bind(full);
        w.says(full, &format!("<presence><priority>{priority}</priority></presence>"));
    }
    w
}

#[test]
fn s8_5_2_1_1_by_the_bare_address_to_the_most_available_resource() {
    let mut w = juliet_twice(5, 1);
    assert_eq!(fate(&mut w, "chat", "juliet@example.com"), (1, 0, DELIVERED.into()));
    assert_eq!(fate(&mut w, "normal", "juliet@example.com"), (1, 0, DELIVERED.into()));
    assert_eq!(fate(&mut w, "headline", "juliet@example.com"), (1, 1, DELIVERED.into()));
    assert_eq!(fate(&mut w, "groupchat", "juliet@example.com"), (0, 0, bounced()));
    assert_eq!(fate(&mut w, "error", "juliet@example.com"), (0, 0, DELIVERED.into()));
    assert_eq!(fate(&mut w, "serenade", "juliet@example.com"), (1, 0, DELIVERED.into()), "as normal");
}

#[test]
fn s8_5_2_1_1_resources_of_one_priority_all_get_it() {
    let mut w = juliet_twice(1, 1);
    assert_eq!(fate(&mut w, "chat", "juliet@example.com"), (1, 1, DELIVERED.into()));
}

#[test]
fn s8_5_2_1_1_a_negative_priority_gets_nothing_by_the_bare_address() {
    let mut w = juliet_twice(-1, 0);
    assert_eq!(fate(&mut w, "headline", "juliet@example.com"), (0, 1, DELIVERED.into()));
    assert_eq!(fate(&mut w, "chat", JULIET), (1, 0, DELIVERED.into()), "but by its own");
    let mut w = juliet_twice(-1, -1);
    assert_eq!(fate(&mut w, "chat", "juliet@example.com"), (0, 0, DELIVERED.into()), "it is kept");
}

#[test]
fn s8_5_3_1_the_full_address_means_that_resource_whatever_the_type() {
    let mut w = juliet_twice(5, -1);
    for kind in ["chat", "normal", "headline", "groupchat", "error"] {
        assert_eq!(fate(&mut w, kind, CHAMBER), (0, 1, DELIVERED.into()), "{kind}");
    }
}

#[test]
fn s8_5_3_2_1_a_chat_message_follows_to_another_resource_the_others_do_not() {
    let mut w = juliet_twice(5, 1);
    let gone = "juliet@example.com/tomb";
    assert_eq!(fate(&mut w, "chat", gone), (1, 0, DELIVERED.into()));
    assert_eq!(fate(&mut w, "normal", gone), (0, 0, bounced()));
    assert_eq!(fate(&mut w, "groupchat", gone), (0, 0, bounced()), "so that a room notices");
    assert_eq!(fate(&mut w, "headline", gone), (0, 0, DELIVERED.into()));
    assert_eq!(fate(&mut w, "error", gone), (0, 0, DELIVERED.into()));
}

/// But for what is kept, which of nobody is refused: whoever has mistyped an address is to learn it.
#[test]
fn s8_5_1_nobody_and_somebody_away_cannot_be_told_apart() {
    let mut w = World::new();
    w.online(ROMEO);
    for kind in ["chat", "normal", "headline", "groupchat", "error"] {
        for resource in ["", "/balcony"] {
            let mut answer = |user: &str| {
                let to = format!("{user}@example.com{resource}");
                let state = "<active xmlns='http://jabber.org/protocol/chatstates'/>";
                w.says(ROMEO, &format!("<message id='1' to='{to}' type='{kind}'>{state}</message>"));
                w.hears(ROMEO).join("").replace(user, "X")
            };
            assert_eq!(answer("juliet"), answer("tybalt"), "{kind}{resource}");
        }
    }
}

#[test]
fn s8_5_2_2_1_the_sender_hears_service_unavailable() {
    let mut w = World::new();
    w.online(ROMEO);
    w.says(ROMEO, "<message id='z94nb37h' to='tybalt@example.com' type='chat'><body>Art thou?</body></message>");
    assert_eq!(
        w.hears(ROMEO),
        [format!(
            "<message id='z94nb37h' type='error' from='tybalt@example.com' to='{ROMEO}'><body>Art thou?</body>\
             <error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        )]
    );
}

#[test]
fn s8_1_1_without_an_address_it_is_for_oneself() {
    let mut w = World::new();
    w.online(JULIET);
    w.says(JULIET, "<message type='chat'><body>Ay me!</body></message>");
    assert_eq!(
        w.hears(JULIET),
        [format!("<message type='chat' from='{JULIET}' to='{JULIET}'><body>Ay me!</body></message>")]
    );
}

#[test]
fn s8_2_between_two_users_of_one_server() {
    let mut w = World::new();
    w.online(JULIET);
    w.online(NURSE);
    w.says(NURSE, "<message to='juliet@example.com'><body>Madam!</body></message>");
    w.says(JULIET, &format!("<message to='{NURSE}'><body>I come, anon</body></message>"));
    assert_eq!((w.kinds(JULIET), w.kinds(NURSE)), (vec!["message".into()], vec!["message".into()]));
}

#[test]
fn s8_5_a_message_to_the_domain_is_nobodys() {
    let mut w = World::new();
    w.online(ROMEO);
    w.says(ROMEO, "<message to='example.com'><body>Anybody?</body></message>");
    assert_eq!(w.kinds(ROMEO), bounced());
}
