//! The simulator's tests, a file for each behaviour.

mod transcripts;
