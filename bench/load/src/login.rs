//! A client's way to its session: an account made over the wire (XEP-0077), SASL PLAIN, a resource bound. And how a server
//! takes a component (XEP-0114), whatever its secret.

use anyhow::{Result, bail};
use base64::prelude::{BASE64_STANDARD, Engine};
use memchr::memmem;

/// The accounts' domain.
pub const DOMAIN: &str = "shakespeare.lit";

const RESOURCE: &str = "broom";

/// The nick of a client, which is the localpart of its account too.
pub fn nick(number: usize) -> String {
    format!("witch{number}")
}

/// A client's address.
pub fn address_of(number: usize) -> String {
    format!("{}@{DOMAIN}/{RESOURCE}", nick(number))
}

/// What is awaited next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Features,
    Registered,
    Authenticated,
    FeaturesAgain,
    Bound,
    Done,
    ComponentHeader,
    ComponentHandshake,
    Taken,
}

/// A negotiation under way.
pub struct Login {
    user: String,
    step: Step,
    heard: Vec<u8>,
}

impl Login {
    /// For the user of this number.
    pub fn new(number: usize) -> Login {
        Login { user: nick(number), step: Step::Features, heard: Vec::new() }
    }

    /// For a component that connects.
    pub fn component() -> Login {
        Login { user: "the component".into(), step: Step::ComponentHeader, heard: Vec::new() }
    }

    /// What is said first.
    pub fn header() -> String {
        format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
             to='{DOMAIN}' version='1.0'>"
        )
    }

    /// Whether the session stands.
    pub fn is_done(&self) -> bool {
        matches!(self.step, Step::Done | Step::Taken)
    }

    /// Takes what the server says; gives what to answer once it is enough.
    pub fn hear(&mut self, bytes: &[u8]) -> Result<Option<String>> {
        self.heard.extend_from_slice(bytes);
        let refused = ["<failure", "type='error'", "<stream:error"];
        if refused.iter().any(|mark| memmem::find(&self.heard, mark.as_bytes()).is_some()) {
            bail!("{} is refused: {}", self.user, String::from_utf8_lossy(&self.heard));
        }
        let (awaited, next) = match self.step {
            Step::Features => ("</stream:features>", Step::Registered),
            Step::Registered => ("id='register'", Step::Authenticated),
            Step::Authenticated => ("<success", Step::FeaturesAgain),
            Step::FeaturesAgain => ("</stream:features>", Step::Bound),
            Step::Bound => ("</iq>", Step::Done),
            Step::ComponentHeader => ("'>", Step::ComponentHandshake),
            Step::ComponentHandshake => ("</handshake>", Step::Taken),
            Step::Done | Step::Taken => return Ok(None),
        };
        if memmem::find(&self.heard, awaited.as_bytes()).is_none() {
            return Ok(None);
        }
        self.heard = Vec::new();
        self.step = next;
        Ok(Some(self.say()))
    }

    /// What belongs to the step that has just begun.
    fn say(&self) -> String {
        let user = &self.user;
        match self.step {
            Step::Features | Step::FeaturesAgain => Login::header(),
            Step::Registered => format!(
                "<iq type='set' id='register'><query xmlns='jabber:iq:register'><username>{user}</username>\
                 <password>toil</password></query></iq>"
            ),
            Step::Authenticated => {
                let plain = BASE64_STANDARD.encode(format!("\0{user}\0toil"));
                format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>")
            }
            Step::Bound => format!(
                "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                 <resource>{RESOURCE}</resource></bind></iq>"
            ),
            Step::Done => "<presence/>".into(),
            Step::ComponentHeader => String::new(),
            Step::ComponentHandshake => {
                "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='bench'>".into()
            }
            Step::Taken => "<handshake/>".into(),
        }
    }
}
