//! Links as operators of two running programs see them: `link list`, `cut` and `heal`, `room show`, `/metrics`.

use driver::client::Tls;
use driver::{Client, Login, Net, Site};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use xmpp::{Element, ns};

const ROOM: &str = "coven@rooms.montague.lit";
const PRIMARY: &str = "rooms.montague.lit";
const REPLICA: &str = "capulet.lit";
const S2S_PORT: u16 = 5269;
/// Longest wait; only a failing test gets there.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at what a command prints.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// A server of rooms and a site with people.
struct Two {
    montague: Site,
    capulet: Site,
    _dir: TempDir,
}

impl Two {
    /// Both run.
    async fn start() -> Two {
        let dir = tempfile::tempdir().unwrap();
        let net = Net::new(S2S_PORT).unwrap();
        let site = |name: &str, number: u8, other: &str, rest: &str| {
            let (host, there) = (net.host(number), net.host(3 - number));
            let config = format!(
                "domain = \"{name}.lit\"\n[c2s]\nlisten = [\"{host}:0\"]\nlisten_tls = []\ntls = \"optional\"\n\
                 [s2s]\nlisten = [\"{host}:{S2S_PORT}\"]\n[s2s.routes]\n\"{other}\" = \"{there}:{S2S_PORT}\"\n\
                 [http]\nlisten = [\"{host}:0\"]\n{rest}\nkeepalive_seconds = 1\nsuspect_seconds = 1\n"
            );
            Site::new(Path::new(env!("CARGO_BIN_EXE_netjoin")), &dir.path().join(name), &config).unwrap()
        };
        let rooms = format!("[rooms]\ndomain = \"{PRIMARY}\"");
        let mut montague = site("montague", 1, REPLICA, &rooms);
        let mut capulet = site("capulet", 2, PRIMARY, &format!("[replica]\njid = \"replica@{REPLICA}\""));
        for (site, user) in
            [(&montague, "romeo@montague.lit"), (&capulet, "juliet@capulet.lit"), (&capulet, "tybalt@capulet.lit")]
        {
            site.command(&["user", "add", user, "--password", "s3cret"]).await.unwrap();
        }
        montague.start().await.unwrap();
        capulet.start().await.unwrap();
        Two { montague, capulet, _dir: dir }
    }

    async fn login(&self, local: &str) -> Client {
        let (site, domain) =
            if local == "romeo" { (&self.montague, "montague.lit") } else { (&self.capulet, "capulet.lit") };
        let (local, password, resource) = (local.to_owned(), "s3cret".to_owned(), "here".to_owned());
        let address = site.address("c2s").unwrap();
        Client::login(Login { address, domain: domain.into(), local, password, resource, tls: Tls::Start })
            .await
            .unwrap()
    }

    async fn stop(mut self) {
        assert!(self.montague.stop().await.unwrap() && self.capulet.stop().await.unwrap());
    }
}

async fn enter(client: &Client, nick: &str) {
    let x = Element::new("x", ns::MUC);
    client.send(&Element::stanza("presence").attr("to", format!("{ROOM}/{nick}")).child(x)).await.unwrap();
    // XEP-0045 7.2.15: the subject is the last thing that who enters is sent.
    let is_in = |seen: &[Element]| seen.iter().any(|s| s.has_child("subject", ns::CLIENT));
    client.wait_until(PATIENCE, is_in).await.unwrap();
}

/// XEP-0045 10.1: the room as it is, but for these fields.
async fn open(romeo: &Client, fields: &[(&str, &str)]) {
    let field = |(var, value): &(&str, &str)| {
        let value = Element::new("value", ns::FORMS).text(*value);
        Element::new("field", ns::FORMS).attr("var", var).child(value)
    };
    let form = Element::new("x", ns::FORMS).attr("type", "submit").with(fields.iter().map(field));
    let query = Element::new("query", ns::MUC_OWNER).child(form);
    ask(romeo, query).await;
}

async fn ask(client: &Client, query: Element) {
    let answer = client.ask(Element::stanza("iq").attr("to", ROOM).attr("type", "set").child(query)).await.unwrap();
    assert_eq!(answer.get("type"), Some("result"), "{answer}");
}

async fn say(client: &Client, text: &str) {
    let body = Element::new("body", ns::CLIENT).text(text);
    let message = Element::stanza("message").attr("to", ROOM).attr("type", "groupchat").attr("id", "said");
    client.send(&message.child(body)).await.unwrap();
}

async fn hears(client: &Client, text: &str) {
    let is_heard = |s: &Element| s.get_child("body", ns::CLIENT).is_some_and(|body| body.content() == text);
    client.wait_until(PATIENCE, |seen| seen.iter().any(is_heard)).await.unwrap();
}

/// What a command prints with `--json`.
async fn json(site: &Site, words: &str) -> Value {
    let mut words: Vec<&str> = words.split(' ').collect();
    words.push("--json");
    serde_json::from_str(&site.command(&words).await.unwrap()).unwrap()
}

/// Waits until `link list` shows the link to a domain as it should be.
async fn link_becomes(site: &Site, domain: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let list = json(site, "link list").await;
        let link = list["links"].as_array().unwrap().iter().find(|link| link["domain"] == domain);
        if let Some(link) = link.filter(|link| is_so(link)) {
            return link.clone();
        }
        assert!(Instant::now() < deadline, "{domain} has been waited for in vain: {list}");
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// A figure of the link to a domain, from `/metrics`.
async fn figure(site: &Site, name: &str, domain: &str) -> Option<f64> {
    site.metrics().await.unwrap().get(&format!("netjoin_link_{name}{{domain=\"{domain}\"}}")).copied()
}

async fn is_in_state(site: &Site, domain: &str, state: &str) -> bool {
    let name = format!("netjoin_link_state{{domain=\"{domain}\",state=\"{state}\"}}");
    site.metrics().await.unwrap().get(&name) == Some(&1.0)
}

/// XEP-0282 4.11 from the operators' chairs: a link is cut by hand, both sides show what that does to it, and after the join
/// what was missed and what was refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_operator_cuts_a_link_heals_it_and_sees_what_was_refused() {
    let two = Two::start().await;
    let romeo = two.login("romeo").await;
    enter(&romeo, "romeo").await;
    open(&romeo, &[]).await;
    let (juliet, tybalt) = (two.login("juliet").await, two.login("tybalt").await);
    enter(&juliet, "juliet").await;
    enter(&tybalt, "tybalt").await;
    say(&romeo, "But, soft!").await;
    hears(&juliet, "But, soft!").await;
    let live = |link: &Value| link["state"] == "live" && link["outbox"] == 0 && link["rooms"] == 1;
    link_becomes(&two.capulet, PRIMARY, live).await;
    link_becomes(&two.montague, REPLICA, live).await;
    assert_eq!(figure(&two.capulet, "resumes_total", PRIMARY).await, Some(0.0));

    two.montague.command(&["link", "cut", REPLICA]).await.unwrap();
    link_becomes(&two.montague, REPLICA, |link| link["state"] == "cut").await;
    let split = link_becomes(&two.capulet, PRIMARY, |link| link["state"] == "split").await;
    assert!(is_in_state(&two.capulet, PRIMARY, "split").await && is_in_state(&two.montague, REPLICA, "cut").await);
    let since = figure(&two.capulet, "state_timestamp_seconds", PRIMARY).await;
    assert_eq!(since, split["since"].as_f64(), "the age of the split");
    say(&tybalt, "What, art thou drawn among these heartless hinds?").await;
    hears(&juliet, "What, art thou drawn among these heartless hinds?").await;
    say(&juliet, "O Romeo, Romeo!").await;
    hears(&tybalt, "O Romeo, Romeo!").await;
    assert_eq!(figure(&two.capulet, "outbox", PRIMARY).await, Some(2.0));
    assert!(figure(&two.capulet, "lag_seconds", PRIMARY).await.is_some_and(|lag| lag > 0.0));
    let item = Element::new("item", ns::MUC_ADMIN).attr("jid", "tybalt@capulet.lit").attr("affiliation", "outcast");
    ask(&romeo, Element::new("query", ns::MUC_ADMIN).child(item)).await;

    two.montague.command(&["link", "heal", REPLICA]).await.unwrap();
    hears(&romeo, "O Romeo, Romeo!").await;
    let joined = |link: &Value| live(link) && link["resumes"].as_u64() >= Some(1);
    link_becomes(&two.capulet, PRIMARY, joined).await;
    link_becomes(&two.montague, REPLICA, joined).await;
    let taken_back = |s: &Element| s.children().any(|child| child.name() == "retract");
    juliet.wait_until(PATIENCE, |seen| seen.iter().any(taken_back)).await.unwrap();

    let (here, there) = (
        json(&two.capulet, &format!("room show {ROOM}")).await,
        json(&two.montague, &format!("room show {ROOM}")).await,
    );
    assert_eq!(here["archive"], there["archive"], "one history");
    assert_eq!(here["archive"]["messages"], 2);
    assert_eq!(there["refused"]["messages"], 0);
    assert_eq!(here["refused"]["messages"], 1);
    let refused = &here["refused"]["latest"][0];
    assert_eq!(refused["nick"], "tybalt");
    assert!(refused["why"].as_str().unwrap().starts_with("not-acceptable"), "{refused}");
    let shown = two.capulet.command(&["room", "show", ROOM]).await.unwrap();
    assert!(shown.contains("\nrefused when the room was reached again: 1\nSAID "), "{shown}");
    assert!(!shown.contains("hinds"), "never what was said: {shown}");
    two.stop().await;
}

/// A room that takes no replicas says no, and both operators see that it did; users come in as in any room.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn refused_registrations_are_counted_on_both_sides() {
    let two = Two::start().await;
    let romeo = two.login("romeo").await;
    enter(&romeo, "romeo").await;
    open(&romeo, &[("FORM_TYPE", ns::MUC_ROOMCONFIG), ("{urn:netjoin:dmuc:0}replicas", "0")]).await;
    let juliet = two.login("juliet").await;
    enter(&juliet, "juliet").await;
    for (site, other) in [(&two.capulet, PRIMARY), (&two.montague, REPLICA)] {
        assert_eq!(figure(site, "refusals_total", other).await, Some(1.0));
    }
    two.stop().await;
}

/// Every figure has its HELP and TYPE, a counter ends in `_total`, and units are those of Prometheus.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn metrics_are_as_prometheus_wants_them() {
    let two = Two::start().await;
    let romeo = two.login("romeo").await;
    enter(&romeo, "romeo").await;
    open(&romeo, &[]).await;
    enter(&two.login("juliet").await, "juliet").await;
    let (status, text) = two.capulet.get("/metrics").await.unwrap();
    assert_eq!(status, 200);
    let mut links = 0;
    for sample in text.lines().filter(|line| !line.starts_with('#')) {
        let name = sample.split(['{', ' ']).next().unwrap();
        let family = name.strip_suffix("_total").unwrap_or(name);
        let kind = if name == family { "gauge" } else { "counter" };
        assert!(text.contains(&format!("# TYPE {family} {kind}\n")), "{sample}");
        assert!(text.contains(&format!("# HELP {family} ")), "{sample}");
        assert!(!name.ends_with("_ms"), "seconds are the unit of time: {name}");
        links += usize::from(name.starts_with("netjoin_link_") && sample.contains(&format!("domain=\"{PRIMARY}\"")));
    }
    let states = server::control::LinkState::ALL.len();
    assert_eq!(links, 13 + states, "{text}");
    two.stop().await;
}
