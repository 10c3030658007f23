//! What the configuration says of what is wrong with it: golden, by file, line, key and remedy.

use super::*;
use crate::certificate;

/// Checks a text as `DIR/netjoin.toml`; the problems with `DIR/` taken out.
fn problems(text: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    problems_in(dir.path(), text)
}

fn problems_in(dir: &Path, text: &str) -> Vec<String> {
    let checked = Config::check_text(&dir.join("netjoin.toml"), text);
    assert_eq!(checked.config.is_none(), checked.problems.iter().any(|problem| problem.fatal));
    let prefix = format!("{}/", dir.display());
    checked.problems.iter().map(|problem| problem.to_string().replace(&prefix, "")).collect()
}

fn good(text: &str) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let checked = Config::check_text(&dir.path().join("netjoin.toml"), text);
    assert_eq!(checked.problems, []);
    checked.config.unwrap()
}

#[test]
fn one_line_is_a_configuration() {
    let config = good("domain = \"montague.lit\"\n");
    assert_eq!(config.c2s.listen, ["0.0.0.0:5222".parse().unwrap()]);
    assert_eq!(config.c2s.tls, Encryption::Required);
    assert_eq!(config.http.listen, ["127.0.0.1:5280".parse().unwrap()]);
    assert_eq!((config.rooms, config.replica), (None, None));
    assert_eq!(config.data, config.file.parent().unwrap().join("data"));
}

/// The example of the reference, with all its keys.
#[test]
fn every_key_can_be_given() {
    let config = good(
        r#"
domain = "vesa.yeggmaex.irc"
data = "kept"
admins = ["admin@vesa.yeggmaex.irc"]
[c2s]
listen = ["127.0.0.1:0"]
listen_tls = []
tls = "off"
registration = true
[s2s]
listen = ["127.0.0.1:0"]
tls = "optional"
trust = "certificate"
[s2s.routes]
"channel.avalon.irc" = "127.0.0.1:5269"
[http]
listen = []
[tls]
[rooms]
domain = "rooms.yeggmaex.irc"
create = "local"
replicas = ["eris.dclxvii.irc", "killrc.oulubox.irc"]
[rooms.tls]
[replica]
jid = "replica@vesa.yeggmaex.irc"
primaries = ["*"]
[replica.split]
local_chat = false
enter = "none"
[contacts]
abuse = ["mailto:abuse@yeggmaex.irc", "xmpp:admin@vesa.yeggmaex.irc"]
status = ["https://status.yeggmaex.irc"]
[disco]
services = ["channel.avalon.irc"]
[log]
format = "json"
"#,
    );
    assert_eq!(config.routes["channel.avalon.irc"], Route { host: "127.0.0.1".into(), port: 5269 });
    assert!(!config.split.local_chat && config.split.kick);
    assert_eq!(config.rooms.unwrap().replicas[0].as_str(), "eris.dclxvii.irc");
    assert_eq!(config.replica.unwrap().jid.as_str(), "replica@vesa.yeggmaex.irc");
}

/// `docs/prosody.md`: both roles, and nothing listens but HTTP.
#[test]
fn a_component_needs_no_domain_of_its_own() {
    let config = good(
        r#"
[rooms]
domain = "rooms.montague.lit"
[replica]
jid = "netjoin.montague.lit"
serves = ["montague.lit"]
[[component]]
domain = "rooms.montague.lit"
connect = "localhost:5347"
secret = "s"
[[component]]
domain = "netjoin.montague.lit"
connect = "[::1]:5347"
secret = "t"
"#,
    );
    let served = [Domain::new("montague.lit").unwrap()];
    assert_eq!(config.attached(), Some((1, &served[..])));
    assert_eq!((config.federated(), config.certificates()), (vec![], vec![]));
    assert_eq!(config.listeners().iter().map(|(what, ..)| *what).collect::<Vec<_>>(), ["http"]);
    assert!(!format!("{config:?}").contains("\"s\""), "secrets are not shown");
}

#[test]
fn components_are_checked_one_by_one() {
    assert_eq!(
        problems(
            "domain = \"a.lit\"\n[[component]]\ndomain = \"r.lit\"\nconnect = \"localhost:5347\"\n[[component]]\n\
             domain = \"a.lit\"\nconnect = \"10.0.0.1:5347\"\nsecrt = \"s\"\n[rooms]\ndomain = \"rooms.lit\"\n"
        ),
        [
            "netjoin.toml:2: error: component.1.secret: is missing; add `secret = …` (text) to this section",
            "netjoin.toml:5: error: component.2.secret: is missing; add `secret = …` (text) to this section",
            "netjoin.toml:8: error: component.2.secrt: is not known; did you mean secret?",
        ]
    );
    assert_eq!(
        problems(
            "domain = \"a.lit\"\n[[component]]\ndomain = \"r.lit\"\nconnect = \"10.0.0.1:5347\"\nsecret = \"s\"\n\
             [[component]]\ndomain = \"a.lit\"\nconnect = \"localhost:5347\"\nsecret = \"s\"\n\
             [[component]]\ndomain = \"r.lit\"\nconnect = \"localhost:5347\"\nsecret = \"s\"\n\
             [rooms]\ndomain = \"r.lit\"\n"
        ),
        [
            "netjoin.toml:4: warning: component.1.connect: goes to 10.0.0.1 in clear text; run both servers on one \
             machine, or use a tunnel",
            "netjoin.toml:7: error: component.2.domain: is the domain of the accounts here, which are no other \
             server's; take another",
            "netjoin.toml:7: warning: component.2.domain: is neither rooms.domain nor that of replica.jid, so nothing \
             answers there; name it in one",
            "netjoin.toml:11: error: component.3.domain: r.lit is a component already; remove one of the two",
        ]
    );
    assert_eq!(
        problems("domain = \"a.lit\"\ncomponent = 7\n"),
        ["netjoin.toml:2: error: component: is no list; write [[component]] above its keys"]
    );
}

#[test]
fn a_replica_serves_the_users_of_another_server_as_its_component() {
    let component = "[[component]]\ndomain = \"n.a.lit\"\nconnect = \"localhost:5347\"\nsecret = \"s\"\n";
    assert_eq!(
        problems("domain = \"b.lit\"\n[replica]\njid = \"r@b.lit\"\nserves = [\"a.lit\"]\n"),
        ["netjoin.toml:4: error: replica.serves: needs a [[component]] of their server at the domain of replica.jid; \
             add it, or remove this"]
    );
    assert_eq!(
        problems(&format!("{component}[replica]\njid = \"n.a.lit\"\n")),
        ["netjoin.toml:5: error: replica.serves: is missing: whose users does it serve? Add `serves = [\"…\"]`, the \
             domain of their accounts"]
    );
    assert_eq!(
        problems(&format!("{component}[replica]\njid = \"n.a.lit\"\nserves = [\"n.a.lit\"]\n")),
        ["netjoin.toml:7: error: replica.serves: n.a.lit is this server's own; name a domain of the other server"]
    );
}

#[test]
fn entering_an_island_needs_a_replica() {
    let split = "[replica.split]\nenter = \"members\"\n";
    assert_eq!(problems(&format!("domain = \"a.lit\"\n[replica]\njid = \"replica@a.lit\"\n{split}")), [""; 0]);
    let problems = problems(&format!("domain = \"a.lit\"\n{split}"));
    assert!(problems.len() == 1 && problems[0].contains("replica.jid: is missing"), "{problems:?}");
}

#[test]
fn a_key_that_is_not_known_gets_the_nearest_name() {
    assert_eq!(
        problems("domian = \"a.lit\"\ndomain = \"a.lit\"\n[c2s]\nlissten = []\n[s2s.route]\n[roms]\n"),
        [
            "netjoin.toml:1: error: domian: is not known; did you mean domain?",
            "netjoin.toml:4: error: c2s.lissten: is not known; did you mean listen?",
            "netjoin.toml:5: error: s2s.route: is not known; did you mean [s2s.routes]?",
            "netjoin.toml:6: error: roms: is not known; did you mean [rooms]?",
        ]
    );
}

#[test]
fn a_key_in_the_wrong_section_is_told_where_it_belongs() {
    assert_eq!(
        problems("domain = \"a.lit\"\nregistration = true\n[http]\ntrust = \"dialback\"\nzebra = 1\n"),
        [
            "netjoin.toml:2: error: registration: is not known here; it belongs in [c2s]",
            "netjoin.toml:4: error: http.trust: is not known here; it belongs in [s2s]",
            "netjoin.toml:5: error: http.zebra: is not known; remove it, or take one of: listen, listen_tls, \
             websocket_url, proxied",
        ]
    );
}

#[test]
fn wrong_types_say_what_to_write() {
    assert_eq!(
        problems(
            "domain = 7\nadmins = \"a@b\"\n[c2s]\nlisten = [\"localhost\"]\nregistration = \"yes\"\ntls = \"of\"\n\
             keepalive_seconds = \"5m\"\n[s2s]\nqueue_stanzas = -1\n[limits]\nhandshake_seconds = 0\n"
        ),
        [
            "netjoin.toml:1: error: domain: is the number 7; write text in quotes: \"…\"",
            "netjoin.toml:2: error: admins: is the text \"a@b\", and must be a list; write it in brackets: [ … ]",
            "netjoin.toml:4: error: c2s.listen: \"localhost\" is no address with a port; write one like \
             \"0.0.0.0:5222\", \"[::]:5222\" or \"127.0.0.1:0\"",
            "netjoin.toml:5: error: c2s.registration: is the text \"yes\"; write true or false, without quotes",
            "netjoin.toml:6: error: c2s.tls: \"of\" is not known here; write \"required\" or \"optional\" or \"off\", \
             perhaps \"off\"",
            "netjoin.toml:7: error: c2s.keepalive_seconds: is the text \"5m\"; write a whole number, without quotes or \
             unit",
            "netjoin.toml:9: error: s2s.queue_stanzas: is -1; write a whole number that is not negative",
            "netjoin.toml:11: error: limits.handshake_seconds: is 0; write a number from 1 to 600",
        ]
    );
}

#[test]
fn what_is_not_toml_names_its_line() {
    let found = problems("domain = \"a.lit\"\nlisten = [\n[c2s\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("netjoin.toml:") && found[0].contains("is not TOML"), "{found:?}");
}

#[test]
fn addresses_that_are_none_are_refused() {
    assert_eq!(
        problems(
            "domain = \"a@b\"\nadmins = [\"@x\", \"y\"]\n[rooms]\ndomain = \"\"\n[s2s.routes]\n\"a@b\" = \"x:1\"\n"
        ),
        [
            "netjoin.toml:1: error: domain: \"a@b\" is no domain; write a name without '@' and '/', like \
             \"montague.lit\"",
            "netjoin.toml:2: error: admins: \"@x\" is no address: the part before '@' is empty or has a character that \
             is not allowed there; write one like \"romeo@montague.lit\"",
            "netjoin.toml:4: error: rooms.domain: \"\" is no domain; write a name without '@' and '/', like \
             \"montague.lit\"",
            "netjoin.toml:6: error: s2s.routes.a@b: is no domain; write it in quotes, like \"channel.avalon.irc\"",
        ]
    );
}

#[test]
fn what_must_be_given_is_asked_for() {
    assert_eq!(
        problems("domain = \"a.lit\"\n[rooms]\n[replica]\n"),
        [
            "netjoin.toml:2: error: rooms.domain: is missing; add `domain = …` (domain) to this section",
            "netjoin.toml:3: error: replica.jid: is missing; add `jid = …` (address (JID)) to this section",
        ]
    );
}

#[test]
fn an_address_belongs_to_one_machine() {
    assert_eq!(
        problems("domain = \"a.lit\"\n[rooms]\ndomain = \"A.lit\"\n[replica]\njid = \"replica@b.lit\"\n"),
        [
            "netjoin.toml:3: error: rooms.domain: is the domain of the accounts too; take another, like \"rooms.a.lit\"",
            "netjoin.toml:5: error: replica.jid: is \"replica@b.lit\", and must be a name at this server's domain, like \
             \"replica@a.lit\"",
        ]
    );
    assert_eq!(
        problems(
            "admins = [\"a.lit\"]\n[rooms]\ndomain = \"r.lit\"\ncreate = \"local\"\n[replica]\njid = \"r@r.lit\"\n"
        ),
        [
            "netjoin.toml:1: error: admins: \"a.lit\" is no account; write it like \"admin@montague.lit\"",
            "netjoin.toml:4: error: rooms.create: is \"local\", but there are no accounts here; write \"admins\"",
            "netjoin.toml:5: error: replica: serves the users of `domain`, and there is none; give it, or remove \
             [replica]",
        ]
    );
}

#[test]
fn clear_text_stays_on_loopback() {
    assert_eq!(
        problems("domain = \"a.lit\"\n[c2s]\ntls = \"off\"\n[s2s]\nlisten = [\"127.0.0.1:0\"]\ntls = \"off\"\n"),
        ["netjoin.toml:3: error: c2s.tls: is \"off\" while 0.0.0.0:5222 can be reached from elsewhere; write \
          \"required\", or listen on 127.0.0.1"]
    );
    assert_eq!(
        problems("domain = \"a.lit\"\n[s2s]\nlisten = []\ntls = \"off\"\ntrust = \"certificate\"\n"),
        ["netjoin.toml:5: error: s2s.trust: is \"certificate\", and without encryption there is none; write \
          \"dialback\", or tls = \"required\""]
    );
    assert_eq!(
        problems("domain = \"a.lit\"\n[http]\nlisten = [\"0.0.0.0:5280\"]\n"),
        ["netjoin.toml:3: warning: http.listen: 0.0.0.0:5280 shows /metrics to whoever can reach it; listen on \
          127.0.0.1, behind a proxy"]
    );
}

#[test]
fn an_address_is_listened_on_once() {
    assert_eq!(
        problems("domain = \"a.lit\"\n[s2s]\nlisten = [\"0.0.0.0:5222\"]\n"),
        ["netjoin.toml:3: error: s2s.listen: 0.0.0.0:5222 is taken by c2s.listen already; choose another port"]
    );
    // Without accounts nothing listens for clients, so nothing is taken.
    assert!(problems("[rooms]\ndomain = \"a.lit\"\n[s2s]\nlisten = [\"0.0.0.0:5222\"]\n").is_empty());
}

#[test]
fn a_route_to_oneself_is_refused() {
    assert_eq!(
        problems("domain = \"a.lit\"\n[s2s.routes]\n\"a.lit\" = \"127.0.0.1:5269\"\n"),
        [
            "netjoin.toml:3: error: s2s.routes.a.lit: is served here, so nothing for it leaves this server; remove the route"
        ]
    );
    assert_eq!(
        problems("domain = \"a.lit\"\n[s2s.routes]\n\"b.lit\" = \"b\"\n"),
        ["netjoin.toml:3: error: s2s.routes.b.lit: \"b\" is no host with a port; write one like \"127.0.0.1:5269\""]
    );
}

#[test]
fn certificates_are_there_match_and_name_the_domains() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    certificate::make(&path("cert.pem"), &path("key.pem"), &["a.lit"]).unwrap();
    certificate::make(&path("other.pem"), &path("other.key"), &["b.lit"]).unwrap();
    let with = |tls: &str| problems_in(dir.path(), &format!("domain = \"a.lit\"\n[tls]\n{tls}"));
    assert!(with("certificate = \"cert.pem\"\nkey = \"key.pem\"\n").is_empty());
    assert_eq!(
        with("certificate = \"cert.pem\"\n"),
        ["netjoin.toml:2: error: tls.key: is missing beside `certificate`; add it"]
    );
    assert_eq!(
        with("certificate = \"cert.pem\"\nkey = \"other.key\"\n"),
        ["netjoin.toml:4: error: tls.key: is not the key of cert.pem; name the two that were issued together"]
    );
    assert_eq!(
        with("certificate = \"other.pem\"\nkey = \"other.key\"\n"),
        ["netjoin.toml:3: warning: tls.certificate: does not name a.lit; have it issued for that too"]
    );
    assert_eq!(
        with("certificate = \"none.pem\"\nkey = \"key.pem\"\n"),
        [
            "netjoin.toml:3: error: tls.certificate: none.pem: No such file or directory (os error 2); name a PEM file with \
          a certificate and its chain"
        ]
    );
}

#[test]
fn a_certificate_that_has_ended_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["a.lit".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    std::fs::write(path("cert.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    let text = "domain = \"a.lit\"\n[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";
    let found = problems_in(dir.path(), text);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("netjoin.toml:3: error: tls.certificate: ended ") && found[0].contains("days ago"));
    assert!(found[1].starts_with("netjoin.toml:4: warning: tls.key: can be read by others; run: chmod 600"));
}

#[test]
fn the_rooms_may_have_a_certificate_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    certificate::make(&path("rooms.pem"), &path("rooms.key"), &["r.lit"]).unwrap();
    let text = "domain = \"a.lit\"\n[rooms]\ndomain = \"r.lit\"\n[rooms.tls]\ncertificate = \"rooms.pem\"\nkey = \"rooms.key\"\n";
    let config = Config::check_text(&path("netjoin.toml"), text).config.unwrap();
    let files = config.certificates();
    assert_eq!((files.len(), files[0].made, files[1].made), (2, true, false));
    assert_eq!(files[0].domains, [Domain::new("a.lit").unwrap()]);
    assert_eq!(files[1].domains, [Domain::new("r.lit").unwrap()]);
}

#[test]
fn the_data_directory_must_be_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("data"), "").unwrap();
    assert_eq!(
        problems_in(dir.path(), "domain = \"a.lit\"\n"),
        ["netjoin.toml: error: data: data is a file; name a directory"]
    );
}

#[test]
fn a_log_level_must_be_a_filter() {
    let found = problems("domain = \"a.lit\"\n[log]\nlevel = \"a=b=c\"\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("netjoin.toml:3: error: log.level: \"a=b=c\" is no filter"), "{found:?}");
    let found = problems("domain = \"a.lit\"\n[log]\nlevel = \"info,zork\"\n");
    let words = "netjoin.toml:3: error: log.level: \"info,zork\" has \"zork\", which is none of error, warn,";
    assert!(found.len() == 1 && found[0].starts_with(words), "{found:?}");
    good("domain = \"a.lit\"\n[log]\nlevel = \"WARN,server::edge=debug\"\n");
}

#[test]
fn a_domain_that_is_none_is_one_complaint() {
    let found = problems("domain = \"a@b\"\n");
    assert!(found.len() == 1 && found[0].starts_with("netjoin.toml:1: error: domain: "), "{found:?}");
}
