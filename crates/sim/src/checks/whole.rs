//! XEP-0282 4.10: what was lost is found though nobody says anything more. Whoever was in when all faults were lifted has heard, when
//! there was time for everything to heal, what others had.

use super::Evidence;
use crate::users::stays::{body_of, stanza_id};
use crate::world::Scene;
use std::collections::BTreeMap;

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    // When each message was first heard by anybody, and by each client.
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    let mut heard: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for telling in &evidence.tape.tellings {
        if let Scene::Received(stanza) = &telling.what
            && stanza.get("type") == Some("groupchat")
            && body_of(stanza).is_some()
            && let Some(id) = stanza_id(stanza, evidence.room)
        {
            first.entry(id).or_insert(telling.at_ms);
            heard.entry((&telling.who, id)).or_insert(telling.at_ms);
        }
    }
    let is_old = |id: &str| first.get(id).is_some_and(|at_ms| *at_ms + TIME_MS <= evidence.healed_ms);
    let lasting =
        evidence.stays.iter().filter(|stay| stay.to_ms.is_none() && stay.from_ms + TIME_MS <= evidence.healed_ms);
    for stay in lasting.filter(|stay| !evidence.is_excused(stay)) {
        for (id, body) in stay.heard.iter().filter(|(id, _)| is_old(id)) {
            let late = heard.get(&(&*stay.who, &**id)).is_some_and(|at_ms| *at_ms > evidence.healed_ms);
            if late {
                return Err(format!("{} heard {body:?} ({id}) only when somebody said more", stay.who));
            }
        }
    }
    Ok(())
}

/// How long before that it was said: as long as everything has to heal.
const TIME_MS: u64 = 500_000;
