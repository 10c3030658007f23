//! Every transcript over TCP: by clients of one server, and with every user at a site of his own whose server holds a
//! replica. The simulated world plays the same files; what users see must not depend on what carries it.

use anyhow::{Context, Result, ensure};
use driver::Client;
use interop::network::{Network, Plan};
use interop::room::PATIENCE;
use serde_json::Value;
use sim::transcript::script::Received;
use sim::transcript::{Deed, Places, Script, Step, Transcript};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use xmpp::{Element, ns};

macro_rules! played {
    ($($name:ident: $file:literal;)*) => {$(
        mod $name {
            #[tokio::test]
            #[ignore = "starts servers: .ci/run interop"]
            async fn on_one_server() -> anyhow::Result<()> {
                super::play($file, include_str!(concat!("../../../../transcripts/", $file, ".txt")), false).await
            }

            #[tokio::test]
            #[ignore = "starts servers: .ci/run interop"]
            async fn everybody_apart() -> anyhow::Result<()> {
                super::play($file, include_str!(concat!("../../../../transcripts/", $file, ".txt")), true).await
            }
        }
    )*};
}

played! {
    s6_discovery: "discovery";
    s7_2_entering: "entering";
    s7_2_8_several_sessions: "several-sessions";
    s7_2_14_history: "history";
    s7_4_messages: "messages";
    s7_5_private_messages: "private-messages";
    s7_6_nick_change: "nick-change";
    s7_7_presence: "presence";
    s16_5_3_presence_broadcast: "presence-broadcast";
    s7_8_invitations: "invitations";
    s7_10_registering: "registering";
    s7_13_voice_requests: "voice-requests";
    s7_14_leaving: "leaving";
    s8_1_subject: "subject";
    s8_2_kick: "kick";
    s8_3_voice: "voice";
    s8_5_to_10_8_lists: "lists";
    s9_1_ban: "ban";
    s10_1_3_reserved_room: "reserved-room";
    s10_2_configuration: "configuration";
    s10_9_destroy: "destroy";
    xep_0313_archive: "archive";
    xep_0317_hats: "hats";
    xep_0421_0359_ids: "ids";
    xep_0425_moderation: "moderation";
    xep_0437_activity: "activity";
    xep_0463_versions: "versions";
    xep_0486_avatar: "avatar";
}

async fn play(file: &str, text: &str, apart: bool) -> Result<()> {
    let transcript = Transcript::parse(text)?;
    let places = if apart { Places::apart(&transcript) } else { Places::as_written() };
    let mut play = Play {
        network: start(&transcript, &places, apart).await?,
        script: Script::new(&transcript, places),
        clients: BTreeMap::new(),
        // Stamps tell seconds apart, and so must the play.
        step: Duration::from_secs(if text.contains("stamp=") || text.contains("seconds=") { 1 } else { 0 }),
    };
    for member in &transcript.cast {
        play.connect(&member.name).await?;
    }
    play.settle().await?;
    play.forget();
    let mut mirrored = false;
    for step in &transcript.steps {
        let begun = Instant::now();
        let received = play.take(step).await.with_context(|| format!("transcripts/{file}.txt: line {}", step.line))?;
        let as_written = play.script.check(step, &received);
        as_written.map_err(|difference| anyhow::anyhow!("transcripts/{file}.txt: {difference}"))?;
        mirrored = mirrored || play.is_mirrored().await?;
        tokio::time::sleep_until((begun + play.step).into()).await;
    }
    ensure!(mirrored == apart, "whether somebody entered through a replica: {mirrored}");
    for client in play.clients.values() {
        client.client.close().await;
    }
    play.network.stop().await
}

/// The servers of a transcript.
async fn start(transcript: &Transcript, places: &Places, apart: bool) -> Result<Network> {
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for member in &transcript.cast {
        let jid = places.actual(&member.jid);
        let there = users.entry(jid.domain().to_owned()).or_default();
        let local = jid.local().unwrap_or_default().to_owned();
        if !there.contains(&local) {
            there.push(local);
        }
    }
    let mut network = Network::new()?;
    if apart {
        network.add(Plan { domain: "shakespeare.lit", rooms: Some(ROOMS), ..Plan::default() })?;
    }
    for (domain, users) in &users {
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        let rooms = (!apart).then_some(ROOMS);
        network.add(Plan { domain, users: &users, rooms, replica: apart, ..Plan::default() })?;
    }
    network.start().await?;
    Ok(network)
}

struct Play<'a> {
    network: Network,
    script: Script<'a>,
    clients: BTreeMap<String, Player>,
    /// How long a step takes at least.
    step: Duration,
}

struct Player {
    client: Client,
    /// How much of what it received belongs to earlier steps.
    looked_at: usize,
}

impl Play<'_> {
    async fn connect(&mut self, name: &str) -> Result<()> {
        let jid = self.script.address(name).context("somebody of the cast")?;
        let login = self.network.login(jid.bare().as_str(), jid.resource().unwrap_or_default())?;
        let client = Client::login(login).await?;
        ensure!(client.jid() == jid.as_str(), "{jid} was bound as {}", client.jid());
        client.send(&Element::stanza("presence")).await?;
        self.clients.insert(name.to_owned(), Player { client, looked_at: 0 });
        Ok(())
    }

    /// Takes a step; what everybody received once each has what is expected. What comes behind that belongs to the next
    /// step, and spoils it.
    async fn take(&mut self, step: &Step) -> Result<Received> {
        match &step.deed {
            Deed::Sends(stanzas) => {
                let player = self.clients.get(&step.who).with_context(|| format!("{} is away", step.who))?;
                for stanza in stanzas {
                    player.client.send(&self.script.to_send(stanza)).await?;
                }
            }
            Deed::Connects => self.connect(&step.who).await?,
            Deed::Disconnects => _ = self.clients.remove(&step.who),
        }
        for (name, player) in &self.clients {
            let expected = step.receives.iter().filter(|(who, _)| who == name).map(|(_, all)| all.len()).sum();
            // What is missing is told better by the comparison.
            let _ = player.client.wait_until(PATIENCE, |seen| news(&seen[player.looked_at..]).len() >= expected).await;
        }
        self.settle().await?;
        Ok(self.forget())
    }

    /// A round of questions to the service: whatever it had said before the answer to them is here.
    async fn settle(&self) -> Result<()> {
        for _ in 0..ROUNDS {
            for player in self.clients.values() {
                let ping = Element::stanza("iq").attr("type", "get").attr("to", ROOMS);
                player.client.ask(ping.child(Element::new("ping", ns::PING))).await?;
            }
        }
        Ok(())
    }

    /// What came since this was last asked.
    fn forget(&mut self) -> Received {
        let take = |player: &mut Player| {
            let (all, new) = player.client.seen(|seen| (seen.len(), news(&seen[player.looked_at..])));
            player.looked_at = all;
            new
        };
        self.clients.iter_mut().map(|(name, player)| (name.clone(), take(player))).collect()
    }

    /// Whether a site holds a replica of a room now.
    async fn is_mirrored(&self) -> Result<bool> {
        let primary = self.network.sites.get("shakespeare.lit").context("it has the rooms")?;
        let list: Value = serde_json::from_str(&primary.command(&["room", "list", "--json"]).await?)?;
        let rooms = list["rooms"].as_array().context("a list of rooms")?;
        Ok(rooms.iter().any(|room| room["replicas"].as_u64() > Some(0)))
    }
}

/// What others said: without the answers to the questions of [`Play::settle`].
fn news(seen: &[Element]) -> Vec<Element> {
    let own = |stanza: &&Element| stanza.name() == "iq" && stanza.get("id").is_some_and(|id| id.starts_with("ask-"));
    seen.iter().filter(|stanza| !own(stanza)).cloned().collect()
}

/// The service of all transcripts.
const ROOMS: &str = "chat.shakespeare.lit";
/// There and back, and once more for what the first answer overtook on another stream.
const ROUNDS: usize = 2;
