//! An error has no place in the one order: it may be lost, with a stream or with the room's power, and nothing shows it. Its author hears
//! all the same that the room has refused what he said, and of nothing that it has told (`docs/wire.md`, *Errors for what was relayed*).

use crate::s4_11_netsplit::bodies;
use crate::site::{ROOM, lines, says};
use crate::world::{ERIS, SERVICE, World, of};
use xmpp::{Element, ns};

fn asks(who: &str, query: &str) -> String {
    format!("<iq from='{}' to='{ROOM}' type='set' id='a'>{query}</iq>", of(who))
}

/// Which of what he said he is told has failed.
fn failed(got: &[Element]) -> Vec<&str> {
    got.iter().filter(|stanza| stanza.get("type") == Some("error")).filter_map(|stanza| stanza.get("id")).collect()
}

/// What the room has called the last of what somebody was sent.
fn stanza_id(got: &[Element]) -> String {
    let id = got.last().and_then(|stanza| stanza.get_child("stanza-id", ns::SID)?.get("id"));
    id.expect("the room has told it").to_owned()
}

/// Wumpus has the room take something back.
fn takes_back(id: &str) -> String {
    let retract = "<retract xmlns='urn:xmpp:message-retract:1'/>";
    asks("Wumpus", &format!("<moderate xmlns='{}' id='{id}'>{retract}</moderate>", ns::MODERATE))
}

fn said(nick: &str, id: &str, what: &str) -> String {
    format!("<message from='{}' to='{ROOM}' type='groupchat' id='{id}'>{what}</message>", of(nick))
}

/// Troy has no voice. The error that says so is lost alone, with the link, or never on its way: the room has lost its power, with the mark of
/// it on disk. He is told once.
#[test]
fn s4_8_a_refusal_that_is_lost_is_made_good() {
    for how in ["alone", "with the link", "with the room's power"] {
        let mut world = World::with_cast(true);
        let visitor = format!("<query xmlns='{}'><item nick='Troy' role='visitor'/></query>", ns::MUC_ADMIN);
        world.user(&asks("Wumpus", &visitor));
        world.inbox.clear();
        world.lost_refusals = 1;
        world.user(&said("Troy", "m1", "<body>may I?</body>"));
        assert_eq!((world.lost_refusals, failed(&world.take(of("Troy")))), (0, vec![]));
        match how {
            "with the link" => {
                world.cut(ERIS);
                world.heal(ERIS);
            }
            "with the room's power" => world.restart(SERVICE),
            _ => {}
        }
        world.pass_ms(200_000);
        assert_eq!((failed(&world.take(of("Troy"))), world.states(ERIS)), (vec!["m1"], vec!["live"]), "{how}");
    }
}

/// What the room has told is not said to have failed, however its author's site comes to know of it: before the link is lost, or behind
/// that, with what was missed; when it was taken back meanwhile, or another subject set; and where no archive keeps it and it never does.
#[test]
fn s4_8_what_was_told_is_not_said_to_have_failed() {
    let body = "<body>hello</body>";
    let subject = "<subject>one</subject>";
    let composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    for (what, comes, since) in [
        (body, true, ""),
        (body, false, ""),
        (body, false, "taken back"),
        (subject, true, ""),
        (subject, false, ""),
        (subject, false, "another"),
        (composing, true, ""),
        (composing, false, ""),
    ] {
        for restarts in [false, true] {
            let mut world = World::with_cast(true);
            world.affiliate("squit@eris.dclxvii.irc", "admin");
            world.inbox.clear();
            world.user_sends(&said("WiZ", "m1", what));
            if comes {
                world.run();
            }
            world.cut_after_delivery(ERIS);
            let id = stanza_id(&world.take(of("Wumpus")));
            match since {
                "taken back" => world.user(&takes_back(&id)),
                "another" => world.user(&said("Wumpus", "m2", "<subject>two</subject>")),
                _ => {}
            }
            world.heal(ERIS);
            if restarts {
                world.restart(SERVICE);
            }
            world.pass_ms(200_000);
            world.user(&says(of("WiZ"), "still here"));
            world.pass_ms(200_000);
            let got = world.take(of("WiZ"));
            assert_eq!(failed(&got), [""; 0], "{what}, comes: {comes}, {since}, restarts: {restarts}");
            assert_eq!(world.states(ERIS), ["live"]);
        }
    }
}

/// The event that tells what he said is lost with the link, and it is taken back before that is whole. The room tells what was missed from
/// memory, where nothing is left of it but that it was taken back: he is told so once, and not that the room did not take it. Where an
/// island has shown it meanwhile, it was said for him too, and what takes it back is all he hears.
#[test]
fn s4_8_what_was_taken_back_before_it_came_was_said() {
    for splits in [false, true] {
        let mut world = World::with_cast(true);
        world.says("Wumpus", "first");
        world.user_sends(&said("WiZ", "m1", "<body>hello</body>"));
        world.cut_after_delivery(ERIS);
        let id = stanza_id(&world.take(of("Wumpus")));
        world.user(&takes_back(&id));
        world.inbox.clear();
        if splits {
            world.pass_ms(15_000);
            assert_eq!(bodies(&world.take(of("Troy"))).last().map(String::as_str), Some("hello"));
        }
        world.heal(ERIS);
        world.pass_ms(200_000);
        let unseen: &[&str] = if splits { &[] } else { &["policy-violation"] };
        for (nick, told) in [("WiZ", unseen), ("Troy", &[])] {
            let got = world.take(of(nick));
            let errors = got.iter().filter(|stanza| stanza.get("type") == Some("error"));
            let why = errors.filter_map(|stanza| stanza.get_child("error", ns::CLIENT)?.children().next());
            assert_eq!(why.map(Element::name).collect::<Vec<_>>(), told, "{nick}, splits: {splits}");
            let retracts =
                |stanza: &&Element| stanza.children().any(|c| c.name() == "retract" && c.get("id") == Some(&id));
            assert_eq!(got.iter().filter(retracts).count(), 1, "{nick}, splits: {splits}: {:?}", lines(&got));
        }
        assert_eq!(world.states(ERIS), ["live"]);
    }
}
