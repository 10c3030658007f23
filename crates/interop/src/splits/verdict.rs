//! What must hold when all is mended, judged from what people were sent and what they read in the archive.

use super::live::{Befell, Said, is_own_entry};
use std::collections::{BTreeMap, BTreeSet};

/// One session from its entry to the end.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// Whose.
    pub nick: String,
    /// At which site.
    pub domain: String,
    /// Whether it was in from before the first message to the end.
    pub whole: bool,
    /// Whether its site was never cut off.
    pub mainland: bool,
    /// All that befell it.
    pub events: Vec<Befell>,
    /// The archive as it was given it in the end.
    pub archive: Vec<Said>,
}

/// All that is wrong, in words; nothing when nothing is. `sites` says whose nick is at which site.
pub fn judge(transcripts: &[Transcript], sites: &BTreeMap<String, String>) -> Vec<String> {
    let Some(first) = transcripts.first() else { return vec!["nobody was there".into()] };
    let mut wrong = Vec::new();
    for other in transcripts.iter().filter(|other| other.archive != first.archive) {
        wrong.push(format!("{} and {} read different archives", first.nick, other.nick));
    }
    let mut places = BTreeMap::new();
    for (place, row) in first.archive.iter().enumerate() {
        if places.insert(row.stanza_id.as_deref().unwrap_or_default(), place).is_some() {
            wrong.push(format!("the archive has {:?} twice", row.stanza_id));
        }
    }
    for transcript in transcripts {
        heard(transcript, &places, sites, &mut wrong);
        answered(transcript, &first.archive, &mut wrong);
    }
    let people: BTreeSet<&str> = transcripts.iter().map(|t| t.nick.as_str()).collect();
    for transcript in transcripts {
        let seen = roster(&transcript.events);
        let all: BTreeSet<&str> = seen.keys().copied().collect();
        if all != people {
            wrong.push(format!("{} sees {all:?}, there are {people:?}", transcript.nick));
        }
        for (nick, _) in seen.iter().filter(|(_, show)| show.is_some()) {
            wrong.push(format!("{} still sees {nick} away", transcript.nick));
        }
    }
    wrong
}

/// Nothing twice, nothing that the archive has not, nothing missing for who was there all the time; all of other sites in
/// the archive's order, and all of one's own site as well: only where one ran between the other may differ on an island.
fn heard(
    transcript: &Transcript,
    places: &BTreeMap<&str, usize>,
    sites: &BTreeMap<String, String>,
    wrong: &mut Vec<String>,
) {
    let who = &transcript.nick;
    let (mut seen, mut last) = (BTreeSet::new(), BTreeMap::new());
    for said in messages(&transcript.events) {
        let id = said.stanza_id.as_deref().unwrap_or_default();
        let Some(&place) = places.get(id) else {
            wrong.push(format!("{who} heard what the archive has not: {said:?}"));
            continue;
        };
        if !seen.insert(id) {
            wrong.push(format!("{who} heard {:?} twice", said.id));
        }
        let own = !transcript.mainland && sites.get(&said.nick) == Some(&transcript.domain);
        if last.insert(own, place).is_some_and(|before| before > place) {
            wrong.push(format!("{who} heard {:?} out of order", said.id));
        }
    }
    if transcript.whole {
        let missed: Vec<_> = places.keys().filter(|id| !seen.contains(*id)).collect();
        if !missed.is_empty() {
            wrong.push(format!("{who} was there and was not sent {missed:?}"));
        }
    }
}

/// What was said has come back or was refused, not both; what came back is in the archive, what was refused is not.
fn answered(transcript: &Transcript, archive: &[Said], wrong: &mut Vec<String>) {
    let who = &transcript.nick;
    let archived: BTreeSet<_> = archive.iter().filter_map(|row| row.id.as_deref()).collect();
    let came_back: Vec<_> =
        messages(&transcript.events).filter(|said| said.nick == *who).filter_map(|said| said.id.as_deref()).collect();
    let refused =
        |id: &str| transcript.events.iter().any(|e| matches!(e, Befell::Error { id: other, .. } if other == id));
    for event in &transcript.events {
        let Befell::Asked(id) = event else { continue };
        let back = came_back.iter().filter(|other| *other == id).count();
        match (back, refused(id)) {
            (0, false) if transcript.whole => wrong.push(format!("{who} never learnt what became of {id}")),
            (1.., true) => wrong.push(format!("{id} of {who} was said and refused")),
            (2.., _) => wrong.push(format!("{id} came back to {who} {back} times")),
            (1, false) if !archived.contains(id.as_str()) => wrong.push(format!("{id} of {who} is in no archive")),
            (0, true) if archived.contains(id.as_str()) => {
                wrong.push(format!("{id} was refused and is in the archive"))
            }
            _ => {}
        }
    }
}

/// What people said to all, from one's entry on.
fn messages(events: &[Befell]) -> impl Iterator<Item = &Said> {
    let entry = events.iter().position(is_own_entry).unwrap_or(events.len());
    events[entry..].iter().filter_map(|event| match event {
        Befell::Message(said) if !said.nick.is_empty() && said.body.as_deref().is_some_and(|b| !b.is_empty()) => {
            Some(said)
        }
        _ => None,
    })
}

/// Who is there in the end, and how.
pub fn roster(events: &[Befell]) -> BTreeMap<&str, Option<&str>> {
    let mut there = BTreeMap::new();
    for event in events {
        let Befell::Presence { kind, nick, show, .. } = event else { continue };
        match kind.as_deref() {
            None => drop(there.insert(nick.as_str(), show.as_deref())),
            Some("unavailable") => drop(there.remove(nick.as_str())),
            Some(_) => {}
        }
    }
    there
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(n: usize, nick: &str) -> Said {
        let id = Some(format!("m{n}"));
        Said { stanza_id: Some(format!("s{n}")), id: id.clone(), nick: nick.into(), body: id }
    }

    fn there(nick: &str, codes: &[&str]) -> Befell {
        let codes = codes.iter().map(|code| code.to_string()).collect();
        Befell::Presence { kind: None, nick: nick.into(), show: None, codes }
    }

    /// Two at one site, one elsewhere; messages 0 and 2 are of the islander, 1 of the other.
    fn archive() -> Vec<Said> {
        vec![said(0, "WiZ"), said(1, "Avalon"), said(2, "WiZ")]
    }

    fn transcript(order: &[usize]) -> Transcript {
        let mut events = vec![there("Avalon", &[]), there("WiZ", &["110"]), Befell::Asked("m0".into())];
        events.extend(order.iter().map(|n| Befell::Message(archive()[*n].clone())));
        let (nick, domain) = ("WiZ".into(), "eris".into());
        Transcript { nick, domain, whole: true, mainland: false, events, archive: archive() }
    }

    fn judged(wiz: Transcript) -> Vec<String> {
        let mut events = vec![there("WiZ", &[]), there("Avalon", &["110"])];
        events.extend(archive().into_iter().map(Befell::Message));
        let (nick, domain) = ("Avalon".into(), "avalon".into());
        let avalon = Transcript { nick, domain, whole: true, mainland: true, events, archive: archive() };
        let sites = BTreeMap::from([("WiZ".into(), "eris".into()), ("Avalon".into(), "avalon".into())]);
        judge(&[avalon, wiz], &sites)
    }

    #[test]
    fn an_island_hears_itself_first() {
        assert_eq!(judged(transcript(&[0, 2, 1])), Vec::<String>::new());
        assert_eq!(judged(transcript(&[2, 0, 1])), ["WiZ heard Some(\"m0\") out of order"]);
    }

    #[test]
    fn what_is_missing_or_twice_is_found() {
        assert_eq!(judged(transcript(&[0, 2])), ["WiZ was there and was not sent [\"s1\"]"]);
        assert_eq!(judged(transcript(&[0, 1, 1, 2])), ["WiZ heard Some(\"m1\") twice"]);
        let mut silent = transcript(&[0, 1, 2]);
        silent.events.push(Befell::Asked("m9".into()));
        assert_eq!(judged(silent), ["WiZ never learnt what became of m9"]);
    }

    #[test]
    fn other_people_or_another_archive_are_found() {
        let mut alone = transcript(&[0, 1, 2]);
        alone.events.remove(0);
        assert_eq!(judged(alone), ["WiZ sees {\"WiZ\"}, there are {\"Avalon\", \"WiZ\"}"]);
        let mut other = transcript(&[0, 1, 2]);
        other.archive.pop();
        assert_eq!(judged(other), ["Avalon and WiZ read different archives"]);
        let mut away = transcript(&[0, 1, 2]);
        away.events.push(Befell::Presence {
            kind: None,
            nick: "Avalon".into(),
            show: Some("away".into()),
            codes: vec![],
        });
        assert_eq!(judged(away), ["WiZ still sees Avalon away"]);
    }
}
