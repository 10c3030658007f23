//! A play, step by step, for whatever carries the stanzas: the simulated world, or clients over TCP.

use super::places::map;
use super::{Deed, Places, Step, Transcript};
use crate::compare::{Difference, Kind, Renaming, Says};
use std::collections::BTreeMap;
use xmpp::{Element, Jid};

/// A transcript being played somewhere.
#[derive(Debug, Clone)]
pub struct Script<'a> {
    /// What is played.
    pub transcript: &'a Transcript,
    places: Places,
    names: Renaming,
}

/// What everybody received of a step, by name in the cast.
pub type Received = BTreeMap<String, Vec<Element>>;

impl<'a> Script<'a> {
    /// Begins a play.
    pub fn new(transcript: &'a Transcript, places: Places) -> Script<'a> {
        let mut names = Renaming::default();
        for step in &transcript.steps {
            if let Deed::Sends(stanzas) = &step.deed {
                stanzas.iter().for_each(|stanza| fix_ids(stanza, &mut names));
            }
        }
        Script { transcript, places, names }
    }

    /// The address of a member in this play.
    pub fn address(&self, name: &str) -> Option<Jid> {
        self.transcript.member(name).map(|member| self.places.actual(&member.jid))
    }

    /// A stanza of the transcript as it is to be sent now.
    pub fn to_send(&self, stanza: &Element) -> Element {
        let placed = self.places.to_play(stanza);
        map(&placed, &|text| {
            let known = [Kind::Stamp, Kind::Id].into_iter().find_map(|kind| self.names.actual(kind, text));
            known.unwrap_or(text).to_owned()
        })
    }

    /// Whether what everybody received of a step is what stands there. Order counts among stanzas of one sender's domain.
    pub fn check(&mut self, step: &Step, received: &Received) -> Result<(), String> {
        for member in &self.transcript.cast {
            let written = step.receives.iter().filter(|(who, _)| *who == member.name);
            let expected: Vec<Element> = written.flat_map(|(_, stanzas)| stanzas.clone()).collect();
            let got = received.get(&member.name).map(Vec::as_slice).unwrap_or_default();
            let got: Vec<Element> = got.iter().map(|stanza| self.places.to_transcript(stanza)).collect();
            self.same_streams(&expected, &got).map_err(|difference| {
                let place = step.headings.last().map(String::as_str).unwrap_or_default();
                format!("line {} ({place}), {} receives: {difference}", step.line, member.name)
            })?;
        }
        Ok(())
    }

    fn same_streams(&mut self, expected: &[Element], got: &[Element]) -> Result<(), Difference> {
        let mut domains: Vec<String> = expected.iter().chain(got).map(domain_of).collect();
        domains.sort();
        domains.dedup();
        for domain in domains {
            let of = |stanzas: &[Element]| -> Vec<Element> {
                stanzas.iter().filter(|stanza| domain_of(stanza) == domain).cloned().collect()
            };
            self.names.same_all(&of(expected), &of(got), Says::Everything)?;
        }
        Ok(())
    }

    /// What everybody received of a step, as it stands in a file.
    pub(super) fn written(&self, received: &Received) -> Vec<(String, Vec<Element>)> {
        let cast = self.transcript.cast.iter();
        let all = cast.filter_map(|member| Some((member.name.clone(), received.get(&member.name)?)));
        all.filter(|(_, got)| !got.is_empty())
            .map(|(name, got)| (name, got.iter().map(|stanza| self.places.to_transcript(stanza)).collect()))
            .collect()
    }
}

/// Stanzas of one domain come by one stream.
fn domain_of(stanza: &Element) -> String {
    let from = stanza.get("from").and_then(|from| Jid::new(from).ok());
    from.map(|from| from.domain().to_owned()).unwrap_or_default()
}

fn fix_ids(element: &Element, names: &mut Renaming) {
    for id in chosen_ids(element) {
        names.fix(id);
    }
}

/// XEP-0424.
pub(super) const RETRACT: &str = "urn:xmpp:message-retract:1";

/// The ids that a sender has made up; those by which he names what somebody else has said are not his.
pub(super) fn chosen_ids(element: &Element) -> Vec<&str> {
    let refers = matches!(element.ns(), xmpp::ns::MODERATE | RETRACT);
    let own = element.get("id").filter(|_| !refers);
    own.into_iter().chain(element.children().flat_map(chosen_ids)).collect()
}
