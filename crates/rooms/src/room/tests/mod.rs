//! XEP-0045 by its own examples, each test named by its section.

mod archive;
mod durable;
mod entering;
mod hostile;
pub(crate) mod kit;
mod moderating;
mod owning;
mod talking;
