//! What must hold afterwards, judged from what people saw and what the room's archive says; nothing else is asked.

use super::talker::{Event, Session};
use crate::room::Heard;
use std::collections::{BTreeMap, BTreeSet};

/// All that is wrong, in words; nothing when nothing is.
pub fn judge(archive: &[Heard], sessions: &[Session]) -> Vec<String> {
    let mut wrong = Vec::new();
    let places = places(archive, &mut wrong);
    for session in sessions {
        one_order_without_gaps(session, archive, &places, &mut wrong);
        what_was_sent(session, archive, &mut wrong);
    }
    nothing_twice(sessions, &mut wrong);
    wrong
}

/// Where in the archive each stanza-id is. Ids and what was said are there once.
fn places<'a>(archive: &'a [Heard], wrong: &mut Vec<String>) -> BTreeMap<&'a str, usize> {
    let mut places = BTreeMap::new();
    let mut said = BTreeSet::new();
    for (place, row) in archive.iter().enumerate() {
        if places.insert(row.id.as_str(), place).is_some() {
            wrong.push(format!("two rows of the archive have the id {}", row.id));
        }
        if !said.insert(row.message_id.as_str()) {
            wrong.push(format!("the archive has {} twice", row.message_id));
        }
    }
    places
}

/// What somebody heard is the archive's, in its order; and while in the room, all of it.
fn one_order_without_gaps(
    session: &Session,
    archive: &[Heard],
    places: &BTreeMap<&str, usize>,
    wrong: &mut Vec<String>,
) {
    let mut last: Option<usize> = None;
    let mut gap_allowed = true;
    for event in &session.events {
        let heard = match event {
            Event::Heard(heard) => heard,
            Event::Entered | Event::Removed(_) => {
                gap_allowed = true;
                continue;
            }
            Event::Sent(_) | Event::Refused(..) => continue,
        };
        let Some(&place) = places.get(heard.id.as_str()) else {
            wrong.push(format!("{} heard what the archive has not: {heard:?}", session.nick));
            continue;
        };
        if archive[place] != *heard {
            wrong.push(format!("{} heard {heard:?}, but the archive says {:?}", session.nick, archive[place]));
        }
        match last {
            Some(before) if place <= before => {
                wrong.push(format!("{} heard {} after {}", session.nick, heard.message_id, archive[before].message_id));
            }
            Some(before) if place > before + 1 && !gap_allowed => {
                let missed: Vec<_> = archive[before + 1..place].iter().map(|row| row.message_id.as_str()).collect();
                wrong.push(format!("{} missed {missed:?} while in the room", session.nick));
            }
            _ => {}
        }
        (last, gap_allowed) = (Some(place), false);
    }
}

/// What was reflected is in the archive, what was refused is not; and in a session that lasted, one of both befell all.
fn what_was_sent(session: &Session, archive: &[Heard], wrong: &mut Vec<String>) {
    let said: BTreeSet<&str> = archive.iter().map(|row| row.message_id.as_str()).collect();
    let mut reflected = BTreeSet::new();
    let mut refused = BTreeSet::new();
    for event in &session.events {
        match event {
            Event::Heard(heard) if heard.nick == session.nick => drop(reflected.insert(heard.message_id.as_str())),
            Event::Refused(id, _) => drop(refused.insert(id.as_str())),
            _ => {}
        }
    }
    for event in &session.events {
        let Event::Sent(id) = event else { continue };
        let id = id.as_str();
        if reflected.contains(id) && !said.contains(id) {
            wrong.push(format!("{id} was reflected to {} and is not in the archive", session.nick));
        }
        if refused.contains(id) && said.contains(id) {
            wrong.push(format!("{id} was refused to {} and is in the archive", session.nick));
        }
        if session.lasted && !reflected.contains(id) && !refused.contains(id) {
            wrong.push(format!("{} never learnt what became of {id}", session.nick));
        }
    }
}

/// Nobody heard a stanza-id twice, in all sessions together: nobody asked for history.
fn nothing_twice(sessions: &[Session], wrong: &mut Vec<String>) {
    let mut heard_by: BTreeSet<(&str, &str)> = BTreeSet::new();
    for session in sessions {
        for event in &session.events {
            if let Event::Heard(heard) = event
                && !heard_by.insert((&session.nick, &heard.id))
            {
                wrong.push(format!("{} heard {} twice", session.nick, heard.message_id));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: usize) -> Heard {
        Heard { id: format!("s{n}"), nick: "WiZ".into(), message_id: format!("m{n}"), body: format!("m{n}") }
    }

    fn archive() -> Vec<Heard> {
        (0..4).map(row).collect()
    }

    fn session(events: Vec<Event>) -> Session {
        Session { nick: "WiZ".into(), events, lasted: true }
    }

    fn heard(places: &[usize]) -> Vec<Event> {
        places.iter().map(|n| Event::Heard(row(*n))).collect()
    }

    /// Which complaint there is, and that it is the only one.
    fn only(archive: &[Heard], events: Vec<Event>, complaint: &str) {
        let wrong = judge(archive, &[session(events)]);
        assert!(wrong.len() == 1 && wrong[0].contains(complaint), "{wrong:?}");
    }

    #[test]
    fn what_is_right_is_passed() {
        let mut events = vec![Event::Entered, Event::Sent("m1".into())];
        events.extend(heard(&[1, 2]));
        events.extend([Event::Removed("<presence/>".into()), Event::Entered]);
        events.extend(heard(&[3]));
        assert_eq!(judge(&archive(), &[session(events)]), Vec::<String>::new());
    }

    #[test]
    fn a_gap_is_found_but_for_who_was_out() {
        only(&archive(), heard(&[0, 2]), "missed [\"m1\"]");
        let mut out = heard(&[0]);
        out.push(Event::Removed("<presence/>".into()));
        out.extend(heard(&[2]));
        assert_eq!(judge(&archive(), &[session(out)]), Vec::<String>::new());
    }

    #[test]
    fn another_order_and_a_second_time_are_found() {
        only(&archive(), heard(&[1, 0]), "heard m0 after m1");
        let twice = [session(heard(&[0])), session(heard(&[0]))];
        assert_eq!(judge(&archive(), &twice), ["WiZ heard m0 twice"]);
    }

    #[test]
    fn what_was_reflected_and_is_lost_is_found() {
        let mut events = vec![Event::Sent("m3".into())];
        events.extend(heard(&[3]));
        let wrong = judge(&archive()[..3], &[session(events)]);
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].contains("the archive has not") && wrong[1].contains("not in the archive"));
    }

    #[test]
    fn what_nobody_answered_is_found_where_the_session_lasted() {
        only(&archive(), vec![Event::Sent("m9".into())], "never learnt");
        let cut = Session { lasted: false, ..session(vec![Event::Sent("m9".into())]) };
        assert_eq!(judge(&archive(), &[cut]), Vec::<String>::new());
    }

    #[test]
    fn what_was_refused_and_said_is_found() {
        only(&archive(), vec![Event::Sent("m1".into()), Event::Refused("m1".into(), String::new())], "was refused");
    }

    #[test]
    fn a_row_too_many_is_found() {
        let mut archive = archive();
        archive.push(Heard { id: "s9".into(), ..row(1) });
        only(&archive, vec![], "the archive has m1 twice");
        archive[4] = Heard { message_id: "m9".into(), ..row(1) };
        only(&archive, vec![], "two rows");
    }
}
