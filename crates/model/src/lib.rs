//! The netjoin protocol as a model small enough to be checked exhaustively: numbers, marks, epochs, verdicts, not the XML.
//!
//! - [`state`]: what there is
//! - [`protocol`]: what may happen
//! - [`properties`]: what must hold
//! - [`bounds`]: how much may happen
//! - [`check`]: exhausting a bound, hunting a mistake
//! - [`trace`]: ways through it, for playing them elsewhere
//! - [`flaws`]: mistakes, for showing that the properties see them
//!
//! `docs/model.md` says what is modelled, within which bounds, and what came out.

pub mod bounds;
pub mod check;
pub mod flaws;
mod primary;
pub mod properties;
pub mod protocol;
mod site;
pub mod state;
mod step;
pub mod trace;
