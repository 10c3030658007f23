//! Logging in and talking: every mechanism, STARTTLS and direct TLS, binding (RFC 6120 5 to 7).

use crate::site::{Settings, Site};
use crate::user::{User, with};
use server::control::{Password, Request};
use xmpp::Jid;
use xmpp::sasl::Mechanism;
use xmpp::stream::client::Failure;

#[test]
fn two_users_of_one_domain_chat() {
    let site = Site::start("montague.lit", &["romeo", "benvolio"], &Settings::clear());
    let mut romeo = User::online(&site, "romeo@montague.lit/orchard");
    let mut benvolio = User::online(&site, "benvolio@montague.lit/square");
    romeo.send("<message to='benvolio@montague.lit/square' id='m1' type='chat'><body>good morrow</body></message>");
    let heard = benvolio.next_of("message");
    assert_eq!(heard.get("from"), Some("romeo@montague.lit/orchard"));
    assert_eq!((heard.get("to"), heard.get("id")), (Some("benvolio@montague.lit/square"), Some("m1")));
    benvolio.send("<message to='romeo@montague.lit' type='chat'><body>good morrow, cousin</body></message>");
    assert_eq!(romeo.next_of("message").get("from"), Some("benvolio@montague.lit/square"));
}

#[test]
fn every_mechanism_logs_in_over_starttls() {
    let site = Site::start("montague.lit", &["romeo"], &Settings::tls());
    for mechanism in Mechanism::ALL.into_iter().filter(|m| *m != Mechanism::External) {
        let user = User::connect(&site, "c2s", "romeo@montague.lit/orchard", with(mechanism));
        assert!(user.is_ok(), "{}: {:?}", mechanism.name(), user.err());
    }
}

#[test]
fn every_mechanism_logs_in_over_direct_tls() {
    let site = Site::start("montague.lit", &["romeo"], &Settings::tls());
    for mechanism in Mechanism::ALL.into_iter().filter(|m| *m != Mechanism::External) {
        let user = User::connect(&site, "c2s-tls", "romeo@montague.lit/orchard", with(mechanism));
        assert!(user.is_ok(), "{}: {:?}", mechanism.name(), user.err());
    }
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_told_apart_by_nobody() {
    let site = Site::start("montague.lit", &["romeo"], &Settings::tls());
    for user in ["romeo@montague.lit/orchard", "tybalt@montague.lit/square"] {
        let refused = User::connect(&site, "c2s", user, |config| config.login.password = "wherefore".into());
        assert_eq!(refused.err(), Some(Failure::Sasl("not-authorized".into())), "{user}");
    }
}

#[test]
fn s7_7_2_2_a_resource_bound_again_ends_the_older_stream() {
    let site = Site::start("montague.lit", &["romeo"], &Settings::clear());
    let mut older = User::online(&site, "romeo@montague.lit/orchard");
    let mut newer = User::login(&site, "romeo@montague.lit/orchard");
    assert_eq!(older.end().map(|error| error.condition), Some("conflict"));
    assert_eq!(newer.quiet(), []);
}

#[test]
fn a_resource_is_made_up_for_who_has_none() {
    let site = Site::start("montague.lit", &["romeo"], &Settings::clear());
    let user = User::login(&site, "romeo@montague.lit");
    let jid = user.jid.unwrap();
    assert_eq!(jid.bare_str(), "romeo@montague.lit");
    assert!(jid.resource().is_some_and(|resource| resource.len() >= 8));
}

#[test]
fn xep_0077_an_account_is_made_over_the_wire_within_the_quota() {
    let settings = Settings { c2s: "registration = true\nregistrations_per_day = 1".into(), ..Settings::tls() };
    let site = Site::start("montague.lit", &[], &settings);
    let mut new = User::connect(&site, "c2s", "juliet@montague.lit/balcony", |config| config.register = true).unwrap();
    assert_eq!(new.quiet(), []);
    let refused = User::connect(&site, "c2s", "nurse@montague.lit/hall", |config| config.register = true);
    assert_eq!(refused.err(), Some(Failure::Refused("resource-constraint".into())));
}

#[test]
fn what_was_made_is_there_after_a_restart() {
    let site = Site::start("montague.lit", &["romeo"], &Settings::clear());
    let dir = site.stop();
    let site = Site::start_in(dir, "montague.lit", &[], &Settings::clear());
    User::online(&site, "romeo@montague.lit/orchard");
}

#[test]
fn the_end_of_the_server_is_told_to_its_clients() {
    let site = Site::start("montague.lit", &["romeo"], &Settings::clear());
    let mut romeo = User::online(&site, "romeo@montague.lit/orchard");
    let dir = site.stop();
    assert_eq!(romeo.end().map(|error| error.condition), Some("system-shutdown"));
    drop(dir);
}

#[test]
fn a_full_disk_turns_health_red_until_there_is_room_again() {
    let site = Site::start("montague.lit", &["romeo"], &Settings::clear());
    assert_eq!(site.server.source().faults(), [""; 0]);
    site.server.store().set_page_limit(Some(1));
    let refused = |n: usize| {
        let account = Jid::new(&format!("guest{n}@montague.lit")).unwrap();
        site.ask(Request::UserAdd { account, password: Password("o".into()) }).is_err()
    };
    // Free pages that the file has already may take a few.
    assert!((0..1_000).any(refused));
    assert_ne!(site.server.source().faults(), [""; 0]);
    site.server.store().set_page_limit(None);
    while !site.server.source().faults().is_empty() {
        std::thread::yield_now();
    }
    User::online(&site, "romeo@montague.lit/orchard");
}
