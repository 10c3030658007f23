//! Traps: what goes wrong in the middle of a join, at a certain stanza of it.
//!
//! A trap lies between a site and a service. It is armed when the site asks to be a replica again, and counts what is put on the two
//! links from then on.

use super::agenda::Happening;
use super::{Weather, World};
use xmpp::{Element, ns};

/// Something that goes wrong in the middle of a join.
#[derive(Debug, Clone)]
pub struct Trap {
    /// The domain of the site.
    pub site: String,
    /// The domain of the service.
    pub service: String,
    /// How many stanzas are put on the links after the site has asked, in both directions, until it springs.
    pub after: u64,
    /// What happens then.
    pub spring: Spring,
}

/// What a trap does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spring {
    /// Both directions are as bad as this for so many milliseconds.
    Cut(Weather, u64),
    /// The same from one domain to the other alone.
    HalfCut(String, String, Weather, u64),
    /// What is in flight from one domain to the other is lost, and nobody notices.
    LoseTail(String, String),
    /// The server of a domain loses its power for so many milliseconds.
    Crash(String, u64),
}

/// A trap as it lies.
#[derive(Debug)]
pub(super) struct Laid {
    trap: Trap,
    armed: bool,
}

/// A trap that has sprung, for whoever keeps the story.
#[derive(Debug, Clone)]
pub struct Sprung {
    /// When, monotonic milliseconds.
    pub at_ms: u64,
    /// Which one.
    pub trap: Trap,
}

impl World {
    /// Lays a trap; one that lay there for the same site is taken away.
    pub fn lay(&mut self, trap: Trap) {
        self.traps.retain(|laid| laid.trap.site != trap.site);
        self.traps.push(Laid { trap, armed: false });
    }

    /// What has sprung since the last call.
    pub fn take_sprung(&mut self) -> Vec<Sprung> {
        std::mem::take(&mut self.sprung)
    }

    /// A stanza has been put on a link.
    pub(super) fn tread(&mut self, from: &str, to: &str, stanza: &Element) {
        let asks = stanza.get("type") == Some("set") && stanza.has_child("replicate", ns::NETJOIN);
        for laid in &mut self.traps {
            let trap = &mut laid.trap;
            let up = from == trap.site && to == trap.service;
            if laid.armed && (up || from == trap.service && to == trap.site) {
                trap.after = trap.after.saturating_sub(1);
            }
            laid.armed |= up && asks;
        }
        let due = |laid: &mut Laid| laid.armed && laid.trap.after == 0;
        for Laid { trap, .. } in self.traps.extract_if(.., due) {
            self.agenda.put(self.now.mono_ms, Happening::Sprung(trap));
        }
    }

    pub(super) fn spring(&mut self, trap: Trap) {
        let (site, service) = (&trap.site, &trap.service);
        match &trap.spring {
            Spring::Cut(weather, for_ms) => self.storm(site, service, *weather, *for_ms),
            Spring::HalfCut(from, to, weather, for_ms) => self.storm_one_way(from, to, *weather, *for_ms),
            Spring::LoseTail(from, to) => drop(self.lose_tail(from, to, 0)),
            Spring::Crash(domain, down_ms) => {
                if let Some(server) = self.server_of(domain) {
                    let kept = self.rng.below(self.unsynced(server) as u64 + 1);
                    self.crash(server, usize::try_from(kept).unwrap_or(0), *down_ms);
                }
            }
        }
        self.sprung.push(Sprung { at_ms: self.now.mono_ms, trap });
    }
}
