//! Which notifications clients want (XEP-0163 4.3, `NODE+notify`), as far as they say so by their presence (XEP-0115): asked once for
//! each kind of client, and remembered. What a hash does not prove is held of the one who said it alone.

use crate::config::NAME_BYTES_MAX;
use crate::iq::request;
use crate::service::{Accounts, Addressed};
use machine::{Now, Output};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::stanza::caps::Caps;
use xmpp::{Element, Jid, Shared, ns};

/// What is known of kinds of clients, and who is being asked.
#[derive(Debug, Default)]
pub(crate) struct CapsCache {
    known: BTreeMap<Kind, Wanted>,
    /// By the id of the request.
    asked: BTreeMap<String, Asked>,
    /// Counts requests and uses.
    count: u64,
}

/// Clients that say the same of themselves: those with one hash; a single one where there is none that proves it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Proved(Caps),
    Only(Jid, Caps),
}

/// The nodes of which they want notifications.
#[derive(Debug)]
struct Wanted {
    nodes: BTreeSet<String>,
    /// When it was last looked at, for those who have to go.
    used: u64,
}

/// A client that has been asked.
#[derive(Debug)]
struct Asked {
    caps: Caps,
    whom: Jid,
    /// On the clock of `Now::mono_ms`.
    at_ms: u64,
    /// Others of its kind, who hear of its answer.
    waiting: BTreeSet<Jid>,
}

impl Accounts {
    /// Whether a client with these capabilities wants to hear of a node.
    pub(crate) fn wants(&self, client: &Jid, caps: Option<&Caps>, node: &str) -> bool {
        let kinds = caps.into_iter().flat_map(|caps| kinds_of(client, caps));
        kinds.into_iter().filter_map(|kind| self.caps.known.get(&kind)).any(|wanted| wanted.nodes.contains(node))
    }

    /// A client shows these capabilities to `user`, who asks for them where nobody has. `true` when they are known.
    pub(crate) fn note_caps(&mut self, client: &Jid, caps: &Caps, user: &Jid, now: Now, out: &mut Vec<Output>) -> bool {
        self.caps.count += 1;
        for kind in kinds_of(client, caps) {
            if let Some(wanted) = self.caps.known.get_mut(&kind) {
                wanted.used = self.caps.count;
                return true;
            }
        }
        self.caps.asked.retain(|_, asked| now.mono_ms < asked.at_ms + ANSWER_MS);
        let domain = self.config.domain.clone();
        let is_here = |jid: &Jid| jid.domain() == domain.domain();
        let same = self.caps.asked.values_mut().find(|asked| {
            // Nobody here waits for the answer of somebody elsewhere.
            asked.caps == *caps
                && (asked.whom == *client || caps.hash.is_some() && (is_here(&asked.whom) || !is_here(client)))
        });
        if let Some(asked) = same {
            if asked.waiting.len() < WAITING_MAX {
                asked.waiting.insert(client.clone());
            }
            return false;
        }
        if self.caps.asked.len() >= ASKED_MAX {
            return false;
        }
        let id = format!("caps{}", self.caps.count);
        let query = Element::new("query", ns::DISCO_INFO).attr("node", caps.query_node());
        let asked = Asked { caps: caps.clone(), whom: client.clone(), at_ms: now.mono_ms, waiting: BTreeSet::new() };
        out.push(Output::Send { to: client.clone(), stanza: Shared::new(request("get", user.bare_str(), &id, query)) });
        self.caps.asked.insert(id, asked);
        false
    }

    /// The answer of a client that was asked, to whoever of the users here asked it.
    pub(crate) fn caps_answered(&mut self, iq: &Addressed, out: &mut Vec<Output>) {
        let Some(id) = iq.stanza.get("id") else { return };
        if self.caps.asked.get(id).is_none_or(|asked| asked.whom != iq.from) {
            return;
        }
        let Some(asked) = self.caps.asked.remove(id) else { return };
        let Some(info) =
            iq.stanza.get_child("query", ns::DISCO_INFO).filter(|_| iq.stanza.get("type") == Some("result"))
        else {
            return;
        };
        let wanted = info.children().filter(|child| child.is("feature", ns::DISCO_INFO));
        let wanted = wanted.filter_map(|feature| feature.get("var")?.strip_suffix("+notify"));
        let short = wanted.filter(|node| node.len() <= NAME_BYTES_MAX);
        let nodes = short.take(WANTED_MAX).map(str::to_owned).collect();
        let proved = asked.caps.proves(info);
        let kind = if proved { Kind::Proved(asked.caps) } else { Kind::Only(asked.whom.clone(), asked.caps) };
        self.remember(kind, nodes);
        let mut clients = if proved { asked.waiting } else { BTreeSet::new() };
        clients.insert(asked.whom);
        self.give_last_items(&clients, out);
    }

    fn remember(&mut self, kind: Kind, nodes: BTreeSet<String>) {
        if self.caps.known.len() >= KNOWN_MAX {
            let oldest = self.caps.known.iter().min_by_key(|(_, wanted)| wanted.used).map(|(kind, _)| kind.clone());
            oldest.map(|kind| self.caps.known.remove(&kind));
        }
        self.caps.count += 1;
        self.caps.known.insert(kind, Wanted { nodes, used: self.caps.count });
    }
}

/// What a presence says of a client, unless it is longer than anything that software is called: it is kept of many.
pub(crate) fn caps_of(presence: &Element) -> Option<Caps> {
    Caps::of(presence).filter(|caps| caps.node.len() + caps.ver.len() <= NAME_BYTES_MAX)
}

/// The kinds that a client may be of.
fn kinds_of(client: &Jid, caps: &Caps) -> [Kind; 2] {
    [Kind::Proved(caps.clone()), Kind::Only(client.clone(), caps.clone())]
}

/// Kinds of clients that are remembered; of the others one is asked again.
const KNOWN_MAX: usize = 1_000;
/// Nodes of which one client may want notifications.
const WANTED_MAX: usize = 50;
/// Clients that are asked at a time.
const ASKED_MAX: usize = 1_000;
/// Those who wait for the answer of one.
const WAITING_MAX: usize = 1_000;
/// How long an answer is waited for; then another of the kind may be asked.
const ANSWER_MS: u64 = 60_000;
