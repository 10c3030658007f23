//! The room's vCard and the avatar in it: XEP-0054 with the room as its owner, XEP-0486 sections "Owner of the Room Publishes
//! Avatar" to "User Retrieves the vCard", hashes as in XEP-0153 3.2.

use super::{Apply, Cx, Room};
use crate::names::{Affiliation, Status};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use machine::Change;
use sha1::{Digest, Sha1};
use xmpp::stanza::{Condition, StanzaError, iq_result};
use xmpp::{Element, Jid};

/// A vCard that says something.
#[derive(Debug, Clone)]
pub(crate) struct Vcard {
    card: Element,
    /// Of each picture in it, in order.
    pub hashes: Vec<String>,
}

impl Room {
    /// An iq with `<vCard xmlns='vcard-temp'/>`: anybody who may know of the room reads it, owners write it.
    pub fn handle_vcard(&mut self, from: &Jid, iq: &Element, card: &Element, cx: &mut Cx<'_>) {
        if iq.get("type") == Some("get") {
            let card = self.vcard.as_ref().map_or_else(|| Element::new("vCard", VCARD), |vcard| vcard.card.clone());
            return self.answer(from, iq_result(iq).child(card), cx);
        }
        if self.affiliation_of(from) != Affiliation::Owner {
            return self.refuse(
                iq,
                StanzaError::new(Condition::Forbidden, "Only owners are allowed to set avatars."),
                cx,
            );
        }
        match Vcard::read(card) {
            Ok(vcard) => {
                let changes = vec![self.vcard_change(vcard.as_ref())];
                self.decide(changes, Apply::Vcard(vcard), iq, cx);
            }
            Err(condition) => self.refuse(iq, condition, cx),
        }
    }

    /// The vCard is on disk: its owner is answered, then all hear that something has changed.
    pub fn shown_as(&mut self, vcard: Option<Vcard>, request: &Element, cx: &mut Cx<'_>) {
        self.vcard = vcard;
        if let Some(owner) = request.get("from").and_then(|from| Jid::new(from).ok()) {
            self.answer(&owner, iq_result(request), cx);
        }
        self.tell_config(&[Status::CONFIG], cx);
    }

    fn vcard_change(&self, vcard: Option<&Vcard>) -> Change {
        match vcard {
            Some(vcard) => vcard.record(&self.jid),
            None => super::keep::delete("room", &self.jid, "vcard"),
        }
    }
}

impl Vcard {
    /// Reads a vCard; an empty one is none. A picture that is not base64, or a card that is too long, is refused.
    pub fn read(card: &Element) -> Result<Option<Vcard>, Condition> {
        if card.children().next().is_none() {
            return Ok(None);
        }
        if card.to_xml().len() > VCARD_BYTES_MAX {
            return Err(Condition::PolicyViolation);
        }
        let pictures = card.children().filter(|c| c.is("PHOTO", VCARD)).filter_map(|c| c.get_child("BINVAL", VCARD));
        // XEP-0153 4.3: an empty one is no picture.
        let pictures = pictures.map(Element::content).filter(|picture| !picture.trim().is_empty());
        let hashes = pictures.map(|picture| hash(&picture)).collect::<Option<_>>();
        Ok(Some(Vcard { card: card.clone(), hashes: hashes.ok_or(Condition::BadRequest)? }))
    }

    /// As it is kept.
    pub fn record(&self, room: &Jid) -> Change {
        super::keep::put("room", room, "vcard", &self.card.to_xml())
    }

    /// Reads it as it was kept.
    pub fn kept(xml: &str) -> Option<Vcard> {
        Vcard::read(&Element::parse(xml).ok()?).ok()?
    }
}

/// XEP-0153 3.2: the SHA-1 of the picture itself, in hexadecimal.
fn hash(base64: &str) -> Option<String> {
    let text: String = base64.split_ascii_whitespace().collect();
    let picture = STANDARD.decode(text).ok()?;
    Some(Sha1::digest(&picture).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// XEP-0054.
pub(crate) const VCARD: &str = "vcard-temp";
/// Longest vCard, bytes: XEP-0153 wants pictures of at most eight kilobytes, clients send more.
const VCARD_BYTES_MAX: usize = 100_000;
