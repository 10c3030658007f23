//! XEP-0045 by its own examples, each test named by its section.

mod activity;
mod archive;
mod avatar;
mod durable;
mod entering;
mod hats;
mod hostile;
mod inviting;
pub(crate) mod kit;
mod large;
mod lists;
mod managed;
mod moderated;
mod moderating;
mod owning;
mod passing;
mod registering;
mod talking;
mod versions;
