//! The four numbers, `docs/wire.md`: duplicates, gaps, other orders; acknowledgements only of what is durable.

use super::kit::*;
use crate::room::tests::kit::Disk;
use crate::wire::Ack;
use proptest::prelude::*;

#[test]
fn a_duplicate_is_dropped_and_a_gap_is_asked_for() {
    let mut net = Net::whole();
    let first = net.marked(&said("one"));
    let second = net.marked(&said("two"));
    let got = net.feed(&second);
    assert_eq!(kinds(&got, VESA), ["resend"]);
    assert!(of(&got, VESA)[0].to_xml().contains("<resend xmlns='urn:netjoin:dmuc:0' outbox='v1' from='3'/>"));
    assert_eq!(kinds(&got, ERIS), [""; 0]);
    // What is asked for already is not asked for again at once.
    assert_eq!(net.feed(&second), []);
    assert_eq!(bodies(&net.feed(&first)), ["one"]);
    assert_eq!(bodies(&net.feed(&second)), ["two"]);
    assert_eq!(bodies(&net.feed(&second)), [""; 0]);
    schema::assert_valid(&net.crossed);
}

/// A message is acknowledged by its own broadcast, and neither goes out before it is durable.
#[test]
fn a_message_is_acknowledged_when_it_is_durable() {
    let mut net = Net::whole();
    net.kit.disk(Disk::Hangs);
    assert_eq!(net.says(BIG_CHEESE, "wait"), []);
    let got = net.kit.disk(Disk::Works);
    assert_eq!(marks(&got, VESA)[0].ack, Some(Ack { outbox: "v1".into(), n: 3 }));
    assert_eq!(marks(&got, ERIS)[0].ack, None);
}

/// Presence waits for nobody; its mark is written behind it, and acknowledged by what comes next.
#[test]
fn presence_is_acknowledged_later() {
    let mut net = Net::whole();
    net.says(BIG_CHEESE, "so that everything before is acknowledged");
    net.kit.disk(Disk::Hangs);
    let away = format!("<presence from='{BIG_CHEESE}' to='{ROOM}/BigCheese'><show>away</show></presence>");
    let got = net.relay(&away);
    assert_eq!(marks(&got, VESA)[0].ack, None);
    net.kit.disk(Disk::Works);
    let got = net.says(WIZ, "next");
    assert_eq!(marks(&got, VESA)[0].ack, Some(Ack { outbox: "v1".into(), n: 4 }));
}

/// A failed write is answered to its author, bearing the number, and nobody is told.
#[test]
fn what_cannot_be_kept_is_refused_with_its_number() {
    let mut net = Net::whole();
    net.kit.disk(Disk::Fails);
    let got = net.says(BIG_CHEESE, "lost");
    assert_eq!(crate::room::tests::kit::errors(&got), [(BIG_CHEESE.into(), "internal-server-error".into())]);
    assert!(got[0].stanza.to_xml().contains("<up xmlns='urn:netjoin:dmuc:0' outbox='v1' n='3'/>"));
    assert_eq!(bodies(&got), ["lost"], "the error gives the message back, and that is all");
}

/// The marks outlive the process: what was relayed before is not said again.
#[test]
fn marks_are_durable() {
    let mut net = Net::whole();
    let message = net.marked(&said("once"));
    net.feed(&message);
    net.kit.restart();
    let census = [(BIG_CHEESE, "BigCheese"), (EFCHEN, "Efchen")];
    let request = net.request_again(VESA, 0, &census);
    let got = net.ask(VESA, &request);
    let granted = crate::wire::Granted::parse(of(&got, VESA)[0].children().next().unwrap()).unwrap();
    assert_eq!(granted.marks[0].n, 3);
    assert!(granted.seats.iter().all(|seat| seat.verdict == crate::wire::Verdict::Reenter), "{granted:?}");
}

fn said(body: &str) -> String {
    format!("<message from='{BIG_CHEESE}' to='{ROOM}' type='groupchat'><body>{body}</body></message>")
}

/// The bodies that a site behind another link got, or the author got back.
fn bodies(got: &[crate::room::tests::kit::Got]) -> Vec<String> {
    let others = got.iter().filter(|got| got.to == ERIS || got.to == BIG_CHEESE);
    others.filter_map(|got| Some(got.stanza.get_child("body", xmpp::ns::CLIENT)?.content())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever is repeated, left out for a while or turned round: each is said once, and in the order it was relayed.
    #[test]
    fn in_any_order_each_is_said_once_in_its_order(picks in proptest::collection::vec(0..8usize, 0..40)) {
        let mut net = Net::whole();
        let relayed: Vec<String> = (0..8).map(|n| said(&n.to_string())).collect();
        let relayed: Vec<String> = relayed.iter().map(|stanza| net.marked(stanza)).collect();
        let mut heard = Vec::new();
        // At last the replica sends all of its outbox again, as it does when asked.
        for pick in picks.into_iter().chain(0..8) {
            heard.extend(bodies(&net.feed(&relayed[pick])));
        }
        prop_assert_eq!(heard, (0..8).map(|n| n.to_string()).collect::<Vec<_>>());
    }

    /// Nothing that a site sends makes the primary fall.
    #[test]
    fn no_stanza_makes_it_fall(stanzas in proptest::collection::vec(any_stanza(), 1..12)) {
        let mut net = Net::whole();
        for stanza in stanzas {
            net.kit.send(&stanza);
            net.kit.pass_ms(2_000);
        }
        net.kit.pass_ms(3_600_000);
    }
}

/// Stanzas made of what stands on links, with the wrong senders, numbers, names and places.
fn any_stanza() -> impl Strategy<Value = String> {
    let name = prop_oneof![Just("message"), Just("presence"), Just("iq")];
    let from = prop_oneof![Just(VESA), Just(BIG_CHEESE), Just(WUMPUS), Just(ERIS), Just("mallory@nowhere.example/x")];
    let kind =
        prop_oneof![Just("set"), Just("get"), Just("result"), Just("error"), Just("groupchat"), Just("unavailable")];
    let to =
        prop_oneof![Just(ROOM.to_owned()), Just(format!("{ROOM}/BigCheese")), Just("channel.avalon.irc".to_owned())];
    let inside = prop_oneof![
        (0u64..6, "[ve]1").prop_map(|(n, o)| format!(
            "<x xmlns='urn:xmpp:tmp:dmuc:0'><up xmlns='urn:netjoin:dmuc:0' outbox='{o}' n='{n}'/></x>"
        )),
        Just("<x xmlns='urn:xmpp:tmp:dmuc:0'><stale xmlns='urn:netjoin:dmuc:0' epoch='e'/></x>".to_owned()),
        (0u64..9).prop_map(|n| format!(
            "<replicate xmlns='urn:netjoin:dmuc:0' version='{n}' keepalive='1' maxstanzas='1' maxbytes='1'>\
             <outbox name='v1' from='{}'/><resume incarnation='i' term='t' seq='{n}' archive='a'/>\
             <census n='{n}'><seat nick='BigCheese' jid='{BIG_CHEESE}'/></census></replicate>",
            n + 1
        )),
        Just("<withdraw xmlns='urn:netjoin:dmuc:0'/>".to_owned()),
        Just("<ping xmlns='urn:xmpp:ping'><heads xmlns='urn:netjoin:dmuc:0'/></ping>".to_owned()),
        Just("<x xmlns='http://jabber.org/protocol/muc'/>".to_owned()),
        Just(
            "<error type='cancel'><remote-server-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
                .to_owned()
        ),
    ];
    (name, from, to, proptest::option::of(kind), proptest::collection::vec(inside, 0..3)).prop_map(
        |(name, from, to, kind, inside)| {
            let kind = kind.map(|kind| format!(" type='{kind}'")).unwrap_or_default();
            format!("<{name} from='{from}' to='{to}' id='i'{kind}>{}</{name}>", inside.concat())
        },
    )
}
