//! A user's own pubsub service: XEP-0163 on XEP-0060, by the latter's sections.

use crate::world::{CHAMBER, JULIET, NURSE, ROMEO, World};

pub const BOOKMARKS: &str = "urn:xmpp:bookmarks:1";
const ROOM: &str = "theplay@conference.shakespeare.lit";
const CONFERENCE: &str =
    "<conference xmlns='urn:xmpp:bookmarks:1' name='The Play' autojoin='true'><nick>JC</nick></conference>";

pub fn ask(w: &mut World, who: &str, kind: &str, to: &str, payload: &str) -> String {
    let to = if to.is_empty() { String::new() } else { format!(" to='{to}'") };
    w.says(who, &format!("<iq type='{kind}' id='p1'{to}>{payload}</iq>"));
    let answers = w.hears(who).into_iter().filter(|xml| xml.contains("id='p1'"));
    answers.collect::<String>()
}

pub fn pubsub(content: &str) -> String {
    format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{content}</pubsub>")
}

fn owner(content: &str) -> String {
    format!("<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>{content}</pubsub>")
}

fn form(form_type: &str, fields: &[(&str, &str)]) -> String {
    let mut all =
        format!("<field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#{form_type}</value></field>");
    for (var, value) in fields {
        all.push_str(&format!("<field var='pubsub#{var}'><value>{value}</value></field>"));
    }
    format!("<x xmlns='jabber:x:data' type='submit'>{all}</x>")
}

/// XEP-0402 3.3: what a publisher of bookmarks believes of the node.
fn private_options() -> String {
    let fields = [
        ("persist_items", "true"),
        ("max_items", "max"),
        ("send_last_published_item", "never"),
        ("access_model", "whitelist"),
    ];
    format!("<publish-options>{}</publish-options>", form("publish-options", &fields))
}

pub fn publish(node: &str, id: &str, payload: &str) -> String {
    let id = if id.is_empty() { String::new() } else { format!(" id='{id}'") };
    format!("<publish node='{node}'><item{id}>{payload}</item></publish>")
}

fn items(w: &mut World, who: &str, to: &str, node: &str) -> String {
    ask(w, who, "get", to, &pubsub(&format!("<items node='{node}'/>")))
}

fn is(answer: &str, condition: &str) {
    assert!(answer.contains(&format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>")), "{answer}");
}

fn is_wrong(answer: &str, condition: &str, what: &str) {
    is(answer, condition);
    assert!(answer.contains(&format!("<{what} xmlns='http://jabber.org/protocol/pubsub#errors'/>")), "{answer}");
}

fn juliet() -> World {
    let mut w = World::lovers();
    w.online(NURSE);
    w
}

#[test]
fn xep_0402_s3_bookmarks_are_kept_for_all_sessions_and_for_nobody_else() {
    let mut w = juliet();
    let bookmark = pubsub(&format!("{}{}", publish(BOOKMARKS, ROOM, CONFERENCE), private_options()));
    assert_eq!(
        ask(&mut w, JULIET, "set", "", &bookmark),
        format!(
            "<iq type='result' id='p1' to='{JULIET}'><pubsub xmlns='http://jabber.org/protocol/pubsub'>\
             <publish node='{BOOKMARKS}'><item id='{ROOM}'/></publish></pubsub></iq>"
        )
    );
    let orchard = "<conference xmlns='urn:xmpp:bookmarks:1'/>";
    let second = publish(BOOKMARKS, "orchard@conference.shakespeare.lit", orchard);
    ask(&mut w, JULIET, "set", "juliet@example.com", &pubsub(&format!("{second}{}", private_options())));
    w.restart("example.com");
    w.online(CHAMBER);
    w.online(NURSE);
    let both = format!(
        "<items node='{BOOKMARKS}'><item id='{ROOM}'>{CONFERENCE}</item><item id='orchard@conference.shakespeare.lit'>{orchard}</item></items>"
    );
    assert!(items(&mut w, CHAMBER, "", BOOKMARKS).contains(&both));
    is_wrong(&items(&mut w, ROMEO, "juliet@example.com", BOOKMARKS), "not-allowed", "closed-node");
    is(&items(&mut w, NURSE, "juliet@example.com", BOOKMARKS), "service-unavailable");
    let retract = pubsub(&format!("<retract node='{BOOKMARKS}' notify='true'><item id='{ROOM}'/></retract>"));
    assert!(ask(&mut w, CHAMBER, "set", "", &retract).contains("type='result'"));
    is(&ask(&mut w, CHAMBER, "set", "", &retract), "item-not-found");
    w.restart("example.com");
    w.online(JULIET);
    assert!(!items(&mut w, JULIET, "", BOOKMARKS).contains(ROOM));
}

/// 7.1.5: a node that is not as the publisher believes is left alone.
#[test]
fn s7_1_5_preconditions() {
    let mut w = juliet();
    ask(&mut w, JULIET, "set", "", &pubsub(&publish(BOOKMARKS, ROOM, CONFERENCE)));
    let bookmark = |room: &str| pubsub(&format!("{}{}", publish(BOOKMARKS, room, CONFERENCE), private_options()));
    is_wrong(&ask(&mut w, JULIET, "set", "", &bookmark("a@b")), "conflict", "precondition-not-met");
    assert!(!items(&mut w, JULIET, "", BOOKMARKS).contains("a@b"));
    let fields = [("access_model", "whitelist"), ("max_items", "max"), ("send_last_published_item", "never")];
    let configure = owner(&format!("<configure node='{BOOKMARKS}'>{}</configure>", form("node_config", &fields)));
    assert!(ask(&mut w, JULIET, "set", "", &configure).contains("type='result'"));
    assert!(ask(&mut w, JULIET, "set", "", &bookmark("a@b")).contains("type='result'"));
    for (var, value) in [("rosemary", "1"), ("access_model", "authorize"), ("max_items", "0"), ("max_items", "1001")] {
        let options = format!("<publish-options>{}</publish-options>", form("publish-options", &[(var, value)]));
        let other = pubsub(&format!("{}{options}", publish("other", "1", CONFERENCE)));
        is_wrong(&ask(&mut w, JULIET, "set", "", &other), "conflict", "precondition-not-met");
    }
    is(&items(&mut w, JULIET, "", "other"), "item-not-found");
}

#[test]
fn s7_1_2_an_item_without_an_id_gets_one_and_the_oldest_goes() {
    let mut w = juliet();
    let nick = "http://jabber.org/protocol/nick";
    let answer = ask(
        &mut w,
        JULIET,
        "set",
        "",
        &pubsub(&publish(nick, "", "<nick xmlns='http://jabber.org/protocol/nick'>Juliet</nick>")),
    );
    assert!(answer.contains("<item id='"), "{answer}");
    ask(
        &mut w,
        JULIET,
        "set",
        "",
        &pubsub(&publish(nick, "2", "<nick xmlns='http://jabber.org/protocol/nick'>Jule</nick>")),
    );
    let kept = items(&mut w, ROMEO, "juliet@example.com", nick);
    assert!(kept.contains("Jule<") && !kept.contains("Juliet<"), "XEP-0163: one item, for contacts: {kept}");
    is(&items(&mut w, NURSE, "juliet@example.com", nick), "service-unavailable");
}

#[test]
fn s7_1_3_what_cannot_be_published() {
    let mut w = juliet();
    let publish = |content: &str| pubsub(&format!("<publish node='n'>{content}</publish>"));
    for (payload, condition, what) in [
        (pubsub("<publish><item><a xmlns='b'/></item></publish>"), "bad-request", "nodeid-required"),
        (publish(""), "bad-request", "item-required"),
        (publish("<item id='1'/>"), "bad-request", "payload-required"),
        (publish("<item><a xmlns='b'/><a xmlns='b'/></item>"), "bad-request", "invalid-payload"),
        (publish("<item><a xmlns='b'/></item><item><a xmlns='b'/></item>"), "not-allowed", "max-items-exceeded"),
    ] {
        is_wrong(&ask(&mut w, JULIET, "set", "", &payload), condition, what);
    }
    is(&ask(&mut w, JULIET, "set", "", &publish("<item id='a&#10;b'><a xmlns='b'/></item>")), "not-acceptable");
    is(&ask(&mut w, JULIET, "set", "", &pubsub("")), "bad-request");
    let fine = publish("<item><a xmlns='b'/></item>");
    is(&ask(&mut w, ROMEO, "set", "juliet@example.com", &fine), "forbidden");
    is(&ask(&mut w, NURSE, "set", "juliet@example.com", &fine), "service-unavailable");
    is(
        &ask(&mut w, JULIET, "set", "", &pubsub("<subscribe node='n' jid='juliet@example.com'/>")),
        "feature-not-implemented",
    );
}

#[test]
fn s6_5_the_last_items_or_those_named_and_open_nodes_for_all() {
    let mut w = juliet();
    let open = form("node_config", &[("access_model", "open"), ("max_items", "3")]);
    ask(&mut w, JULIET, "set", "", &pubsub(&format!("<create node='n'/><configure>{open}</configure>")));
    for id in ["z", "\u{10ffff}", "a", "m", "b", "a"] {
        ask(&mut w, JULIET, "set", "", &pubsub(&publish("n", id, "<a xmlns='b'/>")));
    }
    let of = |w: &mut World, wanted: &str| {
        let answer = ask(w, NURSE, "get", "juliet@example.com", &pubsub(wanted));
        answer.split("<item id='").skip(1).map(|item| item[..1].to_owned()).collect::<String>()
    };
    assert_eq!(of(&mut w, "<items node='n'/>"), "mba", "in the order of publishing");
    assert_eq!(of(&mut w, "<items node='n' max_items='2'/>"), "ba");
    assert_eq!(of(&mut w, "<items node='n'><item id='m'/><item id='x'/></items>"), "m");
    let none = pubsub("<items node='n' max_items='none'/>");
    is(&ask(&mut w, NURSE, "get", "juliet@example.com", &none), "bad-request");
}

#[test]
fn s8_nodes_are_made_configured_emptied_and_removed() {
    let mut w = juliet();
    is_wrong(&ask(&mut w, JULIET, "set", "", &pubsub("<create/>")), "not-acceptable", "nodeid-required");
    assert!(ask(&mut w, JULIET, "set", "", &pubsub("<create node='n'/>")).contains("type='result'"));
    is(&ask(&mut w, JULIET, "set", "", &pubsub("<create node='n'/>")), "conflict");
    let shown = ask(&mut w, JULIET, "get", "", &owner("<configure node='n'/>"));
    for field in ["access_model", "persist_items", "max_items", "send_last_published_item", "notify_retract"] {
        assert!(shown.contains(&format!("var='pubsub#{field}'")), "{field}: {shown}");
    }
    assert!(ask(&mut w, JULIET, "get", "", &owner("<default/>")).contains("<default><x "));
    ask(&mut w, JULIET, "set", "", &pubsub(&publish("n", "1", "<a xmlns='b'/>")));
    assert!(ask(&mut w, JULIET, "set", "", &owner("<purge node='n'/>")).contains("type='result'"));
    assert!(!items(&mut w, JULIET, "", "n").contains("<item "));
    is(&ask(&mut w, ROMEO, "set", "juliet@example.com", &owner("<delete node='n'/>")), "forbidden");
    is(&ask(&mut w, NURSE, "set", "juliet@example.com", &owner("<delete node='n'/>")), "service-unavailable");
    ask(&mut w, JULIET, "set", "", &pubsub(&publish("n", "1", "<a xmlns='b'/>")));
    assert!(ask(&mut w, JULIET, "set", "", &owner("<delete node='n'/>")).contains("type='result'"));
    is(&ask(&mut w, JULIET, "set", "", &owner("<delete node='n'/>")), "item-not-found");
    assert!(w.stores["example.com"].keys().all(|(space, _, _)| !space.starts_with("pep")), "nothing is left of it");
}

#[test]
fn s5_discovery() {
    let mut w = juliet();
    ask(&mut w, JULIET, "set", "", &pubsub(&publish("n", "1", "<a xmlns='b'/>")));
    let hidden = pubsub(&format!("{}{}", publish(BOOKMARKS, ROOM, CONFERENCE), private_options()));
    ask(&mut w, JULIET, "set", "", &hidden);
    let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let shown = ask(&mut w, ROMEO, "get", "juliet@example.com", info);
    for one in ["<identity category='pubsub' type='pep'/>", "pubsub#publish-options'", "pubsub#auto-create'"] {
        assert!(shown.contains(one), "{one}: {shown}");
    }
    let list = |w: &mut World, who: &str, node: &str| {
        let query = format!("<query xmlns='http://jabber.org/protocol/disco#items'{node}/>");
        ask(w, who, "get", "juliet@example.com", &query)
    };
    assert!(list(&mut w, ROMEO, "").contains("<item jid='juliet@example.com' node='n'/></query>"));
    assert!(list(&mut w, JULIET, "").contains(&format!("node='{BOOKMARKS}'/>")));
    assert!(list(&mut w, ROMEO, " node='n'").contains("<item jid='juliet@example.com' name='1'/>"));
    is(&list(&mut w, ROMEO, &format!(" node='{BOOKMARKS}'")), "item-not-found");
    let leaf = "<query xmlns='http://jabber.org/protocol/disco#info' node='n'/>";
    assert!(
        ask(&mut w, ROMEO, "get", "juliet@example.com", leaf).contains("<identity category='pubsub' type='leaf'/>")
    );
}

/// What an account publishes counts with all else that it keeps.
#[test]
fn what_is_published_has_a_bound() {
    let mut w = World::new();
    w.settings = |config| config.kept_bytes = 2_000;
    w.restart("example.com");
    w.online(JULIET);
    let long = |bytes: usize| format!("<a xmlns='b'>{}</a>", "x".repeat(bytes));
    assert!(ask(&mut w, JULIET, "set", "", &pubsub(&publish("n", "1", &long(900)))).contains("type='result'"));
    is(&ask(&mut w, JULIET, "set", "", &pubsub(&publish("m", "1", &long(900)))), "resource-constraint");
    is(&items(&mut w, JULIET, "", "m"), "item-not-found");
    assert!(ask(&mut w, JULIET, "set", "", &pubsub(&publish("n", "1", &long(1_000)))).contains("type='result'"));
    for n in 0..200 {
        ask(&mut w, JULIET, "set", "", &pubsub(&format!("<create node='n{n}'/>")));
    }
    assert!(w.stores["example.com"].len() < 20);
}

#[test]
fn what_the_disk_refuses_is_not_published() {
    let mut w = World::new();
    w.online(JULIET);
    w.held = true;
    assert_eq!(ask(&mut w, JULIET, "set", "", &pubsub(&publish("n", "1", "<a xmlns='b'/>"))), "");
    w.fail();
    is(&w.hears(JULIET).concat(), "internal-server-error");
    w.held = false;
    is(&items(&mut w, JULIET, "", "n"), "item-not-found");
}
