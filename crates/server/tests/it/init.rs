//! `netjoin init`: what it makes can be checked, started and logged in to; nothing is overwritten.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::commands::{Ended, netjoin};

fn init(dir: &Path, more: &[&str]) -> Ended {
    let args = ["init", dir.to_str().unwrap(), "--domain", "montague.lit"];
    Ended::of(netjoin(args.into_iter().chain(more.iter().copied())).output().unwrap())
}

#[test]
fn what_init_makes_passes_check_and_has_the_first_account() {
    let dir = tempfile::tempdir().unwrap();
    let site = dir.path().join("site");
    let ended = init(&site, &["--rooms", "rooms.montague.lit"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    let config = site.join("netjoin.toml");
    let config = config.to_str().unwrap();
    assert!(ended.out.contains("admin@montague.lit"));
    assert!(ended.out.contains("_xmpp-server._tcp.rooms.montague.lit. 3600 IN SRV 0 5 5269 montague.lit."));
    assert!(ended.out.contains(&format!("netjoin serve --config {config}")));

    let checked = Ended::of(netjoin(["check", "--json", "--config", config]).output().unwrap()).json();
    assert_eq!((&checked["ok"], &checked["problems"]), (&true.into(), &serde_json::json!([])));
    let users = Ended::of(netjoin(["user", "list", "--config", config]).output().unwrap());
    assert_eq!(users.out, "admin@montague.lit\n");
    let mode = |name: &str| std::fs::metadata(site.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("key.pem"), mode("data")), (0o600, 0o700));
}

#[test]
fn nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(init(dir.path(), &[]).code, 0);
    let before = std::fs::read(dir.path().join("key.pem")).unwrap();
    let again = init(dir.path(), &[]);
    assert_eq!((again.code, again.out.as_str()), (4, ""));
    assert!(again.err.contains("netjoin.toml is there already"), "{}", again.err);
    assert_eq!(std::fs::read(dir.path().join("key.pem")).unwrap(), before);
}

#[test]
fn what_makes_no_configuration_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let ended = init(dir.path(), &["--rooms", "montague.lit"]);
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains("rooms.domain: is the domain of the accounts too"), "{}", ended.err);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    assert_eq!(init(dir.path(), &["--rooms", "a@b"]).code, 2);
}

#[test]
fn a_program_may_read_what_was_made() {
    let dir = tempfile::tempdir().unwrap();
    let json = init(dir.path(), &["--json"]).json();
    assert_eq!(json["account"], "admin@montague.lit");
    assert_eq!(json["password"].as_str().unwrap().len(), 23);
    assert_eq!(json["dns"].as_array().unwrap().len(), 4);
}
