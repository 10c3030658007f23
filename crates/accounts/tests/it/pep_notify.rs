//! Who hears of what is published: XEP-0163 4.3 and XEP-0115.

use crate::pep::{BOOKMARKS, ask, publish, pubsub};
use crate::world::{CHAMBER, JULIET, NURSE, ROMEO, World};
use xmpp::Element;

/// A client that wants avatars and bookmarks, with the hash of that.
const VER: &str = "zG6JuWvrb0DcvR9bXcSIjfUYaok=";
const AVATAR: &str = "urn:xmpp:avatar:metadata";
const METADATA: &str = "<metadata xmlns='urn:xmpp:avatar:metadata'/>";

fn presence(ver: &str) -> String {
    format!(
        "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://client.example' ver='{ver}'/></presence>"
    )
}

/// Answers requests for capabilities, of its own server and of others; `None` when there was none.
fn answer(w: &mut World, who: &str, extra: &str) -> Option<()> {
    let heard = w.hears(who);
    let mut asked = heard.iter().filter(|xml| xml.contains("disco#info")).peekable();
    asked.peek()?;
    for asked in asked {
        let asked = Element::parse(asked).expect("XML");
        let query = asked.get_child("query", xmpp::ns::DISCO_INFO).expect("a query");
        let node = query.get("node").expect("the node of the hash");
        let features = [AVATAR, BOOKMARKS].map(|n| format!("<feature var='{n}+notify'/>")).concat();
        let (to, id) = (asked.get("from").expect("from"), asked.get("id").expect("id"));
        w.says(
            who,
            &format!(
                "<iq type='result' to='{to}' id='{id}'><query xmlns='http://jabber.org/protocol/disco#info' node='{node}'>\
                 <identity category='client' type='pc' name='Example'/>{features}{extra}</query></iq>"
            ),
        );
    }
    Some(())
}

/// Notifications heard since the last look, by what they are of.
fn notes(w: &mut World, who: &str) -> Vec<String> {
    let heard = w.hears(who).into_iter().filter(|xml| xml.contains("pubsub#event"));
    let what = |xml: String| {
        let message = Element::parse(&xml).expect("XML");
        assert_eq!(message.get("type"), Some("headline"));
        let event = message.get_child("event", xmpp::ns::PUBSUB_EVENT).expect("an event");
        let told = event.children().next().expect("something is told");
        let inner = told.children().next().map(|child| format!(" {}", child.name())).unwrap_or_default();
        let from = message.get("from").expect("from").split('@').next().unwrap_or_default().to_owned();
        format!("{from}: {} {}{inner}", told.name(), told.get("node").expect("the node"))
    };
    heard.map(what).collect()
}

fn shows(w: &mut World, who: &str) {
    w.says(who, &presence(VER));
    answer(w, who, "");
}

fn put(w: &mut World, who: &str, node: &str, payload: &str) {
    w.says(who, &format!("<iq type='set' id='p'>{}</iq>", pubsub(&publish(node, "1", payload))));
}

#[test]
fn s4_3_contacts_and_ones_own_clients_that_want_it_hear_of_it() {
    let mut w = World::lovers();
    w.online(NURSE);
    w.online(CHAMBER);
    w.says(NURSE, "<presence to='juliet@example.com' type='subscribe'/>");
    w.says(JULIET, "<presence to='nurse@example.com' type='subscribed'/>");
    for who in [ROMEO, NURSE, JULIET] {
        shows(&mut w, who);
    }
    w.forget();
    put(&mut w, JULIET, AVATAR, METADATA);
    for who in [ROMEO, NURSE, JULIET] {
        assert_eq!(notes(&mut w, who), [format!("juliet: items {AVATAR} item")], "{who}");
    }
    assert_eq!(notes(&mut w, CHAMBER), [""; 0], "it has not asked for anything");
    put(&mut w, JULIET, "http://jabber.org/protocol/nick", METADATA);
    assert_eq!(notes(&mut w, ROMEO), [""; 0], "nor he for that");
    w.says(
        JULIET,
        &format!(
            "<iq type='set' id='r'>{}</iq>",
            pubsub(&format!("<retract node='{AVATAR}'><item id='1'/></retract>"))
        ),
    );
    assert_eq!(notes(&mut w, ROMEO), [format!("juliet: items {AVATAR} retract")]);
    let delete = format!("<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><delete node='{AVATAR}'/></pubsub>");
    w.says(JULIET, &format!("<iq type='set' id='d'>{delete}</iq>"));
    assert_eq!(notes(&mut w, ROMEO), [format!("juliet: delete {AVATAR}")]);
}

#[test]
fn s4_3_nobody_hears_who_may_not_see_the_node_or_is_gone() {
    let mut w = World::lovers();
    w.online(NURSE);
    for who in [ROMEO, NURSE, JULIET] {
        shows(&mut w, who);
    }
    w.forget();
    let closed =
        "<x xmlns='jabber:x:data' type='submit'><field var='pubsub#access_model'><value>whitelist</value></field></x>";
    w.says(
        JULIET,
        &format!(
            "<iq type='set' id='c'>{}</iq>",
            pubsub(&format!("<create node='{BOOKMARKS}'/><configure>{closed}</configure>"))
        ),
    );
    put(&mut w, JULIET, BOOKMARKS, "<conference xmlns='urn:xmpp:bookmarks:1'/>");
    assert_eq!([ROMEO, NURSE, JULIET].map(|who| notes(&mut w, who).len()), [0, 0, 1]);
    put(&mut w, JULIET, AVATAR, METADATA);
    assert_eq!([ROMEO, NURSE, JULIET].map(|who| notes(&mut w, who).len()), [1, 0, 1]);
    w.says(
        JULIET,
        "<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='romeo@example.net'/></block></iq>",
    );
    put(&mut w, JULIET, AVATAR, METADATA);
    assert_eq!(notes(&mut w, ROMEO).len(), 0, "XEP-0191");
    w.says(
        JULIET,
        "<iq type='set' id='b'><unblock xmlns='urn:xmpp:blocking'><item jid='romeo@example.net'/></unblock></iq>",
    );
    w.ends(ROMEO);
    w.forget();
    put(&mut w, JULIET, AVATAR, METADATA);
    assert_eq!(notes(&mut w, JULIET).len(), 1);
    assert!(w.abroad.is_empty());
}

#[test]
fn s4_3_4_who_comes_is_sent_the_last_item() {
    let mut w = World::lovers();
    put(&mut w, JULIET, AVATAR, METADATA);
    put(&mut w, ROMEO, AVATAR, METADATA);
    w.forget();
    w.says(ROMEO, &presence(VER));
    assert_eq!(notes(&mut w, ROMEO), [""; 0], "nobody knows yet what he wants");
    w.says(ROMEO, &presence(VER));
    w.forget();
    w.ends(ROMEO);
    w.bind(ROMEO);
    w.says(ROMEO, &presence(VER));
    assert!(answer(&mut w, ROMEO, "").is_none(), "an answer is waited for");
    w.mono_ms += 100_000;
    w.ends(ROMEO);
    w.bind(ROMEO);
    w.says(ROMEO, &presence(VER));
    answer(&mut w, ROMEO, "").expect("then another is asked");
    let mut heard = notes(&mut w, ROMEO);
    heard.sort();
    assert_eq!(heard, [format!("juliet: items {AVATAR} item"), format!("romeo: items {AVATAR} item")]);
    w.bind("romeo@example.net/hall");
    w.says("romeo@example.net/hall", &presence(VER));
    assert_eq!(notes(&mut w, "romeo@example.net/hall").len(), 2, "nobody has to ask a second time");
}

/// XEP-0115 8.1: whoever shows a hash that is not of what he says speaks for himself alone.
#[test]
fn xep_0115_s5_4_nobody_speaks_for_others() {
    let mut w = World::lovers();
    put(&mut w, JULIET, AVATAR, METADATA);
    w.online(NURSE);
    w.forget();
    w.says(NURSE, &presence(VER));
    answer(&mut w, NURSE, "<feature var='urn:example:lies'/>").expect("she is asked");
    w.says(JULIET, &presence(VER));
    answer(&mut w, JULIET, "").expect("so is she, whatever the nurse said");
    assert_eq!(notes(&mut w, JULIET).len(), 1);
}

#[test]
fn what_a_stranger_answers_is_of_no_account() {
    let mut w = World::lovers();
    w.online(NURSE);
    w.forget();
    w.says(JULIET, &presence(VER));
    for n in 0..20 {
        let query = "<query xmlns='http://jabber.org/protocol/disco#info'><feature var='urn:xmpp:avatar:metadata+notify'/></query>";
        w.says(NURSE, &format!("<iq type='result' to='juliet@example.com' id='caps{n}'>{query}</iq>"));
    }
    put(&mut w, JULIET, AVATAR, METADATA);
    assert_eq!(notes(&mut w, JULIET), [""; 0]);
    assert!(ask(&mut w, JULIET, "get", "", &pubsub(&format!("<items node='{AVATAR}'/>"))).contains(METADATA));
}

/// What is said of software is kept of many: a long name is none.
#[test]
fn what_is_longer_than_software_is_called_is_of_no_account() {
    let mut w = World::lovers();
    w.says(JULIET, &presence(&"x".repeat(2_000)));
    w.says(ROMEO, &presence(&"x".repeat(2_000)));
    assert!(answer(&mut w, JULIET, "").is_none() && answer(&mut w, ROMEO, "").is_none());
}
