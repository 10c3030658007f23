//! Networks that break between servers while people talk with clients that nobody here wrote.
//!
//! - [`story`]: the network, the people, the cuts and kills, the mending
//! - [`live`]: one person with slixmpp, for as long as wanted
//! - [`verdict`]: what must hold afterwards, judged from what people saw and what the archive says

pub mod live;
pub mod story;
pub mod verdict;
