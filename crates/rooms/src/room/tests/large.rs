//! A room with 10,000 members and 5,000 occupants: its lists come in pages, and what changes for all is one broadcast.

use super::kit::config;
use crate::service::Primary;
use machine::{Input, Machine, Now, Output};
use std::collections::BTreeSet;
use xmpp::{Element, ns};

const MEMBERS: usize = 10_000;
const OCCUPANTS: usize = 5_000;
const OWNER: &str = "crone1@shakespeare.lit/desktop";
const COVEN: &str = "coven@chat.shakespeare.lit";

/// A service of which nothing is carried out but that its disk works.
struct Large {
    service: Primary,
}

impl Large {
    /// The first half of the members is there.
    fn room() -> Large {
        let mut room = Large { service: Primary::new(config(), [7; 32], Vec::new(), Vec::new()) };
        room.send(&join(OWNER, "firstwitch"));
        room.send(&owner("<x xmlns='jabber:x:data' type='submit'/>"));
        for some in (0..MEMBERS).collect::<Vec<usize>>().chunks(500) {
            let items = some.iter().map(|n| format!("<item affiliation='member' jid='witch{n}@shakespeare.lit'/>"));
            let done = room.send(&admin("set", &items.collect::<String>()));
            assert_eq!(answer(&done).get("type"), Some("result"));
        }
        for n in 0..OCCUPANTS - 1 {
            room.send(&join(&format!("witch{n}@shakespeare.lit/broom"), &format!("witch{n}")));
        }
        room
    }

    fn send(&mut self, stanza: &str) -> Vec<Output> {
        let mut inputs = vec![Input::Stanza(Element::parse(stanza).expect("a test's stanza"))];
        let (mut all, now) = (Vec::new(), Now { mono_ms: 1_000, unix_ms: super::kit::THEN_MS });
        while let Some(input) = inputs.pop() {
            let from = all.len();
            self.service.handle(input, now, &mut all);
            inputs.extend(all[from..].iter().filter_map(|output| match output {
                Output::Persist { token, .. } => Some(Input::Persisted(*token)),
                _ => None,
            }));
        }
        all
    }

    /// All items of a list, page by page, and how many pages it took; each is a stanza that any server takes.
    fn list(&mut self, ask: impl Fn(&str) -> String, key: &str) -> (usize, usize) {
        let (mut known, mut pages, mut after) = (BTreeSet::new(), 0, String::new());
        loop {
            let done = self.send(&ask(&format!("<set xmlns='{}'>{after}</set>", ns::RSM)));
            let query = answer(&done).children().next().expect("a list").clone();
            assert!(query.to_xml().len() < 200_000, "a page is a stanza");
            let items = query.children().filter(|child| child.name() == "item");
            let new = known.len();
            known.extend(items.filter_map(|item| item.get(key)).map(str::to_owned));
            if known.len() == new {
                return (known.len(), pages);
            }
            let set = query.get_child("set", ns::RSM).expect("a part says so");
            let count = set.get_child("count", ns::RSM).expect("a count").content();
            let last = set.get_child("last", ns::RSM).expect("an end").content();
            assert!(count.parse::<usize>().is_ok_and(|count| count >= known.len()));
            (pages, after) = (pages + 1, format!("<after>{last}</after>"));
        }
    }
}

fn join(from: &str, nick: &str) -> String {
    format!(
        "<presence from='{from}' to='{COVEN}/{nick}'><x xmlns='{}'><history maxstanzas='0'/></x></presence>",
        ns::MUC
    )
}

fn owner(inner: &str) -> String {
    format!("<iq from='{OWNER}' id='o' to='{COVEN}' type='set'><query xmlns='{}'>{inner}</query></iq>", ns::MUC_OWNER)
}

fn admin(kind: &str, inner: &str) -> String {
    format!(
        "<iq from='{OWNER}' id='a' to='{COVEN}' type='{kind}'><query xmlns='{}'>{inner}</query></iq>",
        ns::MUC_ADMIN
    )
}

fn configures(var: &str, value: &str) -> String {
    let field = |var: &str, value: &str| format!("<field var='{var}'><value>{value}</value></field>");
    let form = field("FORM_TYPE", ns::MUC_ROOMCONFIG) + &field(var, value);
    owner(&format!("<x xmlns='jabber:x:data' type='submit'>{form}</x>"))
}

fn answer(outputs: &[Output]) -> &Element {
    let to_owner = outputs.iter().find_map(|output| match output {
        Output::Send { to, stanza } if to.as_str() == OWNER && stanza.element().name() == "iq" => {
            Some(stanza.element())
        }
        _ => None,
    });
    to_owner.expect("an answer")
}

/// What is to be carried out: (broadcasts, stanzas for one).
fn weight(outputs: &[Output]) -> (usize, usize) {
    let broadcasts = outputs.iter().filter(|output| matches!(output, Output::Broadcast { .. })).count();
    (broadcasts, outputs.iter().filter(|output| matches!(output, Output::Send { .. })).count())
}

/// 6.5, 9.5, 10.2 and XEP-0059: in one room, since filling it takes a while.
#[test]
fn lists_come_in_pages_and_a_change_is_one_broadcast() {
    let mut room = Large::room();
    let (members, pages) = room.list(|set| admin("get", &format!("<item affiliation='member'/>{set}")), "jid");
    assert!(members == MEMBERS && pages >= 10, "{members} in {pages}");
    let (voices, pages) = room.list(|set| admin("get", &format!("<item role='participant'/>{set}")), "nick");
    assert!(voices == OCCUPANTS - 1 && pages >= 5, "{voices} in {pages}");

    let done = room.send(&configures("{urn:netjoin:dmuc:0}listoccupants", "1"));
    assert_eq!(weight(&done), (1, 1), "all are told at once, and the owner is answered");
    let items = |set: &str| {
        format!(
            "<iq from='{OWNER}' id='d' to='{COVEN}' type='get'><query xmlns='{}'>{set}</query></iq>",
            ns::DISCO_ITEMS
        )
    };
    let (occupants, pages) = room.list(items, "jid");
    assert!(occupants == OCCUPANTS && pages >= 5, "{occupants} in {pages}");
    // Of 16.5.3 this touches most: each may see addresses now, which none is told one by one.
    let done = room.send(&configures("muc#roomconfig_whois", "anyone"));
    assert_eq!(weight(&done), (1, 1));

    // 17.4: a set of thousands of items is refused as a whole, whatever is in it.
    let many = (0..5_000).map(|n| format!("<item affiliation='outcast' jid='macbeth{n}@shakespeare.lit'/>"));
    let done = room.send(&admin("set", &many.collect::<String>()));
    assert_eq!(answer(&done).get("type"), Some("error"));
    assert_eq!(weight(&done), (0, 1));
    let outcasts = room.send(&admin("get", "<item affiliation='outcast'/>"));
    assert!(!answer(&outcasts).to_xml().contains("<item "), "nobody is banned");
}
