//! What a value in the configuration may be: how the reference names it, and the sentence that says what is wrong.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};
use xmpp::Jid;

/// A type that a key may have.
pub trait Setting: Sized {
    /// How the reference names it.
    fn kind() -> String;

    /// Reads it; the error is a sentence that ends with the remedy.
    fn read(value: &DeValue<'_>) -> Result<Self, String>;

    /// What it is when the key is left out and has no default; `None` when it must be given.
    fn absent() -> Option<Self> {
        None
    }
}

impl<T: Setting> Setting for Option<T> {
    fn kind() -> String {
        T::kind()
    }
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        T::read(value).map(Some)
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn kind() -> String {
        format!("list of: {}", T::kind())
    }
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let Some(array) = value.as_array() else {
            return Err(format!("is {}, and must be a list; write it in brackets: [ … ]", article(value)));
        };
        array.iter().map(|item| T::read(item.get_ref())).collect()
    }
}

impl Setting for bool {
    fn kind() -> String {
        "true or false".into()
    }
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| format!("is {}; write true or false, without quotes", article(value)))
    }
}

impl Setting for u64 {
    fn kind() -> String {
        "integer".into()
    }
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let integer = value
            .as_integer()
            .ok_or_else(|| format!("is {}; write a whole number, without quotes or unit", article(value)))?;
        u64::from_str_radix(integer.as_str(), integer.radix())
            .map_err(|_| format!("is {integer}; write a whole number that is not negative"))
    }
}

impl Setting for String {
    fn kind() -> String {
        "text".into()
    }
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        text(value).map(str::to_owned)
    }
}

impl Setting for PathBuf {
    fn kind() -> String {
        "path".into()
    }
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let path = text(value)?;
        if path.is_empty() {
            return Err("is empty; write a path, relative to this file or absolute".into());
        }
        Ok(path.into())
    }
}

impl Setting for SocketAddr {
    fn kind() -> String {
        "address:port".into()
    }
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let text = text(value)?;
        text.parse().map_err(|_| {
            format!(
                "{text:?} is no address with a port; write one like \"0.0.0.0:5222\", \"[::]:5222\" or \"127.0.0.1:0\""
            )
        })
    }
}

impl Setting for Jid {
    fn kind() -> String {
        "address (JID)".into()
    }
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let text = text(value)?;
        Jid::new(text)
            .map_err(|error| format!("{text:?} is no address: {error}; write one like \"romeo@montague.lit\""))
    }
}

/// An address of any kind, with its scheme: `mailto:`, `xmpp:`, `https:` (RFC 3986 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uri(String);

impl Uri {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for Uri {
    fn kind() -> String {
        "URI".into()
    }
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let text = text(value)?;
        let is_uri = text.split_once(':').is_some_and(|(scheme, rest)| {
            let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
            let goes_on = scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
            begins && goes_on && !rest.is_empty() && !text.contains(char::is_whitespace)
        });
        match is_uri {
            true => Ok(Uri(text.to_owned())),
            false => Err(format!("{text:?} is no URI; write one like \"mailto:abuse@montague.lit\"")),
        }
    }
}

/// A text that no log and no message shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

impl Setting for Secret {
    fn kind() -> String {
        "text".into()
    }
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match text(value).map_err(|_| "is no text; write it in quotes: \"…\"".to_owned())? {
            "" => Err("is empty; write what the other server has as the component's secret".into()),
            secret => Ok(Secret(secret.to_owned())),
        }
    }
}

/// A domain that XMPP servers know each other by: an address without `@` and `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Domain(Jid);

impl Domain {
    /// Parses and normalises.
    pub fn new(text: &str) -> Option<Domain> {
        let jid = Jid::new(text).ok()?;
        (jid.local().is_none() && jid.is_bare()).then_some(Domain(jid))
    }

    /// As an address.
    pub fn jid(&self) -> &Jid {
        &self.0
    }

    /// As text, normalised.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl std::fmt::Display for Domain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Setting for Domain {
    fn kind() -> String {
        "domain".into()
    }
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let text = text(value)?;
        Domain::new(text)
            .ok_or_else(|| format!("{text:?} is no domain; write a name without '@' and '/', like \"montague.lit\""))
    }
}

/// Where a WebSocket is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url(String);

impl Url {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for Url {
    fn kind() -> String {
        "URL".into()
    }
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let text = text(value)?;
        let host = text.strip_prefix("wss://").or_else(|| text.strip_prefix("ws://"));
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() && !b"<>&'\"".contains(&b));
        match host {
            Some(host) if !host.is_empty() && !host.starts_with('/') && plain(host) => Ok(Url(text.to_owned())),
            _ => Err(format!(
                "{text:?} is no URL of a WebSocket; write one like \"wss://chat.montague.lit/xmpp-websocket\""
            )),
        }
    }
}

/// Whom a list of peers lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// `"*"`: everyone.
    Any,
    /// This domain.
    Domain(Domain),
}

impl Peer {
    /// As it is written: `*`, or the domain, normalised.
    pub fn as_str(&self) -> &str {
        match self {
            Peer::Any => "*",
            Peer::Domain(domain) => domain.as_str(),
        }
    }
}

impl Setting for Peer {
    fn kind() -> String {
        "domain or \"*\"".into()
    }
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let text = text(value)?;
        if text == "*" {
            return Ok(Peer::Any);
        }
        let domain = Domain::new(text).filter(|domain| !domain.as_str().contains('*'));
        domain
            .map(Peer::Domain)
            .ok_or_else(|| format!("{text:?} is no domain; write \"*\" for all, or one like \"chat.montague.lit\""))
    }
}

/// Where a static route leads: a host by name or number, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// A name or an IP address, IPv6 without brackets.
    pub host: String,
    /// The port, never 0.
    pub port: u16,
}

impl Setting for Route {
    fn kind() -> String {
        "host:port".into()
    }
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let text = text(value)?;
        let route = text.rsplit_once(':').and_then(|(host, port)| {
            let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
            let port = port.parse().ok().filter(|port| *port != 0)?;
            (!host.is_empty()).then(|| Route { host: host.to_owned(), port })
        });
        route.ok_or_else(|| format!("{text:?} is no host with a port; write one like \"127.0.0.1:5269\""))
    }
}

/// Static routes by the domain they lead to.
pub type Routes = BTreeMap<String, Route>;

/// Defines an enum that is written as one of a few words.
macro_rules! choice {
    ($(#[doc = $about:literal])* $name:ident { $($(#[doc = $doc:literal])* $variant:ident = $word:literal,)* }) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $doc])* $variant,)* }

        impl $name {
            const WORDS: &'static [(&'static str, $name)] = &[$(($word, $name::$variant),)*];
        }

        impl Setting for $name {
            fn kind() -> String {
                Self::WORDS.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>().join(" or ")
            }
            fn read(value: &DeValue<'_>) -> Result<Self, String> {
                let text = text(value)?;
                Self::WORDS.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice).ok_or_else(|| {
                    let words: Vec<&str> = Self::WORDS.iter().map(|(word, _)| *word).collect();
                    let meant = super::reader::nearest(text, &words).unwrap_or(words[0]);
                    format!("{text:?} is not known here; write {}, perhaps {meant:?}", Self::kind())
                })
            }
        }
    };
}

choice! {
    /// Whether a stream must be encrypted.
    Encryption {
        /// Nothing but STARTTLS is offered before the stream is encrypted.
        Required = "required",
        /// Encryption is offered.
        Optional = "optional",
        /// Encryption is not offered: loopback only.
        Off = "off",
    }
}

choice! {
    /// How another server proves its domain.
    Trust {
        /// By a certificate that a known authority signed (SASL EXTERNAL, XEP-0178).
        Certificate = "certificate",
        /// By a certificate, else by dialback (XEP-0220).
        Dialback = "dialback",
    }
}

choice! {
    /// Who may create rooms.
    Create {
        /// Whoever may enter.
        Anyone = "anyone",
        /// Accounts of this server.
        Local = "local",
        /// The addresses in `admins`.
        Admins = "admins",
    }
}

choice! {
    /// Whom an island lets enter a room.
    SplitEnter {
        /// Nobody.
        None = "none",
        /// Members of this site whom the primary has named beforehand.
        Members = "members",
    }
}

choice! {
    /// How a line of the log looks.
    LogFormat {
        /// For people.
        Human = "human",
        /// One JSON object a line.
        Json = "json",
    }
}

/// A table as one setting, for keys that the operator chooses.
pub fn table<'v, 'i>(value: &'v DeValue<'i>) -> Result<&'v DeTable<'i>, String> {
    value.as_table().ok_or_else(|| format!("is {}; write it as a section: [name] on a line of its own", article(value)))
}

fn text<'v>(value: &'v DeValue<'_>) -> Result<&'v str, String> {
    value.as_str().ok_or_else(|| format!("is {}; write text in quotes: \"…\"", article(value)))
}

fn article(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {text:?}"),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(bool) => bool.to_string(),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_a_domain_or_everyone() {
        let read = |text: &str| Peer::read(&DeValue::String(text.into()));
        assert_eq!(read("*"), Ok(Peer::Any));
        assert_eq!(read("Capulet.lit").unwrap().as_str(), "capulet.lit");
        assert!(read("*.capulet.lit").is_err() && read("romeo@capulet.lit").is_err());
    }

    #[test]
    fn a_route_may_be_a_name_or_an_address_of_either_family() {
        let read = |text: &str| Route::read(&DeValue::String(text.into()));
        assert_eq!(read("[::1]:5269"), Ok(Route { host: "::1".into(), port: 5269 }));
        assert_eq!(read("avalon:5269"), Ok(Route { host: "avalon".into(), port: 5269 }));
        for bad in ["avalon", ":5269", "avalon:0", "avalon:xmpp", "avalon:70000"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
