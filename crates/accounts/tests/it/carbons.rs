//! XEP-0280: copies of what one of a user's sessions says and hears, for the others.

use crate::world::{CHAMBER, JULIET, ROMEO, World};

const PAD: &str = "juliet@example.com/pad";
const IN_ROOM: &str = "<x xmlns='http://jabber.org/protocol/muc'/>";
const WITCH: &str = "coven@rooms.example.org/firstwitch";

fn ask(w: &mut World, who: &str, to: &str, command: &str) -> String {
    w.says(who, &format!("<iq type='set' id='c1'{to}><{command} xmlns='urn:xmpp:carbons:2'/></iq>"));
    w.hears(who).concat()
}

/// Romeo, and Juliet thrice, who wants copies in the chamber and nowhere else.
fn world() -> World {
    let mut w = World::new();
    for who in [ROMEO, JULIET, CHAMBER, PAD] {
        w.online(who);
    }
    ask(&mut w, CHAMBER, "", "enable");
    w.says(CHAMBER, "<presence><priority>-1</priority></presence>");
    w.forget();
    w
}

/// How many copies the chamber gets of what Romeo sends to the balcony.
fn received(w: &mut World, attributes: &str, content: &str) -> usize {
    w.says(ROMEO, &format!("<message to='{JULIET}' {attributes}>{content}</message>"));
    assert_eq!((w.hears(JULIET).len(), w.hears(PAD).len()), (1, 0));
    w.hears(CHAMBER).len()
}

#[test]
fn s4_s5_enabled_and_disabled_as_often_as_one_likes() {
    let mut w = world();
    let done = format!("<iq type='result' id='c1' to='{CHAMBER}'/>");
    for command in ["enable", "enable", "disable", "disable"] {
        assert_eq!(ask(&mut w, CHAMBER, "", command), done);
    }
    assert_eq!(received(&mut w, "type='chat'", "<body>?</body>"), 0);
    assert!(ask(&mut w, CHAMBER, " to='juliet@example.com'", "enable").contains("type='result'"));
    assert_eq!(received(&mut w, "type='chat'", "<body>?</body>"), 1);
    assert!(ask(&mut w, ROMEO, " to='juliet@example.com'", "disable").contains("<not-allowed "), "4.1, 5.1");
    assert_eq!(received(&mut w, "type='chat'", "<body>?</body>"), 1);
}

#[test]
fn s4_a_new_session_starts_without() {
    let mut w = world();
    w.ends(CHAMBER);
    w.online(CHAMBER);
    assert_eq!(received(&mut w, "type='chat'", "<body>?</body>"), 0);
}

#[test]
fn s6_1_what_is_copied() {
    let mut w = world();
    for (kind, content, copies) in [
        ("type='chat'", "", 1),
        ("type='normal'", "<body>?</body>", 1),
        ("", "<body>?</body>", 1),
        ("", "<subject>?</subject>", 0),
        ("", "<active xmlns='http://jabber.org/protocol/chatstates'/>", 1),
        ("", "<received xmlns='urn:xmpp:receipts' id='1'/>", 1),
        ("", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", 1),
        ("", "<x xmlns='jabber:x:conference' jid='coven@rooms.example.org'/>", 1),
        ("", "<x xmlns='http://jabber.org/protocol/muc#user'><invite to='a@b'/></x>", 1),
        ("type='headline'", "<body>?</body>", 0),
        ("type='groupchat'", "<body>?</body>", 0),
        ("type='error'", "<body>?</body>", 1),
        ("type='error'", "", 0),
        ("type='chat'", "<body>?</body><private xmlns='urn:xmpp:carbons:2'/>", 0),
        ("type='chat'", "<body>?</body><no-copy xmlns='urn:xmpp:hints'/>", 0),
        ("type='chat'", "<body>?</body><x xmlns='http://jabber.org/protocol/muc#user'/>", 0),
    ] {
        assert_eq!(received(&mut w, kind, content), copies, "{kind} {content}");
    }
}

#[test]
fn s7_a_received_copy_has_the_whole_message() {
    let mut w = world();
    w.says(ROMEO, &format!("<message to='{JULIET}' type='chat' id='m1'><body>what man art thou</body></message>"));
    assert_eq!(
        w.hears(CHAMBER),
        [format!(
            "<message from='juliet@example.com' type='chat' to='{CHAMBER}'><received xmlns='urn:xmpp:carbons:2'>\
             <forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' to='{JULIET}' type='chat' id='m1' \
             from='{ROMEO}'><body>what man art thou</body></message></forwarded></received></message>"
        )]
    );
}

#[test]
fn s7_whoever_gets_the_message_gets_no_copy() {
    let mut w = world();
    ask(&mut w, JULIET, "", "enable");
    for to in [JULIET, "juliet@example.com"] {
        w.says(ROMEO, &format!("<message to='{to}' type='chat'><body>?</body></message>"));
        let direct = w.hears(JULIET);
        assert_eq!(direct.len(), 1, "{to}: {direct:?}");
        assert!(!direct[0].contains("forwarded"));
        assert_eq!(w.hears(CHAMBER).len(), 1, "{to}");
    }
}

#[test]
fn s7_a_copy_is_enough_for_the_sender() {
    let mut w = world();
    w.ends(JULIET);
    w.ends(PAD);
    w.forget();
    w.says(ROMEO, "<message to='juliet@example.com' type='chat'><body>?</body></message>");
    assert_eq!((w.hears(CHAMBER).len(), w.hears(ROMEO).len()), (1, 0));
}

#[test]
fn s8_a_sent_copy_goes_to_the_others_only() {
    let mut w = world();
    ask(&mut w, JULIET, "", "enable");
    for to in [ROMEO, "romeo@example.net", "paris@verona.lit"] {
        w.says(JULIET, &format!("<message to='{to}' type='chat' id='m1'><body>fair saint</body></message>"));
        assert_eq!(
            w.hears(CHAMBER),
            [format!(
                "<message from='juliet@example.com' type='chat' to='{CHAMBER}'><sent xmlns='urn:xmpp:carbons:2'>\
                 <forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' to='{to}' type='chat' id='m1' \
                 from='{JULIET}'><body>fair saint</body></message></forwarded></sent></message>"
            )]
        );
        assert_eq!((w.hears(JULIET), w.hears(PAD)), (vec![], vec![]));
    }
    w.says(PAD, &format!("<message to='{ROMEO}' type='chat'><body>?</body></message>"));
    assert_eq!((w.hears(JULIET).len(), w.hears(CHAMBER).len()), (1, 1), "also of one that wants none itself");
}

#[test]
fn s8_what_one_sends_to_oneself_comes_once() {
    let mut w = world();
    ask(&mut w, JULIET, "", "enable");
    w.says(JULIET, &format!("<message to='{PAD}' type='chat'><body>?</body></message>"));
    assert_eq!([JULIET, CHAMBER, PAD].map(|who| w.hears(who).len()), [0, 1, 1]);
}

#[test]
fn s9_private_keeps_what_is_sent_from_the_others() {
    let mut w = world();
    let private = "<private xmlns='urn:xmpp:carbons:2'/><no-copy xmlns='urn:xmpp:hints'/>";
    w.says(JULIET, &format!("<message to='{ROMEO}' type='chat'><body>?</body>{private}</message>"));
    assert_eq!(w.hears(CHAMBER), [""; 0]);
    assert!(w.hears(ROMEO).concat().contains(private), "it goes on with the message");
}

#[test]
fn s6_1_private_messages_of_rooms_come_from_the_room_and_go_to_who_is_in_it() {
    let mut w = world();
    ask(&mut w, PAD, "", "enable");
    for who in [JULIET, CHAMBER] {
        w.says(who, &format!("<presence to='coven@rooms.example.org/Juliet'>{IN_ROOM}</presence>"));
    }
    w.forget();
    w.arrives(&format!("<message from='{WITCH}' to='{JULIET}' type='chat'><body>psst</body></message>"));
    assert_eq!([JULIET, CHAMBER, PAD].map(|who| w.hears(who).len()), [1, 0, 0]);
    w.says(JULIET, &format!("<message to='{WITCH}' type='chat'><body>psst</body></message>"));
    assert_eq!([JULIET, CHAMBER, PAD].map(|who| w.hears(who).len()), [0, 1, 0]);
    w.says(JULIET, "<message to='coven@rooms.example.org' type='groupchat'><body>hail</body></message>");
    assert_eq!([JULIET, CHAMBER, PAD].map(|who| w.hears(who).len()), [0, 0, 0]);
}

#[test]
fn what_is_blocked_is_not_copied() {
    let mut w = world();
    let block = "<block xmlns='urn:xmpp:blocking'><item jid='romeo@example.net'/></block>";
    w.says(JULIET, &format!("<iq type='set' id='b1'>{block}</iq>"));
    w.says(ROMEO, &format!("<message to='{JULIET}' type='chat'><body>?</body></message>"));
    w.says(JULIET, &format!("<message to='{ROMEO}' type='chat'><body>?</body></message>"));
    assert_eq!(w.hears(CHAMBER), [""; 0]);
}

#[test]
fn what_stays_between_servers_is_in_no_copy() {
    let mut w = world();
    let sealed = "<x xmlns='urn:xmpp:tmp:dmuc:0'/>";
    w.arrives(&format!("<message from='{ROMEO}' to='{JULIET}' type='chat'><body>?</body>{sealed}</message>"));
    assert!(!w.hears(CHAMBER).concat().contains("dmuc"));
}
