//! What somebody said who stayed to the end, or was put out and is still there, has come back or was refused, never both and never more
//! than once. An error may be lost with a stream; who has said it through a replica is told all the same.

use super::Evidence;
use super::people::domain;
use crate::users::stays::{Stay, body_of};
use crate::world::{Crossing, Scene, Telling};
use xmpp::ns;

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let fates = evidence.fates();
    for stay in evidence.stays {
        for said in &stay.said {
            let (id, body) = said;
            let reflected = stay.reflected.iter().filter(|other| *other == id).count();
            let refused = stay.refused.iter().filter(|(other, _)| other == id).count();
            if reflected > 1 {
                return Err(format!("{body:?} came back to {} {reflected} times", stay.who));
            }
            if reflected + refused > 1 {
                return Err(format!("{body:?} of {} came back and was refused: {:?}", stay.who, stay.refused));
            }
            let lost = fates.is_lost_with_room(body);
            // What his replica has relayed it answers for itself, as long as he is there.
            let is_refused = fates.is_refused(body) && (stay.to_ms.is_some() || !was_relayed(evidence, &stay.who, id));
            let answered = reflected + refused > 0 || is_refused || lost || was_taken_back(evidence, body);
            let is_waited_for = || stay.to_ms.is_none() || was_put_out(evidence, stay, said);
            if !answered && !evidence.is_excused(stay) && is_waited_for() && !went_plainly(evidence, &stay.who, id) {
                return Err(format!("{body:?} of {} was never answered for", stay.who));
            }
        }
    }
    Ok(())
}

/// Whether this went to the room as any server passes it on, while its site's replica was being granted say, over a stream that was
/// disturbed: nobody keeps that.
fn went_plainly(evidence: &Evidence<'_>, who: &str, id: &str) -> bool {
    let own = |crossing: &&Crossing| crossing.stanza.get("from") == Some(who) && crossing.stanza.get("id") == Some(id);
    let said = evidence.tape.crossings.iter().filter(own);
    let mut plain = said.filter(|crossing| crossing.stanza.get_child("x", ns::DMUC).is_none());
    let lost = |at_ms: u64| evidence.disturbed.iter().any(|(site, _, to)| site == domain(who) && *to >= at_ms);
    plain.any(|crossing| lost(crossing.at_ms))
}

/// Whether his site's replica has relayed it, and knows by that what becomes of it.
fn was_relayed(evidence: &Evidence<'_>, who: &str, id: &str) -> bool {
    let own = |crossing: &&Crossing| crossing.stanza.get("from") == Some(who) && crossing.stanza.get("id") == Some(id);
    evidence.tape.crossings.iter().filter(own).any(|crossing| crossing.stanza.has_child("x", ns::DMUC))
}

/// Whether somebody was put out after he had said something that nobody came to hear, and has stayed online to be told what became
/// of it.
fn was_put_out(evidence: &Evidence<'_>, stay: &Stay, (id, body): &(String, String)) -> bool {
    let his = evidence.tape.tellings.iter().filter(|telling| telling.who == stay.who);
    let says =
        |telling: &&Telling| matches!(&telling.what, Scene::Sent(s) if s.get("id") == Some(id) && body_of(s).is_some());
    let mut later = his.skip_while(|telling| !says(telling));
    let is_before = later.next().is_some_and(|said| stay.to_ms.is_some_and(|to_ms| said.at_ms < to_ms));
    let is_heard = evidence.archive.iter().any(|row| row.body.as_ref() == Some(body));
    let goes = |telling: &Telling| match &telling.what {
        Scene::Ended => true,
        Scene::Sent(stanza) => stanza.name() == "presence" && stanza.get("type") == Some("unavailable"),
        _ => false,
    };
    is_before && !is_heard && !evidence.of_former_rooms().contains(body) && !later.any(goes)
}

/// Whether others have heard it and a moderator has had it taken back: whoever missed it is not sent it any more (XEP-0425).
fn was_taken_back(evidence: &Evidence<'_>, body: &str) -> bool {
    let heard = evidence.stays.iter().flat_map(|stay| &stay.heard).filter(|(_, heard)| heard == body);
    heard.into_iter().any(|(id, _)| evidence.archive.iter().any(|row| row.id == *id && row.body.is_none()))
}
