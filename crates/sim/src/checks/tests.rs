//! Every check sees what it is there to see: a small story that is in order, and faults put into it.

use super::{CHECKS, Evidence};
use crate::users::archive::Archived;
use crate::users::stays::stays;
use crate::users::view::View;
use crate::world::{Crossing, Scene, Tape, Telling};
use std::collections::BTreeMap;
use xmpp::{Element, Jid};

const ROOM: &str = "wallops@channel.avalon.irc";
const WIZ: &str = "squit@eris.dclxvii.irc/jupiter";
const EFCHEN: &str = "msa@vesa.yeggmaex.irc/bicycle";

/// WiZ is a moderator, Efchen is not; he says two things, she hears both.
struct Story {
    tape: Tape,
    archive: Vec<Archived>,
    banned: Vec<String>,
}

impl Story {
    fn told() -> Story {
        let mut story = Story { tape: Tape::default(), archive: Vec::new(), banned: Vec::new() };
        for who in [WIZ, EFCHEN] {
            story.add(who, Scene::Connected);
        }
        story.receives(WIZ, &presence("WiZ", "moderator", "", true));
        story.receives(EFCHEN, &presence("WiZ", "moderator", "", false));
        story.receives(EFCHEN, &presence("Efchen", "participant", "", true));
        story.receives(WIZ, &presence("Efchen", "participant", " jid='msa@vesa.yeggmaex.irc/bicycle'", false));
        for id in ["1", "2"] {
            let text = format!("<message to='{ROOM}' type='groupchat' id='m{id}'><body>b{id}</body></message>");
            story.add(WIZ, Scene::Sent(Element::parse(&text).unwrap()));
            story.receives(WIZ, &message(id));
            story.receives(EFCHEN, &message(id));
            story.archive.push(Archived { id: id.to_owned(), body: Some(format!("b{id}")) });
            story.crosses(&event(id));
        }
        story
    }

    fn add(&mut self, who: &str, what: Scene) {
        let at_ms = self.tape.tellings.len() as u64;
        self.tape.tellings.push(Telling { at_ms, who: who.to_owned(), what });
    }

    fn receives(&mut self, who: &str, xml: &str) {
        self.add(who, Scene::Received(Element::parse(xml).unwrap()));
    }

    fn crosses(&mut self, xml: &str) {
        let stanza = Element::parse(xml).unwrap();
        let (from, to) = ("channel.avalon.irc".to_owned(), "vesa.yeggmaex.irc".to_owned());
        self.tape.crossings.push(Crossing { at_ms: 0, from, to, lost: false, stanza });
    }

    /// The names of the checks that fail.
    fn fails(&self) -> Vec<&'static str> {
        let room = Jid::new(ROOM).unwrap();
        let mut views: BTreeMap<String, View> = BTreeMap::new();
        for telling in &self.tape.tellings {
            let view = views.entry(telling.who.clone()).or_insert_with(|| View::of(&room));
            if let Scene::Received(stanza) = &telling.what {
                view.hear(stanza);
            }
        }
        let evidence = Evidence {
            room: &room,
            tape: &self.tape,
            archive: &self.archive,
            stays: &stays(&self.tape, &room),
            views: &views,
            semi_anonymous: true,
            banned: &self.banned,
            disturbed: &[],
            set_back: &[],
        };
        CHECKS.iter().filter(|(_, check)| check(&evidence).is_err()).map(|(name, _)| *name).collect()
    }
}

fn presence(nick: &str, role: &str, jid: &str, own: bool) -> String {
    let own = if own { "<status code='110'/>" } else { "" };
    format!(
        "<presence from='{ROOM}/{nick}'><x xmlns='http://jabber.org/protocol/muc#user'>\
         <item affiliation='none' role='{role}'{jid}/>{own}</x></presence>"
    )
}

fn message(id: &str) -> String {
    format!(
        "<message from='{ROOM}/WiZ' type='groupchat' id='m{id}'><body>b{id}</body>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='{id}'/></message>"
    )
}

fn event(seq: &str) -> String {
    format!(
        "<message from='{ROOM}/WiZ' type='groupchat'><x xmlns='urn:xmpp:tmp:dmuc:0'>\
         <at xmlns='urn:netjoin:dmuc:0' epoch='e' d='{seq}' seq='{seq}' kind='event'/></x></message>"
    )
}

#[test]
fn a_story_in_order_passes_all() {
    assert_eq!(Story::told().fails(), [""; 0]);
}

#[test]
fn a_message_that_is_not_in_the_archive_or_twice_shows() {
    let mut story = Story::told();
    story.archive.pop();
    assert_eq!(story.fails(), ["what was acknowledged is in the archive once"]);
    let mut story = Story::told();
    story.archive.push(Archived { id: "3".to_owned(), body: Some("b2".to_owned()) });
    assert!(story.fails().contains(&"what was acknowledged is in the archive once"));
}

#[test]
fn something_said_that_nobody_answers_for_shows() {
    let mut story = Story::told();
    let text = format!("<message to='{ROOM}' type='groupchat' id='m3'><body>b3</body></message>");
    story.add(WIZ, Scene::Sent(Element::parse(&text).unwrap()));
    assert_eq!(story.fails(), ["what was said is answered for"]);
}

#[test]
fn a_message_missed_or_heard_twice_or_out_of_order_shows() {
    let name = "who stayed was sent everything once, in one order";
    for faults in [&[][..], &["1"], &["2", "1"], &["1", "1", "2"], &["1", "2", "2"]] {
        let mut story = Story::told();
        let told = std::mem::take(&mut story.tape.tellings);
        let heard = |t: &Telling| t.who == EFCHEN && matches!(&t.what, Scene::Received(s) if s.name() == "message");
        story.tape.tellings = told.into_iter().filter(|telling| !heard(telling)).collect();
        faults.iter().for_each(|id| story.receives(EFCHEN, &message(id)));
        assert_eq!(story.fails(), [name], "{faults:?}");
    }
}

#[test]
fn a_ghost_a_gap_or_another_role_in_the_roster_shows() {
    let gone = format!("<presence from='{ROOM}/WiZ' type='unavailable'/>");
    for fault in [presence("Troy", "participant", "", false), gone, presence("WiZ", "visitor", "", false)] {
        let mut story = Story::told();
        story.receives(EFCHEN, &fault);
        assert_eq!(story.fails(), ["everybody sees the same people"], "{fault}");
    }
}

#[test]
fn a_real_address_shows() {
    let mut story = Story::told();
    story.receives(EFCHEN, &presence("WiZ", "moderator", " jid='squit@eris.dclxvii.irc/jupiter'", false));
    assert_eq!(story.fails(), ["real addresses are seen by those who may"]);
}

/// A moderator who was not told that he is one, since the word was lost, is one nevertheless.
#[test]
fn a_real_address_for_a_moderator_who_was_not_told_is_in_order() {
    let mut story = Story::told();
    let promoted = Element::parse(&presence("Efchen", "moderator", "", true)).unwrap().attr("to", EFCHEN);
    story.crosses(&promoted.to_xml());
    story.receives(EFCHEN, &presence("WiZ", "moderator", " jid='squit@eris.dclxvii.irc/jupiter'", false));
    assert_eq!(story.fails(), [""; 0]);
    let demoted = promoted.to_xml().replace("moderator", "participant");
    story.crosses(&demoted);
    story.receives(EFCHEN, &presence("WiZ", "moderator", " jid='squit@eris.dclxvii.irc/jupiter'", false));
    assert_eq!(story.fails(), ["real addresses are seen by those who may"]);
}

#[test]
fn what_belongs_between_servers_shows() {
    let mut story = Story::told();
    story.receives(EFCHEN, &event("3"));
    assert_eq!(story.fails(), ["what stays between servers stays there"]);
}

#[test]
fn a_second_copy_shows() {
    let mut story = Story::told();
    story.crosses(&event("2"));
    assert_eq!(story.fails(), ["one copy of an event for each replica"]);
}

#[test]
fn somebody_banned_who_is_in_shows() {
    let mut story = Story::told();
    story.banned.push("msa@vesa.yeggmaex.irc".to_owned());
    assert_eq!(story.fails(), ["who is banned is gone"]);
}

/// Who was kicked comes back when he asks to; a census that brings him back alone shows.
#[test]
fn somebody_kicked_who_is_in_again_unasked_shows() {
    let of = |nick: &str, kind: &str, codes: &[&str], item: &str| {
        let codes: String = codes.iter().map(|code| format!("<status code='{code}'/>")).collect();
        format!(
            "<presence from='{ROOM}/{nick}'{kind}><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='participant'{item}/>{codes}</x>\
             <occupant-id xmlns='urn:xmpp:occupant-id:0' id='efchen'/></presence>"
        )
    };
    let gone = " type='unavailable'";
    let (there, kicked) = (of("Efchen", "", &[], ""), of("Efchen", gone, &["307"], ""));
    let story = |between: &dyn Fn(&mut Story)| {
        let mut story = Story::told();
        story.receives(EFCHEN, &of("Efchen", "", &["110"], ""));
        story.receives(WIZ, &kicked);
        between(&mut story);
        story.receives(WIZ, &there);
        story.fails().contains(&"who is kicked stays out until he asks")
    };
    assert!(story(&|_| {}));
    let join = format!("<presence to='{ROOM}/Efchen'><x xmlns='http://jabber.org/protocol/muc'/></presence>");
    assert!(!story(&|story| story.add(EFCHEN, Scene::Sent(Element::parse(&join).unwrap()))));
    assert!(!story(&|story| story.receives(WIZ, &of("Other", gone, &["303"], " nick='Efchen'"))));
}
