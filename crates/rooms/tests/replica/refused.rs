//! What people have seen on an island and no room has is put aside, and kept as long as what is mirrored.

use crate::site::*;
use machine::Input;
use rooms::wire::{Ack, At, Down, Kind, UpMark};
use xmpp::{Element, ns};

const REFUSED: &str = "refused:wallops@channel.avalon.irc";
const DAY_MS: u64 = 86_400_000;

/// eris as an island, where WiZ has said something.
fn island() -> Site {
    let mut site = Site::with_users("eris.dclxvii.irc", &[("WiZ", WIZ), ("Troy", TROY)]);
    site.feed(Input::StreamEnded(SERVICE.into()));
    site.pass_ms(15_000);
    site.send(&says(WIZ, "anybody?"));
    site
}

/// The next request of the island.
fn request(site: &mut Site) -> Vec<Element> {
    loop {
        let left = site.pass_ms(1_000);
        if left.iter().any(|stanza| stanza.has_child("replicate", ns::NETJOIN)) {
            return left;
        }
    }
}

fn bodies_in(site: &Site, archive: &str) -> usize {
    site.rows.iter().filter(|row| row.archive == archive && row.stanza.contains("anybody?")).count()
}

/// The primary has had it, and where it stands is in a gap: nobody can say what came of it, and it is provisional no longer.
#[test]
fn s4_11_no_outcome_because_of_a_gap() {
    let mut site = island();
    let mirror = format!("mirror:{ROOM}");
    assert_eq!((bodies_in(&site, &mirror), bodies_in(&site, REFUSED)), (1, 0));
    let left = request(&mut site);
    site.granted_seq = 900;
    site.grant(&left, 99, true);
    let gap = Down::Synced { gap: true };
    for (nick, affiliation, role) in CAST {
        site.down(&presence(nick, affiliation, role), Down::Roster, Kind::Roster, None);
    }
    site.down(&format!("<message from='{ROOM}'/>"), gap, Kind::Synced, Some(900));
    assert_eq!((bodies_in(&site, &mirror), bodies_in(&site, REFUSED)), (0, 1));
}

/// Refused ones go when they are as old as what a mirror forgets, also when the site has started again since.
#[test]
fn s4_11_what_is_put_aside_has_an_end() {
    for restarts in [false, true] {
        let mut site = island();
        let left = request(&mut site);
        let (id, _) = site.request(&left);
        site.send(&format!(
            "<iq type='error' id='{id}' from='{ROOM}' to='replica@eris.dclxvii.irc'><error type='cancel'>\
             <not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        ));
        assert_eq!(bodies_in(&site, REFUSED), 1, "{:?}", site.rows);
        if restarts {
            site.restart();
        }
        site.pass_ms(29 * DAY_MS);
        assert_eq!(bodies_in(&site, REFUSED), 1);
        site.pass_ms(3 * DAY_MS);
        assert_eq!(bodies_in(&site, REFUSED), 0, "restarts: {restarts}");
    }
}

/// An error has no number, and where only that is lost there is no gap. What the room has told comes before its acknowledgement, be that in
/// an event or a ping: what has not come by then was refused, and those who have seen it are told so.
#[test]
fn s4_11_an_error_that_is_lost_alone_is_a_refusal_all_the_same() {
    let cast = [("WiZ", "admin", "participant"), ("Troy", "none", "participant"), ("Wumpus", "owner", "moderator")];
    for (comes, in_ping) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut site = island();
        let left = request(&mut site);
        let sent = site.grant(&left, 0, true);
        let sent = sent.iter().find(|stanza| stanza.has_child("body", ns::CLIENT)).expect("what was said here");
        let n = UpMark::find(sent).expect("a mark").expect("one that can be read").n;
        site.snapshot(&cast, &[], 900);
        let row = site.rows.iter().find(|row| row.stanza.contains("anybody?")).expect("the island's");
        let event = groupchat("WiZ", "anybody?", 901).replace("s901", &row.id);
        let taken_back = |got: Vec<Element>| {
            let taken_back = got.iter().filter(|stanza| stanza.children().any(|child| child.name() == "retract"));
            taken_back.filter_map(|stanza| stanza.get("to")).map(str::to_owned).collect::<Vec<_>>()
        };
        if comes {
            assert_eq!(taken_back(site.event(&event, 901)), [""; 0]);
        }
        let ack = Ack { outbox: site.outbox(), n };
        let at = At { ack: Some(ack).filter(|_| !in_ping), ..site.at(Kind::Event, Some(902)) };
        let (epoch, d, outbox) = (at.epoch.clone(), at.d, site.outbox());
        let more = Down::Event { said_ms: None, config: None };
        let mut told = taken_back(site.down_at(&presence("Wumpus", "owner", "moderator"), more, at));
        if in_ping {
            assert_eq!(told, [""; 0]);
            told = taken_back(site.send(&format!(
                "<iq type='get' id='k' from='{SERVICE}' to='{}'><ping xmlns='{}'><heads xmlns='{}'>\
                 <head room='{ROOM}' epoch='{epoch}' d='{d}' ack='{}' outbox='{outbox}'/></heads></ping></iq>",
                site.jid,
                ns::PING,
                ns::NETJOIN,
                n
            )));
        }
        assert_eq!(told, if comes { vec![] } else { vec![WIZ, TROY] }, "comes: {comes}, in a ping: {in_ping}");
        let kept = (bodies_in(&site, &format!("mirror:{ROOM}")), bodies_in(&site, REFUSED));
        assert_eq!(kept, if comes { (1, 0) } else { (0, 1) });
    }
}
