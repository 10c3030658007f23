//! Places for connections: dense, and checked by generation so that a stale place finds nobody.

/// A place on one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    slot: u32,
    generation: u32,
}

impl Place {
    /// As it can be told to others and read back.
    pub fn to_bytes(self) -> [u8; 8] {
        (u64::from(self.slot) << 32 | u64::from(self.generation)).to_be_bytes()
    }

    /// The other way; of any bytes a place where perhaps nobody is.
    pub fn from_bytes(bytes: [u8; 8]) -> Place {
        let both = u64::from_be_bytes(bytes);
        Place { slot: (both >> 32) as u32, generation: both as u32 }
    }
}

/// Things by place.
#[derive(Debug)]
pub struct Slab<T> {
    slots: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Puts a thing somewhere.
    pub fn insert(&mut self, thing: T) -> Place {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            (self.slots.len() - 1) as u32
        });
        let (generation, entry) = &mut self.slots[slot as usize];
        *entry = Some(thing);
        Place { slot, generation: *generation }
    }

    /// What is at a place, if it is still the same.
    pub fn get(&self, place: Place) -> Option<&T> {
        let (generation, entry) = self.slots.get(place.slot as usize)?;
        entry.as_ref().filter(|_| *generation == place.generation)
    }

    /// Takes out what is at a place, if it is still the same.
    pub fn remove(&mut self, place: Place) -> Option<T> {
        let (generation, entry) = self.slots.get_mut(place.slot as usize)?;
        if *generation != place.generation {
            return None;
        }
        let thing = entry.take()?;
        *generation = generation.wrapping_add(1);
        self.free.push(place.slot);
        Some(thing)
    }

    /// All things.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|(_, entry)| entry.as_ref())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_place_finds_nobody() {
        let mut slab = Slab::default();
        let first = slab.insert("a");
        assert_eq!(slab.remove(first), Some("a"));
        let second = slab.insert("b");
        assert_eq!((slab.get(first), slab.get(second)), (None, Some(&"b")));
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.len(), 1);
    }
}
