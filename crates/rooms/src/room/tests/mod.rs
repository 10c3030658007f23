//! XEP-0045 by its own examples, each test named by its section.

mod archive;
mod avatar;
mod durable;
mod entering;
mod hostile;
mod inviting;
pub(crate) mod kit;
mod lists;
mod moderated;
mod moderating;
mod owning;
mod registering;
mod talking;
