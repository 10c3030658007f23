//! XML as XMPP has it: an element tree, a parser that enforces limits while it parses, a writer that lets the
//! recipient's address be spliced into bytes written once.

mod element;
mod limits;
mod names;
pub mod parse;
mod pool;
mod shared;
pub(crate) mod write;

pub use element::{Attr, Element, Node, Ns};
pub use limits::Limits;
pub use parse::{ParseError, Parser, StreamEvent};
pub use pool::Pool;
pub use shared::{Shared, Splice};
