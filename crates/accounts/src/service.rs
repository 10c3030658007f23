//! The way in: which stanza is whose, and the machine's shape.
//!
//! What the host hands in, by [`is_for_accounts`] and by who is connected:
//! - every stanza of a local client without `to`, or to the domain or a bare address in it;
//! - every message to a user here that is part of a conversation;
//! - every presence of a local client to a local user, and every subscription request wherever it goes;
//! - every stanza from elsewhere to the domain, to a bare address in it, or to a full one without a session.
//!
//! What comes out: a `Send` to a full address in the domain is for that session, and for nobody if it has just
//! gone; it must not be handed in again. A `Send` to a bare address in the domain is about a subscription, on its way
//! to another account, and comes back as [`Input::Stanza`], behind inputs that wait already; all other `Send`s are routed as if the user had
//! sent them. `SessionEnded` must be handed in before any stanza that came after that end.

use crate::account::{Account, Session};
use crate::admin::Motd;
use crate::archive::Archives;
use crate::blocking::Heard;
use crate::caps::CapsCache;
use crate::config::AccountsConfig;
use crate::ledger::Ledger;
use crate::records::{
    KEY_CREDENTIALS, KEY_MOTD, SPACE_ACCOUNT, SPACE_BLOCKED, SPACE_DOMAIN, SPACE_ROSTER, SPACES_KEPT, parse_credentials,
};
use crate::roster::Item;
use crate::sessions::Closed;
use crate::subscription::Kind;
use machine::{Input, Machine, Now, Output, Record, Row};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeMap;
use xmpp::stanza::{Condition, StanzaError, answerable};
use xmpp::{Element, Jid, Shared};

/// The accounts of one domain.
#[derive(Debug)]
pub struct Accounts {
    pub(crate) config: AccountsConfig,
    /// By normalised localpart.
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) ledger: Ledger,
    pub(crate) random: ChaCha20Rng,
    /// What clients can.
    pub(crate) caps: CapsCache,
    pub(crate) archives: Archives,
    pub(crate) motd: Option<Motd>,
    /// Number of the last roster push.
    pub(crate) pushes: u64,
    /// Streams the host is to close, until it asks.
    pub(crate) closed: Vec<Closed>,
}

/// A stanza with its addresses parsed.
pub(crate) struct Addressed {
    pub stanza: Element,
    pub from: Jid,
    pub to: Option<Jid>,
    /// Whether it comes from a live session of this domain.
    pub is_own: bool,
    pub times: Times,
}

/// How often a stanza has come here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    First,
    Again,
}

impl Accounts {
    /// The accounts as kept. `seed` must be unguessable: resources and salts come from it. Records of kinds that
    /// are not this machine's are passed over, as are rosters without an account. `recent` has the last row of each account's archive
    /// ([`crate::records::ARCHIVE_PREFIX`]).
    pub fn new(config: AccountsConfig, seed: [u8; 32], records: Vec<Record>, recent: &[Row]) -> Accounts {
        let mut accounts = BTreeMap::new();
        for record in records.iter().filter(|r| r.space == SPACE_ACCOUNT && r.key == KEY_CREDENTIALS) {
            let credentials = parse_credentials(&record.value);
            accounts.insert(record.owner.clone(), Account { credentials, ..Account::default() });
        }
        for record in records.iter().filter(|r| r.space == SPACE_ROSTER) {
            if let Some(account) = accounts.get_mut(&record.owner)
                && let Ok(contact) = Jid::new(&record.key)
                && let Some(item) = Item::from_record(&record.value)
            {
                account.roster.insert(contact, item);
            }
        }
        for record in records.iter().filter(|r| r.space == SPACE_BLOCKED) {
            if let Some(account) = accounts.get_mut(&record.owner) {
                account.blocked.insert(record.key.clone());
            }
        }
        let motd = records.iter().find(|r| r.space == SPACE_DOMAIN && r.key == KEY_MOTD);
        let motd = motd.and_then(|record| serde_json::from_str(&record.value).ok());
        for record in records {
            if let Some(space) = SPACES_KEPT.into_iter().find(|space| *space == record.space)
                && let Some(account) = accounts.get_mut(&record.owner)
            {
                account.kept.set(space, &record.key, Some(record.value));
            }
        }
        Accounts {
            config,
            accounts,
            ledger: Ledger::default(),
            random: ChaCha20Rng::from_seed(seed),
            caps: CapsCache::default(),
            archives: Archives::restore(recent),
            motd,
            pushes: 0,
            closed: Vec::new(),
        }
    }

    /// A stanza for the first time, or one that a session was sent and has not taken.
    pub(crate) fn stanza(&mut self, stanza: Element, times: Times, now: Now, out: &mut Vec<Output>) {
        let Some(Ok(from)) = stanza.get("from").map(Jid::new) else { return };
        let to = match stanza.get("to").map(Jid::new).transpose() {
            Ok(to) => to,
            Err(_) => return self.refuse(&stanza, Condition::JidMalformed, out),
        };
        let is_own = self.session(&from).is_some();
        if let Some(to) = &to
            && (is_own && self.refuses_blocked(&stanza, &from, to, out) || !self.admits(&stanza, &from, to, out))
        {
            return;
        }
        let addressed = Addressed { stanza, from, to, is_own, times };
        match addressed.stanza.name() {
            "presence" => self.presence(addressed, now, out),
            "message" => self.message(addressed, now, out),
            "iq" => self.iq(addressed, now, out),
            _ => {}
        }
    }

    /// Whether a stanza may reach a user of this domain; the host asks before it delivers one to a session past this
    /// machine. `false` when its sender is blocked (XEP-0191 3.3). The user's other sessions get their copies (XEP-0280 7).
    #[must_use]
    pub fn note_incoming(&mut self, stanza: &Element, from: &Jid, to: &Jid, now: Now, out: &mut Vec<Output>) -> bool {
        let goes_on = self.admits(stanza, from, to, out);
        if goes_on && stanza.name() == "presence" {
            self.contact_comes(stanza, from, to, now, out);
        } else if goes_on {
            self.copy_received(stanza, from, to, std::slice::from_ref(to), out);
        }
        goes_on
    }

    /// Whether a user hears of a stanza at all; if not, its sender has been told what it is to be told.
    fn admits(&self, stanza: &Element, from: &Jid, to: &Jid, out: &mut Vec<Output>) -> bool {
        let heard = self.heard(stanza, from, to);
        if heard == Heard::Refused {
            self.refuse(stanza, Condition::ServiceUnavailable, out);
        }
        heard == Heard::Yes
    }

    /// The domain's own name.
    pub(crate) fn domain(&self) -> &str {
        self.config.domain.domain()
    }

    /// Whether an address is in this domain.
    pub(crate) fn is_here(&self, jid: &Jid) -> bool {
        jid.domain() == self.domain()
    }

    /// The account an address in this domain names.
    pub(crate) fn account(&self, jid: &Jid) -> Option<&Account> {
        if !self.is_here(jid) {
            return None;
        }
        self.accounts.get(jid.local()?)
    }

    /// The live session of a full address.
    pub(crate) fn session(&self, jid: &Jid) -> Option<&Session> {
        self.account(jid)?.sessions.get(jid.resource()?).map(Box::as_ref)
    }

    /// The live session of a full address, to change.
    pub(crate) fn session_mut(&mut self, jid: &Jid) -> Option<&mut Session> {
        if !self.is_here(jid) {
            return None;
        }
        self.accounts.get_mut(jid.local()?)?.sessions.get_mut(jid.resource()?).map(Box::as_mut)
    }

    /// The bare address of an account.
    pub(crate) fn bare(&self, local: &str) -> String {
        format!("{local}@{}", self.domain())
    }

    /// Answers with an error, unless an answer would be wrong (RFC 6120 8.3.1).
    pub(crate) fn refuse(&self, stanza: &Element, error: impl Into<StanzaError>, out: &mut Vec<Output>) {
        if let Some(reply) = error_to(stanza, error) {
            out.push(reply);
        }
    }
}

impl Machine for Accounts {
    fn handle(&mut self, input: Input, now: Now, out: &mut Vec<Output>) {
        match input {
            Input::Stanza(stanza) => self.stanza(stanza, Times::First, now, out),
            Input::Persisted(token) => self.persisted(token, out),
            Input::PersistFailed(token) => self.persist_failed(token, out),
            Input::SessionEnded(jid) => self.session_ended(&jid, out),
            Input::Rows(id, page) => self.rows(id, page, out),
            Input::Timeout if self.next_timeout().is_some_and(|due| due <= now.mono_ms) => self.trim(now, out),
            // No stream of servers matters.
            Input::Timeout | Input::StreamEnded(_) | Input::Reachable(_) => {}
        }
    }

    fn next_timeout(&self) -> Option<u64> {
        (self.config.archive_days > 0).then_some(self.archives.trim_ms)
    }
}

/// Whether accounts must see a stanza from a client, a room or a stream, whoever is connected.
///
/// Apart from these, a stanza to a full address in `domain` is for its session, and for accounts when there is
/// none. The router asks this after it has looked whether `to` is a room, a replica or another machine.
pub fn is_for_accounts(stanza: &Element, from: &Jid, to: Option<&Jid>, domain: &str) -> bool {
    let Some(to) = to else { return true };
    let (from_here, to_here) = (from.domain() == domain, to.domain() == domain);
    if to_here && (to.is_bare() || is_conversation(stanza)) {
        return true;
    }
    if stanza.name() != "presence" {
        return false;
    }
    match stanza.get("type") {
        Some("error") => false,
        // RFC 6121 3: from a client they are the server's to stamp and keep; to a full address they mean the bare one.
        Some(kind) if Kind::parse(kind).is_some() => from_here || to_here,
        Some("probe") => to_here,
        // RFC 6121 4.6: directed presence is remembered. To others, `Accounts::note_outgoing` does it.
        _ => from_here && to_here,
    }
}

/// What people say to each other has an archive to pass, whoever is connected. What a room says comes in its order, beside what it
/// shows, and goes past.
fn is_conversation(stanza: &Element) -> bool {
    stanza.name() == "message"
        && !matches!(stanza.get("type"), Some("groupchat" | "error" | "headline"))
        && !stanza.has_child("x", xmpp::ns::MUC_USER)
}

/// The error that answers a stanza, where one may.
pub(crate) fn error_to(stanza: &Element, error: impl Into<StanzaError>) -> Option<Output> {
    if !answerable(stanza) {
        return None;
    }
    let to = Jid::new(stanza.get("from")?).ok()?;
    Some(Output::Send { to, stanza: Shared::new(error.into().reply(stanza)) })
}
