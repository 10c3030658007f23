//! A disk without room: the sender is told, nobody else hears anything, `/health` says why, and it heals.

use anyhow::{Context, Result};
use driver::{Client, Site};
use interop::network::{Network, Plan};
use interop::{peer, room};
use xmpp::{Element, ns};

const ROOM: &str = "orchard@rooms.capulet.irc";

/// RFC 6120 8.3.3.6: what cannot be kept is answered with `<internal-server-error/>` and sent to nobody.
#[tokio::test]
#[ignore = "needs the built program and a file system to fill: .ci/run interop"]
async fn a_full_disk_refuses_messages_turns_health_red_and_heals() -> Result<()> {
    let mut network = Network::new()?;
    let disk = match peer::small_disk(&network.folder().join("disk"), DISK_BYTES).await {
        Ok(disk) => disk,
        Err(error) => {
            peer::skip("the full disk", format!("{error:#}"));
            return Ok(());
        }
    };
    let data = disk.path().join("data");
    let plan = Plan { domain: "capulet.irc", users: &["juliet", "nurse"], data: Some(&data), ..Plan::default() };
    network.add(Plan { rooms: Some("rooms.capulet.irc"), ..plan })?;
    network.start().await?;
    let juliet = network.client("juliet@capulet.irc").await?;
    let nurse = network.client("nurse@capulet.irc").await?;
    room::go_in(&juliet, ROOM, "JuliC").await?;
    room::go_in(&nurse, ROOM, "Nurse").await?;
    let site = network.site("capulet.irc");
    assert_eq!(site.get("/health").await?.0, 200);

    disk.fill()?;
    let (said, refused) = say_until_refused(&juliet).await?;
    let (status, why) = site.get("/health").await?;
    assert_eq!(status, 503, "{why}");
    assert!(why.to_lowercase().contains("full") || why.to_lowercase().contains("disk"), "the reason is said: {why}");

    disk.make_room()?;
    let healed = say_until_said(&juliet).await?;
    room::hears(&nurse, ROOM, "JuliC", &healed).await?;
    healthy(site).await?;
    let of_juliet = |all: Vec<room::Heard>| -> Vec<String> {
        all.into_iter().filter(|h| h.nick == "JuliC" && !h.body.starts_with("again")).map(|h| h.body).collect()
    };
    let heard = nurse.seen(|seen| seen.iter().filter_map(|s| room::heard(s, ROOM)).collect());
    assert_eq!(of_juliet(heard), said, "the nurse heard what was accepted and nothing else");
    assert_eq!(of_juliet(room::archive(&nurse, ROOM).await?), said, "so did the archive");
    assert!(!said.contains(&refused));
    network.stop().await
}

/// Speaks until a message is refused; what was said before, and what was refused.
async fn say_until_refused(client: &Client) -> Result<(Vec<String>, String)> {
    let mut said = Vec::new();
    for n in 0..MESSAGES_MAX {
        let body = format!("{n} {}", "Parting is such sweet sorrow. ".repeat(200));
        match say(client, &format!("m{n}"), &body).await? {
            None => said.push(body.trim_end().to_owned()),
            Some(error) => {
                let error = error.get_child("error", ns::CLIENT).context("an error says what it is")?;
                assert!(error.has_child("internal-server-error", ns::STANZA_ERRORS), "{error}");
                return Ok((said, body));
            }
        }
    }
    anyhow::bail!("{MESSAGES_MAX} messages found room on a full disk")
}

/// Speaks until a message is said: it takes the server a moment to see that there is room again.
async fn say_until_said(client: &Client) -> Result<String> {
    for n in 0..MESSAGES_MAX {
        let body = format!("again {n}");
        if say(client, &format!("a{n}"), &body).await?.is_none() {
            return Ok(body);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    anyhow::bail!("it did not heal")
}

/// Says something; the error when it was refused.
async fn say(client: &Client, id: &str, body: &str) -> Result<Option<Element>> {
    client.send(&room::say(ROOM, id, body.trim_end())).await?;
    let answer = |s: &Element| s.name() == "message" && s.get("id") == Some(id);
    client.wait_until(room::PATIENCE, |seen| seen.iter().any(answer)).await?;
    let answer = client.seen(|seen| seen.iter().find(|s| answer(s)).cloned()).context("it was just seen")?;
    Ok((answer.get("type") == Some("error")).then_some(answer))
}

async fn healthy(site: &Site) -> Result<()> {
    let looking = async {
        while site.get("/health").await?.0 != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(room::PATIENCE, looking).await.context("health stayed red")?
}

/// Room for a new store and some messages.
const DISK_BYTES: u64 = 16 << 20;
/// More than fit on it.
const MESSAGES_MAX: usize = 5_000;
