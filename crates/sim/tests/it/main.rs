//! The simulator's tests, a file for each behaviour.

mod document;
mod kicked;
mod listings;
mod model;
mod power;
mod schema;
mod seeds;
mod transcripts;
