//! XEP-0282 from the primary's side, each test named by its section, with its cast.

pub(crate) mod kit;
mod listings;
