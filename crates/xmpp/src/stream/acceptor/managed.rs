//! What a bound client says about the stream itself: stream management (XEP-0198), and whether anybody looks
//! (XEP-0352).
//!
//! The machine counts what comes in and answers for it. What goes out is counted by the caller, who alone knows all of
//! it ([`crate::stream::management`]).

use super::{Acceptor, Output, Phase, Session};
use crate::stanza::Condition;
use crate::stream::error::StreamError;
use crate::{Element, Jid, ns};

/// Sessions that may be asked for in vain on one stream: looking for one costs more than refusing it.
const REFUSED_MAX: u32 = 3;

impl Acceptor {
    /// What may come once a resource is bound.
    pub(super) fn managed(&mut self, element: &Element, out: &mut Vec<Output>) -> Result<(), StreamError> {
        match (element.name(), self.handled) {
            ("enable", None) => {
                self.enable(element, out);
                Ok(())
            }
            ("enable", Some(_)) => {
                // XEP-0198 3: "at most one attempt", whose example shows `failed`, and the stream is to end.
                self.sm_failed(Condition::UnexpectedRequest, out);
                Err(StreamError::new("policy-violation", "stream management is enabled already"))
            }
            ("r", Some(handled)) => {
                self.wire.send(&Element::new("a", ns::SM).attr("h", handled.to_string()), out);
                Ok(())
            }
            ("a", Some(_)) => match count(element) {
                Some(acked) => {
                    out.push(Output::Acked(acked));
                    Ok(())
                }
                None => Err(StreamError::new("bad-format", "an acknowledgement says in 'h' of how many stanzas")),
            },
            ("a" | "r" | "resume", _) => {
                self.sm_failed(Condition::UnexpectedRequest, out);
                Ok(())
            }
            _ => Err("unsupported-stanza-type".into()),
        }
    }

    fn enable(&mut self, enable: &Element, out: &mut Vec<Output>) {
        let max = enable.get("max").map(|max| max.parse::<u64>().ok().filter(|max| *max > 0));
        let resume = enable.get("resume").map_or(Some(false), boolean);
        let (Some(resume), false) = (resume, max == Some(None)) else {
            return self.sm_failed(Condition::BadRequest, out);
        };
        self.handled = Some(0);
        out.push(Output::Enable { resume, max: max.flatten() });
    }

    /// XEP-0198 5: in place of binding.
    pub(super) fn resume(&mut self, resume: &Element, user: Jid, out: &mut Vec<Output>) {
        let (Some(id), Some(acked)) = (resume.get("previd"), count(resume)) else {
            return self.sm_failed(Condition::BadRequest, out);
        };
        self.phase = Phase::Resuming(user.clone(), id.to_owned());
        out.push(Output::Resume { user, id: id.to_owned(), acked });
    }

    /// The answer to [`Output::Resume`].
    pub(super) fn resumed(&mut self, result: Result<Session, Condition>, out: &mut Vec<Output>) {
        let Phase::Resuming(user, id) = std::mem::replace(&mut self.phase, Phase::Header(None)) else { return };
        match result {
            Ok(Session { jid, handled }) => {
                let resumed = Element::new("resumed", ns::SM).attr("previd", &id).attr("h", handled.to_string());
                self.wire.send(&resumed, out);
                self.phase = Phase::Bound(jid);
                self.handled = Some(handled);
                self.negotiation = None;
            }
            Err(condition) => {
                self.sm_failed(condition, out);
                self.phase = Phase::Binding(user);
                let negotiation = self.negotiation();
                negotiation.refused += 1;
                if negotiation.refused >= REFUSED_MAX {
                    let error = StreamError::new("policy-violation", "no session is there to resume; bind a resource");
                    self.wire.fail(error, out);
                }
            }
        }
    }

    /// XEP-0198 6.
    pub(super) fn sm_failed(&mut self, condition: Condition, out: &mut Vec<Output>) {
        let (_, name) = condition.wire();
        self.wire.send(&Element::new("failed", ns::SM).child(Element::new(name, ns::STANZA_ERRORS)), out);
    }
}

/// XEP-0352 4.2: nothing is answered.
pub(super) fn state(element: &Element, out: &mut Vec<Output>) -> Result<(), StreamError> {
    match element.name() {
        "active" => out.push(Output::Active(true)),
        "inactive" => out.push(Output::Active(false)),
        _ => return Err("unsupported-stanza-type".into()),
    }
    Ok(())
}

/// `h`: an unsignedInt (XEP-0198 11).
fn count(element: &Element) -> Option<u32> {
    element.get("h")?.parse().ok()
}

/// A boolean of XML Schema.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}
