//! The built program as it runs: what it says at the start, what it answers meanwhile, how it ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::commands::{Ended, Site, netjoin};

/// A server that runs, killed when it is dropped.
struct Running {
    site: Site,
    child: Child,
    out: BufReader<ChildStdout>,
    /// What is listened on, by name.
    addresses: Vec<(String, String)>,
}

const CONFIG: &str = "domain = \"montague.lit\"\nadmins = [\"admin@montague.lit\"]\n\
    [c2s]\nlisten = [\"127.0.0.1:0\"]\nlisten_tls = [\"127.0.0.1:0\"]\n[s2s]\nlisten = [\"127.0.0.1:0\"]\n\
    [http]\nlisten = [\"127.0.0.1:0\"]\n[rooms]\ndomain = \"rooms.montague.lit\"\n\
    [replica]\njid = \"replica@montague.lit\"\n[log]\nlevel = \"warn\"\n";

impl Running {
    fn start() -> Running {
        let site = Site::new(CONFIG);
        let config = site.config();
        let mut child = netjoin(["serve", "--json", "--config", config.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut addresses = Vec::new();
        loop {
            let mut line = String::new();
            assert!(out.read_line(&mut line).unwrap() > 0, "it ended before it was ready");
            let event: Value = serde_json::from_str(&line).unwrap();
            match event["event"].as_str() {
                Some("listening") => {
                    addresses.push((event["what"].as_str().unwrap().into(), event["addr"].as_str().unwrap().into()));
                }
                Some("ready") => return Running { site, child, out, addresses },
                _ => panic!("{line}"),
            }
        }
    }

    fn address(&self, what: &str) -> &str {
        &self.addresses.iter().find(|address| address.0 == what).unwrap().1
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address("http")).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_says_what_it_listens_on_and_is_healthy() {
    let running = Running::start();
    let names: Vec<&str> = running.addresses.iter().map(|address| address.0.as_str()).collect();
    assert_eq!(names, ["c2s", "c2s-tls", "s2s", "http"]);
    assert!(running.addresses.iter().all(|address| !address.1.ends_with(":0")));
    let health = running.get("/health");
    assert!(health.starts_with("HTTP/1.1 200 ") && health.ends_with(r#"{"ok":true,"reasons":[]}"#), "{health}");
    assert!(running.get("/metrics").contains("\nnetjoin_sessions 0\n"));
}

#[test]
fn accounts_change_while_it_serves() {
    let running = Running::start();
    let site = &running.site;
    assert_eq!(site.run("user add romeo@montague.lit --password s3cret").code, 0);
    assert_eq!(site.run("user add romeo@montague.lit --password s3cret").code, 4);
    assert_eq!(site.run("user passwd romeo@montague.lit --password 0ther").code, 0);
    assert_eq!(site.run("user add juliet@montague.lit --password s3cret").code, 0);
    assert_eq!(site.run("user del juliet@montague.lit").code, 0);
    assert_eq!(site.run("user del juliet@montague.lit").code, 4);
    assert_eq!(site.run("user add replica@montague.lit --password s3cret").code, 2);
    assert_eq!(site.run("user list").out, "romeo@montague.lit\n");
    assert_eq!(site.run("store verify --json").json()["ok"], true);
    let copy = site.dir.path().join("copy.db");
    assert_eq!(site.run(&format!("store backup {}", copy.display())).code, 0);
}

#[test]
fn links_are_cut_and_healed_by_hand() {
    let running = Running::start();
    let site = &running.site;
    assert_eq!(site.run("link list --json").json()["links"], Value::Array(vec![]));
    assert_eq!(site.run("link heal eris.dclxvii.irc").code, 4);
    let cut = site.run("link cut eris.dclxvii.irc");
    assert!(cut.code == 0 && cut.err.contains("there has been no link to eris.dclxvii.irc"), "{cut:?}");
    assert_eq!(site.run("link list --json").json()["links"][0]["state"], "cut");
    assert_eq!(site.run("link heal eris.dclxvii.irc").code, 0);
    assert_eq!(site.run("link cut montague.lit").code, 2);
    assert_eq!(site.run("room list --json").json()["rooms"], Value::Array(vec![]));
    assert_eq!(site.run("room show coven@rooms.montague.lit").code, 4);
}

#[test]
fn sigterm_ends_it_in_order() {
    let mut running = Running::start();
    assert_eq!(running.site.run("user add romeo@montague.lit --password s3cret").code, 0);
    running.signal("TERM");
    assert!(running.child.wait().unwrap().success());
    let mut rest = String::new();
    running.out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert!(!running.site.dir.path().join("data/control.sock").exists());
    assert_eq!(running.site.run("user list").out, "romeo@montague.lit\n", "kept, and the store is free");
}

#[test]
fn sighup_reads_configuration_and_certificates_again() {
    let mut running = Running::start();
    let mut log = BufReader::new(running.child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let file = running.site.config();
    let certificate = running.site.dir.path().join("data/certificate.pem");
    let kept = std::fs::read(&certificate).unwrap();

    std::fs::write(&certificate, "no certificate").unwrap();
    running.signal("HUP");
    let said = log.next().unwrap();
    assert!(said.contains("all is left as it was") && said.contains("tls.certificate"), "{said}");
    std::fs::write(&certificate, kept).unwrap();

    std::fs::write(&file, CONFIG.replace("[c2s]\n", "[c2s]\nkeepalive_seconds = 60\n")).unwrap();
    running.signal("HUP");
    let said = log.next().unwrap();
    assert!(said.contains("takes effect at the next start: [c2s]"), "{said}");

    std::fs::write(&file, CONFIG.replace("\"warn\"", "\"info\"")).unwrap();
    running.signal("HUP");
    let said = log.next().unwrap();
    assert!(said.contains("configuration and certificates were read again"), "at the new level: {said}");
    assert!(running.get("/health").starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_second_server_does_not_take_the_first_ones_store() {
    let running = Running::start();
    let ended = running.site.run("serve");
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("is served by another process"), "{}", ended.err);
    assert_eq!(running.site.run("user list").code, 0, "the first one still answers");
}

#[test]
fn an_address_that_is_taken_is_named_with_its_key() {
    let running = Running::start();
    let taken = running.address("c2s");
    let site = Site::new(&format!("domain = \"capulet.lit\"\n[c2s]\nlisten = [\"{taken}\"]\nlisten_tls = []\n"));
    let ended = site.run("serve");
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("c2s.listen") && ended.err.contains(taken), "{}", ended.err);
}

#[test]
fn what_init_makes_can_be_served() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("site");
    let made = netjoin(["init", path.to_str().unwrap(), "--domain", "montague.lit", "--json"]).output().unwrap();
    assert_eq!(Ended::of(made).code, 0);
    // The ports of a real server may be in use here: any free ones instead.
    let file = path.join("netjoin.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("# listen", "listen");
    let text = text.lines().map(|line| match line.split_once(" = [\"") {
        Some((key, _)) if key.starts_with("listen") => format!("{key} = [\"127.0.0.1:0\"]\n"),
        _ => format!("{line}\n"),
    });
    std::fs::write(&file, text.collect::<String>()).unwrap();
    let mut child = netjoin(["serve", "--config", file.to_str().unwrap()]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let said: Vec<String> = lines.take(6).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(said.last().map(String::as_str), Some("ready"), "{said:?}");
}
