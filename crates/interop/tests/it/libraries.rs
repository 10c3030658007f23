//! Client libraries as their authors ship them: STARTTLS with a certificate they check, SASL, bind, roster, ping, a
//! room at another site that they reach through a replica.

use anyhow::{Context, Result};
use interop::network::{Network, PASSWORD, Plan, Proof};
use interop::{peer, room};
use std::path::Path;
use tokio::process::Command;

const ROOM: &str = "orchard@rooms.capulet.irc";
const ROMEO: &str = "romeo@montague.irc";
const LINE: &str = "Art thou not Romeo and a Montague?";

#[tokio::test]
#[ignore = "installs slixmpp: .ci/run interop"]
async fn slixmpp_talks_in_a_room_at_another_site() -> Result<()> {
    let python = match peer::slixmpp(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("slixmpp")).await {
        Ok(python) => python,
        Err(error) => {
            peer::skip("slixmpp", format!("{error:#}"));
            return Ok(());
        }
    };
    play(|network, address| {
        let mut talk = Command::new(python);
        talk.arg(peer::script("slixmpp/talk.py")).arg(address.ip().to_string()).arg(address.port().to_string());
        talk.arg(network.authority().certificate());
        talk
    })
    .await
}

#[tokio::test]
#[ignore = "installs xmpp.js: .ci/run interop"]
async fn xmpp_js_talks_in_a_room_at_another_site() -> Result<()> {
    let script = match peer::xmpp_js(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("xmpp.js")).await {
        Ok(script) => script,
        Err(error) => {
            peer::skip("xmpp.js", format!("{error:#}"));
            return Ok(());
        }
    };
    play(|network, address| {
        let mut talk = Command::new("node");
        talk.env("NODE_EXTRA_CA_CERTS", network.authority().certificate());
        talk.arg(script).arg(address.ip().to_string()).arg(address.port().to_string());
        talk
    })
    .await
}

/// Juliet is in her room; the library's Romeo comes from his own site, they talk, he leaves.
async fn play(talk: impl FnOnce(&Network, std::net::SocketAddr) -> Command) -> Result<()> {
    let mut network = Network::new()?;
    let proof = Proof::Certificate;
    let capulet = Plan { domain: "capulet.irc", users: &["juliet"], proof, ..Plan::default() };
    network.add(Plan { rooms: Some("rooms.capulet.irc"), ..capulet })?;
    network.add(Plan { domain: "montague.irc", users: &["romeo"], replica: true, proof, ..Plan::default() })?;
    network.start().await?;
    let juliet = network.client("juliet@capulet.irc").await?;
    room::go_in(&juliet, ROOM, "JuliC").await?;

    let address = network.site("montague.irc").address("c2s")?;
    let mut talk = talk(&network, address);
    talk.args([ROMEO, PASSWORD, ROOM, "Romeo"]);
    let talking = tokio::spawn(async move { peer::run(&mut talk).await });
    let entered =
        juliet.wait_until(room::PATIENCE * 3, |s| s.iter().any(|s| room::is_presence(s, ROOM, "Romeo", true)));
    if let Err(error) = entered.await {
        let output = talking.await?;
        return Err(error.context(format!("Romeo did not enter: {output:?}")));
    }
    juliet.send(&room::say(ROOM, "j1", LINE)).await?;
    let output = talking.await?.context("the library's part")?;
    let steps: Vec<&str> = output.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(steps, ["bound", "roster", "pong", "entered", "heard", "said", "left"], "{output:#?}");
    assert!(output[0].starts_with(&format!("bound {ROMEO}/")), "{output:#?}");
    assert_eq!(output[4], format!("heard JuliC {LINE}"));
    room::hears(&juliet, ROOM, "Romeo", "Neither, fair saint, if either thee dislike.").await?;
    let gone = juliet.wait_until(room::PATIENCE, |s| s.iter().any(|s| room::is_presence(s, ROOM, "Romeo", false)));
    gone.await.context("Romeo's leave")?;
    network.stop().await
}
