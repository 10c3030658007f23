//! Who is told which users of a site may enter on its island, and which those are; `docs/wire.md`, *Members*.

use super::kit::*;
use super::netsplit::split;
use crate::room::tests::kit::Got;
use crate::wire::{Members, Replicate};
use xmpp::{Element, ns};

/// What a site was told: address, affiliation, role.
fn told(got: &[Got], to: &str) -> Vec<(String, String, String)> {
    let members = |stanza: &&Element| stanza.get_child("x", ns::DMUC)?.get_child("members", ns::NETJOIN).cloned();
    let stanzas = of(got, to).into_iter().filter_map(|stanza| members(&stanza));
    let members = stanzas.flat_map(|members| Members::parse(&members).expect("it was written by us").0);
    let shown = |member: crate::wire::Member| match member.standing {
        Some(s) => (member.jid.to_string(), s.affiliation.as_str().to_owned(), s.role.as_str().to_owned()),
        None => (member.jid.to_string(), "none".to_owned(), String::new()),
    };
    members.map(shown).collect()
}

fn member(jid: &str, affiliation: &str, role: &str) -> (String, String, String) {
    (jid.into(), affiliation.into(), role.into())
}

/// vesa asks anew, for members too.
fn asks(net: &mut Net) -> Vec<Got> {
    let request = Replicate { members: true, ..net.request_again(VESA, 0, &[(EFCHEN, "Efchen")]) };
    net.ask(VESA, &request)
}

fn decides(net: &mut Net, item: &str) -> Vec<Got> {
    net.feed(&format!(
        "<iq from='{WUMPUS}' id='d1' to='{ROOM}' type='set'><query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query></iq>"
    ))
}

fn whole() -> Net {
    let mut net = Net::wallops();
    net.affiliate("old@vesa.yeggmaex.irc", "member");
    net.affiliate("boss@vesa.yeggmaex.irc", "admin");
    net.affiliate("foe@vesa.yeggmaex.irc", "outcast");
    net.affiliate("vesa.yeggmaex.irc", "member");
    net.affiliate("friend@elsewhere.example", "member");
    net
}

fn expected() -> Vec<(String, String, String)> {
    vec![
        member("boss@vesa.yeggmaex.irc", "admin", "moderator"),
        member("old@vesa.yeggmaex.irc", "member", "participant"),
    ]
}

/// All of its own users whom the room knows, in the snapshot; nobody else's, nobody banned, no list of domains.
#[test]
fn s4_11_1_2_a_site_that_asks_is_told_of_its_own() {
    let mut net = whole();
    let got = asks(&mut net);
    assert_eq!(told(&got, VESA), expected());
    let kinds = kinds(&got, VESA);
    let place = |kind: &str| kinds.iter().position(|k| *k == kind).expect("it is sent");
    assert!(place("roster") < place("members") && place("members") < place("synced"), "{kinds:?}");
    for other in [ERIS, KILLRC] {
        assert_eq!(told(&got, other), []);
    }
}

/// One that does not ask is told of nobody, and so is one of a service that does not grant it.
#[test]
fn s4_11_1_2_nobody_is_told_unasked_or_ungranted() {
    let mut net = whole();
    let request = net.request_again(VESA, 0, &[(EFCHEN, "Efchen")]);
    let got = net.ask(VESA, &request);
    assert_eq!(told(&got, VESA), []);
    assert_eq!(told(&decides(&mut net, "<item jid='new@vesa.yeggmaex.irc' affiliation='member'/>"), VESA), []);
    let mut net = whole();
    let room = net.kit.service.rooms.get_mut(&jid(ROOM)).expect("the room is there");
    std::sync::Arc::make_mut(&mut room.service).supply_members = false;
    assert_eq!(told(&asks(&mut net), VESA), []);
    assert_eq!(told(&decides(&mut net, "<item jid='new@vesa.yeggmaex.irc' affiliation='member'/>"), VESA), []);
}

/// A replica that asks for the users of a domain that it does not serve is told of none of them.
#[test]
fn a_site_that_asks_for_the_members_of_others() {
    let mut net = whole();
    let domains = ["elsewhere.example", "eris.dclxvii.irc"].map(jid).to_vec();
    let request = Replicate { members: true, domains, ..net.request_again(VESA, 0, &[(EFCHEN, "Efchen")]) };
    assert_eq!(told(&net.ask(VESA, &request), VESA), expected());
}

/// Every decision that changes it is told, that alone, and to whom it concerns alone.
#[test]
fn s4_11_1_2_the_list_is_kept_current() {
    let mut net = whole();
    asks(&mut net);
    let old = "old@vesa.yeggmaex.irc";
    let mut changes = |item: &str| told(&decides(&mut net, item), VESA);
    assert_eq!(
        changes("<item jid='new@vesa.yeggmaex.irc' affiliation='member'/>"),
        [member("new@vesa.yeggmaex.irc", "member", "participant")]
    );
    assert_eq!(changes(&format!("<item jid='{old}' affiliation='owner'/>")), [member(old, "owner", "moderator")]);
    assert_eq!(changes(&format!("<item jid='{old}' affiliation='outcast'/>")), [member(old, "none", "")]);
    assert_eq!(changes(&format!("<item jid='{old}' affiliation='none'/>")), []);
    assert_eq!(changes("<item jid='adam@elsewhere.example' affiliation='member'/>"), []);
    let configured = |net: &mut Net, fields: &str| {
        net.feed(&format!(
            "<iq from='{WUMPUS}' id='c1' to='{ROOM}' type='set'><query xmlns='http://jabber.org/protocol/muc#owner'>\
             <x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value>\
             </field>{fields}</x></query></iq>"
        ))
    };
    let protect = "<field var='muc#roomconfig_passwordprotectedroom'><value>1</value></field>\
                   <field var='muc#roomconfig_roomsecret'><value>wine</value></field>";
    let got = configured(&mut net, protect);
    assert_eq!(told(&got, VESA), ["boss", "new"].map(|user| member(&format!("{user}@vesa.yeggmaex.irc"), "none", "")));
    let got = configured(&mut net, "<field var='muc#roomconfig_passwordprotectedroom'><value>0</value></field>");
    assert_eq!(told(&got, VESA).len(), 2, "and are named again when nobody needs one");
}

/// Who has lost his voice has none on an island either.
#[test]
fn s4_11_1_2_nobody_is_more_than_he_would_be_here() {
    let mut net = whole();
    net.kit.service.rooms.get_mut(&jid(ROOM)).expect("the room is there").config.moderated = true;
    net.affiliate("msa@vesa.yeggmaex.irc", "member");
    let got = asks(&mut net);
    assert!(
        told(&got, VESA).contains(&member("msa@vesa.yeggmaex.irc", "member", "participant")),
        "{:?}",
        told(&got, VESA)
    );
    let got = decides(&mut net, "<item nick='Efchen' role='visitor'/>");
    assert_eq!(told(&got, VESA), [member("msa@vesa.yeggmaex.irc", "member", "visitor")]);
}

/// Nothing goes to a site that is cut off; the next snapshot has it all.
#[test]
fn s4_11_1_2_a_split_site_is_told_when_it_is_back() {
    let mut net = whole();
    asks(&mut net);
    split(&mut net);
    assert_eq!(told(&decides(&mut net, "<item jid='boss@vesa.yeggmaex.irc' affiliation='none'/>"), VESA), []);
    assert_eq!(told(&asks(&mut net), VESA), [member("old@vesa.yeggmaex.irc", "member", "participant")]);
}
