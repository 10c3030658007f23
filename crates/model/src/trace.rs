//! Ways through the model, each to where nothing can happen any more, for playing them elsewhere.

use crate::bounds::Bounds;
use crate::protocol::{Action, Protocol};
use stateright::Model;

/// So many of them, the same for the same seed.
pub fn sample(bounds: Bounds, count: usize, seed: u64) -> Vec<Vec<Action>> {
    let mut chance = Chance(seed);
    (0..count).map(|_| walk(&Protocol::within(bounds), &mut chance)).collect()
}

fn walk(protocol: &Protocol, chance: &mut Chance) -> Vec<Action> {
    let mut way = Vec::new();
    let mut state = protocol.init_states().into_iter().next();
    while let Some(here) = state {
        let mut actions = Vec::new();
        protocol.actions(&here, &mut actions);
        let Some(&action) = chance.pick(&actions) else { break };
        way.push(action);
        state = protocol.next_state(&here, action);
    }
    way
}

/// SplitMix64, Steele, Lea and Flood 2014.
struct Chance(u64);

impl Chance {
    fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let at = (z ^ (z >> 31)).checked_rem(of.len() as u64)?;
        of.get(at as usize)
    }
}
