//! The transcripts played to a stock Prosody, to catch what we alone read into the XEP. Compared is what stanzas mean: kind, sender,
//! type, error, items, status codes, words; not ids, stamps, forms and features, which servers choose.
//!
//! Where the two differ, `transcripts_prosody.txt` says so, with the sentence that decides. A difference that is not there fails the test,
//! and so does one there that is none any more. `NETJOIN_PROSODY=write` writes the differences anew and leaves `?` where no sentence is yet.

use anyhow::{Context, Result, ensure};
use driver::Client;
use interop::network::{Network, Proof, S2S_PORT};
use interop::prosody::{self, Prosody};
use interop::{authority, peer, room};
use sim::transcript::{Deed, Places, Script, Step, Transcript};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xmpp::{Element, ns};

/// Those of what Prosody has as it comes: no avatars of rooms, no moderation, no hats, versions or indicators.
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
    let mut found = Vec::new();
    for file in PLAYED {
        let text = std::fs::read_to_string(root().join(format!("transcripts/{file}.txt")))?;
        found.extend(differences(file, &Transcript::parse(&text)?).await.with_context(|| file.to_owned())?);
    }
    let table = root().join("crates/interop/tests/it/transcripts_prosody.txt");
    let known = read(&std::fs::read_to_string(&table)?);
    if std::env::var("NETJOIN_PROSODY").is_ok_and(|what| what == "write") {
        return Ok(std::fs::write(&table, written(&found, &known))?);
    }
    let mut faults = String::new();
    for difference in &found {
        match known.iter().find(|known| known.place == difference.place) {
            None => writeln!(faults, "not known: {}", difference.text())?,
            Some(known) if known.lines != difference.lines => writeln!(faults, "another: {}", difference.text())?,
            Some(known) if known.why == "?" => writeln!(faults, "nothing decides: {}", difference.text())?,
            Some(_) => {}
        }
    }
    for known in known.iter().filter(|known| !found.iter().any(|found| found.place == known.place)) {
        writeln!(faults, "no difference any more: {}", known.text())?;
    }
    ensure!(faults.is_empty(), "{faults}");
    Ok(())
}

/// What somebody received otherwise than it stands in a transcript.
#[derive(Debug, Clone, PartialEq)]
struct Difference {
    /// File, step, who.
    place: String,
    /// `-` what is written, `+` what came.
    lines: Vec<String>,
    /// What decides.
    why: String,
}

impl Difference {
    fn text(&self) -> String {
        format!("{}\n    {}\n    = {}\n", self.place, self.lines.join("\n    "), self.why)
    }
}

async fn differences(file: &str, transcript: &Transcript) -> Result<Vec<Difference>> {
    let mut play = Play::start(transcript).await?;
    let mut found = Vec::new();
    let (mut heading, mut nth) = (String::new(), 0);
    for step in &transcript.steps {
        match step.headings.last() {
            Some(new) => (heading, nth) = (new.clone(), 1),
            None => nth += 1,
        }
        let received = play.take(step).await.with_context(|| format!("line {}", step.line))?;
        for member in &transcript.cast {
            let written = step.receives.iter().filter(|(who, _)| *who == member.name);
            let expected: Vec<String> = written.flat_map(|(_, stanzas)| stanzas.iter().map(meaning)).collect();
            let got: Vec<String> = received.get(&member.name).into_iter().flatten().map(meaning).collect();
            let lines = difference(&expected, &got);
            if !lines.is_empty() {
                let place = format!("{file} | {heading} | {nth} | {}", member.name);
                found.push(Difference { place, lines, why: "?".into() });
            }
        }
    }
    play.prosody.kill().await?;
    Ok(found)
}

/// What is in one and not in the other; where all is in both, whether the order is.
fn difference(expected: &[String], got: &[String]) -> Vec<String> {
    let without = |all: &[String], others: &[String], sign: &str| {
        let mut others = others.to_vec();
        let missing = all.iter().filter(|line| match others.iter().position(|other| other == *line) {
            Some(at) => {
                others.remove(at);
                false
            }
            None => true,
        });
        missing.map(|line| format!("{sign} {line}")).collect::<Vec<String>>()
    };
    let mut lines = without(expected, got, "-");
    lines.extend(without(got, expected, "+"));
    if lines.is_empty() && expected != got {
        lines.push("+ in another order".into());
    }
    lines
}

/// What a stanza means, in a line.
fn meaning(stanza: &Element) -> String {
    let mut line = stanza.name().to_owned();
    for name in ["type", "from"] {
        if let Some(value) = stanza.get(name) {
            let _ = write!(line, " {name}={value}");
        }
    }
    let mut parts: Vec<String> = stanza.children().filter_map(part).collect();
    parts.sort();
    parts.into_iter().fold(line, |line, part| line + " " + &part)
}

fn part(child: &Element) -> Option<String> {
    let text = |child: &Element| format!("{}={:?}", child.name(), child.content());
    match (child.name(), child.ns()) {
        ("body" | "subject" | "show" | "status", ns::CLIENT) => Some(text(child)),
        ("error", ns::CLIENT) => {
            let condition = child.children().find(|c| c.ns() == ns::STANZA_ERRORS && c.name() != "text");
            Some(format!("error({} {})", child.get("type").unwrap_or("?"), condition.map_or("?", |c| c.name())))
        }
        ("x", ns::MUC_USER) => {
            let mut parts: Vec<String> = child.children().map(said_by_room).collect();
            parts.sort();
            Some(format!("user({})", parts.join(" ")))
        }
        ("query", ns::MUC_ADMIN) => {
            let mut items: Vec<String> = child.children().map(said_by_room).collect();
            items.sort();
            Some(format!("list({})", items.join(" ")))
        }
        ("query" | "unique" | "vCard" | "fin", _) => Some(format!("{}({})", child.name(), child.ns())),
        ("delay", ns::DELAY) => Some("delayed".into()),
        _ => None,
    }
}

/// An element of muc#user or muc#admin, with its attributes in order.
fn said_by_room(element: &Element) -> String {
    let mut attributes: Vec<String> =
        element.attrs().iter().map(|attr| format!("{}={}", attr.name, attr.value)).collect();
    attributes.sort();
    let within: Vec<String> = element.children().map(said_by_room).collect();
    let text = if within.is_empty() && !element.content().is_empty() {
        format!("{:?}", element.content())
    } else {
        String::new()
    };
    match (element.name(), element.get("code")) {
        ("status", Some(code)) => code.to_owned(),
        (name, _) => format!("{name}[{}]", [attributes.join(" "), within.join(" "), text].join(" ").trim()),
    }
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
            !answers_ping && stanza.get("from").is_some_and(|from| from.contains(ROOMS))
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

/// The table, in the form of [`Difference::text`], with remarks that begin with `#`.
fn read(text: &str) -> Vec<Difference> {
    let mut known: Vec<Difference> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match (line.strip_prefix("    "), known.last_mut()) {
            (None, _) => known.push(Difference { place: line.to_owned(), lines: Vec::new(), why: "?".into() }),
            (Some(line), Some(last)) => match line.strip_prefix("= ") {
                Some(why) => last.why = why.to_owned(),
                None => last.lines.push(line.to_owned()),
            },
            (Some(_), None) => {}
        }
    }
    known
}

fn written(found: &[Difference], known: &[Difference]) -> String {
    let mut text = String::from(HEAD);
    for difference in found {
        let why = known.iter().find(|known| known.place == difference.place).map_or("?", |known| &known.why);
        let _ = write!(text, "\n{}", Difference { why: why.to_owned(), ..difference.clone() }.text());
    }
    text
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The service of all transcripts.
const ROOMS: &str = "chat.shakespeare.lit";
/// How long a server may take to see that a client is gone.
const NOTICED: Duration = Duration::from_secs(5);
const HEAD: &str = "\
# Where a stock Prosody (Debian's package) answers a transcript otherwise than is written there.
# file | step | which of the stanzas sent below that heading | who receives
#     - what the transcript has, + what Prosody sends
#     = the sentence that decides; sections are XEP-0045's
";
