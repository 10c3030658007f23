//! Servers that are killed while people talk.
//!
//! - [`story`]: the network, the people, the killing, the healing
//! - [`talker`]: one person who never stops talking, whatever happens to the connection
//! - [`board`]: what all know of all while it goes on
//! - [`verdict`]: what must hold afterwards, judged from what people saw and what the archive says

pub mod board;
pub mod story;
pub mod talker;
pub mod verdict;
