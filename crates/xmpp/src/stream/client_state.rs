//! Client state indication (XEP-0352): what a client that nobody looks at need not be woken up for.
//!
//! Presence and chat states wait, of each sender the last alone, until something else is sent or somebody looks again.
//! So nothing is ever sent out of order but what the client would have thrown away.

use crate::{Element, Shared, ns};
use std::collections::BTreeMap;

/// Most stanzas that wait for one client; with one more all of them are sent.
const WAITING_MAX: usize = 500;

/// What of a sender replaces what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Presence,
    ChatState,
}

/// What waits for one client.
#[derive(Debug, Default)]
pub struct Waiting {
    /// By when it came.
    stanzas: BTreeMap<u64, Shared>,
    /// When the last of each sender came.
    last: BTreeMap<(String, Kind), u64>,
    count: u64,
}

impl Waiting {
    /// Whether a stanza waits now. Where it does not, or where it is one too many, all that waits is to be sent first, by
    /// [`Waiting::take`].
    pub fn holds(&mut self, stanza: &Shared) -> bool {
        let Some(kind) = may_wait(stanza.element()) else { return false };
        let sender = stanza.element().get("from").unwrap_or_default().to_owned();
        let before = self.last.insert((sender, kind), self.count);
        if let Some(before) = before {
            self.stanzas.remove(&before);
        }
        self.stanzas.insert(self.count, stanza.clone());
        self.count += 1;
        if self.stanzas.len() > WAITING_MAX {
            // The stanza itself is sent by the caller, behind the others.
            self.stanzas.pop_last();
            return false;
        }
        true
    }

    /// All that waits, in the order of the last of each sender.
    pub fn take(&mut self) -> impl Iterator<Item = Shared> + use<> {
        self.last.clear();
        std::mem::take(&mut self.stanzas).into_values()
    }
}

/// Whether nobody misses a stanza who does not look: presence, but not what tells a client of itself (XEP-0045 7.2.2,
/// status 110), nor a request; a chat state (XEP-0085) that stands alone.
fn may_wait(stanza: &Element) -> Option<Kind> {
    match (stanza.name(), stanza.get("type")) {
        ("presence", None | Some("unavailable")) => {
            let of_itself = |x: &Element| {
                x.children().any(|status| status.is("status", ns::MUC_USER) && status.get("code") == Some("110"))
            };
            let x = stanza.get_child("x", ns::MUC_USER);
            (!x.is_some_and(of_itself)).then_some(Kind::Presence)
        }
        ("message", Some("chat" | "groupchat")) => {
            let beside = |child: &Element| {
                matches!(child.ns(), ns::CHATSTATES | ns::OCCUPANT_ID | ns::SID | HINTS)
                    || child.is("thread", ns::CLIENT)
            };
            let has_state = stanza.children().any(|child| child.ns() == ns::CHATSTATES);
            (has_state && stanza.children().all(beside)).then_some(Kind::ChatState)
        }
        _ => None,
    }
}

/// Processing hints, XEP-0334.
const HINTS: &str = "urn:xmpp:hints";

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(xml: &str) -> Shared {
        Shared::new(Element::parse(xml).unwrap())
    }

    fn presence(from: &str, show: &str) -> Shared {
        shared(&format!("<presence from='{from}'><show>{show}</show></presence>"))
    }

    #[test]
    fn s3_2_the_last_presence_of_each_waits() {
        let mut waiting = Waiting::default();
        for (from, show) in [("a@b/1", "away"), ("c@d/1", "dnd"), ("a@b/1", "xa"), ("a@b/2", "chat")] {
            assert!(waiting.holds(&presence(from, show)));
        }
        let sent: Vec<Shared> = waiting.take().collect();
        assert_eq!(sent, [presence("c@d/1", "dnd"), presence("a@b/1", "xa"), presence("a@b/2", "chat")]);
        assert_eq!(waiting.take().count(), 0);
    }

    #[test]
    fn s3_2_what_matters_does_not_wait() {
        let mut waiting = Waiting::default();
        for xml in [
            "<message type='chat' from='a@b'><body>hi</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>",
            "<message type='groupchat' from='a@b'><subject/></message>",
            "<message type='error' from='a@b'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
            "<message type='chat' from='a@b'><received xmlns='urn:xmpp:receipts' id='1'/></message>",
            "<presence type='subscribe' from='a@b'/>",
            "<presence type='error' from='a@b'/>",
            "<presence type='unavailable' from='r@s/me'><x xmlns='http://jabber.org/protocol/muc#user'>\
             <status code='307'/><status code='110'/></x></presence>",
            "<iq type='get' from='a@b' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        ] {
            assert!(!waiting.holds(&shared(xml)), "{xml}");
        }
        for xml in [
            "<message type='chat' from='a@b'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
            "<message type='groupchat' from='r@s/x'><paused xmlns='http://jabber.org/protocol/chatstates'/>\
             <no-store xmlns='urn:xmpp:hints'/></message>",
            "<presence type='unavailable' from='r@s/x'><x xmlns='http://jabber.org/protocol/muc#user'/></presence>",
        ] {
            assert!(waiting.holds(&shared(xml)), "{xml}");
        }
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut waiting = Waiting::default();
        let held = (0..=WAITING_MAX).filter(|n| waiting.holds(&presence(&format!("a@b/{n}"), "away"))).count();
        assert_eq!(held, WAITING_MAX);
        assert_eq!(waiting.take().count(), WAITING_MAX);
    }
}
