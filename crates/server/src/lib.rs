//! The edge and the program: sockets, files and the command line around the machines.
//!
//! - [`cli`], the command line
//! - [`config`], the one file an operator writes
//! - [`control`], how the other commands reach a server that runs
//! - [`serve`], a running server: [`core`], one thread with the machines, and the [`edge`], every socket
//! - [`http`], /health and /metrics
//! - [`init`], a server from nothing
//! - [`users`], accounts changed by an operator
//! - [`log`], the log
//! - [`certificate`], certificates as files
//! - [`demo`], the story of XEP-0282 on four servers

const _: () = assert!(!rooms::FLAWED, "nobody is to be served by engines that can be told to make mistakes");

pub mod certificate;
pub mod cli;
pub mod config;
pub mod control;
pub mod core;
pub mod demo;
pub mod edge;
pub mod http;
pub mod init;
pub mod log;
pub mod serve;
pub mod users;
