//! The counters, their turn at 2^32, and the bounds.

use super::*;
use proptest::prelude::*;

const BOUNDS: Bounds = Bounds { stanzas: 50, bytes: 10_000 };

fn stanza(n: u64) -> Shared {
    Shared::new(Element::stanza("message").attr("id", n.to_string()))
}

fn ids(outbound: &Outbound) -> Vec<String> {
    outbound.unacknowledged().map(|sent| sent.stanza.element().get("id").unwrap().to_owned()).collect()
}

#[test]
fn s4_what_is_acknowledged_is_forgotten() {
    let mut outbound = Outbound::new(BOUNDS);
    (0..5).for_each(|n| outbound.push(stanza(n), 0));
    outbound.acknowledge(3).unwrap();
    assert_eq!(ids(&outbound), ["3", "4"]);
    outbound.acknowledge(3).unwrap();
    assert_eq!(ids(&outbound), ["3", "4"], "the same again means nothing new");
    outbound.acknowledge(5).unwrap();
    assert_eq!((ids(&outbound).len(), outbound.bytes()), (0, 0));
}

#[test]
fn s6_more_than_was_sent_is_an_error() {
    let mut outbound = Outbound::new(BOUNDS);
    (0..8).for_each(|n| outbound.push(stanza(n), 0));
    let error = outbound.acknowledge(10).unwrap_err();
    assert_eq!(
        error.element().to_xml(),
        "<error xmlns='http://etherx.jabber.org/streams'>\
         <undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
         <text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>10 stanzas were acknowledged, but only 8 were sent</text>\
         <handled-count-too-high xmlns='urn:xmpp:sm:3' h='10' send-count='8'/></error>"
    );
    outbound.acknowledge(8).unwrap();
    assert!(outbound.acknowledge(7).is_err(), "nothing is taken back");
}

#[test]
fn the_client_is_asked_now_and_then_and_once() {
    let mut outbound = Outbound::new(BOUNDS);
    let asked: Vec<u64> = (1..=60)
        .filter(|n| {
            outbound.push(stanza(*n), 0);
            outbound.wants_request()
        })
        .collect();
    assert_eq!(asked, [20]);
    outbound.acknowledge(20).unwrap();
    assert!(outbound.wants_request(), "much has gone out since");
    outbound.acknowledge(59).unwrap();
    assert!(!outbound.wants_late_request(10), "an answer is still owed");
    outbound.acknowledge(60).unwrap();
    assert!(!outbound.wants_late_request(10), "nothing is open");
    outbound.push(stanza(61), 9);
    assert!(!outbound.wants_late_request(9));
    assert!(outbound.wants_late_request(10));
}

#[test]
fn who_has_taken_what_was_forgotten_may_still_resume() {
    let mut outbound = Outbound::new(BOUNDS);
    (0..60).for_each(|n| outbound.push(stanza(n), 0));
    assert!(outbound.is_over());
    outbound.forget_oldest();
    assert_eq!((outbound.unacknowledged().len(), outbound.is_whole()), (50, false));
    outbound.acknowledge(9).unwrap();
    assert!(!outbound.is_whole());
    outbound.acknowledge(10).unwrap();
    assert!(outbound.is_whole());
    assert_eq!(ids(&outbound).first().map(String::as_str), Some("10"));
}

proptest! {
    /// Whatever was sent and acknowledged before: the counters say on the wire what they are modulo 2^32, and what is
    /// kept is what is between them.
    #[test]
    fn counters_turn_at_two_to_the_32(
        start in prop_oneof![0u64..100, (1u64 << 32) - 100..(1 << 32) + 100, (3u64 << 32) - 50..(3 << 32) + 50],
        steps in prop::collection::vec((0u64..12, 0u64..15), 1..40),
    ) {
        let bounds = Bounds { stanzas: usize::MAX, bytes: usize::MAX };
        let mut outbound = Outbound { sent: start, acked: start, ..Outbound::new(bounds) };
        let mut acked = start;
        for (send, ack) in steps {
            (0..send).for_each(|_| outbound.push(stanza(outbound.sent), 0));
            let handled = acked + ack;
            let result = outbound.acknowledge(handled as u32);
            prop_assert_eq!(result.is_ok(), handled <= outbound.sent);
            if result.is_ok() {
                acked = handled;
            }
            let expected: Vec<String> = (acked..outbound.sent).map(|n| n.to_string()).collect();
            prop_assert_eq!(ids(&outbound), expected);
            prop_assert_eq!(outbound.bytes(), outbound.unacknowledged().map(|s| s.stanza.size()).sum::<usize>());
            prop_assert!(outbound.is_whole());
        }
    }

    /// No acknowledgement of any number makes it panic or keep what was taken.
    #[test]
    fn any_number_may_come(numbers in prop::collection::vec(any::<u32>(), 1..30)) {
        let mut outbound = Outbound::new(BOUNDS);
        for n in numbers {
            outbound.push(stanza(u64::from(n)), n);
            let before = outbound.unacknowledged().len();
            if outbound.acknowledge(n).is_err() {
                prop_assert_eq!(outbound.unacknowledged().len(), before);
            }
        }
    }
}
