//! Asking the server that runs with a configuration.

use super::exit::Failure;
use crate::config::Config;
use crate::control::{Answer, Client, Request};

/// Asks one thing of the server that runs.
pub fn running(config: &Config, request: &Request) -> Result<Answer, Failure> {
    let mut client = Client::connect(&config.control_socket())?;
    Ok(client.ask(request)??)
}

/// For an answer that belongs to another question: the two programs are of different versions.
pub fn unexpected() -> Failure {
    Failure::failed("the server gave an answer that is not known here; use the netjoin that it was started from")
}
