//! The built program beside what nobody here wrote, and under what nobody wishes for: stock servers and clients,
//! `kill -9`, full disks. Everything is on loopback, in folders of its own, and ends by itself.
//!
//! - [`program`]: the built `netjoin`
//! - [`network`]: several of it, joined
//! - [`room`]: what a client says to a room, and hears from it
//! - [`kills`]: servers that are killed while people talk, and what must hold afterwards
//! - [`splits`]: networks that break while people talk, and what must hold afterwards
//! - [`matrix`]: clients of every kind in one room, and what each of them shows
//! - [`authority`], [`dns`], [`relay`]: a certificate authority, a name server and a cable to cut
//! - [`prosody`], [`ejabberd`]: the same of other people, with configurations of their own
//! - [`page`]: pages of the documentation, followed to the letter
//! - [`view`]: a room as its owner sees it, to be compared
//! - [`peer`]: programs of other people, in other languages; how what is not there is skipped

pub mod authority;
pub mod ejabberd;
pub mod kills;
pub mod matrix;
pub mod network;
pub mod page;
pub mod peer;
pub mod program;
pub mod prosody;
pub mod relay;
pub mod room;
pub mod splits;
pub mod view;
