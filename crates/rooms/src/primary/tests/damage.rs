//! Damaged stanzas, each refused by the schema and by the types both engines read with, by name; what comes up is
//! refused by the primary as well, and changes nothing.

use super::kit::*;
use crate::wire::{At, Away, Destroyed, Down, Kind, Reported, UpMark};
use xmpp::Element;

/// (name, stanza, what the types say).
fn damages() -> Vec<(&'static str, String, &'static str)> {
    let down = |inside: &str| {
        format!("<message from='{ROOM}' to='{VESA}'><x xmlns='urn:xmpp:tmp:dmuc:0'>{inside}</x></message>")
    };
    let at = |attributes: &str| format!("<at xmlns='urn:netjoin:dmuc:0' {attributes}/>");
    let up = |attributes: &str| {
        format!(
            "<message from='{BIG_CHEESE}' to='{ROOM}' type='groupchat'><body>x</body><x xmlns='urn:xmpp:tmp:dmuc:0'>\
             <up xmlns='urn:netjoin:dmuc:0' {attributes}/></x></message>"
        )
    };
    let set = |element: &str| format!("<iq type='set' from='{VESA}' to='{ROOM}' id='r1'>{element}</iq>");
    let replicate = |attributes: &str, inside: &str| {
        set(&format!("<replicate xmlns='urn:netjoin:dmuc:0' {attributes}>{inside}</replicate>"))
    };
    let plain = "version='0' keepalive='60' maxstanzas='100' maxbytes='65536'";
    let outbox = "<outbox name='v2' from='1'/>";
    let good = "epoch='e9k2' d='17'";
    vec![
        ("no marks", down(""), "<x/> lacks its <at/>"),
        (
            "marks not last",
            down(&format!("{}<leave jid='a@b/c'/>", at(&format!("{good} kind='leave'")))),
            "<x/> lacks its <at/>",
        ),
        ("no epoch", down(&at("d='1' kind='roster'")), "<at/> lacks 'epoch'"),
        ("number nought", down(&at("epoch='e' d='0' kind='roster'")), "'d' of <at/> has a value that is not allowed"),
        (
            "unknown kind",
            down(&at(&format!("{good} kind='gossip'"))),
            "'kind' of <at/> has a value that is not allowed",
        ),
        (
            "negative place",
            down(&at(&format!("{good} kind='event' seq='-1'"))),
            "'seq' of <at/> has a value that is not allowed",
        ),
        (
            "ninth part",
            down(&at(&format!("{good} kind='event' seq='1' part='9' parts='9'"))),
            "<at/>: 'part' and 'parts' stand together, on events, 1 to 8",
        ),
        (
            "unknown attribute",
            down(&at(&format!("{good} kind='roster' colour='red'"))),
            "<at/> has the attribute 'colour', which is not known",
        ),
        ("ENTER of nobody", down(&format!("<enter/>{}", at(&format!("{good} kind='enter'")))), "<enter/> lacks 'jid'"),
        (
            "ENTER of a bare address",
            down(&format!("<enter jid='a@b'/>{}", at(&format!("{good} kind='enter'")))),
            "'jid' of <enter/> has a value that is not allowed",
        ),
        (
            "LEAVE with contents",
            down(&format!("<leave jid='a@b/c'><why/></leave>{}", at(&format!("{good} kind='leave'")))),
            "<leave/> has the child <why/>, which does not belong there",
        ),
        (
            "delay without a time",
            down(&format!("<delay xmlns='urn:xmpp:delay'/>{}", at(&format!("{good} kind='event' seq='1'")))),
            "<delay/> lacks 'stamp'",
        ),
        (
            "text in the dmuc element",
            down(&format!("hello{}", at(&format!("{good} kind='roster'")))),
            "<x/> has text in it",
        ),
        ("mark without a number", up("outbox='v1'"), "<up/> lacks 'n'"),
        ("mark with a spaced name", up("outbox='v 1' n='3'"), "'outbox' of <up/> has a value that is not allowed"),
        (
            "mark with contents",
            up("outbox='v1' n='3'").replace("n='3'/>", "n='3'><n/></up>"),
            "<up/> has the child <n/>, which does not belong there",
        ),
        ("request without an outbox", replicate(plain, ""), "<replicate/> lacks its <outbox/>"),
        (
            "request with five outboxes",
            replicate(plain, &outbox.repeat(5)),
            "<replicate/> has more children than allowed",
        ),
        (
            "request without a version",
            replicate("keepalive='60' maxstanzas='100' maxbytes='65536'", outbox),
            "<replicate/> lacks 'version'",
        ),
        (
            "withdrawal with a stranger in it",
            set("<withdraw xmlns='urn:netjoin:dmuc:0'><and/></withdraw>"),
            "<withdraw/> has the child <and/>, which does not belong there",
        ),
        (
            "said on no day",
            up("outbox='v1' n='3' said='once' base='7'"),
            "'said' of <up/> has a value that is not allowed",
        ),
        (
            "kicked by nobody",
            up("outbox='v1' n='3' said='2026-02-01T12:00:01Z' base='7' kicker=''"),
            "'kicker' of <up/> has a value that is not allowed",
        ),
        (
            "overlay that is half lifted",
            down(&format!("<away xmlns='urn:netjoin:dmuc:0' lifted='half'/>{}", at(&format!("{good} kind='away'")))),
            "'lifted' of <away/> has a value that is not allowed",
        ),
        (
            "member without a standing",
            down(&format!(
                "<members xmlns='urn:netjoin:dmuc:0'><member jid='a@b' affiliation='member' role='participant'/></members>{}",
                at(&format!("{good} kind='members'"))
            )),
            "<member/> lacks 'occupant-id'",
        ),
        (
            "member who is banned",
            down(&format!(
                "<members xmlns='urn:netjoin:dmuc:0'><member jid='a@b' affiliation='outcast'/></members>{}",
                at(&format!("{good} kind='members'"))
            )),
            "'affiliation' of <member/> has a value that is not allowed",
        ),
        (
            "report of no registration",
            up("outbox='v1' n='3'").replace("<up ", "<reported ").replace("outbox='v1' n='3'", ""),
            "<reported/> lacks 'epoch'",
        ),
        (
            "destroyed room without its life",
            format!(
                "<message type='error' from='{VESA}' to='{ROOM}'><error><destroyed xmlns='urn:netjoin:dmuc:0'/></error></message>"
            ),
            "<destroyed/> lacks 'incarnation'",
        ),
    ]
}

#[test]
fn damaged_stanzas_are_refused_by_schema_and_types_by_name() {
    let damages = damages();
    assert!(damages.len() >= 20);
    let stanzas: Vec<Element> = damages.iter().map(|(_, stanza, _)| Element::parse(stanza).unwrap()).collect();
    for ((name, _, why), stanza) in damages.iter().zip(&stanzas) {
        let damaged = crate::wire::check(stanza).map_err(|damaged| damaged.to_string());
        assert_eq!(damaged, Err((*why).to_owned()), "{name}");
    }
    for ((name, ..), complaint) in damages.iter().zip(schema::judge(&stanzas).unwrap_or_default()) {
        assert!(complaint.is_some(), "the schema takes: {name}");
    }
}

#[test]
fn what_is_damaged_on_its_way_up_is_refused_and_counts_for_nothing() {
    let mut net = Net::whole();
    let marked = |net: &Net| net.kit.service.rooms[&jid(ROOM)].links.marks.get(&jid(VESA), "v1");
    let before = (marked(&net), net.epoch(VESA));
    for (name, stanza, _) in damages() {
        let got = net.kit.send(&stanza);
        if stanza.starts_with("<iq") {
            assert_eq!(crate::room::tests::kit::errors(&got), [(VESA.into(), "bad-request".into())], "{name}");
        }
        assert_eq!((marked(&net), net.epoch(VESA)), before, "{name}");
    }
    // The link is as it was.
    let got = net.says(BIG_CHEESE, "still here");
    assert_eq!(kinds(&got, VESA), ["event"]);
}

/// What netsplit and netjoin add is as the schema has it.
#[test]
fn netsplit_and_netjoin_are_spoken_as_the_schema_has_them() {
    let at = At::new("e9k2", 17, Kind::Away);
    let away = Away { site: Some("vesa.yeggmaex.irc".into()), lifted: true, nicks: vec!["BigCheese".parse().unwrap()] };
    let kick = UpMark {
        outbox: "v1".into(),
        n: 3,
        said: Some(1_769_947_201_250),
        base: Some(812),
        kicker: Some("WiZ".parse().unwrap()),
        reason: Some("of course".into()),
        ..UpMark::default()
    };
    let destroyed = Destroyed { incarnation: "i1".into(), venue: Some(jid(ROOM)), reason: Some("moved".into()) };
    let message = |x: Element| Element::stanza("message").attr("from", VESA).attr("to", ROOM).child(x);
    let stanzas = [
        message(Down::Away(away).x().child(at.element())),
        message(kick.x()),
        message(Reported { epoch: "e9k2".into() }.x()),
        message(Element::new("error", xmpp::ns::CLIENT).child(destroyed.element())),
    ];
    for stanza in &stanzas {
        assert_eq!(crate::wire::check(stanza), Ok(()), "{stanza}");
    }
    schema::assert_valid(&stanzas);
}
