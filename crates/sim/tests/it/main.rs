//! The simulator's tests, a file for each behaviour.

mod listings;
mod schema;
mod seeds;
mod transcripts;
