//! What every stanza must be before anybody acts on it, RFC 6120 8.

use super::error::StreamError;
use crate::stanza::{Condition, StanzaError, answerable};
use crate::{Element, Jid, ns};

/// What is wrong with a stanza.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wrong {
    /// The stream ends.
    Stream(StreamError),
    /// The stanza is refused, and its sender told.
    Stanza(Box<StanzaError>),
    /// The stanza is dropped: it is one that must not be answered.
    Silent,
}

impl Wrong {
    /// The answer, unless the stanza must not have one.
    fn answer(stanza: &Element, error: StanzaError) -> Wrong {
        if answerable(stanza) { Wrong::Stanza(Box::new(error)) } else { Wrong::Silent }
    }
}

/// A stanza by name and namespace, RFC 6120 4.9.3.24; anything else ends the stream.
pub(super) fn is_stanza(element: &Element) -> Result<(), Wrong> {
    let known = matches!(element.name(), "message" | "presence" | "iq");
    match element.ns() {
        ns::CLIENT if known => Ok(()),
        _ if known => Err(Wrong::Stream(StreamError::new("invalid-namespace", "a stanza in another namespace"))),
        _ => Err(Wrong::Stream(StreamError::new("unsupported-stanza-type", "a message, presence or iq is expected"))),
    }
}

/// The attributes and contents that RFC 6120 8.2.3 and RFC 6121 4.7.1 ask for.
pub(super) fn is_whole(stanza: &Element) -> Result<(), Wrong> {
    let kind = stanza.get("type");
    let fine = match stanza.name() {
        "iq" => {
            let children = stanza.children().count();
            let contents = match kind {
                Some("get" | "set") => children == 1,
                Some("result") => children <= 1,
                Some("error") => true,
                _ => false,
            };
            contents && stanza.get("id").is_some_and(|id| !id.is_empty())
        }
        "presence" => matches!(
            kind,
            None | Some(
                "unavailable" | "subscribe" | "subscribed" | "unsubscribe" | "unsubscribed" | "probe" | "error"
            )
        ),
        _ => true,
    };
    match fine {
        true => Ok(()),
        false => Err(Wrong::answer(stanza, Condition::BadRequest.into())),
    }
}

/// `to`, where there is one, is an address; it is normalised.
pub(super) fn to_is_an_address(stanza: &mut Element) -> Result<(), Wrong> {
    let Some(to) = stanza.get("to") else { return Ok(()) };
    match Jid::new(to) {
        Ok(jid) if jid.as_str() == to => Ok(()),
        Ok(jid) => {
            stanza.set("to", jid.as_str());
            Ok(())
        }
        Err(why) => Err(Wrong::answer(stanza, StanzaError::new(Condition::JidMalformed, format!("to: {why}")))),
    }
}

/// A client's stanza: from its own account, RFC 6120 8.1.2.1. It leaves with the full address of the stream, whatever resource it
/// names: a client that has resumed a session may not know that of it.
pub(super) fn client_stanza(stanza: &mut Element, client: &Jid) -> Result<(), Wrong> {
    is_stanza(stanza)?;
    if let Some(from) = stanza.get("from")
        && !Jid::new(from).is_ok_and(|from| from.bare_str() == client.bare_str())
    {
        return Err(Wrong::Stream(StreamError::new("invalid-from", "from is not the address of this stream")));
    }
    stanza.set("from", client.as_str());
    to_is_an_address(stanza)?;
    is_whole(stanza)
}
