//! Nobody takes over a channel: what a site, or somebody who claims to be one, may try at the primary.

use super::kit::*;
use super::links::granted;
use super::netsplit::{left, split, wait};
use crate::names::Role;
use crate::room::tests::kit::{Got, errors};
use crate::wire::{Outbox, UpMark, Verdict};
use xmpp::ns;

const BOTH: [(&str, &str); 2] = [(BIG_CHEESE, "BigCheese"), (EFCHEN, "Efchen")];

/// A room that is gone and made anew is another: who was an owner's friend in the former is nobody in it.
#[test]
fn a_room_made_anew_takes_nothing_from_an_island() {
    let mut net = Net::whole();
    net.affiliate("msa@vesa.yeggmaex.irc", "owner");
    split(&mut net);
    let mut request = net.request_again(VESA, 0, &BOTH);
    let before = request.resume.as_mut().expect("it was here before");
    before.incarnation = "the-former".into();
    let got = net.ask(VESA, &request);
    assert_eq!(errors(&got), [(VESA.into(), "gone".into())]);
    assert_eq!(kinds(&got, VESA), [""; 0], "nothing of the room as it is");
}

/// A temporary room whose other occupants have left is not free to be made anew while a split site has seats in it, nor
/// while it may have them again.
#[test]
fn an_emptied_temporary_room_stays_while_a_site_is_split() {
    let mut net = Net::whole();
    split(&mut net);
    for (who, nick) in [(WUMPUS, "Wumpus"), (VALDIS, "Valdis"), (PHAEDRUS, "Phaedrus"), (WIZ, "WiZ"), (TROY, "Troy")] {
        net.leaves(who, nick);
    }
    let enters = |who: &str| format!("<presence from='{who}' to='{ROOM}/Mallory'><x xmlns='{}'/></presence>", ns::MUC);
    let incarnation = net.incarnation();
    let mallory = "mallory@elsewhere.example/x";
    net.feed(&enters(mallory));
    net.feed(&format!("<presence type='unavailable' from='{mallory}' to='{ROOM}/Mallory'/>"));
    wait(&mut net, 3_601_000);
    let got = net.feed(&enters(mallory));
    assert!(!lines(&got, mallory).iter().any(|line| line.contains("<status code='201'/>")), "he has not made it");
    assert_eq!(net.incarnation(), incarnation);
    let request = net.request_again(VESA, 0, &BOTH);
    assert!(granted(&net.ask(VESA, &request)).seats.iter().all(|seat| seat.verdict == Verdict::Reenter));
}

/// After a restart of the service likewise, and the nicks are kept for who had them.
#[test]
fn after_a_restart_a_split_sites_room_and_nicks_are_kept() {
    let mut net = Net::whole();
    split(&mut net);
    let incarnation = net.incarnation();
    net.kit.restart();
    let enters = |nick: &str| {
        format!("<presence from='mallory@elsewhere.example/x' to='{ROOM}/{nick}'><x xmlns='{}'/></presence>", ns::MUC)
    };
    let conflict = [("mallory@elsewhere.example/x".to_owned(), "conflict".to_owned())];
    assert_eq!(errors(&net.feed(&enters("BigCheese"))), conflict, "his nick is waited for");
    net.pass_ms(3_000_000);
    assert_eq!((errors(&net.feed(&enters("BigCheese"))), net.incarnation()), (conflict.to_vec(), incarnation));
}

/// A snapshot asked for without a seat: there is none, whatever the census invents.
#[test]
fn an_invented_census_gives_no_snapshot() {
    let mut net = Net::wallops();
    net.leaves(EFCHEN, "Efchen");
    let request = net.request_again(VESA, 0, &[("mallory@vesa.yeggmaex.irc/x", "Mallory"), (WIZ, "WiZ")]);
    let got = net.ask(VESA, &request);
    assert_eq!(kinds(&got, VESA), [""; 0]);
    assert!(granted(&got).seats.iter().all(|seat| matches!(seat.verdict, Verdict::Removed(_))));
    assert_eq!(kinds(&net.says(WIZ, "among ourselves"), VESA), [""; 0]);
}

/// A replica speaks for its own domain: another's users are not its to report, nor another's outbox to continue.
#[test]
fn another_sites_users_and_outbox_are_not_its_own() {
    let mut net = Net::whole();
    split(&mut net);
    let mut request = net.request_again(VESA, 0, &[(BIG_CHEESE, "BigCheese"), (WIZ, "WiZ")]);
    request.outboxes.push(Outbox { name: "e1".into(), from: 1 });
    let got = net.ask(VESA, &request);
    let verdicts = granted(&got).seats;
    assert_eq!(verdicts[0].verdict, Verdict::Kept);
    assert!(matches!(verdicts[1].verdict, Verdict::Removed(_)), "WiZ is of eris");
    assert_eq!(left(&got), [""; 0], "and has noticed nothing");
    // The outbox of that name is eris' where eris' users are concerned.
    let before = net.marked_of(ERIS, "e1");
    let stolen = UpMark { outbox: "e1".into(), n: before + 1, epoch: Some(net.epoch(VESA)), ..UpMark::default() };
    let message = |from: &str| {
        format!("<message from='{from}' to='{ROOM}' type='groupchat'><body>x</body>{}</message>", stolen.x())
    };
    net.feed(&message(BIG_CHEESE));
    assert_eq!(net.marked_of(ERIS, "e1"), before);
    assert_eq!(kinds(&net.says(WIZ, "mine"), ERIS), ["event"]);
}

/// What was said once is not said again, however often it is submitted.
#[test]
fn replayed_submissions_are_dropped() {
    let mut net = Net::whole();
    split(&mut net);
    let request = net.request_again(VESA, 0, &BOTH);
    net.ask(VESA, &request);
    let message = format!("<message from='{BIG_CHEESE}' to='{ROOM}' type='groupchat'><body>once</body></message>");
    let island = UpMark { said: Some(net.kit.now.unix_ms), base: Some(0), ..UpMark::default() };
    let got = net.reports(&message, island);
    assert_eq!(kinds(&got, ERIS), ["event"]);
    let crossed = net.crossed.iter().rev().find(|s| s.get("from") == Some(BIG_CHEESE)).expect("what was fed").to_xml();
    for _ in 0..3 {
        assert_eq!(kinds(&net.feed(&crossed), ERIS), [""; 0]);
    }
    assert_eq!(net.kit.rows.len(), 1);
}

/// Roles and ids are the room's to give: what an island's log claims of them is taken off.
#[test]
fn forged_roles_and_ids_are_taken_off() {
    let mut net = Net::whole();
    split(&mut net);
    let request = net.request_again(VESA, 0, &BOTH);
    net.ask(VESA, &request);
    let island = || UpMark { said: Some(0), base: Some(0), ..UpMark::default() };
    let got = net.reports(
        &format!(
            "<message from='{BIG_CHEESE}' to='{ROOM}' type='groupchat'><body>x</body>\
             <stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='chosen'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='wiz'/>\
             <delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='1970-01-01T00:00:00Z'/></message>"
        ),
        island(),
    );
    let told = of(&got, ERIS)[0].to_xml();
    assert!(!["chosen", "'wiz'", "1970-01-01"].iter().any(|forged| told.contains(forged)), "{told}");
    let got = net.reports(
        &format!(
            "<presence from='{BIG_CHEESE}' to='{ROOM}/BigCheese'><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='owner' role='moderator'/></x></presence>"
        ),
        island(),
    );
    assert!(!of(&got, ERIS)[0].to_xml().contains("moderator"), "{got:?}");
    assert_eq!(net.kit.service.rooms[&jid(ROOM)].occupants[&"BigCheese".parse().unwrap()].role, Role::Participant);
}

/// A moderator who was banned meanwhile has no power left, and no seat; what he did on the island is not his to do.
#[test]
fn a_moderator_banned_meanwhile_is_out() {
    let mut net = Net::whole();
    net.affiliate("msa@vesa.yeggmaex.irc", "admin");
    net.leaves(EFCHEN, "Efchen");
    net.joins(EFCHEN, "Efchen");
    split(&mut net);
    net.feed(&format!(
        "<iq from='{WUMPUS}' id='b1' to='{ROOM}' type='set'><query xmlns='http://jabber.org/protocol/muc#admin'>\
         <item affiliation='outcast' jid='msa@vesa.yeggmaex.irc'/></query></iq>"
    ));
    let request = net.request_again(VESA, 0, &BOTH);
    let got = net.ask(VESA, &request);
    assert!(matches!(&granted(&got).seats[1].verdict, Verdict::Removed(removed) if removed.status.0 == 301));
    let join =
        format!("<presence from='{EFCHEN}' to='{ROOM}/Efchen'><x xmlns='http://jabber.org/protocol/muc'/></presence>");
    assert_eq!(errors(&net.relay(&join)), [(EFCHEN.into(), "forbidden".into())]);
    let kick = UpMark { said: Some(0), base: Some(0), kicker: Some("Efchen".parse().unwrap()), ..UpMark::default() };
    let leave = format!("<presence type='unavailable' from='{BIG_CHEESE}' to='{ROOM}/BigCheese'/>");
    assert!(!of(&net.reports(&leave, kick), ERIS)[0].to_xml().contains("307"));
}

/// The nick of a split seat is nobody else's until retention.
#[test]
fn a_nick_is_not_squatted_during_a_split() {
    let mut net = Net::whole();
    split(&mut net);
    let takes = |who: &str| format!("<presence from='{who}' to='{ROOM}/BigCheese'><x xmlns='{}'/></presence>", ns::MUC);
    let mallory = "mallory@elsewhere.example/x";
    assert_eq!(errors(&net.feed(&takes(mallory))), [(mallory.into(), "conflict".into())]);
    let change = format!("<presence from='{TROY}' to='{ROOM}/BigCheese'/>");
    assert_eq!(errors(&net.relay(&change)), [(TROY.into(), "conflict".into())]);
}

/// A flood of requests, each under another epoch: each replaces the one before, and there is one link.
#[test]
fn a_flood_of_requests_leaves_one_link() {
    let mut net = Net::whole();
    split(&mut net);
    let mut epochs: Vec<String> = Vec::new();
    for _ in 0..50 {
        let request = net.request_again(VESA, 0, &BOTH);
        let got: Vec<Got> = net.ask(VESA, &request);
        epochs.push(granted(&got).epoch);
    }
    epochs.dedup();
    assert_eq!((epochs.len(), net.kit.service.rooms[&jid(ROOM)].links.links.len()), (50, 3));
}
