//! Whatever comes, from whomever: no panic, no endless round, and what is kept can be read again.

use crate::world::{JULIET, NURSE, ROMEO, World};
use proptest::prelude::*;
use xmpp::Element;

fn addresses() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![
        None,
        Some("example.com"),
        Some("example.net"),
        Some("juliet@example.com"),
        Some("nurse@example.com"),
        Some("romeo@example.net"),
        Some("tybalt@example.com"),
        Some(JULIET),
        Some(NURSE),
        Some(ROMEO),
        Some("juliet@example.com/tomb"),
        Some("verona@rooms.example.org/Romeo"),
        Some("paris@verona.lit"),
    ])
}

fn kinds() -> impl Strategy<Value = Option<String>> {
    let known = prop::sample::select(vec![
        "subscribe",
        "subscribed",
        "unsubscribe",
        "unsubscribed",
        "probe",
        "unavailable",
        "error",
        "get",
        "set",
        "result",
        "chat",
        "headline",
        "groupchat",
    ]);
    prop::option::weighted(0.9, prop_oneof![9 => known.prop_map(String::from), 1 => "[a-z]{0,6}"])
}

fn payloads() -> impl Strategy<Value = Vec<Element>> {
    let spaces = prop::sample::select(vec![
        xmpp::ns::ROSTER,
        xmpp::ns::REGISTER,
        xmpp::ns::DISCO_INFO,
        xmpp::ns::PING,
        xmpp::ns::VERSION,
        xmpp::ns::PRIVATE,
        xmpp::ns::VCARD,
        xmpp::ns::CAPS,
        xmpp::ns::PUBSUB,
        xmpp::ns::PUBSUB,
        xmpp::ns::PUBSUB_OWNER,
        xmpp::ns::CLIENT,
    ]);
    let names = prop::sample::select(vec![
        "query",
        "item",
        "ping",
        "priority",
        "remove",
        "username",
        "group",
        "pubsub",
        "publish",
        "items",
        "retract",
        "create",
        "configure",
        "delete",
        "purge",
        "vCard",
        "c",
        "body",
    ]);
    let leaf =
        (names, spaces, "[ -~é🙂]{0,8}", addresses(), prop::bool::ANY).prop_map(|(name, ns, text, jid, remove)| {
            Element::new(name, ns)
                .attr_opt("jid", jid)
                .attr_opt("subscription", remove.then_some("remove"))
                .attr("node", "n")
                .attr("ver", "v")
                .attr_opt("name", (!text.is_empty()).then_some(&text))
                .text(text)
        });
    let tree = leaf.prop_recursive(3, 12, 3, |inner| {
        (inner.clone(), prop::collection::vec(inner, 0..3)).prop_map(|(parent, children)| parent.with(children))
    });
    prop::collection::vec(tree, 0..3)
}

#[derive(Debug, Clone)]
enum Step {
    Says(&'static str, Element),
    Arrives(Element),
    Binds(&'static str),
    Ends(&'static str),
    Commits,
    Fails,
}

fn steps() -> impl Strategy<Value = Step> {
    let users = || prop::sample::select(vec![ROMEO, JULIET, NURSE]);
    let stanzas = || {
        let names = prop::sample::select(vec!["presence", "message", "iq"]);
        (names, addresses(), kinds(), payloads()).prop_map(|(name, to, kind, payloads)| {
            Element::stanza(name).attr("id", "1").attr_opt("to", to).attr_opt("type", kind).with(payloads)
        })
    };
    let abroad = prop::sample::select(vec!["paris@verona.lit/hall", "verona@rooms.example.org/Romeo", "verona.lit"]);
    prop_oneof![
        8 => (users(), stanzas()).prop_map(|(user, stanza)| Step::Says(user, stanza)),
        4 => (abroad, stanzas()).prop_map(|(from, stanza)| Step::Arrives(stanza.attr("from", from))),
        1 => users().prop_map(Step::Binds),
        1 => users().prop_map(Step::Ends),
        4 => Just(Step::Commits),
        1 => Just(Step::Fails),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_stanzas_in_any_order(steps in prop::collection::vec(steps(), 0..60)) {
        let mut w = World::lovers();
        w.online(NURSE);
        w.held = true;
        for step in steps {
            match step {
                Step::Says(user, stanza) if w.site_of(user).has_session(&crate::world::jid(user)) => {
                    w.says(user, &stanza.to_xml());
                }
                Step::Arrives(stanza) if stanza.get("to").is_some() => w.arrives(&stanza.to_xml()),
                Step::Binds(user) if w.has_account(user) => {
                    w.bind(user);
                }
                Step::Ends(user) => w.ends(user),
                Step::Commits if !w.waiting.is_empty() => w.commit(),
                Step::Fails if !w.waiting.is_empty() => w.fail(),
                _ => {}
            }
        }
        while !w.waiting.is_empty() {
            w.commit();
        }
        w.held = false;
        // Memory is what is kept: a restart changes no roster.
        for user in [ROMEO, JULIET, NURSE] {
            if w.has_account(user) {
                let before = w.roster(user);
                w.restart(crate::world::jid(user).domain());
                prop_assert_eq!(before, w.roster(user));
            }
        }
    }
}

impl World {
    fn has_account(&mut self, full: &str) -> bool {
        let jid = crate::world::jid(full);
        let site = self.site_of(full);
        site.list().any(|local| Some(local) == jid.local())
    }

    fn roster(&mut self, full: &str) -> String {
        self.bind(full);
        self.forget();
        self.says(full, "<iq type='get' id='look'><query xmlns='jabber:iq:roster'/></iq>");
        self.hears(full).concat()
    }
}
