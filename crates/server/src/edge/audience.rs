//! Who of a shard's connections hears a broadcast: dense lists of places, kept up by enter and leave.

use super::slab::{Place, Slab};
use machine::{AudienceId, Class};
use std::collections::HashMap;
use std::sync::Arc;
use xmpp::Shared;

/// One stanza for a whole audience, as a shard gets it.
#[derive(Debug, Clone)]
pub struct Broadcast {
    /// To whom.
    pub audience: AudienceId,
    /// What members of [`Class::Plain`] get.
    pub plain: Option<Shared>,
    /// What members of [`Class::Jids`] get.
    pub jids: Option<Shared>,
    /// Places that get neither.
    pub except: Arc<[Place]>,
}

impl Broadcast {
    /// What a member gets.
    pub fn for_member(&self, place: Place, class: Class) -> Option<&Shared> {
        if self.except.contains(&place) {
            return None;
        }
        match class {
            Class::Plain => self.plain.as_ref(),
            Class::Jids => self.jids.as_ref(),
        }
    }
}

/// The audiences of one shard.
#[derive(Debug, Default)]
pub struct Audiences {
    lists: HashMap<AudienceId, Vec<(Place, Class)>>,
}

impl Audiences {
    /// Lets a member in, or changes its class; `None` lets it out.
    pub fn set(&mut self, audience: AudienceId, place: Place, class: Option<Class>) {
        let list = self.lists.entry(audience).or_default();
        let at = list.iter().position(|(member, _)| *member == place);
        match (at, class) {
            (Some(at), Some(class)) => list[at].1 = class,
            (Some(at), None) => {
                list.swap_remove(at);
            }
            (None, Some(class)) => list.push((place, class)),
            (None, None) => {}
        }
        if list.is_empty() {
            self.lists.remove(&audience);
        }
    }

    /// Ends an audience.
    pub fn end(&mut self, audience: AudienceId) {
        self.lists.remove(&audience);
    }

    /// How many members there are at most; some may have gone.
    pub fn len(&self, audience: AudienceId) -> usize {
        self.lists.get(&audience).map_or(0, Vec::len)
    }

    /// A part of the members, from `from` on.
    pub fn part(&self, audience: AudienceId, from: usize, count: usize) -> &[(Place, Class)] {
        let list = self.lists.get(&audience).map_or(&[][..], Vec::as_slice);
        &list[from.min(list.len())..(from + count).min(list.len())]
    }

    /// Forgets members whose connection has gone without their leave.
    pub fn sweep<T>(&mut self, slab: &Slab<T>) {
        self.lists.retain(|_, list| {
            list.retain(|(place, _)| slab.get(*place).is_some());
            !list.is_empty()
        });
    }
}
