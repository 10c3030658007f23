//! XEP-0282 4.2, "Creating a Replica", with `docs/wire.md`.

use crate::site::*;
use machine::Input;
use rooms::wire::{Down, Kind};
use xmpp::{Element, Jid, ns};

fn is_disco(stanza: &Element) -> bool {
    stanza.has_child("query", ns::DISCO_INFO)
}

/// The registration goes first, the user's join right behind it on the same stream, marked as the first of the outbox.
#[test]
fn s4_2_the_join_follows_the_registration() {
    let mut site = Site::new("eris.dclxvii.irc");
    let asked = site.send(&join(WIZ, "WiZ"));
    assert!(asked.len() == 1 && is_disco(&asked[0]) && asked[0].get("to") == Some(SERVICE), "{asked:?}");
    let left = site.announce(&asked);
    let (_, request) = site.request(&left);
    assert_eq!((request.resume, request.census, request.outboxes.len()), (None, None, 1));
    let outbox = &request.outboxes[0].name;
    assert_eq!(request.outboxes[0].from, 1);
    assert_eq!(
        left[1].to_xml(),
        xml(&format!(
            "<presence from='{WIZ}' to='{ROOM}/WiZ'><x xmlns='{}'/><x xmlns='{}'>\
             <up xmlns='{}' outbox='{outbox}' n='1'/></x></presence>",
            ns::MUC,
            ns::DMUC,
            ns::NETJOIN
        ))
    );
}

/// A service that does not speak XEP-0282: what was held goes out untouched and in order, and the next join at once.
#[test]
fn s4_2_not_distributed_is_plain_muc() {
    let mut site = Site::new("eris.dclxvii.irc");
    let asked = site.send(&join(WIZ, "WiZ"));
    assert_eq!(lines(&site.send(&says(WIZ, "hello?"))), [""; 0]);
    let id = asked[0].get("id").unwrap();
    let answer = format!(
        "<iq type='result' id='{id}' from='{SERVICE}' to='replica@eris.dclxvii.irc'><query xmlns='{}'/></iq>",
        ns::DISCO_INFO
    );
    assert_eq!(lines(&site.send(&answer)), [xml(&join(WIZ, "WiZ")), xml(&says(WIZ, "hello?"))]);
    assert!(!site.replica.wants(&Element::parse(&join(TROY, "Troy")).unwrap()), "the answer is remembered");
    // … for a while: after an hour the service is asked again.
    site.pass_ms(3_600_001);
    assert!(is_disco(&site.send(&join(TROY, "Troy"))[0]));
}

/// A service that says nothing: the user waits no longer than named.
#[test]
fn s4_2_a_late_service_is_plain_muc() {
    let mut site = Site::new("eris.dclxvii.irc");
    site.send(&join(WIZ, "WiZ"));
    assert_eq!(lines(&site.pass_ms(10_000)), [xml(&join(WIZ, "WiZ"))]);
}

/// Refused: the primary serves the user itself, whose stanzas pass untouched from then on.
#[test]
fn s4_2_refused_is_plain_muc() {
    let mut site = Site::new("eris.dclxvii.irc");
    let asked = site.send(&join(WIZ, "WiZ"));
    let left = site.announce(&asked);
    let (id, _) = site.request(&left);
    let refusal = format!(
        "<iq type='error' id='{id}' from='{ROOM}' to='replica@eris.dclxvii.irc'>\
         <error type='cancel'><not-allowed xmlns='{}'/></error></iq>",
        ns::STANZA_ERRORS
    );
    assert_eq!(lines(&site.send(&refusal)), [""; 0]);
    assert!(!site.replica.wants(&Element::parse(&says(WIZ, "hi")).unwrap()));
    let own = format!("<presence from='{ROOM}/WiZ' to='{WIZ}'/>");
    assert!(!site.replica.wants(&Element::parse(&own).unwrap()));
}

/// Late: the other end is told by `<withdraw/>`, and the user asks the room itself.
#[test]
fn s4_2_a_late_registration_is_withdrawn() {
    let mut site = Site::new("eris.dclxvii.irc");
    let asked = site.send(&join(WIZ, "WiZ"));
    site.announce(&asked);
    let left = site.pass_ms(15_000);
    assert!(left[0].has_child("withdraw", ns::NETJOIN), "{left:?}");
    assert_eq!(lines(&left[1..]), [xml(&join(WIZ, "WiZ"))]);
    assert!(!site.replica.wants(&Element::parse(&says(WIZ, "hi")).unwrap()));
}

/// A primary that the operator does not list is never asked.
#[test]
fn s4_2_only_listed_primaries_are_asked() {
    let mut own = config("eris.dclxvii.irc");
    own.primaries = vec!["other.example".into()];
    let replica = rooms::Replica::new(own, [1; 32], Vec::new(), Vec::new());
    assert!(!replica.wants(&Element::parse(&join(WIZ, "WiZ")).unwrap()));
}

/// Nothing of either namespace is taken from a client or handed to one.
#[test]
fn s4_2_forged_marks_are_stripped() {
    let mut site = Site::with_users("eris.dclxvii.irc", &[("WiZ", WIZ)]);
    let forged = says(WIZ, "hi").replace(
        "</message>",
        "<x xmlns='urn:xmpp:tmp:dmuc:0'><up xmlns='urn:netjoin:dmuc:0' outbox='other' n='99'/></x></message>",
    );
    let left = site.send(&forged);
    let marks: Vec<_> = left[0].children().filter(|c| c.ns() == ns::DMUC).collect();
    assert_eq!(marks.len(), 1);
    assert_eq!(marks[0].get_child("up", ns::NETJOIN).unwrap().get("n"), Some("2"));
    let down = format!(
        "<message from='stranger@example.org/x' to='{WIZ}'><x xmlns='{}'><enter jid='{WIZ}'/></x></message>",
        ns::DMUC
    );
    let expected = format!("<message from='stranger@example.org/x' to='{WIZ}'/>");
    assert_eq!(lines(&site.send(&down)), [xml(&expected)]);
}

/// The last local user gone, the replica withdraws after the grace period; a user who comes sooner registers anew.
#[test]
fn s4_2_the_end_of_a_replica() {
    let mut site = Site::with_users("eris.dclxvii.irc", &[("WiZ", WIZ)]);
    let leave = |site: &mut Site| {
        let jid: Jid = WIZ.parse().unwrap();
        site.down(&unavailable("WiZ", ""), rooms::wire::Down::Leave { jid }, rooms::wire::Kind::Leave, None);
    };
    leave(&mut site);
    assert_eq!(site.replica.links(site.now)[0].state, "dormant");
    let left = site.send(&join(WIZ, "WiZ"));
    let (_, request) = site.request(&left);
    assert_eq!((request.resume, request.census), (None, None));
    assert_eq!(left[1].get("from"), Some(WIZ));
    site.grant(&left, 0, false);
    site.snapshot(&[], &[], 900);
    site.event(&presence("WiZ", "admin", "participant"), 901);
    site.enter(&own_presence("WiZ", "admin", "participant"), WIZ);
    leave(&mut site);
    let left = site.pass_ms(300_000);
    assert!(left.iter().any(|s| s.has_child("withdraw", ns::NETJOIN)), "{left:?}");
    assert_eq!(site.replica.links(site.now), []);
}

/// Each request that follows upon nothing has an outbox of its own, by which the room knows what belongs to it: also where all that
/// was relayed behind the one before has been answered.
#[test]
fn s4_2_a_first_request_has_an_outbox_of_its_own() {
    let mut site = Site::new("eris.dclxvii.irc");
    let asked = site.send(&join(WIZ, "WiZ"));
    let left = site.announce(&asked);
    let outbox = |request: &rooms::wire::Replicate| request.outboxes[0].name.clone();
    let first = outbox(&site.request(&left).1);
    site.send(&refused_join(WIZ, "WiZ", &first, 1));
    site.feed(Input::StreamEnded(SERVICE.to_owned()));
    site.send(&join(TROY, "Troy"));
    let left = site.pass_ms(2_000);
    let (_, second) = site.request(&left);
    assert_ne!(outbox(&second), first);
    assert_eq!(left.last().and_then(|join| join.get("from")), Some(TROY));
}

/// Somebody has left and asks to be in again. His LEAVE was that of the last seat here, so his join goes out with another request, and
/// nothing of what he did before; that it was refused behind the first is not what becomes of it.
#[test]
fn s4_2_what_is_asked_anew_is_not_refused_by_what_was_asked_before() {
    let mut site = Site::with_users("eris.dclxvii.irc", &[("WiZ", WIZ)]);
    let first = site.outbox();
    site.send(&format!("<presence from='{WIZ}' to='{ROOM}/WiZ'><show>dnd</show></presence>"));
    site.send(&leaves(WIZ, "WiZ"));
    site.send(&join(WIZ, "WiZ"));
    let left = site.down(&unavailable("WiZ", ""), Down::Leave { jid: WIZ.parse().unwrap() }, Kind::Leave, None);
    let asked = left.iter().filter(|s| s.to_xml().contains("<up ") && s.get("from") == Some(WIZ));
    assert_eq!(
        asked.map(|s| (s.get("type"), s.has_child("x", ns::MUC))).collect::<Vec<_>>(),
        [(Some("unavailable"), false), (None, true)]
    );
    assert_eq!(lines(&site.send(&refused_join(WIZ, "WiZ", &first, 4))), [""; 0]);
    site.grant(&left, 0, false);
    site.snapshot(&[], &[], 900);
    site.event(&presence("WiZ", "admin", "participant"), 901);
    let got = site.enter(&own_presence("WiZ", "admin", "participant"), WIZ);
    assert!(got.iter().any(|s| s.get("to") == Some(WIZ) && s.to_xml().contains("<status code='110'/>")), "{got:?}");
}

/// How the room refuses a join that was relayed.
fn refused_join(user: &str, nick: &str, outbox: &str, n: u64) -> String {
    format!(
        "<presence type='error' from='{ROOM}/{nick}' to='{user}'><error type='auth'><forbidden xmlns='{}'/></error>\
         <x xmlns='{}'><up xmlns='{}' outbox='{outbox}' n='{n}'/></x></presence>",
        ns::STANZA_ERRORS,
        ns::DMUC,
        ns::NETJOIN
    )
}

/// What nobody here has used for as long as mirrors are kept is gone from the disk, also after a restart.
#[test]
fn s4_2_a_mirror_nobody_uses_is_not_kept_for_ever() {
    const DAY_MS: u64 = 86_400_000;
    for restarts in [false, true] {
        let mut site = Site::with_users("eris.dclxvii.irc", &[("WiZ", WIZ)]);
        site.event(&groupchat("BigCheese", "hi", 810), 810);
        site.send(&format!("<presence from='{WIZ}' type='unavailable' to='{ROOM}/WiZ'/>"));
        let own = unavailable("WiZ", "<status code='110'/>");
        site.down(&own, Down::Leave { jid: WIZ.parse().unwrap() }, Kind::Leave, None);
        if restarts {
            site.restart();
        }
        site.pass_ms(29 * DAY_MS);
        let metas = |site: &Site| site.records.keys().filter(|(space, ..)| space == "mirror").count();
        assert_eq!((metas(&site), site.rows.len()), (1, 1));
        site.pass_ms(2 * DAY_MS);
        assert_eq!((metas(&site), site.rows.len()), (0, 0), "restarts: {restarts}");
    }
}
