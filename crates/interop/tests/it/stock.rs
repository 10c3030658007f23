//! Servers of other people, by one name.

use anyhow::Result;
use driver::Client;
use interop::ejabberd::Ejabberd;
use interop::peer;
use interop::prosody::Prosody;

/// Whose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Prosody,
    Ejabberd,
}

impl Kind {
    /// Whether it is installed; said loudly where it is not.
    pub fn is_there(self) -> bool {
        let (there, name, why) = match self {
            Kind::Prosody => (Prosody::is_installed(), "Prosody", "prosody or lua-unbound is not installed"),
            Kind::Ejabberd => (Ejabberd::is_installed(), "ejabberd", "it is not installed"),
        };
        if !there {
            peer::skip(name, why);
        }
        there
    }
}

/// One of them, running.
pub enum Stock {
    Prosody(Prosody),
    Ejabberd(Ejabberd),
}

impl Stock {
    /// One of its users, logged in and available.
    pub async fn client(&self, local: &str) -> Result<Client> {
        match self {
            Stock::Prosody(server) => server.client(local).await,
            Stock::Ejabberd(server) => server.client(local).await,
        }
    }

    pub async fn start(&mut self) -> Result<()> {
        match self {
            Stock::Prosody(server) => server.start().await,
            Stock::Ejabberd(server) => server.start().await,
        }
    }

    /// Ends it as `kill -9` does.
    pub async fn kill(&mut self) -> Result<()> {
        match self {
            Stock::Prosody(server) => server.kill().await,
            Stock::Ejabberd(server) => server.kill().await,
        }
    }
}
