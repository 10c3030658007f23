//! Where all chance in a run comes from: one seed.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

/// Chance, repeatable.
#[derive(Debug, Clone)]
pub struct Rng(ChaCha12Rng);

impl Rng {
    /// The same seed gives the same chance.
    pub fn new(seed: u64) -> Rng {
        Rng(ChaCha12Rng::seed_from_u64(seed))
    }

    /// Chance of its own for a part of a run, whatever the other parts have used of theirs.
    pub fn part(seed: u64, part: u64) -> Rng {
        let mut chance = ChaCha12Rng::seed_from_u64(seed);
        chance.set_stream(part + 1);
        Rng(chance)
    }

    /// Any number below `end`; 0 when there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        // The bias is below 2^-40 for every range used here.
        if end == 0 { 0 } else { self.0.next_u64() % end }
    }

    /// Any number of the range.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// True in so many cases of a hundred.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// Any of these; `None` when there are none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let index = usize::try_from(self.below(of.len() as u64)).ok()?;
        of.get(index)
    }

    /// A seed for a machine.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        seed
    }
}
