//! XEP-0045 by its own examples, each test named by its section.

mod entering;
pub(crate) mod kit;
