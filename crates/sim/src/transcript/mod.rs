//! Transcripts: what users send and what each of them receives, in the style of the XEPs' own examples.
//!
//! The files are in `transcripts/`. The same one is played on one node, with every user at a site of his own, and over
//! TCP: what users see must not depend on where they are.
//!
//! ```text
//! # Talking, XEP-0045 7.4
//! Hag: hag66@shakespeare.lit/pda
//! Crone: crone1@shakespeare.lit/desktop
//!
//! ## Example 44
//! Hag sends:
//!     <message to='coven@chat.shakespeare.lit' type='groupchat'><body>Harpier cries.</body></message>
//!
//! Crone receives:
//!     <message from='coven@chat.shakespeare.lit/thirdwitch' …
//! ```
//!
//! Lines that are not indented say what happens; what is indented is XML. Everybody named in the head logs in before the
//! first step. Besides `sends` there are `Hag connects.` and `Hag disconnects.` Whoever is not mentioned behind a step
//! receives nothing of it. Ids and stamps made by servers stand for those of the run by one renaming ([`crate::compare`]);
//! those that somebody sends stand for themselves, and one that came up before may be sent (`since`, `<after/>`).
//!
//! - [`format`][]: the files, read and written
//! - [`places`][]: where the users of a transcript are in a play
//! - [`script`][]: a play, step by step, for whatever carries the stanzas
//! - [`play`][]: plays in the simulated world

pub mod format;
pub mod places;
pub mod play;
pub mod script;

pub use format::{Deed, Member, Step, Transcript};
pub use places::Places;
pub use script::Script;
