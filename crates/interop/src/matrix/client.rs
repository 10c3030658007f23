//! The clients of the matrix, and how each is started.

use crate::network::{Network, PASSWORD};
use crate::peer;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// A client, and how it connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// A library in Python, over STARTTLS.
    Slixmpp,
    /// A library in JavaScript, over STARTTLS.
    XmppJs,
    /// The same by WebSocket over TLS.
    XmppJsWebSocket,
    /// A program for terminals, over STARTTLS.
    Profanity,
    /// A page in Chromium, by WebSocket over TLS.
    Converse,
}

impl Client {
    /// All, in the order of the page.
    pub const ALL: [Client; 5] =
        [Client::Slixmpp, Client::XmppJs, Client::XmppJsWebSocket, Client::Profanity, Client::Converse];

    /// As people know it.
    pub fn name(self) -> &'static str {
        match self {
            Client::Slixmpp => "slixmpp",
            Client::XmppJs => "xmpp.js",
            Client::XmppJsWebSocket => "xmpp.js by WebSocket",
            Client::Profanity => "profanity",
            Client::Converse => "converse.js",
        }
    }

    /// What its users have to know that no act tells.
    pub fn note(self) -> Option<&'static str> {
        (self == Client::Converse).then_some(
            "It shows nothing that a room says itself: of a split its users see who is away. Its `/nick` works only where a room \
             shows real addresses, since it looks for its own; the room's menu works everywhere.",
        )
    }

    /// Under which it enters first, and under which it goes on.
    pub fn nicks(self) -> [&'static str; 2] {
        match self {
            Client::Slixmpp => ["Trillian", "BigCheese"],
            Client::XmppJs => ["Mycroft", "Troy"],
            Client::XmppJsWebSocket => ["Viper", "Efchen"],
            Client::Profanity => ["Anon", "Sherlock"],
            Client::Converse => ["Newbie", "Msa"],
        }
    }

    /// The localpart of its account.
    pub fn local(self) -> String {
        self.nicks()[0].to_lowercase()
    }

    /// Installs what it needs below `folder`, or says why it cannot be had.
    pub async fn install(self, folder: &Path) -> Result<Installed> {
        let (program, script) = match self {
            Client::Slixmpp => (peer::slixmpp(&folder.join("slixmpp")).await?, peer::script("slixmpp/acts.py")),
            Client::XmppJs | Client::XmppJsWebSocket => {
                ("node".into(), peer::node(&folder.join("xmpp.js"), "xmpp.js", "acts.mjs").await?)
            }
            Client::Profanity => {
                requires(&["profanity", "tmux"])?;
                ("python3".into(), peer::script("profanity/acts.py"))
            }
            Client::Converse => {
                requires(&["chromium", "certutil"])?;
                ("node".into(), peer::node(&folder.join("converse.js"), "converse.js", "acts.mjs").await?)
            }
        };
        Ok(Installed { client: self, program, script })
    }
}

fn requires(programs: &[&str]) -> Result<()> {
    for program in programs {
        ensure!(peer::is_there(program), "{program} is not installed");
    }
    Ok(())
}

/// A client that can be started.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Which.
    pub client: Client,
    program: PathBuf,
    script: PathBuf,
}

impl Installed {
    /// The command by which one of its users comes to life, whose account is at `domain`; what it keeps goes below `folder`.
    /// Each script takes of the argument what it needs.
    pub fn command(&self, network: &Network, domain: &str, room: &str, folder: &Path) -> Result<Command> {
        let site = network.sites.get(domain).context("no such server")?;
        let (c2s, https) = (site.address("c2s")?, site.address("http-tls")?);
        let (port, service) = match self.client {
            Client::XmppJsWebSocket | Client::Converse => {
                (https.port(), format!("wss://{domain}:{}/xmpp-websocket", https.port()))
            }
            Client::Slixmpp | Client::XmppJs | Client::Profanity => (c2s.port(), format!("xmpp://{c2s}")),
        };
        let authority = network.authority().certificate();
        let given = json!({
            "jid": format!("{}@{domain}", self.client.local()),
            "password": PASSWORD,
            "room": room,
            "host": c2s.ip(),
            "port": port,
            "service": service,
            "authority": authority,
            "folder": folder,
        });
        let mut command = Command::new(&self.program);
        command.env("NODE_EXTRA_CA_CERTS", authority).arg(&self.script).arg(given.to_string());
        Ok(command)
    }
}
