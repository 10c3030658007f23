//! The rooms' server has gone on with a copy of its disk: what was said and done since that was made is excused, and nothing else.

use super::*;
use crate::world::SetBack;

impl Story {
    /// The room goes on with a copy of before this place of the tape.
    pub(super) fn set_back(&mut self, from: usize) {
        let (told, crossed) = (self.tape.tellings.len(), self.tape.crossings.len());
        let domain = "channel.avalon.irc".to_owned();
        let (from_ms, to_ms) = (from as u64, told as u64);
        self.tape.set_back.push(SetBack { domain, from_ms, from, to_ms, told, crossed });
        [WIZ, EFCHEN].iter().for_each(|who| self.pings(who, "result"));
    }

    /// The room tells a site of a message, in a registration of its own.
    fn tells(&mut self, d: u64, id: &str) {
        let x = marked(d, "event", "").replace("epoch='p'", &format!("epoch='p{d}'"));
        self.crosses(&message(id).replace("</message>", &format!("{x}</message>")));
    }

    pub(super) fn here(&self) -> usize {
        self.tape.tellings.len()
    }
}

const ARCHIVED: &str = "what was acknowledged is in the archive once";
const DELIVERED: &str = "who stayed was sent everything once, in one order";

/// What the room had told since the copy may be lost; not what it had told before it, nor what it has told again.
#[test]
fn what_is_lost_that_should_not_be_shows() {
    let lost = |told: usize, from: usize, again: bool| {
        let mut story = Story::told();
        story.archive.pop();
        (0..told).for_each(|_| story.pings(WIZ, "result"));
        story.tells(5, "2");
        (told..2).for_each(|_| story.pings(WIZ, "result"));
        let begun = Story::told().here();
        story.set_back(begun + 2 * from);
        if again {
            story.tells(6, "2");
        }
        story.fails()
    };
    assert_eq!(lost(1, 0, false), [""; 0]);
    assert_eq!(lost(0, 1, false), [ARCHIVED], "it had been told before the copy was made");
    assert_eq!(lost(1, 0, true), [ARCHIVED], "it has come once more");
}

/// What comes once more has another place; who was told of it then is not told again, who comes later is.
#[test]
fn what_comes_once_more_is_shown_once() {
    let shown = |again: usize, late: &[&str]| {
        let mut story = Story::told();
        let begun = story.here();
        story.tells(5, "2");
        story.set_back(begun);
        story.archive.insert(1, Archived { id: "3".to_owned(), body: Some("b3".to_owned()) });
        story.tells(6, "2");
        [WIZ, EFCHEN].iter().for_each(|who| story.receives(who, &message("3")));
        (0..again).for_each(|_| story.receives(EFCHEN, &message("2")));
        if !late.is_empty() {
            let eve = "eve@vesa.yeggmaex.irc/x";
            story.receives(eve, &presence("Eve", "participant", "", true));
            late.iter().for_each(|id| story.receives(eve, &message(id)));
            let hers = story.tape.tellings.iter_mut().filter(|telling| telling.who == eve);
            hers.for_each(|telling| telling.at_ms += 10_000);
        }
        story.fails().iter().any(|name| name == DELIVERED)
    };
    assert!(!shown(0, &[]));
    assert!(shown(1, &[]), "she had it");
    assert!(!shown(0, &["1", "3", "2"]));
    assert!(shown(0, &["1", "2", "3"]), "who comes later is told in order");
}

/// She has had what comes once more where it was, pages on from it, and is not given what the room has told in between, which stands before
/// it now: whether or not it is lost that it had told it. Where it stands behind it neither.
#[test]
fn who_pages_on_from_what_has_another_place_and_misses_what_is_before_that_shows() {
    let fails = |is_lost: bool, order: [&str; 4]| {
        let mut story = Story::told();
        let begun = story.here();
        story.tells(5, "2");
        story.set_back(begun + usize::from(!is_lost));
        story.add(EFCHEN, Scene::Ended);
        story.archive =
            order.iter().map(|id| Archived { id: (*id).to_owned(), body: Some(format!("b{id}")) }).collect();
        for (d, id) in order[1..].iter().enumerate() {
            story.tells(6 + d as u64, id);
        }
        ["3", "4"].iter().for_each(|id| story.receives(WIZ, &message(id)));
        story.add(EFCHEN, Scene::Connected);
        story.receives(EFCHEN, &presence("Efchen", "participant", "", true));
        story.efchen_pages("2", &["4"]);
        story.fails().iter().any(|name| name == PAGED)
    };
    assert!(fails(true, ["1", "3", "2", "4"]));
    assert!(fails(false, ["1", "3", "2", "4"]), "the copy has it");
    assert!(fails(true, ["1", "2", "3", "4"]), "it is behind it");
}

/// She was told that she has all up to a subject, which the room has lost since and tells once more behind what it told meanwhile.
#[test]
fn who_has_all_up_to_a_subject_had_it_where_it_was_then() {
    let fails = |is_lost: bool| {
        let mut story = Story::told();
        let begun = story.here();
        let subject = |d| {
            message("4")
                .replace("<body>b4</body>", "<subject>s</subject>")
                .replace("</message>", &marked(d, "event", ""))
                + "</message>"
        };
        story.crosses(&subject(5));
        story.efchen_pages("2", &["4"]);
        story.set_back(begun + usize::from(!is_lost));
        story.tells(6, "3");
        story.crosses(&subject(7));
        story.archive.extend([
            Archived { id: "3".to_owned(), body: Some("b3".to_owned()) },
            Archived { id: "4".to_owned(), body: None },
        ]);
        [WIZ, EFCHEN].iter().for_each(|who| story.receives(who, &message("3")));
        story.fails().iter().any(|name| name == PAGED)
    };
    assert!(!fails(true));
    assert!(fails(false), "the copy has it");
}

/// A ban and a kick of since the copy are undone, those of before are not.
#[test]
fn who_is_in_again_that_was_removed_before_the_copy_shows() {
    let of = |kind: &str, codes: &[&str], mark: &str| occupant("Efchen", kind, "none", "participant", codes, mark);
    let enter = of("", &[], &marked(1, "enter", &format!("<enter jid='{EFCHEN}'/>")));
    let roster = of("", &[], &marked(3, "roster", ""));
    let back = |before: usize, removed: &dyn Fn(&mut Story)| {
        let mut story = Story::told();
        story.crosses(&enter);
        let begun = story.here();
        story.pings(WIZ, "result");
        removed(&mut story);
        story.pings(WIZ, "result");
        let from = if before == 0 { begun } else { story.here() };
        story.set_back(from);
        story.crosses(&roster);
        story.fails()
    };
    let bans = |story: &mut Story| story.bans("outcast", true);
    let kicks = |story: &mut Story| story.crosses(&of(GONE, &["307"], &marked(2, "event", "")));
    assert_eq!((back(0, &bans), back(0, &kicks)), (Vec::new(), Vec::new()));
    assert_eq!(
        (back(1, &bans), back(1, &kicks)),
        (vec![BANNED.to_owned(), STILL_IN.to_owned()], vec![KICKED.to_owned()])
    );
}

/// Who was made a moderator since the copy is none by what the room had said; who was one then is one again.
#[test]
fn what_somebody_does_by_what_is_undone_shows() {
    let kicks = |roles: [&str; 2], from: usize| {
        let mut story = Story::told();
        let mark = |d| marked(d, "enter", &format!("<enter jid='{EFCHEN}'/>"));
        let mut places = Vec::new();
        for (d, role) in roles.iter().enumerate() {
            story.crosses(&occupant("Efchen", "", "none", role, &[], &mark(d as u64 + 1)));
            story.pings(WIZ, "result");
            places.push(story.here());
            story.pings(WIZ, "result");
        }
        story.set_back(places[from]);
        story.is_granted(EFCHEN, "<item nick='WiZ' role='none'/>");
        story.fails().iter().any(|name| name == POWERS)
    };
    assert!(!kicks(["moderator", "participant"], 0), "she is one again");
    assert!(kicks(["moderator", "participant"], 1), "she was none by then");
    assert!(kicks(["participant", "moderator"], 0), "she is none any more");
}

/// What was taken back since the copy is not any more; what had been before it is.
#[test]
fn what_was_taken_back_before_the_copy_and_is_there_shows() {
    let retract = "<retract xmlns='urn:xmpp:message-retract:1' id='2'/>";
    let retract = format!("<message from='{ROOM}' type='groupchat'>{retract}</message>");
    let given = |from: usize| {
        let mut story = Story::told();
        let begun = story.here();
        story.pings(WIZ, "result");
        story.crosses(&retract);
        story.receives(EFCHEN, &retract);
        story.pings(WIZ, "result");
        let from = if from == 0 { begun } else { story.here() };
        story.set_back(from);
        let query = "<iq type='set' id='page-0'><query xmlns='urn:xmpp:mam:2' queryid='page-0'/></iq>";
        story.add(EFCHEN, Scene::Sent(Element::parse(query).unwrap()));
        let said = "<message xmlns='jabber:client' type='groupchat'><body>b2</body></message>";
        story.receives(
            EFCHEN,
            &format!(
                "<message from='{ROOM}'><result xmlns='urn:xmpp:mam:2' queryid='page-0' id='2'>\
                 <forwarded xmlns='urn:xmpp:forward:0'>{said}</forwarded></result></message>"
            ),
        );
        story.fails().iter().any(|name| name == "what was taken back is in no archive")
    };
    assert_eq!([given(0), given(1)], [false, true]);
}

/// What was said in a room that is gone with its disk is in no archive. What is said in the next of its name is.
#[test]
fn what_is_lost_of_the_room_behind_an_empty_disk_shows() {
    let fails = |is_empty: bool, said_since: bool| {
        let mut story = Story::told();
        story.archive.clear();
        let from = if is_empty { 0 } else { story.here() };
        story.set_back(from);
        story.crosses(&presence("WiZ", "moderator", "", false));
        if said_since {
            let text = format!("<message to='{ROOM}' type='groupchat' id='m3'><body>b3</body></message>");
            story.add(WIZ, Scene::Sent(Element::parse(&text).unwrap()));
            story.receives(WIZ, &message("3"));
        }
        story.fails().contains(&ARCHIVED.to_owned())
    };
    assert!(!fails(true, false));
    assert!(fails(false, false), "it is a copy");
    assert!(fails(true, true), "it is of the next");
}
