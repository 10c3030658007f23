//! The transcripts played to a stock Prosody, to catch what we alone read into the XEP. Compared is what stanzas mean: kind, sender,
//! type, error, items, status codes, words; not ids, stamps, forms and features, which servers choose.
//!
//! Where the two differ, `transcripts/prosody.md` has a rule that fits and the sentence that decides. A difference without a rule fails the
//! test, and so does a rule without a difference. `NETJOIN_PROSODY=FILE` writes what was found there.

use anyhow::{Context, Result, ensure};
use driver::Client;
use interop::network::{Network, Proof, S2S_PORT};
use interop::prosody::{self, Prosody};
use interop::{authority, peer, room};
use sim::transcript::{Deed, Places, Script, Step, Transcript};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use xmpp::{Element, ns};

/// Those of what Prosody has as it comes: no avatars of rooms, no moderation, no hats, versions or indicators. Nor that of the archive, which
/// asks by ids that a server has given, nor that of presence broadcast, whose admins are named in a form that Prosody has without them.
const PLAYED: [&str; 21] = [
    "ban",
    "configuration",
    "destroy",
    "discovery",
    "entering",
    "history",
    "ids",
    "invitations",
    "kick",
    "leaving",
    "lists",
    "messages",
    "nick-change",
    "presence",
    "private-messages",
    "registering",
    "reserved-room",
    "several-sessions",
    "subject",
    "voice",
    "voice-requests",
];

#[tokio::test]
#[ignore = "needs Prosody: .ci/run interop"]
async fn prosody_differs_where_we_know_why() -> Result<()> {
    if !Prosody::is_installed() {
        peer::skip("Prosody", "prosody or lua-unbound is not installed");
        return Ok(());
    }
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut plays = JoinSet::new();
    for file in PLAYED {
        let transcript = Transcript::parse(&std::fs::read_to_string(root().join(format!("transcripts/{file}.txt")))?)?;
        let places = places.clone();
        plays.spawn(async move {
            let _place = places.acquire().await?;
            differences(file, &transcript).await.with_context(|| file.to_owned())
        });
    }
    let mut found = Vec::new();
    while let Some(play) = plays.join_next().await {
        found.extend(play??);
    }
    found.sort();
    if let Some(file) = std::env::var_os("NETJOIN_PROSODY") {
        std::fs::write(file, found.join("\n") + "\n")?;
    }
    let rules = std::fs::read_to_string(root().join("transcripts/prosody.md"))?;
    let faults = faults(&found, &rules);
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

#[test]
fn a_difference_without_a_rule_and_a_rule_without_a_difference_are_faults() {
    let rules = "## No 170\nProsody says nothing.\n\n    * | presence, own | - 170\n    ban | * | - 104\n";
    let found =
        ["ban | 9.1 | Hag | presence, own | - 170".to_owned(), "kick | 8.2 | Hag | presence | - 307".to_owned()];
    assert_eq!(
        faults(&found, rules),
        ["nothing decides: kick | 8.2 | Hag | presence | - 307", "no difference any more: ban | * | - 104"]
    );
    assert_eq!(faults(&found[..1], "    ban | * | - 1\n").len(), 2, "a pattern holds to the end");
}

/// What is found and has no rule, and rules that find nothing. A rule's patterns are the lines that stand in from the margin by four.
fn faults(found: &[String], rules: &str) -> Vec<String> {
    let patterns: Vec<&str> = rules.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    let unknown = found.iter().filter(|line| !patterns.iter().any(|pattern| fits(pattern, line)));
    let idle = patterns.iter().filter(|pattern| !found.iter().any(|line| fits(pattern, line)));
    let unknown = unknown.map(|line| format!("nothing decides: {line}"));
    unknown.chain(idle.map(|pattern| format!("no difference any more: {pattern}"))).collect()
}

/// Whether a line is as a pattern has it, in which `*` is anything.
fn fits(pattern: &str, line: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == line,
        Some((before, after)) => line.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| fits(after, &rest[at..]))
        }),
    }
}

/// What was received otherwise than a transcript has it: file, step, who, what stands there (`-`) and what came (`+`).
async fn differences(file: &str, transcript: &Transcript) -> Result<Vec<String>> {
    let mut play = Play::start(transcript).await?;
    let mut found = Vec::new();
    let mut heading = "";
    for step in &transcript.steps {
        heading = step.headings.last().map_or(heading, String::as_str);
        let received = play.take(step).await.with_context(|| format!("line {}", step.line))?;
        for member in &transcript.cast {
            let written = step.receives.iter().filter(|(who, _)| *who == member.name);
            let expected =
                written.flat_map(|(_, stanzas)| stanzas).filter(|stanza| is_of_rooms(stanza)).map(meaning).collect();
            let got = received.get(&member.name).into_iter().flatten().map(meaning).collect();
            let lines = compare(expected, got);
            found.extend(lines.into_iter().map(|line| format!("{file} | {heading} | {} | {line}", member.name)));
        }
    }
    play.prosody.kill().await?;
    Ok(found)
}

/// What a stanza means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Meaning {
    /// Name, type and sender.
    head: String,
    /// What it says, a thing each, in order.
    parts: Vec<String>,
}

/// Stanzas of one head are held beside each other, those most alike first; then what is in one and not in the other. Their order is not
/// looked at: Prosody goes through occupants in that of a table of hashes.
fn compare(mut expected: Vec<Meaning>, mut got: Vec<Meaning>) -> Vec<String> {
    expected.sort();
    got.sort();
    let mut lines = Vec::new();
    for stands in expected {
        let alike = got.iter().enumerate().filter(|(_, came)| came.head == stands.head);
        let distance =
            |came: &Meaning| without(&stands.parts, &came.parts).len() + without(&came.parts, &stands.parts).len();
        match alike.min_by_key(|(_, came)| distance(came)).map(|(at, _)| at) {
            None => lines.push(format!("- {}", stands.text())),
            Some(at) => {
                let came = got.remove(at);
                let own = if stands.is_own() || came.is_own() { ", own" } else { "" };
                let kind = stands.head.split(" from=").next().unwrap_or_default();
                lines.extend(without(&stands.parts, &came.parts).iter().map(|part| format!("{kind}{own} | - {part}")));
                lines.extend(without(&came.parts, &stands.parts).iter().map(|part| format!("{kind}{own} | + {part}")));
            }
        }
    }
    lines.extend(got.iter().map(|came| format!("+ {}", came.text())));
    lines
}

/// What of `all` is not among `others`, as often as it is not.
fn without(all: &[String], others: &[String]) -> Vec<String> {
    let mut others = others.to_vec();
    let mut missing = all.to_vec();
    missing.retain(|part| match others.iter().position(|other| other == part) {
        Some(at) => {
            others.remove(at);
            false
        }
        None => true,
    });
    missing
}

impl Meaning {
    fn text(&self) -> String {
        [std::slice::from_ref(&self.head), &self.parts].concat().join(" ")
    }

    /// Whether it tells somebody of himself.
    fn is_own(&self) -> bool {
        self.parts.iter().any(|part| part == "110")
    }
}

fn meaning(stanza: &Element) -> Meaning {
    let mut head = stanza.name().to_owned();
    for name in ["type", "from"] {
        // A message without a type is a normal one (RFC 6121 5.2.2).
        match stanza.get(name) {
            Some("normal") | None => {}
            Some(value) => head += &format!(" {name}={value}"),
        }
    }
    // An error says what is wrong; whether it gives back what it is about is left to each (RFC 6120 8.3.1).
    let is_error = stanza.get("type") == Some("error");
    let children = stanza.children().filter(|child| !is_error || child.name() == "error");
    let mut parts: Vec<String> = children.flat_map(said).collect();
    parts.sort();
    Meaning { head, parts }
}

fn said(child: &Element) -> Vec<String> {
    match (child.name(), child.ns()) {
        ("body" | "subject" | "show" | "status", ns::CLIENT) => vec![format!("{}={:?}", child.name(), child.content())],
        ("error", ns::CLIENT) => {
            let condition = child.children().find(|c| c.ns() == ns::STANZA_ERRORS && c.name() != "text");
            vec![format!("error={} {}", child.get("type").unwrap_or("?"), condition.map_or("?", |c| c.name()))]
        }
        // Versions of affiliations (XEP-0463) are not in Prosody.
        ("x", ns::MUC_USER) => {
            child.children().filter(|child| child.ns() == ns::MUC_USER).flat_map(|child| within("", child)).collect()
        }
        ("query", ns::MUC_ADMIN) => child.children().map(|item| format!("[{}]", within("", item).join(" "))).collect(),
        ("query" | "unique" | "vCard" | "fin", _) => vec![format!("{}({})", child.name(), child.ns())],
        ("result", ns::MAM) => {
            let kept = child
                .get_child("forwarded", ns::FORWARD)
                .and_then(|forwarded| forwarded.get_child("message", ns::CLIENT));
            kept.into_iter().flat_map(Element::children).flat_map(said).map(|part| format!("kept.{part}")).collect()
        }
        ("delay", ns::DELAY) => vec!["delayed".into()],
        _ => Vec::new(),
    }
}

/// An element of muc#user or muc#admin: its attributes, texts and what is in it, each by its path.
fn within(path: &str, element: &Element) -> Vec<String> {
    let path = format!("{path}{}", element.name());
    if let ("status", Some(code)) = (element.name(), element.get("code")) {
        return vec![code.to_owned()];
    }
    let mut parts: Vec<String> =
        element.attrs().iter().map(|attr| format!("{path}.{}={}", attr.name, attr.value)).collect();
    parts.extend(element.children().flat_map(|child| within(&format!("{path}."), child)));
    if element.children().next().is_none() && (parts.is_empty() || !element.content().is_empty()) {
        parts.push(format!("{path}={:?}", element.content()));
    }
    parts.sort();
    parts
}

struct Play<'a> {
    prosody: Prosody,
    script: Script<'a>,
    clients: BTreeMap<String, (Client, usize)>,
    _network: Network,
}

impl<'a> Play<'a> {
    async fn start(transcript: &'a Transcript) -> Result<Play<'a>> {
        let mut network = Network::new()?;
        let host = network.host(S2S_PORT);
        let folder = network.folder().join("prosody");
        std::fs::create_dir_all(&folder)?;
        let mut users: Vec<&str> = transcript.cast.iter().filter_map(|member| member.jid.local()).collect();
        users.sort_unstable();
        users.dedup();
        let plan = prosody::Plan {
            domain: "shakespeare.lit",
            rooms: ROOMS,
            options: "modules_enabled = { \"muc_mam\"; \"muc_unique\"; \"ping\" }\n    muc_tombstones = false",
            host: host.ip(),
            names: host,
            pair: &authority::self_signed(&folder, &["shakespeare.lit", ROOMS])?,
            authority: network.authority().certificate(),
            proof: Proof::Dialback,
            users: &users,
            hosts: None,
        };
        let mut prosody = Prosody::new(&folder, &plan)?;
        prosody.start().await?;
        let script = Script::new(transcript, Places::as_written());
        let mut play = Play { prosody, script, clients: BTreeMap::new(), _network: network };
        for member in &transcript.cast {
            play.connect(&member.name).await?;
        }
        play.settle().await?;
        play.news();
        Ok(play)
    }

    async fn connect(&mut self, name: &str) -> Result<()> {
        let jid = self.script.address(name).context("somebody of the cast")?;
        let client =
            self.prosody.client_as(jid.local().unwrap_or_default(), jid.resource().unwrap_or_default()).await?;
        self.clients.insert(name.to_owned(), (client, 0));
        Ok(())
    }

    async fn take(&mut self, step: &Step) -> Result<BTreeMap<String, Vec<Element>>> {
        match &step.deed {
            Deed::Sends(stanzas) => {
                let (client, _) = self.clients.get(&step.who).context("who acts is there")?;
                for stanza in stanzas {
                    client.send(&self.script.to_send(stanza)).await?;
                }
            }
            Deed::Connects => self.connect(&step.who).await?,
            Deed::Disconnects => {
                self.clients.remove(&step.who);
                // Nobody is there to ask whether the server has noticed: the others are to hear something of it.
                for (name, (client, at)) in &self.clients {
                    let expects = step.receives.iter().any(|(who, all)| who == name && !all.is_empty());
                    if expects {
                        let _ = client.wait_until(NOTICED, |seen| seen.len() > *at).await;
                    }
                }
            }
        }
        self.settle().await?;
        Ok(self.news())
    }

    /// What a server has said before it answers is here; there and back once more for what others were sent meanwhile.
    async fn settle(&self) -> Result<()> {
        for _ in 0..2 {
            for (client, _) in self.clients.values() {
                let ping = Element::stanza("iq").attr("type", "get").attr("to", ROOMS);
                let answer = client.ask(ping.child(Element::new("ping", ns::PING)));
                tokio::time::timeout(room::PATIENCE, answer).await.context("no answer to a ping")??;
            }
        }
        Ok(())
    }

    fn news(&mut self) -> BTreeMap<String, Vec<Element>> {
        let ours = |stanza: &Element| {
            let answers_ping = stanza.name() == "iq" && stanza.get("id").is_some_and(|id| id.starts_with("ask-"));
            !answers_ping && is_of_rooms(stanza)
        };
        let take = |(client, at): &mut (Client, usize)| {
            client.seen(|seen| {
                let new = seen[*at..].iter().filter(|stanza| ours(stanza)).cloned().collect();
                *at = seen.len();
                new
            })
        };
        self.clients.iter_mut().map(|(name, client)| (name.clone(), take(client))).collect()
    }
}

/// What users send each other past the rooms is their servers' affair.
fn is_of_rooms(stanza: &Element) -> bool {
    stanza.get("from").is_some_and(|from| from.contains(ROOMS))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The service of all transcripts.
const ROOMS: &str = "chat.shakespeare.lit";
/// How long a server may take to see that a client is gone.
const NOTICED: Duration = Duration::from_secs(5);
/// How many transcripts are played at a time, each to a Prosody of its own: two for each of the two cores of the machine of CI.
const AT_ONCE: usize = 4;
