//! XEP-0282 from the primary's side, each test named by its section, with its cast.

mod bounds;
mod changes;
mod damage;
pub(crate) mod kit;
mod links;
mod listings;
mod marks;
mod members;
mod netjoin;
mod netsplit;
mod speaking;
mod takeover;
