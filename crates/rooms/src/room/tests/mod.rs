//! XEP-0045 by its own examples, each test named by its section.

mod archive;
mod durable;
mod entering;
mod hostile;
mod inviting;
pub(crate) mod kit;
mod lists;
mod moderating;
mod owning;
mod registering;
mod talking;
