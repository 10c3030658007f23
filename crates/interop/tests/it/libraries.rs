//! Client libraries as their authors ship them: STARTTLS with a certificate they check, SASL, bind, roster, ping, a
//! room at another site that they reach through a replica; sessions resumed when a connection broke, WebSocket.

use anyhow::{Context, Result};
use interop::network::{Network, PASSWORD, Plan, Proof};
use interop::{peer, room};
use std::path::{Path, PathBuf};
use tokio::process::Command;

const ROOM: &str = "orchard@rooms.capulet.irc";
const ROMEO: &str = "romeo@montague.irc";
const LINE: &str = "Art thou not Romeo and a Montague?";

#[tokio::test]
#[ignore = "installs slixmpp: .ci/run interop"]
async fn slixmpp_talks_in_a_room_at_another_site() -> Result<()> {
    slixmpp(Breaks::Never).await
}

#[tokio::test]
#[ignore = "installs slixmpp: .ci/run interop"]
async fn slixmpp_resumes_its_session() -> Result<()> {
    slixmpp(Breaks::Once).await
}

#[tokio::test]
#[ignore = "installs xmpp.js: .ci/run interop"]
async fn xmpp_js_talks_in_a_room_at_another_site() -> Result<()> {
    xmpp_js(Breaks::Never, Way::Tcp).await
}

#[tokio::test]
#[ignore = "installs xmpp.js: .ci/run interop"]
async fn xmpp_js_resumes_its_session() -> Result<()> {
    xmpp_js(Breaks::Once, Way::Tcp).await
}

#[tokio::test]
#[ignore = "installs xmpp.js: .ci/run interop"]
async fn xmpp_js_comes_by_websocket_and_resumes_its_session() -> Result<()> {
    xmpp_js(Breaks::Never, Way::WebSocket).await?;
    xmpp_js(Breaks::Once, Way::WebSocket).await
}

/// Whether the library's connection breaks in the middle, and it goes on with its session (XEP-0198).
#[derive(Clone, Copy, PartialEq)]
enum Breaks {
    Never,
    Once,
}

/// How a library connects.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Tcp,
    WebSocket,
}

/// The Python that has slixmpp; `None` where it cannot be had, which has been said.
pub async fn slixmpp_is_there() -> Option<PathBuf> {
    match peer::slixmpp(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("slixmpp")).await {
        Ok(python) => Some(python),
        Err(error) => {
            peer::skip("slixmpp", format!("{error:#}"));
            None
        }
    }
}

async fn slixmpp(breaks: Breaks) -> Result<()> {
    let Some(python) = slixmpp_is_there().await else { return Ok(()) };
    play(breaks, |network| {
        let address = network.site("montague.irc").address("c2s")?;
        let mut talk = Command::new(python);
        talk.arg(peer::script("slixmpp/talk.py")).arg(address.ip().to_string()).arg(address.port().to_string());
        talk.arg(network.authority().certificate());
        Ok(talk)
    })
    .await
}

async fn xmpp_js(breaks: Breaks, way: Way) -> Result<()> {
    let script = match peer::node(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("xmpp.js"), "xmpp.js", "talk.mjs").await
    {
        Ok(script) => script,
        Err(error) => {
            peer::skip("xmpp.js", format!("{error:#}"));
            return Ok(());
        }
    };
    play(breaks, |network| {
        let site = network.site("montague.irc");
        let service = match way {
            Way::Tcp => format!("xmpp://{}", site.address("c2s")?),
            Way::WebSocket => format!("ws://{}/xmpp-websocket", site.address("http")?),
        };
        let mut talk = Command::new("node");
        talk.env("NODE_EXTRA_CA_CERTS", network.authority().certificate());
        talk.arg(script).arg(service);
        Ok(talk)
    })
    .await
}

/// Juliet is in her room; the library's Romeo comes from his own site, they talk, he leaves.
async fn play(breaks: Breaks, talk: impl FnOnce(&mut Network) -> Result<Command>) -> Result<()> {
    let mut network = Network::new()?;
    let proof = Proof::Certificate;
    let capulet = Plan { domain: "capulet.irc", users: &["juliet"], proof, ..Plan::default() };
    network.add(Plan { rooms: Some("rooms.capulet.irc"), ..capulet })?;
    network.add(Plan { domain: "montague.irc", users: &["romeo"], replica: true, proof, ..Plan::default() })?;
    network.start().await?;
    let juliet = network.client("juliet@capulet.irc").await?;
    room::go_in(&juliet, ROOM, "JuliC").await?;

    let mut talk = talk(&mut network)?;
    talk.args([ROMEO, PASSWORD, ROOM, "Romeo"]);
    if breaks == Breaks::Once {
        talk.arg("break");
    }
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
    let expected = match breaks {
        Breaks::Never => &["bound", "roster", "pong", "entered", "heard", "said", "left"][..],
        Breaks::Once => &["bound", "entered", "resumed", "heard", "said", "once", "left"],
    };
    assert_eq!(steps, expected, "{output:#?}");
    assert!(output[0].starts_with(&format!("bound {ROMEO}/")), "{output:#?}");
    assert!(output.contains(&format!("heard JuliC {LINE}")), "{output:#?}");
    room::hears(&juliet, ROOM, "Romeo", "Neither, fair saint, if either thee dislike.").await?;
    let gone = juliet.wait_until(room::PATIENCE, |s| s.iter().any(|s| room::is_presence(s, ROOM, "Romeo", false)));
    gone.await.context("Romeo's leave")?;
    let leaves = juliet.seen(|seen| seen.iter().filter(|s| room::is_presence(s, ROOM, "Romeo", false)).count());
    assert_eq!(leaves, 1, "nobody has noticed that a connection broke");
    network.stop().await
}
