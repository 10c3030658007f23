//! Whatever is sent, in whatever order: no panic, and a room that still works.

use super::kit::{CRONE, Disk, HAG, INSTANT, coven, join, says};
use proptest::prelude::*;

fn jids() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "crone1@shakespeare.lit/desktop",
        "hag66@shakespeare.lit/pda",
        "hag66@shakespeare.lit/tablet",
        "hag66@shakespeare.lit",
        "shakespeare.lit",
        "coven@chat.shakespeare.lit/firstwitch",
        "mallory@evil.example/x",
    ])
}

fn targets() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "coven@chat.shakespeare.lit",
        "coven@chat.shakespeare.lit/firstwitch",
        "coven@chat.shakespeare.lit/thirdwitch",
        "coven@chat.shakespeare.lit/ ",
        "heath@chat.shakespeare.lit/x",
        "chat.shakespeare.lit",
    ])
}

fn types() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "groupchat",
        "chat",
        "normal",
        "error",
        "get",
        "set",
        "result",
        "unavailable",
        "probe",
        "subscribe",
        "king",
    ])
}

fn payloads() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "x",
        "query",
        "body",
        "subject",
        "thread",
        "error",
        "item",
        "invite",
        "decline",
        "destroy",
        "history",
        "ping",
        "set",
        "status",
        "field",
        "value",
        "max",
        "before",
        "after",
        "replicate",
        "up",
        "vCard",
        "password",
    ]);
    let space = prop::sample::select(vec![
        "jabber:client",
        "http://jabber.org/protocol/muc",
        "http://jabber.org/protocol/muc#user",
        "http://jabber.org/protocol/muc#admin",
        "http://jabber.org/protocol/muc#owner",
        "http://jabber.org/protocol/disco#info",
        "http://jabber.org/protocol/disco#items",
        "http://jabber.org/protocol/rsm",
        "jabber:x:data",
        "urn:xmpp:mam:2",
        "urn:xmpp:ping",
        "urn:xmpp:tmp:dmuc:0",
        "urn:netjoin:dmuc:0",
        "urn:ietf:params:xml:ns:xmpp-stanzas",
        "vcard-temp",
    ]);
    let attrs = prop::sample::select(vec![
        "",
        " nick='thirdwitch' role='none'",
        " nick='thirdwitch' role='visitor'",
        " jid='hag66@shakespeare.lit' affiliation='outcast'",
        " jid='crone1@shakespeare.lit' affiliation='none'",
        " affiliation='owner'",
        " jid='@' affiliation='member'",
        " type='submit'",
        " type='cancel'",
        " var='FORM_TYPE'",
        " var='muc#roomconfig_membersonly'",
        " maxchars='-1' since='never' seconds='99999999999999999999'",
        " to='hecate@shakespeare.lit'",
        " to='@@'",
    ]);
    let leaf =
        (name, space, attrs, prop::sample::select(vec!["", "1", "text", "http://jabber.org/protocol/muc#roomconfig"]))
            .prop_map(|(name, space, attrs, text)| format!("<{name} xmlns='{space}'{attrs}>{text}</{name}>"));
    leaf.prop_recursive(3, 12, 3, |inner| {
        let name = prop::sample::select(vec![
            ("x", "http://jabber.org/protocol/muc#user"),
            ("x", "http://jabber.org/protocol/muc"),
            ("x", "jabber:x:data"),
            ("query", "http://jabber.org/protocol/muc#admin"),
            ("query", "http://jabber.org/protocol/muc#owner"),
            ("query", "urn:xmpp:mam:2"),
            ("query", "http://jabber.org/protocol/disco#items"),
            ("set", "http://jabber.org/protocol/rsm"),
            ("error", "jabber:client"),
        ]);
        let attrs = prop::sample::select(vec!["", " type='submit'", " type='cancel'"]);
        (name, attrs, prop::collection::vec(inner, 0..3)).prop_map(|((name, space), attrs, children)| {
            format!("<{name} xmlns='{space}'{attrs}>{}</{name}>", children.concat())
        })
    })
}

fn stanzas() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["message", "presence", "iq"]);
    (name, jids(), targets(), types(), prop::collection::vec(payloads(), 0..3)).prop_map(
        |(name, from, to, kind, children)| {
            let kind = if kind.is_empty() { String::new() } else { format!(" type='{kind}'") };
            format!("<{name} from='{from}' to='{to}' id='i'{kind}>{}</{name}>", children.concat())
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_stanza_makes_a_room_panic(stanzas in prop::collection::vec(stanzas(), 1..60), failing in any::<bool>()) {
        let mut kit = coven();
        kit.send(&join(HAG, "thirdwitch"));
        for (n, stanza) in stanzas.iter().enumerate() {
            if failing {
                kit.disk(match n % 3 { 0 => Disk::Works, 1 => Disk::Hangs, _ => Disk::Fails });
            }
            kit.send(stanza);
        }
        kit.disk(Disk::Works);
        kit.pass_ms(20 * 60 * 1_000);
        // Whatever has become of the coven, the service lives.
        let elsewhere = |stanza: &str| stanza.replace("coven@", "forres@").replace(CRONE, "duncan@shakespeare.lit/x");
        kit.send(&elsewhere(&join(CRONE, "king")));
        kit.send(&elsewhere(INSTANT));
        prop_assert_eq!(kit.send(&elsewhere(&says(CRONE, "still here"))).len(), 1);
        kit.restart();
        kit.pass_ms(1);
    }
}
