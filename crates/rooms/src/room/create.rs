//! Creating a room, XEP-0045 10.1: made by whoever enters an address that has no room, locked until its owner says how it
//! is to be. The room is on disk before its creator hears of it.

use super::admit::JoinError;
use super::enter::Entry;
use super::ids::Secret;
use super::{Affiliated, Affiliations, Apply, Config, Cx, Life, Order, Room};
use crate::names::{Affiliation, Nick};
use crate::primary::Links;
use crate::service::PrimaryConfig;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use machine::{AudienceId, Gate};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use xmpp::{Element, Jid};

impl Room {
    /// An address that has no room yet.
    pub fn unborn(jid: Jid, number: u32, service: Arc<PrimaryConfig>, seed: [u8; 32]) -> Room {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        let order = Order {
            incarnation: name(&mut rng),
            term: name(&mut rng),
            seq: 0,
            begun: 0,
            reserved: 0,
            reserving: None,
            stamp_ms: i64::MIN,
            secret: Secret::new(secret),
        };
        Room {
            jid,
            number,
            service,
            life: Life::Unborn,
            kept: false,
            config: Config::default(),
            // Unique within the process without asking anybody: 64 random bits.
            audience: AudienceId(rng.next_u64()),
            affiliations: Affiliations::default(),
            occupants: BTreeMap::new(),
            sessions: BTreeMap::new(),
            history: VecDeque::new(),
            subject: None,
            order,
            links: Links::default(),
            gate: Gate::numbered(number),
            pending: None,
            waiting: VecDeque::new(),
            unsure: VecDeque::new(),
            passed: BTreeMap::new(),
            private: VecDeque::new(),
            doubted: BTreeMap::new(),
            vcard: None,
            hats: Default::default(),
            versions: Default::default(),
            said_seq: 0,
            left: BTreeMap::new(),
            voices: BTreeMap::new(),
            invited: VecDeque::new(),
            applicants: VecDeque::new(),
            readings: BTreeMap::new(),
            retractions: BTreeMap::new(),
            sought: None,
            last_query: 0,
            lost: Vec::new(),
            destruction: None,
            lost_since_ms: None,
            kept_until_ms: 0,
            rng,
        }
    }

    /// Somebody enters where there is no room: it comes to be, and he owns it.
    pub fn create(&mut self, from: &Jid, nick: Nick, stanza: &Element, cx: &mut Cx<'_>) {
        if !self.may_create(from) {
            return self.turn_away(from, stanza, JoinError::CreationRestricted, cx);
        }
        if let Err(error) = self.admit(from, &nick, None) {
            return self.turn_away(from, stanza, error, cx);
        }
        let owner = Affiliated::plain(Affiliation::Owner);
        let changes = vec![self.meta_change(), self.affiliation_change(&from.bare(), Some(&owner))];
        let entry = Entry::of(from, nick, stanza, true);
        self.kept = true;
        self.decide(changes, Apply::Creation(Box::new(entry)), stanza, cx);
    }

    /// The room is on disk.
    pub fn created(&mut self, entry: Entry, cx: &mut Cx<'_>) {
        self.life = Life::Locked;
        self.affiliations.set(entry.jid.bare(), Some(Affiliated::plain(Affiliation::Owner)));
        self.put_in(entry, cx);
    }
}

/// A short random name.
pub(crate) fn name(rng: &mut ChaCha12Rng) -> String {
    let mut bytes = [0; 9];
    rng.fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}
