//! XEP-0191: whom a user does not want to hear from.

use crate::world::{CHAMBER, JULIET, NURSE, ROMEO, World};
use accounts::config::BLOCKED_MAX;

const ROOM: &str = "<x xmlns='http://jabber.org/protocol/muc'/>";
const WITCH: &str = "coven@rooms.example.org/firstwitch";

/// A session blocks or unblocks these addresses; what it is answered.
fn change(w: &mut World, who: &str, command: &str, jids: &[&str]) -> String {
    let items: String = jids.iter().map(|jid| format!("<item jid='{jid}'/>")).collect();
    w.says(who, &format!("<iq type='set' id='b1'><{command} xmlns='urn:xmpp:blocking'>{items}</{command}></iq>"));
    w.hears(who).concat()
}

fn list(w: &mut World, who: &str) -> String {
    w.says(who, "<iq type='get' id='l1'><blocklist xmlns='urn:xmpp:blocking'/></iq>");
    w.hears(who).concat()
}

fn done(who: &str) -> String {
    format!("<iq type='result' id='b1' to='{who}'/>")
}

/// Both in love, and Juliet has blocked Romeo.
fn estranged() -> World {
    let mut w = World::lovers();
    change(&mut w, JULIET, "block", &["romeo@example.net"]);
    w.forget();
    w
}

#[test]
fn s3_2_the_list_is_kept_and_shown() {
    let mut w = World::lovers();
    let empty = format!("<iq type='result' id='l1' to='{JULIET}'><blocklist xmlns='urn:xmpp:blocking'/></iq>");
    assert_eq!(list(&mut w, JULIET), empty);
    change(&mut w, JULIET, "block", &["romeo@example.net", "iago@shakespeare.lit"]);
    w.restart("example.com");
    w.online(JULIET);
    let shown = list(&mut w, JULIET);
    assert!(shown.contains("<item jid='iago@shakespeare.lit'/><item jid='romeo@example.net'/></blocklist>"), "{shown}");
}

#[test]
fn s3_2_nobody_reads_anothers_list() {
    let mut w = World::lovers();
    w.says(ROMEO, "<iq type='get' id='l2' to='juliet@example.com'><blocklist xmlns='urn:xmpp:blocking'/></iq>");
    assert!(w.hears(ROMEO).concat().contains("<service-unavailable "));
}

#[test]
fn s3_3_a_change_is_pushed_to_who_has_asked_for_the_list() {
    let mut w = World::new();
    w.online(JULIET);
    w.online(CHAMBER);
    list(&mut w, CHAMBER);
    w.hears(JULIET);
    assert_eq!(change(&mut w, JULIET, "block", &["romeo@example.net"]), done(JULIET));
    let push = w.hears(CHAMBER).concat();
    assert!(push.starts_with("<iq from='juliet@example.com' id='push"), "{push}");
    let block = "<block xmlns='urn:xmpp:blocking'><item jid='romeo@example.net'/></block>";
    assert!(push.contains(&format!("type='set' to='{CHAMBER}'>{block}</iq>")), "{push}");
    change(&mut w, JULIET, "unblock", &["romeo@example.net"]);
    assert!(w.hears(CHAMBER).concat().contains("<unblock xmlns='urn:xmpp:blocking'><item jid='romeo@example.net'/>"));
    change(&mut w, JULIET, "unblock", &[]);
    assert!(w.hears(CHAMBER).concat().contains("<unblock xmlns='urn:xmpp:blocking'/>"), "3.5");
}

#[test]
fn s3_3_nobody_named_or_nonsense_is_refused() {
    let mut w = World::new();
    w.online(JULIET);
    assert!(change(&mut w, JULIET, "block", &[]).contains("<bad-request "));
    assert!(change(&mut w, JULIET, "block", &["@"]).contains("<jid-malformed "));
    assert!(change(&mut w, JULIET, "hug", &["romeo@example.net"]).contains("<bad-request "));
    assert!(!list(&mut w, JULIET).contains("<item "));
}

#[test]
fn s3_3_the_list_is_bounded() {
    let mut w = World::new();
    w.online(JULIET);
    let many: Vec<String> = (0..BLOCKED_MAX).map(|n| format!("troll{n}@verona.lit")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(change(&mut w, JULIET, "block", &many), done(JULIET));
    assert!(change(&mut w, JULIET, "block", &["romeo@example.net"]).contains("<policy-violation "));
    assert_eq!(change(&mut w, JULIET, "block", &["troll7@verona.lit"]), done(JULIET), "it is there already");
    assert_eq!(w.stores["example.com"].keys().filter(|(space, ..)| space == "blocked").count(), BLOCKED_MAX);
}

#[test]
fn s3_3_who_is_blocked_sees_the_user_go_and_nothing_afterwards() {
    let mut w = World::lovers();
    assert_eq!(change(&mut w, JULIET, "block", &["romeo@example.net"]), done(JULIET));
    assert_eq!(w.hears(ROMEO), [format!("<presence from='{JULIET}' type='unavailable' to='{ROMEO}'/>")]);
    w.says(JULIET, "<presence><show>away</show></presence>");
    w.online(CHAMBER);
    w.ends(CHAMBER);
    assert_eq!(w.hears(ROMEO), [""; 0]);
}

#[test]
fn s3_3_nothing_of_who_is_blocked_is_delivered() {
    let mut w = estranged();
    w.says(ROMEO, "<presence><show>away</show></presence>");
    w.says(ROMEO, &format!("<presence to='{JULIET}'/>"));
    w.says(ROMEO, "<presence to='juliet@example.com' type='unsubscribed'/>");
    w.arrives(&format!("<presence from='{ROMEO}' to='juliet@example.com' type='probe'/>"));
    w.arrives(&format!("<presence from='{ROMEO}' to='{JULIET}' type='probe'/>"));
    assert_eq!(w.kinds(ROMEO), ["presence", "iq set"], "his own, and no answer to any of it");
    for to in ["juliet@example.com", JULIET] {
        for kind in ["chat", "normal", "headline", "groupchat"] {
            w.says(ROMEO, &format!("<message to='{to}' type='{kind}'><body>?</body></message>"));
            let error = w.hears(ROMEO).concat();
            assert!(error.contains("<service-unavailable "), "{to} {kind}: {error}");
        }
        w.says(ROMEO, &format!("<iq to='{to}' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>"));
        assert!(w.hears(ROMEO).concat().contains("<service-unavailable "));
        w.says(ROMEO, &format!("<iq to='{to}' type='result' id='1'/>"));
        w.says(ROMEO, &format!("<message to='{to}' type='error'/>"));
        assert_eq!(w.hears(ROMEO), [""; 0]);
    }
    assert_eq!(w.hears(JULIET), [""; 0]);
    w.online(CHAMBER);
    assert_eq!(w.hears(CHAMBER), [""; 0], "nor is his presence asked for");
}

#[test]
fn s3_3_nothing_is_sent_to_who_is_blocked() {
    let mut w = estranged();
    let blocked = "<error type='cancel'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
                   <blocked xmlns='urn:xmpp:blocking:errors'/></error>";
    for to in ["romeo@example.net", ROMEO] {
        for stanza in [
            format!("<message to='{to}' type='chat'><body>?</body></message>"),
            format!("<presence to='{to}'/>"),
            format!("<presence to='{to}' type='subscribe'/>"),
            format!("<iq to='{to}' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>"),
        ] {
            w.says(JULIET, &stanza);
            let error = w.hears(JULIET).concat();
            assert!(error.contains(blocked), "{error}");
        }
    }
    w.says(JULIET, &format!("<iq to='{ROMEO}' type='result' id='1'/>"));
    assert_eq!((w.hears(JULIET), w.hears(ROMEO)), (vec![], vec![]));
}

#[test]
fn s3_3_also_between_users_of_one_server() {
    let mut w = World::new();
    w.online(JULIET);
    w.online(NURSE);
    change(&mut w, JULIET, "block", &["nurse@example.com"]);
    for to in [JULIET, "juliet@example.com"] {
        w.says(NURSE, &format!("<message to='{to}' type='chat'><body>Madam!</body></message>"));
        assert!(w.hears(NURSE).concat().contains("<service-unavailable "));
        w.says(NURSE, &format!("<presence to='{to}'/>"));
    }
    w.says(NURSE, "<presence to='juliet@example.com' type='subscribe'/>");
    w.says(JULIET, &format!("<message to='{NURSE}' type='chat'><body>?</body></message>"));
    assert_eq!((w.kinds(JULIET), w.hears(NURSE)), (vec!["message error".into()], vec![]));
}

#[test]
fn s3_4_who_is_unblocked_sees_the_user_again() {
    let mut w = estranged();
    w.says(JULIET, "<presence><show>away</show></presence>");
    w.forget();
    assert_eq!(change(&mut w, JULIET, "unblock", &["romeo@example.net"]), done(JULIET));
    assert_eq!(w.hears(ROMEO), [format!("<presence from='{JULIET}' to='{ROMEO}'><show>away</show></presence>")]);
    w.says(ROMEO, &format!("<message to='{JULIET}' type='chat'><body>!</body></message>"));
    assert_eq!((w.kinds(JULIET), w.kinds(ROMEO)), (vec!["message chat".into()], vec![]));
}

#[test]
fn s3_5_all_are_unblocked() {
    let mut w = estranged();
    change(&mut w, JULIET, "block", &["verona.lit"]);
    w.forget();
    assert_eq!(change(&mut w, JULIET, "unblock", &[]), done(JULIET));
    assert_eq!(w.kinds(ROMEO), ["presence"]);
    assert!(!list(&mut w, JULIET).contains("<item "));
}

#[test]
fn s5_addresses_match_by_what_they_name() {
    let mut w = World::new();
    w.online(JULIET);
    let hears = |w: &mut World, entry: &str| {
        change(w, JULIET, "unblock", &[]);
        change(w, JULIET, "block", &[entry]);
        ["example.net", "example.net/r", "romeo@example.net", ROMEO, "romeo@example.net/tomb", "a@sub.example.net/x"]
            .map(|from| {
                w.arrives(&format!("<message from='{from}' to='{JULIET}' type='chat'/>"));
                w.hears(JULIET).len()
            })
    };
    assert_eq!(hears(&mut w, ROMEO), [1, 1, 1, 0, 1, 1]);
    assert_eq!(hears(&mut w, "romeo@example.net"), [1, 1, 0, 0, 0, 1]);
    assert_eq!(hears(&mut w, "example.net/r"), [1, 0, 1, 1, 1, 1]);
    assert_eq!(hears(&mut w, "example.net"), [0, 0, 0, 0, 0, 1]);
}

#[test]
fn s6_ones_own_resources_and_server_are_never_blocked() {
    let mut w = World::new();
    w.online(JULIET);
    w.online(CHAMBER);
    w.hears(JULIET);
    change(&mut w, JULIET, "block", &["juliet@example.com", CHAMBER, "example.com"]);
    w.says(JULIET, &format!("<message to='{CHAMBER}' type='chat'><body>?</body></message>"));
    assert_eq!((w.kinds(JULIET), w.kinds(CHAMBER)), (vec![], vec!["message chat".into()]));
    w.says(JULIET, "<iq type='get' id='1' to='example.com'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert_eq!(w.kinds(JULIET), ["iq result"]);
    w.says(JULIET, "<presence><show>away</show></presence>");
    assert_eq!((w.kinds(JULIET), w.kinds(CHAMBER)), (vec!["presence".into()], vec!["presence".into()]));
}

/// An error would be taken for the end of the occupant (XEP-0045 18).
#[test]
fn blocking_an_occupant_or_its_room_leaves_the_user_in_the_room() {
    for entry in [WITCH, "coven@rooms.example.org", "rooms.example.org"] {
        let mut w = World::new();
        w.online(JULIET);
        w.says(JULIET, &format!("<presence to='coven@rooms.example.org/Juliet'>{ROOM}</presence>"));
        w.forget();
        assert_eq!(change(&mut w, JULIET, "block", &[entry]), done(JULIET));
        assert_eq!(w.abroad, [""; 0], "no presence that would leave the room");
        for kind in ["chat", "normal", "headline"] {
            w.arrives(&format!("<message from='{WITCH}' to='{JULIET}' type='{kind}'><body>psst</body></message>"));
        }
        assert_eq!((w.hears(JULIET), w.abroad.len()), (vec![], 0), "dropped without a word");
        w.arrives(&format!("<message from='{WITCH}' to='{JULIET}' type='groupchat'><body>hail</body></message>"));
        w.arrives(&format!("<presence from='{WITCH}' to='{JULIET}' type='unavailable'/>"));
        assert_eq!(w.kinds(JULIET), ["message groupchat", "presence unavailable"], "the room goes on");
        w.says(JULIET, &format!("<message to='{WITCH}' type='chat'><body>?</body></message>"));
        assert_eq!((w.kinds(JULIET), w.abroad.len()), (vec!["message error".into()], 0));
        w.says(JULIET, "<presence to='coven@rooms.example.org/Juliet' type='unavailable'/>");
        assert_eq!(w.abroad.len(), 1, "and can be left");
    }
}

#[test]
fn a_person_shown_presence_by_hand_sees_the_user_go() {
    let mut w = World::new();
    w.online(JULIET);
    w.says(JULIET, "<presence to='paris@verona.lit/hall'/>");
    w.forget();
    change(&mut w, JULIET, "block", &["paris@verona.lit"]);
    assert_eq!(w.abroad, [format!("<presence from='{JULIET}' type='unavailable' to='paris@verona.lit/hall'/>")]);
    w.ends(JULIET);
    assert_eq!(w.abroad.len(), 1, "once");
}

#[test]
fn a_block_that_the_disk_refuses_is_none() {
    let mut w = World::lovers();
    w.held = true;
    assert_eq!(change(&mut w, JULIET, "block", &["romeo@example.net"]), "", "not before it is durable");
    w.fail();
    assert!(w.hears(JULIET).concat().contains("<internal-server-error "));
    w.forget();
    w.says(ROMEO, &format!("<message to='{JULIET}' type='chat'><body>!</body></message>"));
    assert_eq!(w.kinds(JULIET), ["message chat"]);
}
