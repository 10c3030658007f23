//! The archive of one's own messages: XEP-0313 on an account's address, by its sections.

use crate::world::{CHAMBER, JULIET, NURSE, ROMEO, World};
use machine::{Input, Machine};
use xmpp::Element;

/// A world whose users have archives, Romeo and Juliet in it.
fn world() -> World {
    let mut w = World::lovers();
    w.settings = |config| config.archive_days = 7;
    for domain in ["example.net", "example.com"] {
        w.restart(domain);
    }
    w.online(ROMEO);
    w.online(JULIET);
    w.forget();
    w
}

fn says(w: &mut World, from: &str, to: &str, id: &str, content: &str) {
    w.says(from, &format!("<message type='chat' to='{to}' id='{id}'>{content}</message>"));
}

fn form(fields: &[(&str, &str)]) -> String {
    let mut all = "<field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>".to_owned();
    for (var, value) in fields {
        all.push_str(&format!("<field var='{var}'><value>{value}</value></field>"));
    }
    format!("<x xmlns='jabber:x:data' type='submit'>{all}</x>")
}

fn rsm(inner: &str) -> String {
    format!("<set xmlns='http://jabber.org/protocol/rsm'>{inner}</set>")
}

/// The ids of the messages in an answer, each with its id in the archive, and the iq that ends it.
fn read(w: &mut World, who: &str, query: &str) -> (Vec<(String, String)>, Element) {
    w.says(who, &format!("<iq type='set' id='q1'><query xmlns='urn:xmpp:mam:2' queryid='f27'>{query}</query></iq>"));
    let mut heard: Vec<Element> = w.hears(who).iter().map(|xml| Element::parse(xml).expect("XML")).collect();
    let end = heard.pop().expect("an iq ends it");
    let row = |message: Element| {
        let result = message.get_child("result", xmpp::ns::MAM).expect("a result").clone();
        assert_eq!(result.get("queryid"), Some("f27"));
        let forwarded = result.get_child("forwarded", xmpp::ns::FORWARD).expect("forwarded");
        assert!(forwarded.has_child("delay", xmpp::ns::DELAY));
        let said = forwarded.get_child("message", xmpp::ns::CLIENT).expect("a message");
        (said.get("id").unwrap_or_default().to_owned(), result.get("id").expect("an id").to_owned())
    };
    (heard.into_iter().map(row).collect(), end)
}

fn ids(w: &mut World, who: &str, query: &str) -> String {
    read(w, who, query).0.into_iter().map(|(id, _)| id).collect::<Vec<_>>().join(" ")
}

fn is(answer: &Element, condition: &str) {
    let error = answer.get_child("error", xmpp::ns::CLIENT).unwrap_or_else(|| panic!("{answer}"));
    assert!(error.has_child(condition, xmpp::ns::STANZA_ERRORS), "{answer}");
}

#[test]
fn s2_1_1_and_s5_1_1_what_is_said_and_heard_is_archived_once_on_both_sides() {
    let mut w = world();
    w.online(CHAMBER);
    says(&mut w, ROMEO, "juliet@example.com", "1", "<body>Art thou?</body>");
    says(&mut w, JULIET, ROMEO, "2", "<body>Ay me!</body>");
    says(&mut w, JULIET, "paris@verona.lit", "3", "<body>Nay.</body>");
    w.arrives(&format!("<message type='normal' id='4' from='paris@verona.lit' to='{JULIET}'><body>?</body></message>"));
    w.restart("example.com");
    w.online(JULIET);
    says(&mut w, JULIET, JULIET, "5", "<body>To me</body>");
    w.forget();
    assert_eq!(ids(&mut w, JULIET, ""), "1 2 3 4 5");
    assert_eq!(ids(&mut w, ROMEO, ""), "1 2");
    let (_, end) = read(&mut w, JULIET, "");
    assert_eq!(end.get_child("fin", xmpp::ns::MAM).and_then(|fin| fin.get("complete")), Some("true"));
}

#[test]
fn s5_1_1_what_is_not_archived() {
    let mut w = world();
    w.says(
        JULIET,
        "<presence to='coven@rooms.example.org/Juliet'><x xmlns='http://jabber.org/protocol/muc'/></presence>",
    );
    for content in [
        "<active xmlns='http://jabber.org/protocol/chatstates'/>",
        "<body>?</body><no-store xmlns='urn:xmpp:hints'/>",
        "<body>?</body><no-permanent-store xmlns='urn:xmpp:hints'/>",
        "<body>?</body><x xmlns='http://jabber.org/protocol/muc#user'/>",
    ] {
        says(&mut w, ROMEO, JULIET, "1", content);
    }
    says(&mut w, JULIET, "coven@rooms.example.org/firstwitch", "2", "<body>psst</body>");
    w.says(JULIET, "<message type='groupchat' to='coven@rooms.example.org'><body>hail</body></message>");
    w.arrives(&format!(
        "<message type='groupchat' from='coven@rooms.example.org/hag' to='{JULIET}'><body>o</body></message>"
    ));
    w.arrives(&format!(
        "<message type='chat' from='coven@rooms.example.org/hag' to='{JULIET}'><body>o</body></message>"
    ));
    w.arrives(&format!("<message type='headline' from='news@verona.lit' to='{JULIET}'><body>o</body></message>"));
    says(&mut w, ROMEO, JULIET, "3", "<encrypted xmlns='e'/><store xmlns='urn:xmpp:hints'/>");
    w.forget();
    assert_eq!(ids(&mut w, JULIET, ""), "3", "this one asks for it");
}

/// What is rejected is in nobody's archive who has rejected it (5.1); of what waits there is one copy.
#[test]
fn s5_1_what_is_refused_is_not_archived_and_what_waits_is() {
    let mut w = world();
    w.ends(JULIET);
    says(&mut w, ROMEO, "juliet@example.com", "1", "<body>waits</body>");
    w.says(ROMEO, "<message to='juliet@example.com/gone' id='2'><body>normal, to one that is gone</body></message>");
    w.bind(JULIET);
    w.says(JULIET, "<presence/>");
    let given = w.hears(JULIET).concat();
    let (rows, _) = read(&mut w, JULIET, "");
    assert_eq!(rows.len(), 1);
    assert!(given.contains(&format!("<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@example.com' id='{}'/>", rows[0].1)));
    w.says(
        JULIET,
        "<iq type='set' id='b1'><block xmlns='urn:xmpp:blocking'><item jid='romeo@example.net'/></block></iq>",
    );
    says(&mut w, ROMEO, "juliet@example.com", "3", "<body>blocked</body>");
    w.forget();
    assert_eq!(ids(&mut w, JULIET, ""), "1");
}

/// 2.4 and XEP-0359 5: only one's own server says what one's id is, and nobody else sees it.
#[test]
fn s2_4_the_id_is_on_what_is_delivered_and_on_no_other() {
    let mut w = world();
    w.online(CHAMBER);
    w.says(CHAMBER, "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    w.forget();
    let forged = "<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@example.com' id='forged'/>";
    let others = "<stanza-id xmlns='urn:xmpp:sid:0' by='other@example.com' id='kept'/>";
    says(&mut w, ROMEO, JULIET, "1", &format!("<body>?</body>{forged}{others}"));
    let heard = w.hears(JULIET).concat();
    let copy = w.hears(CHAMBER).concat();
    let (rows, _) = read(&mut w, JULIET, "");
    let stamp = format!("<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@example.com' id='{}'/>", rows[0].1);
    assert!(heard.contains(&stamp) && heard.contains(others) && !heard.contains("forged"), "{heard}");
    assert!(copy.contains(&stamp), "{copy}");
    says(&mut w, JULIET, ROMEO, "2", "<body>!</body>");
    let sent = w.hears(CHAMBER).concat();
    let (rows, _) = read(&mut w, JULIET, "");
    assert!(sent.contains(&format!("by='juliet@example.com' id='{}'/>", rows[1].1)), "{sent}");
    let heard = w.hears(ROMEO).concat();
    assert!(!heard.contains("by='juliet@example.com' id="), "{heard}");
    says(&mut w, ROMEO, JULIET, "3", &format!("<active xmlns='http://jabber.org/protocol/chatstates'/>{forged}"));
    assert!(!w.hears(JULIET).concat().contains("forged"));
}

#[test]
fn s4_1_1_filtered_by_address() {
    let mut w = world();
    w.online(NURSE);
    w.online("romeo@example.net/hall");
    says(&mut w, ROMEO, JULIET, "1", "<body>?</body>");
    says(&mut w, NURSE, JULIET, "2", "<body>?</body>");
    says(&mut w, "romeo@example.net/hall", JULIET, "3", "<body>?</body>");
    says(&mut w, JULIET, "romeo@example.net", "4", "<body>?</body>");
    says(&mut w, JULIET, CHAMBER, "5", "<body>?</body>");
    says(&mut w, JULIET, ROMEO, "6", "<body>?</body>");
    w.forget();
    let with = |jid: &str| form(&[("with", jid)]);
    assert_eq!(ids(&mut w, JULIET, &with("romeo@example.net")), "1 3 4 6");
    assert_eq!(ids(&mut w, JULIET, &with(ROMEO)), "1 6");
    assert_eq!(ids(&mut w, JULIET, &with("juliet@example.com")), "5", "to oneself alone");
    assert_eq!(ids(&mut w, JULIET, &with("tybalt@example.com")), "");
    let page = |set: &str| format!("{}{}", with(ROMEO), rsm(set));
    assert_eq!(ids(&mut w, JULIET, &page("<max>1</max>")), "1");
    assert_eq!(ids(&mut w, JULIET, &page("<max>1</max><before/>")), "6");
    let (_, end) = read(&mut w, JULIET, &page("<max>1</max>"));
    assert_eq!(end.get_child("fin", xmpp::ns::MAM).and_then(|fin| fin.get("complete")), None);
    let (_, end) = read(&mut w, JULIET, &page("<max>2</max>"));
    assert_eq!(end.get_child("fin", xmpp::ns::MAM).and_then(|fin| fin.get("complete")), Some("true"));
}

#[test]
fn s4_1_2_to_s4_3_time_ids_and_pages() {
    let mut w = world();
    for n in 1..=5 {
        w.mono_ms += 60_000;
        says(&mut w, ROMEO, JULIET, &n.to_string(), "<body>?</body>");
    }
    w.forget();
    // The world's clock begins at 22:13:20.
    assert_eq!(
        ids(&mut w, JULIET, &form(&[("start", "2023-11-14T22:15:20Z"), ("end", "2023-11-14T22:17:20Z")])),
        "2 3 4"
    );
    let (all, _) = read(&mut w, JULIET, "");
    let id = |n: usize| all[n - 1].1.as_str();
    assert_eq!(ids(&mut w, JULIET, &form(&[("after-id", id(2)), ("before-id", id(5))])), "3 4");
    assert_eq!(ids(&mut w, JULIET, &form(&[("ids", id(4))])), "4");
    assert_eq!(ids(&mut w, JULIET, &rsm("<max>2</max>")), "1 2");
    assert_eq!(ids(&mut w, JULIET, &rsm(&format!("<max>2</max><after>{}</after>", id(2)))), "3 4");
    assert_eq!(ids(&mut w, JULIET, &rsm("<max>2</max><before/>")), "4 5");
    assert_eq!(ids(&mut w, JULIET, &format!("{}<flip-page/>", rsm("<max>2</max>"))), "2 1");
    is(&read(&mut w, JULIET, &rsm("<after>nobody</after>")).1, "item-not-found");
    is(&read(&mut w, JULIET, &form(&[("ids", "nobody")])).1, "item-not-found");
    is(&read(&mut w, JULIET, &form(&[("include-groupchat", "true")])).1, "feature-not-implemented");
    w.says(JULIET, "<iq type='get' id='q1'><query xmlns='urn:xmpp:mam:2'/></iq>");
    assert!(w.hears(JULIET).concat().contains("<field var='with' type='jid-single'/>"));
    w.says(JULIET, "<iq type='get' id='q1' to='juliet@example.com'><metadata xmlns='urn:xmpp:mam:2'/></iq>");
    let ends = format!(
        "<metadata xmlns='urn:xmpp:mam:2'><start id='{}' timestamp='2023-11-14T22:14:20Z'/>\
         <end id='{}' timestamp='2023-11-14T22:18:20Z'/></metadata>",
        id(1),
        id(5)
    );
    let heard = w.hears(JULIET).concat();
    assert!(heard.contains(&ends), "{heard}");
}

#[test]
fn s9_nobody_else_reads_it_and_without_it_there_is_none() {
    let mut w = world();
    w.online(NURSE);
    for (who, whose) in [(ROMEO, "juliet@example.com"), (NURSE, "juliet@example.com"), (NURSE, "tybalt@example.com")] {
        w.says(who, &format!("<iq type='set' id='q1' to='{whose}'><query xmlns='urn:xmpp:mam:2'/></iq>"));
        is(&Element::parse(&w.hears(who).concat()).expect("an answer"), "forbidden");
    }
    let info = |w: &mut World| {
        w.says(JULIET, "<iq type='get' id='i'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
        w.hears(JULIET).concat().contains("urn:xmpp:mam:2#extended")
    };
    assert!(info(&mut w));
    w.settings = |config| config.archive_days = 0;
    w.restart("example.com");
    w.online(JULIET);
    assert!(!info(&mut w));
    is(&read(&mut w, JULIET, "").1, "service-unavailable");
    assert_eq!(w.site_of(JULIET).next_timeout(), None);
}

/// 2.3: only the oldest go, of everybody, also of who says nothing more.
#[test]
fn s2_3_what_is_older_than_is_kept_goes() {
    let mut w = world();
    says(&mut w, ROMEO, JULIET, "1", "<body>?</body>");
    w.mono_ms += 6 * 86_400_000;
    says(&mut w, ROMEO, JULIET, "2", "<body>?</body>");
    w.forget();
    let times_out = |w: &mut World| {
        let due = w.site_of(JULIET).next_timeout().expect("there is an archive");
        if due <= w.mono_ms {
            w.times_out(JULIET);
        }
    };
    times_out(&mut w);
    assert_eq!(ids(&mut w, JULIET, ""), "1 2");
    w.mono_ms += 2 * 86_400_000;
    times_out(&mut w);
    assert_eq!(ids(&mut w, JULIET, ""), "2");
    assert_eq!(ids(&mut w, ROMEO, ""), "1 2", "the other's server has not had its turn");
}

#[test]
fn an_archive_takes_so_much_in_a_day_and_no_more() {
    let mut w = world();
    let long = format!("<body>{}</body>", "x".repeat(200_000));
    for id in 0..90 {
        says(&mut w, ROMEO, JULIET, &id.to_string(), &long);
    }
    assert_eq!(w.hears(JULIET).len(), 90, "all are delivered");
    let count = |w: &mut World| {
        let (_, end) = read(w, JULIET, &rsm("<max>0</max>"));
        let fin = end.get_child("fin", xmpp::ns::MAM).expect("it ends");
        let set = fin.get_child("set", xmpp::ns::RSM).expect("a set");
        set.get_child("count", xmpp::ns::RSM).map(Element::content)
    };
    assert_eq!(count(&mut w).as_deref(), Some("83"), "sixteen megabytes");
    w.mono_ms += 86_400_000;
    says(&mut w, ROMEO, JULIET, "4", "<body>?</body>");
    w.forget();
    assert_eq!(count(&mut w).as_deref(), Some("84"));
}

#[test]
fn a_removed_account_leaves_no_archive() {
    let mut w = world();
    says(&mut w, ROMEO, JULIET, "1", "<body>?</body>");
    let mut out = Vec::new();
    w.site_of(JULIET).delete("juliet", &mut out).unwrap();
    w.carry_out("example.com", out);
    let mut out = Vec::new();
    w.site_of(JULIET).create("juliet", crate::world::password("x"), &mut out).unwrap();
    w.carry_out("example.com", out);
    w.online(JULIET);
    assert_eq!(ids(&mut w, JULIET, ""), "");
}

/// A session's own are bounded, and an answer that the store cannot give is an error.
#[test]
fn a_user_has_so_many_queries_under_way() {
    let mut w = world();
    let mut out = Vec::new();
    let now = w.now();
    for n in 0..11 {
        let query = format!("<iq type='set' id='{n}' from='{JULIET}'><query xmlns='urn:xmpp:mam:2'/></iq>");
        let query = Element::parse(&query).expect("XML");
        w.site_of(JULIET).handle(Input::Stanza(query), now, &mut out);
    }
    w.site_of(JULIET).handle(Input::Rows(machine::QueryId(1), None), now, &mut out);
    let refused: Vec<String> = out
        .into_iter()
        .filter_map(|output| match output {
            machine::Output::Send { stanza, .. } => Some(stanza.element().to_xml()),
            _ => None,
        })
        .collect();
    assert_eq!(refused.len(), 2);
    assert!(refused[0].contains("<resource-constraint ") && refused[1].contains("<internal-server-error "));
}

impl World {
    fn times_out(&mut self, whose: &str) {
        let mut out = Vec::new();
        let now = self.now();
        self.site_of(whose).handle(Input::Timeout, now, &mut out);
        self.carry_out(whose.split(['@', '/']).nth(1).expect("a domain"), out);
    }
}
