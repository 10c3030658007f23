//! XML as XMPP has it: an element tree, a parser that enforces limits while it parses, a writer that lets the
//! recipient's address be spliced into bytes written once.

mod element;
pub mod parse;
mod shared;
mod write;

pub use element::{Attr, Element, Node, Ns};
pub use parse::{ParseError, Parser, StreamEvent};
pub use shared::{Shared, Splice};
