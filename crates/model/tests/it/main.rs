//! The model, exhausted: that it holds, and that it sees what does not.

mod holds;
mod hunts;
