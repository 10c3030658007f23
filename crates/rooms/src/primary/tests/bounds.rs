//! What peers can lengthen has a bound, and what is over it an error: registrations that wait, replicas, what waits for a
//! registration, sessions in a census.

use super::super::link::{LINKS_MAX, Link};
use super::super::replicate::PENDING_MAX;
use super::super::syncs::SYNCS_MAX;
use super::kit::*;
use crate::room::tests::kit::{Got, errors};
use crate::wire::{CensusSeat, Outbox, Replicate, SEATS_MAX};
use xmpp::ns;

fn site(n: usize) -> String {
    format!("site{n}.irc")
}

/// A replica of its own for each of many sites asks.
fn registers(net: &mut Net, n: usize) -> Vec<Got> {
    let outboxes = vec![Outbox { name: format!("o{n}"), from: 1 }];
    let request = Replicate { outboxes, ..net.request(VESA) };
    net.feed(&format!("<iq type='set' from='replica@{}' to='{ROOM}' id='r1'>{}</iq>", site(n), request.element()))
}

/// A user of that site joins through it.
fn join(n: usize) -> String {
    let site = site(n);
    format!(
        "<presence from='user@{site}/x' to='{ROOM}/nick{n}'><x xmlns='http://jabber.org/protocol/muc'/>\
         <x xmlns='urn:xmpp:tmp:dmuc:0'><up xmlns='urn:netjoin:dmuc:0' outbox='o{n}' n='1'/></x></presence>"
    )
}

fn is_refused_for_want_of_room(got: &[Got], n: usize) {
    assert_eq!(errors(got), [(format!("replica@{}", site(n)), "resource-constraint".into())]);
    let retry = got[0].stanza.get_child("error", ns::CLIENT).and_then(|error| error.get_child("retry", ns::NETJOIN));
    assert_eq!(retry.and_then(|retry| retry.get("after")), Some("30"), "{got:?}");
}

#[test]
fn registrations_that_wait_are_bounded_and_told_when_to_come_again() {
    let mut net = Net::new();
    for n in 0..PENDING_MAX {
        assert_eq!(registers(&mut net, n), [], "{n}");
    }
    is_refused_for_want_of_room(&registers(&mut net, PENDING_MAX), PENDING_MAX);
    // One that waits already may ask anew; the others are none the worse.
    assert_eq!(registers(&mut net, 7), []);
    assert!(net.feed(&join(7)).iter().any(|got| got.stanza.has_child("granted", ns::NETJOIN)));
    // His place is free.
    assert_eq!(registers(&mut net, PENDING_MAX), []);
    schema::assert_valid(&net.crossed);
}

#[test]
fn replicas_of_a_room_are_bounded_and_told_when_to_come_again() {
    let mut net = Net::new();
    registers(&mut net, 0);
    net.feed(&join(0));
    net.feed(&format!(
        "<iq from='user@{}/x' id='o1' to='{ROOM}' type='set'><query xmlns='http://jabber.org/protocol/muc#owner'>\
         <x xmlns='jabber:x:data' type='submit'/></query></iq>",
        site(0)
    ));
    // The others are made like the first: to let each register would take a million presences.
    let links = &mut net.kit.service.rooms.get_mut(&jid(ROOM)).expect("the room").links.links;
    let first = links.values().next().expect("the first replica").clone();
    for n in 1..LINKS_MAX {
        let link = Link { domains: [site(n)].into(), outboxes: vec![format!("o{n}")], ..first.clone() };
        links.insert(jid(&format!("replica@{}", site(n))), link);
    }
    is_refused_for_want_of_room(&registers(&mut net, LINKS_MAX), LINKS_MAX);
    // Its user comes in all the same, once the request he waits for has not been taken.
    net.feed(&join(LINKS_MAX));
    net.pass_ms(10_000);
    let who = format!("user@{}/x", site(LINKS_MAX));
    let got = net.feed(&format!("<message from='{who}' to='{ROOM}' type='groupchat'><body>I am in</body></message>"));
    assert_eq!(errors(&got), []);
    assert_eq!((of(&got, &who).len(), got.len()), (1, LINKS_MAX + 1), "one copy for each replica, one for him");
}

#[test]
fn a_census_that_is_too_long_is_refused_whole() {
    let mut net = Net::wallops();
    let seat = |n| CensusSeat {
        nick: format!("n{n}").parse().expect("a nick"),
        jid: jid(&format!("u{n}@vesa.yeggmaex.irc/x")),
        payload: Vec::new(),
    };
    let census = (0..=SEATS_MAX).map(seat).collect();
    let request = Replicate { census: Some((0, census)), ..net.request_again(VESA, 0, &[]) };
    let got = net.ask(VESA, &request);
    assert_eq!(errors(&got), [(VESA.into(), "bad-request".into())]);
    // The registration that stands is none the worse.
    assert_eq!(kinds(&net.says(WIZ, "still there?"), VESA), ["event"]);
}

/// Each grant costs the room a snapshot: a site that asks without end is told when to come again, no other site pays for it, and what
/// it has stays.
#[test]
fn snapshots_have_a_measure() {
    let mut net = Net::whole();
    let asks = |net: &mut Net, replica: &str, seat: (&str, &str)| {
        let request = net.request_again(replica, net.seq(), &[seat]);
        net.ask(replica, &request)
    };
    let granted = |got: &[Got]| got.iter().any(|got| got.stanza.has_child("granted", ns::NETJOIN));
    // It has had one of them before.
    for n in 1..SYNCS_MAX {
        assert!(granted(&asks(&mut net, VESA, (EFCHEN, "Efchen"))), "{n}");
    }
    let got = asks(&mut net, VESA, (EFCHEN, "Efchen"));
    assert_eq!(errors(&got), [(VESA.into(), "resource-constraint".into())]);
    assert_eq!(of(&got, VESA).len(), 1, "and no snapshot");
    assert!(granted(&asks(&mut net, ERIS, (WIZ, "WiZ"))));
    net.pass_ms(1_000);
    assert!(granted(&asks(&mut net, VESA, (EFCHEN, "Efchen"))));
}
