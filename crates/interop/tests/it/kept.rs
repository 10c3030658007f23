//! What a user's server keeps for him, as slixmpp finds it again.

use anyhow::{Context, Result};
use interop::network::{Network, PASSWORD, Plan, Proof};
use interop::peer;
use tokio::process::Command;

const ROMEO: &str = "romeo@montague.irc";
const ROOM: &str = "orchard@rooms.capulet.irc";

/// What a user's clients have his server keep, over a restart of it: bookmarks and a nick (XEP-0402, 0172), a vCard (XEP-0054), messages
/// for who is away (XEP-0160), the archive of one's own (XEP-0313).
#[tokio::test]
#[ignore = "installs slixmpp: .ci/run interop"]
async fn slixmpp_finds_again_what_its_server_keeps() -> Result<()> {
    let Some(python) = crate::libraries::slixmpp_is_there().await else { return Ok(()) };
    let mut network = Network::new()?;
    let users = &["romeo", "juliet"];
    network.add(Plan { domain: "montague.irc", users, proof: Proof::Certificate, ..Plan::default() })?;
    network.start().await?;
    let juliet = "juliet@montague.irc";
    let line = "It is the east, and Juliet is the sun.";
    for (who, other, part, expected) in [
        (ROMEO, juliet, "leaves", vec!["bookmarked".to_owned(), "named".into(), "described".into(), "said".into()]),
        (
            juliet,
            ROMEO,
            "finds",
            vec![format!("offline {line}"), format!("archived {line}"), "vcard Romeo Montague".into()],
        ),
        (
            ROMEO,
            juliet,
            "returns",
            vec![format!("bookmark {ROOM} true"), "nick Romeo".into(), format!("archived {line}")],
        ),
    ] {
        let address = network.site("montague.irc").address("c2s")?;
        let mut kept = Command::new(&python);
        kept.arg(peer::script("slixmpp/kept.py")).arg(address.ip().to_string()).arg(address.port().to_string());
        kept.arg(network.authority().certificate()).args([who, PASSWORD, other, part]);
        let output = peer::run(&mut kept).await.with_context(|| format!("{who} {part}"))?;
        assert_eq!(output[0], format!("bound {who}"));
        assert_eq!(output[1..], expected, "{who} {part}");
        let site = network.site("montague.irc");
        site.stop().await?;
        site.start().await?;
    }
    network.stop().await
}
