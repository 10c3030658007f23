//! The edge and the program: sockets, files and the command line around the machines.
//!
//! - [`cli`], the command line
//! - [`config`], the one file an operator writes
//! - [`certificate`], certificates as files

pub mod certificate;
pub mod cli;
pub mod config;
