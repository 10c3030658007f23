//! The matrix of clients, and its page.

use anyhow::{Context, Result};
use interop::matrix::client::{Client, Installed};
use interop::matrix::{page, story};
use interop::peer;
use std::path::Path;

/// The page has all that a run tells; `NETJOIN_CLIENTS=write` writes what this one told.
#[tokio::test]
#[ignore = "installs clients: .ci/run interop"]
async fn clients_of_all_kinds_live_in_one_room_through_splits() -> Result<()> {
    let (columns, wrong) = story::run(&installed(&Client::ALL).await).await?;
    println!("{}", page::write(&columns));
    assert_eq!(wrong, Vec::<String>::new());
    if std::env::var("NETJOIN_CLIENTS").as_deref() == Ok("write") {
        let text = page::write(&columns);
        page::check(&text).context("only a run of all clients is written down")?;
        std::fs::write(page::path(), text)?;
    }
    Ok(())
}

#[tokio::test]
#[ignore = "installs converse.js: .ci/run interop"]
async fn a_page_that_is_loaded_anew_goes_on_with_its_session() -> Result<()> {
    match &installed(&[Client::Converse]).await[..] {
        [page] => story::reload(page).await,
        _ => Ok(()),
    }
}

#[tokio::test]
#[ignore = "installs clients: .ci/run interop"]
async fn clients_remember_their_rooms() -> Result<()> {
    story::remember(&installed(&[Client::Profanity, Client::Converse]).await).await
}

/// Those that can be had.
async fn installed(clients: &[Client]) -> Vec<Installed> {
    let mut installed = Vec::new();
    for client in clients {
        match client.install(Path::new(env!("CARGO_TARGET_TMPDIR"))).await {
            Ok(client) => installed.push(client),
            Err(error) => peer::skip(client.name(), format!("{error:#}")),
        }
    }
    installed
}

#[test]
fn the_page_of_clients_tells_of_each_act_of_each_client() -> Result<()> {
    page::check(&std::fs::read_to_string(page::path())?)
}
