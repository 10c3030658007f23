//! How much may happen in a run that is exhausted: each bound by what it is about.

use crate::state::Left;

/// A bound, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// What it is about.
    pub name: &'static str,
    /// How much may happen.
    pub left: Left,
    /// Where.
    pub at: At,
}

/// To which sites things happen; the other one listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// To both.
    Both,
    /// To site 0 alone.
    One,
}

const fn both(name: &'static str, left: Left) -> Bounds {
    Bounds { name, left, at: At::Both }
}

const fn one(name: &'static str, left: Left) -> Bounds {
    Bounds { name, left, at: At::One }
}

const NOTHING: Left = Left {
    says: 0,
    shows: 0,
    leaves: 0,
    joins: 0,
    cuts: 0,
    losses: 0,
    crashes: 0,
    kicks: 0,
    retentions: 0,
    newcomers: 0,
};

/// Two messages over a split, with a crash of any server at any moment.
pub const CRASH: Bounds = both("two messages, a split, a crash", Left { says: 2, cuts: 1, crashes: 1, ..NOTHING });
/// Two messages over two splits.
pub const SPLITS: Bounds = both("two messages, two splits", Left { says: 2, cuts: 2, ..NOTHING });
/// Something is lost without a word, and more follows.
pub const TAIL: Bounds = both("two messages, presence, a lost tail", Left { says: 2, shows: 1, losses: 1, ..NOTHING });
/// The same over a split.
pub const TAIL_SPLIT: Bounds =
    both("two messages, a split, a lost tail", Left { says: 2, cuts: 1, losses: 1, ..NOTHING });
/// What a crash has left in an older outbox, and a lost tail.
pub const OLDER: Bounds =
    both("a message, a split, a lost tail, a crash", Left { says: 1, cuts: 1, losses: 1, crashes: 1, ..NOTHING });
/// Coming back after a crash or a kick.
pub const RETURN: Bounds = one(
    "a message, a split, a kick, a crash, coming back",
    Left { says: 1, cuts: 1, kicks: 1, crashes: 1, joins: 1, ..NOTHING },
);
/// Who was kicked or retired during the split, and whose nick was taken.
pub const KICK: Bounds = both(
    "two messages, a split, a kick, a nick conflict",
    Left { says: 2, cuts: 1, kicks: 1, retentions: 1, newcomers: 1, ..NOTHING },
);
/// Coming and going.
pub const COMING: Bounds =
    both("a message, a split, leaving and coming back", Left { says: 1, cuts: 1, leaves: 1, joins: 1, ..NOTHING });
/// A kick, and a crash of any server at any moment.
pub const KICK_CRASH: Bounds = both(
    "a message, a split, a kick, a retention, a crash",
    Left { says: 1, cuts: 1, kicks: 1, retentions: 1, crashes: 1, ..NOTHING },
);
/// Presence that is not kept between messages that are.
pub const PRESENCE: Bounds = one(
    "two messages, presence, a split, a crash, at one site",
    Left { says: 2, shows: 1, cuts: 1, crashes: 1, ..NOTHING },
);
/// Everything once, at one site.
pub const ALL_AT_ONE: Bounds = one(
    "two messages, a split, a kick, a nick conflict, a crash, at one site",
    Left { says: 2, cuts: 1, kicks: 1, retentions: 1, newcomers: 1, crashes: 1, ..NOTHING },
);

/// What the gate exhausts.
pub const GATE: [Bounds; 10] =
    [CRASH, SPLITS, TAIL, TAIL_SPLIT, RETURN, KICK, COMING, KICK_CRASH, PRESENCE, ALL_AT_ONE];
/// What is exhausted by hand besides.
pub const LONG: [Bounds; 3] = [
    OLDER,
    both("two messages, two splits, a lost tail", Left { says: 2, cuts: 2, losses: 1, ..NOTHING }),
    both(
        "two messages, a split, a kick, a nick conflict, a crash",
        Left { says: 2, cuts: 1, kicks: 1, retentions: 1, newcomers: 1, crashes: 1, ..NOTHING },
    ),
];
