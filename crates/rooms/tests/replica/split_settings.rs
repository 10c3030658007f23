//! XEP-0282 4.11.1: what an island MAY do is the operator's to say, `[replica.split]`: each with it on and off. And what an island
//! keeps has a bound.

use crate::site::*;
use machine::Input;
use rooms::SplitConfig;
use rooms::wire::{Down, Kind, RoomConfig};
use xmpp::{Element, ns};

/// eris with WiZ, a moderator, and Troy, cut off from a room where everybody sees who is who.
fn island(split: SplitConfig) -> (Site, Vec<Element>) {
    let mut site = Site::with_config(rooms::ReplicaConfig { split, ..config("eris.dclxvii.irc") })
        .entered_by(&[("WiZ", WIZ), ("Troy", TROY)]);
    let open = Down::Config(RoomConfig { whois_anyone: true, ..room_config() });
    site.down(&format!("<message from='{ROOM}'/>"), open, Kind::Config, None);
    site.event(&presence("WiZ", "admin", "moderator"), 900);
    site.feed(Input::StreamEnded(SERVICE.into()));
    let told = site.pass_ms(15_000);
    (site, told)
}

fn on() -> SplitConfig {
    SplitConfig::default()
}

fn condition(got: &[Element], to: &str) -> Option<String> {
    let error = got.iter().filter(|s| s.get("to") == Some(to)).find_map(|s| s.get_child("error", ns::CLIENT))?;
    Some(error.children().next()?.name().to_owned())
}

fn reaches(got: &[Element], to: &str, what: &str) -> bool {
    got.iter().any(|s| s.get("to") == Some(to) && s.get("type") != Some("error") && s.to_xml().contains(what))
}

#[test]
fn s4_11_1_local_conversation_is_a_setting() {
    for local_chat in [true, false] {
        let (mut site, told) = island(SplitConfig { local_chat, ..on() });
        assert_eq!(reaches(&told, TROY, "talking to each other"), local_chat);
        let got = site.send(&says(WIZ, "hi"));
        let refused = (!local_chat).then(|| "remote-server-timeout".to_owned());
        assert_eq!((reaches(&got, TROY, "hi"), condition(&got, WIZ)), (local_chat, refused));
    }
}

#[test]
fn s4_11_1_private_messages_are_a_setting() {
    for private_messages in [true, false] {
        let (mut site, _) = island(SplitConfig { private_messages, ..on() });
        let got = site
            .send(&format!("<message from='{WIZ}' to='{ROOM}/Troy' type='chat' id='p'><body>psst</body></message>"));
        let refused = (!private_messages).then(|| "remote-server-timeout".to_owned());
        assert_eq!((reaches(&got, TROY, "psst"), condition(&got, WIZ)), (private_messages, refused));
    }
}

#[test]
fn s4_11_1_kicks_are_a_setting() {
    for kick in [true, false] {
        let (mut site, _) = island(SplitConfig { kick, ..on() });
        let got = site.send(&format!(
            "<iq from='{WIZ}' to='{ROOM}' type='set' id='k'><query xmlns='{}'><item role='none' nick='Troy'/></query></iq>",
            ns::MUC_ADMIN
        ));
        let refused = (!kick).then(|| "remote-server-timeout".to_owned());
        assert_eq!((reaches(&got, TROY, "code=\'307\'"), condition(&got, WIZ)), (kick, refused), "{got:?}");
    }
}

/// Where everybody sees who is who, those elsewhere are shown away when it is split, and nobody who is here.
#[test]
fn s4_11_1_who_is_elsewhere_is_shown_away_by_a_setting() {
    for mark_away in [true, false] {
        let (_, told) = island(SplitConfig { mark_away, ..on() });
        let away = |nick: &str| {
            let from = format!("{ROOM}/{nick}");
            told.iter().any(|s| {
                s.get("to") == Some(TROY) && s.get("from") == Some(&*from) && s.to_xml().contains("<show>away")
            })
        };
        assert_eq!(["Wumpus", "BigCheese", "WiZ", "Troy"].map(away), [mark_away, mark_away, false, false]);
    }
}

/// Memory grows with what the island has to report, which has a bound, and with nothing else that people do there.
#[test]
fn s4_11_1_an_island_keeps_what_it_has_to_report_up_to_a_bound() {
    let (mut site, _) = island(on());
    let kept = |site: &Site| site.replica.links(site.now)[0].outbox;
    let before = kept(&site);
    for n in 0..300 {
        site.send(&format!("<message from='{WIZ}' to='{ROOM}/Troy' type='chat' id='p{n}'><body>psst</body></message>"));
        site.send(&format!("<iq from='{WIZ}' to='{ROOM}/WiZ' type='get' id='i{n}'><ping xmlns='{}'/></iq>", ns::PING));
        site.send(&format!(
            "<message from='{WIZ}' to='{ROOM}' type='groupchat' id='s{n}'><subject>war</subject></message>"
        ));
        site.send(&join("eve@eris.dclxvii.irc/x", "Eve"));
        site.send(&format!(
            "<message from='{WIZ}' to='{ROOM}' type='groupchat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>"
        ));
    }
    assert_eq!((kept(&site), site.rows.len()), (before, 0), "nothing of these is left");
    let mut said = 0;
    while condition(&site.send(&says(WIZ, "x")), WIZ).is_none() {
        said += 1;
    }
    assert_eq!((kept(&site), site.rows.len()), (10_000, said), "one entry and one row for each");
    assert_eq!(condition(&site.send(&says(WIZ, "x")), WIZ).as_deref(), Some("resource-constraint"));
    assert_eq!((kept(&site), site.rows.len()), (10_000, said));
}

/// What somebody shows of himself takes one place in what is kept, however often it changes: talk is not refused for it. The last
/// goes up, in the place of the first; behind a leave there is another.
#[test]
fn s4_11_1_what_people_show_is_kept_once() {
    let (mut site, _) = island(on());
    let show = |n: u32| format!("<presence from='{TROY}' to='{ROOM}/Troy'><status>{n}</status></presence>");
    for n in 0..10_001 {
        assert!(reaches(&site.send(&show(n)), WIZ, &format!("<status>{n}</status>")));
    }
    assert!(reaches(&site.send(&says(TROY, "still here")), WIZ, "still here"));
    site.send(&show(10_001));
    site.send(&format!("<presence type='unavailable' from='{TROY}' to='{ROOM}/Troy'/>"));
    site.send(&join(TROY, "Troy"));
    site.send(&show(10_002));
    // Of what was relayed before the island nothing is left, but its numbers.
    let kept = site.records.values().filter(|record| record.contains("\"n\"") && !record.contains("#nobody"));
    assert_eq!(kept.count(), 5);
    let left = site.pass_ms(60_000);
    let left = site.grant(&left[left.len() - 1..], 2, true);
    let said: Vec<String> = left.iter().filter(|s| s.get("from") == Some(TROY)).map(what).collect();
    assert_eq!(said, ["10001", "still here", "unavailable", "", "10002"]);
}

/// What a stanza says: its status, its body, its type.
fn what(stanza: &Element) -> String {
    let text = ["status", "body"].iter().find_map(|name| stanza.get_child(name, ns::CLIENT)).map(Element::content);
    text.or(stanza.get("type").map(str::to_owned)).unwrap_or_default()
}
