//! Every check sees what it is there to see: a small story that is in order, and faults put into it.

mod asked;
mod island;
mod kicked;
mod lost;
mod refused;
mod set_back;
mod standing;
mod told;

use super::watch::{ADDRESSES, BANNED, BOUNDS, COPIES, KICKED, OUTSIDE, POWERS, SEALED, SEATS};
use super::{CHECKS, Evidence, Safety, WorkedOut};
use crate::users::archive::Archived;
use crate::users::record::Record;
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
    disturbed: Vec<(String, u64, u64)>,
    crashed: Vec<(String, u64)>,
    healed_ms: u64,
}

impl Story {
    fn told() -> Story {
        let mut story = Story {
            tape: Tape::default(),
            archive: Vec::new(),
            disturbed: Vec::new(),
            crashed: Vec::new(),
            healed_ms: 0,
        };
        for who in [WIZ, EFCHEN] {
            story.add(who, Scene::Connected);
        }
        story.receives(WIZ, &presence("WiZ", "moderator", "", true));
        story.receives(EFCHEN, &presence("WiZ", "moderator", "", false));
        story.receives(EFCHEN, &presence("Efchen", "participant", "", true));
        story.receives(WIZ, &presence("Efchen", "participant", " jid='msa@vesa.yeggmaex.irc/bicycle'", false));
        let enter = format!("<x xmlns='urn:xmpp:tmp:dmuc:0'><enter jid='{EFCHEN}'/></x></presence>");
        story.crosses(&presence("Efchen", "participant", "", false).replace("</presence>", &enter));
        for id in ["1", "2"] {
            let text = format!("<message to='{ROOM}' type='groupchat' id='m{id}'><body>b{id}</body></message>");
            story.add(WIZ, Scene::Sent(Element::parse(&text).unwrap()));
            story.receives(WIZ, &message(id));
            story.receives(EFCHEN, &message(id));
            story.archive.push(Archived { id: id.to_owned(), body: Some(format!("b{id}")) });
            story.crosses(&event(id));
        }
        [WIZ, EFCHEN].iter().for_each(|who| story.pings(who, "result"));
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
        let told = self.tape.tellings.len();
        self.tape.crossings.push(Crossing { at_ms: told as u64, told, from, to, lost: false, stanza });
    }

    /// Something crosses the link of Efchen's site at a time, up or down.
    fn crosses_at(&mut self, at_ms: u64, up: bool, xml: &str) {
        self.crosses(xml);
        let crossing = self.tape.crossings.last_mut().expect("it has crossed");
        crossing.at_ms = at_ms;
        if up {
            std::mem::swap(&mut crossing.from, &mut crossing.to);
        }
    }

    /// All of it so far happens as much later.
    fn begins_at(&mut self, ms: u64) {
        self.tape.tellings.iter_mut().for_each(|telling| telling.at_ms += ms);
        self.tape.crossings.iter_mut().for_each(|crossing| crossing.at_ms += ms);
        self.disturbed.iter_mut().for_each(|(_, from_ms, to_ms)| (*from_ms, *to_ms) = (*from_ms + ms, *to_ms + ms));
    }

    /// Somebody asks that another be something else, and it is granted.
    fn is_granted(&mut self, who: &str, item: &str) {
        let query = format!("<query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query>");
        let set = format!("<iq to='{ROOM}' type='set' id='a1'>{query}</iq>");
        self.add(who, Scene::Sent(Element::parse(&set).unwrap()));
        let result = format!("<iq from='{ROOM}' to='{who}' type='result' id='a1'/>");
        self.crosses(&result);
        self.receives(who, &result);
    }

    /// Efchen pages on from the last that she has, is given these, and told that there is no more.
    fn efchen_pages(&mut self, behind: &str, given: &[&str]) {
        let query = self.records().remove(EFCHEN).unwrap().page(0);
        assert!(query.to_xml().contains(&format!("<after>{behind}</after>")), "{query}");
        self.add(EFCHEN, Scene::Sent(query));
        for id in given {
            let result = format!("<result xmlns='urn:xmpp:mam:2' queryid='page-1' id='{id}'/>");
            self.receives(EFCHEN, &format!("<message from='{ROOM}'>{result}</message>"));
        }
        let fin = "<fin xmlns='urn:xmpp:mam:2' complete='true'/>";
        self.receives(EFCHEN, &format!("<iq from='{ROOM}' type='result' id='page-1'>{fin}</iq>"));
    }

    /// Somebody asks whether he is in, and is answered.
    fn pings(&mut self, who: &str, kind: &str) {
        let id = format!("p{}", self.tape.tellings.len());
        let ping = format!("<iq to='{ROOM}/x' type='get' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>");
        self.add(who, Scene::Sent(Element::parse(&ping).unwrap()));
        self.receives(who, &format!("<iq from='{ROOM}/x' type='{kind}' id='{id}'/>"));
    }

    fn asks_to_enter(&mut self) {
        let join = format!("<presence to='{ROOM}/Efchen'><x xmlns='http://jabber.org/protocol/muc'/></presence>");
        self.add(EFCHEN, Scene::Sent(Element::parse(&join).unwrap()));
    }

    /// WiZ asks that Efchen has an affiliation, and is perhaps granted it.
    fn bans(&mut self, affiliation: &str, granted: bool) {
        let id = format!("a{}", self.tape.tellings.len());
        let item = format!("<item jid='msa@vesa.yeggmaex.irc' affiliation='{affiliation}'/>");
        let query = format!("<query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query>");
        let set = Element::parse(&format!("<iq to='{ROOM}' type='set' id='{id}'>{query}</iq>")).unwrap();
        self.add(WIZ, Scene::Sent(set));
        if granted {
            self.crosses(&format!("<iq from='{ROOM}' to='{WIZ}' type='result' id='{id}'/>"));
        }
    }

    /// What messages each client has.
    fn records(&self) -> BTreeMap<String, Record> {
        let room = Jid::new(ROOM).unwrap();
        let mut records: BTreeMap<String, Record> = BTreeMap::new();
        for telling in &self.tape.tellings {
            // As a client does that is told to page: its query names the page.
            let record = records.entry(telling.who.clone()).or_insert_with(|| Record::of(&room));
            match &telling.what {
                Scene::Sent(stanza) if stanza.has_child("query", "urn:xmpp:mam:2") => drop(record.page(telling.at_ms)),
                what => record.note(telling.at_ms, what),
            }
        }
        records
    }

    /// The names of the properties that do not hold.
    fn fails(&self) -> Vec<String> {
        let room = Jid::new(ROOM).unwrap();
        let mut views: BTreeMap<String, View> = BTreeMap::new();
        for telling in &self.tape.tellings {
            let view = views.entry(telling.who.clone()).or_insert_with(|| View::of(&room));
            if let Scene::Received(stanza) = &telling.what {
                view.hear(stanza);
            }
        }
        let mut safety = Safety::of(&room, true);
        let seen = safety.look(&self.tape);
        let evidence = Evidence {
            room: &room,
            tape: &self.tape,
            archive: &self.archive,
            stays: &stays(&self.tape, &room),
            views: &views,
            records: &self.records(),
            semi_anonymous: true,
            void: &safety.void(),
            banned: &safety.banned(),
            disturbed: &self.disturbed,
            crashed: &self.crashed,
            retention_ms: 600_000,
            healed_ms: self.healed_ms,
            worked_out: WorkedOut::default(),
        };
        let failed = CHECKS.iter().filter(|(_, check)| check(&evidence).is_err()).map(|(name, _)| (*name).to_owned());
        let watched = seen.iter().map(|violation| violation.split(':').next().unwrap_or_default().to_owned());
        watched.chain(failed).collect()
    }
}

/// A presence of somebody with an occupant-id, as it stands on a link or is sent to a client.
fn occupant(nick: &str, kind: &str, affiliation: &str, role: &str, codes: &[&str], inner: &str) -> String {
    let codes: String = codes.iter().map(|code| format!("<status code='{code}'/>")).collect();
    format!(
        "<presence from='{ROOM}/{nick}'{kind}><x xmlns='http://jabber.org/protocol/muc#user'>\
         <item affiliation='{affiliation}' role='{role}'/>{codes}</x>\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='{}'/>{inner}</presence>",
        nick.to_lowercase()
    )
}

const PAGED: &str = "who pages has every message he was not sent";
const STILL_IN: &str = "who is banned is gone";
const GONE: &str = " type='unavailable'";

/// The marks of what goes down the link: its number, its kind, and what else stands beside them.
fn marked(d: u64, kind: &str, inner: &str) -> String {
    format!(
        "<x xmlns='urn:xmpp:tmp:dmuc:0'>{inner}<at xmlns='urn:netjoin:dmuc:0' epoch='p' d='{d}' seq='{d}' kind='{kind}'/></x>"
    )
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
    assert!(story.fails().iter().any(|name| name == "what was acknowledged is in the archive once"));
}

#[test]
fn something_said_that_nobody_answers_for_shows() {
    let mut story = Story::told();
    let text = format!("<message to='{ROOM}' type='groupchat' id='m3'><body>b3</body></message>");
    story.add(WIZ, Scene::Sent(Element::parse(&text).unwrap()));
    assert_eq!(story.fails(), ["what was said is answered for"]);
    // Over a stream that was disturbed; his replica keeps what it relays.
    story.disturbed.push(("eris.dclxvii.irc".to_owned(), 5, 6));
    let relayed = text.replace("<message", &format!("<message from='{WIZ}'"));
    let marked = relayed.replace("</message>", "<x xmlns='urn:xmpp:tmp:dmuc:0'/></message>");
    story.crosses_at(4, true, &marked);
    assert_eq!(story.fails(), ["what was said is answered for"]);
    story.crosses_at(7, true, &relayed);
    assert_eq!(story.fails(), ["what was said is answered for"], "the stream was whole again");
    story.crosses_at(4, true, &relayed);
    assert_eq!(story.fails(), [""; 0]);
    // It was refused, and that was lost: nobody keeps it, but his replica knows it by what comes behind.
    for (sent, fails) in [(&relayed, &[][..]), (&marked, &["what was said is answered for"][..])] {
        let mut story = Story::told();
        story.add(WIZ, Scene::Sent(Element::parse(&text).unwrap()));
        story.crosses_at(4, true, sent);
        story.crosses(&format!("<message from='{ROOM}' to='{WIZ}' type='error' id='m3'/>"));
        assert_eq!(story.fails(), fails);
    }
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
        let fails = story.fails();
        assert_eq!(fails[0], name, "{faults:?}");
        // What she has missed she has not when she pages either.
        assert!(fails[1..].iter().all(|other| other == PAGED), "{fails:?}");
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
    assert_eq!(story.fails(), [SEALED]);
}

#[test]
fn a_second_copy_shows() {
    let mut story = Story::told();
    story.crosses(&event("2"));
    assert_eq!(story.fails(), [COPIES]);
}

/// Where the room has granted it: the owner may have lost the room by then, and be refused.
#[test]
fn somebody_banned_who_is_in_shows() {
    for (granted, fails) in [(true, vec![STILL_IN]), (false, vec![])] {
        let mut story = Story::told();
        story.bans("outcast", granted);
        assert_eq!(story.fails(), fails);
    }
}

/// What the kicked and the banned say before they may be in again is not archived.
#[test]
fn somebody_removed_who_is_heard_shows() {
    let enter = occupant(
        "Efchen",
        "",
        "none",
        "participant",
        &["110"],
        &marked(1, "enter", &format!("<enter jid='{EFCHEN}'/>")),
    );
    let kick = occupant("Efchen", GONE, "none", "none", &["307"], &marked(2, "event", ""));
    let says = format!("<message to='{ROOM}' type='groupchat' id='x'><body>late</body></message>");
    let heard = |removed: &dyn Fn(&mut Story)| {
        let mut story = Story::told();
        story.crosses(&enter);
        removed(&mut story);
        story.add(EFCHEN, Scene::Sent(Element::parse(&says).unwrap()));
        let late = message("3").replace("b3", "late").replace("/WiZ", "/Efchen");
        [WIZ, EFCHEN].iter().for_each(|who| story.receives(who, &late.replace("id='m3'", "id='x'")));
        story.archive.push(Archived { id: "3".to_owned(), body: Some("late".to_owned()) });
        story.fails()
    };
    assert_eq!(heard(&|_| {}), [""; 0]);
    assert_eq!(heard(&|story| story.crosses(&kick)), ["who is removed is not heard"]);
    assert_eq!(heard(&|story| story.bans("outcast", true)), ["who is removed is not heard", STILL_IN]);
    assert_eq!(heard(&|story| story.bans("outcast", false)), [""; 0], "a ban that was not granted");
    let undone = |story: &mut Story| ["outcast", "none"].iter().for_each(|what| story.bans(what, true));
    assert_eq!(heard(&undone), [""; 0]);
}

#[test]
fn somebody_banned_who_is_there_again_shows() {
    let enter =
        occupant("Efchen", "", "none", "participant", &[], &marked(1, "enter", &format!("<enter jid='{EFCHEN}'/>")));
    let banned = occupant("Efchen", GONE, "outcast", "none", &["301"], "");
    let there = occupant("Efchen", "", "none", "participant", &[], "");
    for undone in [false, true] {
        let mut story = Story::told();
        story.crosses(&enter);
        story.bans("outcast", true);
        story.receives(WIZ, &banned);
        if undone {
            story.bans("none", true);
        }
        story.crosses(&there.replace("</presence>", "<x xmlns='y'/></presence>"));
        story.receives(WIZ, &there);
        assert_eq!(story.fails().contains(&BANNED.to_owned()), !undone);
    }
    for destroyed in [false, true] {
        let mut story = Story::told();
        story.crosses(&enter);
        story.bans("outcast", true);
        if destroyed {
            // Nobody is in by then, so nobody is told of it but by a room that is new.
            let query = "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>";
            story.crosses_at(9, true, &format!("<iq from='{WIZ}' to='{ROOM}' type='set' id='d'>{query}</iq>"));
            story.crosses(&occupant("WiZ", "", "owner", "moderator", &["110", "201"], ""));
        }
        story.crosses(&occupant("Efchen", "", "none", "participant", &[], &marked(2, "roster", "")));
        assert_eq!(story.fails(), if destroyed { vec![] } else { vec![BANNED, STILL_IN] });
    }
}

#[test]
fn a_list_that_is_too_long_and_a_word_too_often_show() {
    let outboxes: String = (0..5).map(|n| format!("<outbox name='o{n}' from='1'/>")).collect();
    let asks = |outboxes: &str| format!("<iq><replicate xmlns='urn:netjoin:dmuc:0'>{outboxes}</replicate></iq>");
    let mut story = Story::told();
    story.crosses(&asks(&outboxes[..outboxes.rfind("<outbox").unwrap()]));
    assert_eq!(story.fails(), [""; 0]);
    story.crosses(&asks(&outboxes));
    assert_eq!(story.fails(), [BOUNDS]);
    let stale = "<message from='a' to='b'><x xmlns='urn:xmpp:tmp:dmuc:0'><stale xmlns='urn:netjoin:dmuc:0' epoch='e'/></x></message>";
    let mut story = Story::told();
    story.crosses(stale);
    assert_eq!(story.fails(), [""; 0]);
    story.crosses(stale);
    assert_eq!(story.fails(), [BOUNDS]);
}

/// Efchen comes back, has missed a message and pages: the whole of it, or a part that claims to be the whole.
#[test]
fn a_message_that_paging_does_not_bring_shows() {
    let pages = |ids: &[&str], asks: bool| {
        let mut story = Story::told();
        for id in ["3", "4"] {
            story.archive.push(Archived { id: id.to_owned(), body: Some(format!("b{id}")) });
            story.receives(WIZ, &message(id));
        }
        story.add(EFCHEN, Scene::Ended);
        story.add(EFCHEN, Scene::Connected);
        story.receives(EFCHEN, &presence("WiZ", "moderator", "", false));
        story.receives(EFCHEN, &presence("Efchen", "participant", "", true));
        story.receives(EFCHEN, &message("4"));
        story.pings(EFCHEN, "result");
        if asks {
            let query = story.records().remove(EFCHEN).unwrap().page(0);
            assert!(query.to_xml().contains("<after>2</after>"), "{query}");
            story.add(EFCHEN, Scene::Sent(query));
            for id in ids {
                story.receives(
                    EFCHEN,
                    &format!(
                        "<message from='{ROOM}'><result xmlns='urn:xmpp:mam:2' queryid='page-1' id='{id}'/></message>"
                    ),
                );
            }
            let fin = "<fin xmlns='urn:xmpp:mam:2' complete='true'/>";
            story.receives(EFCHEN, &format!("<iq from='{ROOM}' type='result' id='page-1'>{fin}</iq>"));
        }
        story.fails()
    };
    let name = PAGED;
    assert_eq!(pages(&["3", "4"], true), [""; 0]);
    assert_eq!(pages(&["4"], true), [name]);
    assert_eq!(pages(&[], true), [name]);
    assert_eq!(pages(&[], false), [name], "nobody pages to the end");
}

/// Efchen is out: of her own, or told why, or not; and what she hears afterwards.
#[test]
fn somebody_who_is_out_untold_shows() {
    let out = |codes: &[&str], leaves: bool, hears: bool| {
        let mut story = Story::told();
        if leaves {
            let leave = format!("<presence to='{ROOM}/Efchen' type='unavailable'/>");
            story.add(EFCHEN, Scene::Sent(Element::parse(&leave).unwrap()));
        }
        story.receives(EFCHEN, &occupant("Efchen", GONE, "none", "none", codes, ""));
        story.receives(WIZ, &occupant("Efchen", GONE, "none", "none", &[], ""));
        if hears {
            story.receives(EFCHEN, &presence("WiZ", "moderator", "", false));
        }
        story.fails()
    };
    assert_eq!(out(&["110"], true, false), [""; 0]);
    assert_eq!(out(&["110", "333"], false, false), [""; 0]);
    assert_eq!(out(&["110"], false, false), [OUTSIDE]);
    assert_eq!(out(&["110", "307"], false, true), [OUTSIDE]);
}

/// In the end: who believes to be in and is told otherwise, and who asked and was not answered.
#[test]
fn somebody_who_believes_to_be_in_and_is_not_shows() {
    let name = "who believes to be in is";
    let mut story = Story::told();
    story.pings(EFCHEN, "error");
    assert_eq!(story.fails(), [name]);
    let mut story = Story::told();
    story.receives(EFCHEN, &occupant("Efchen", GONE, "none", "none", &["110", "333"], ""));
    story.receives(WIZ, &occupant("Efchen", GONE, "none", "none", &[], ""));
    assert_eq!(story.fails(), [""; 0]);
    story.asks_to_enter();
    assert_eq!(story.fails(), [name]);
}

/// Nobody at Efchen's site may see real addresses, until she is made a moderator, in one batch with them or before.
#[test]
fn an_address_that_goes_where_nobody_may_see_it_shows() {
    let of_troy = "<jids xmlns='urn:netjoin:dmuc:0'><seat nick='Troy' jid='troy@eris.dclxvii.irc/screwdriver'/></jids>";
    let jids = |d| format!("<message from='{ROOM}'>{}</message>", marked(d, "jids", of_troy));
    let entered = |d, role: &str| {
        let mark = marked(d, "enter", &format!("<enter jid='{EFCHEN}'/>"));
        occupant("Efchen", "", "none", role, &["110"], &mark)
    };
    let fails = |told: &[String]| {
        let mut story = Story::told();
        told.iter().for_each(|xml| story.crosses(xml));
        // Something later: what was in one batch with them has been seen by then.
        story.pings(WIZ, "result");
        story.crosses(&event("9"));
        story.fails().iter().any(|name| name == ADDRESSES)
    };
    assert!(fails(&[entered(1, "participant"), jids(2)]));
    assert!(!fails(&[entered(1, "moderator"), jids(2)]));
    assert!(!fails(&[jids(1), entered(2, "moderator")]));
    assert!(fails(&[entered(1, "moderator"), entered(2, "participant"), jids(3)]));
    // By the answer to a census her one client is out; by another she is in until its LEAVE.
    let granted = |jid: &str| {
        let seat = format!("<seat nick='Efchen' jid='{jid}' verdict='removed' status='333'/>");
        let granted = format!("<granted xmlns='urn:netjoin:dmuc:0' epoch='q' seq='2'>{seat}</granted>");
        format!("<iq from='{ROOM}' type='result' id='r1'>{granted}</iq>")
    };
    assert!(fails(&[entered(1, "moderator"), granted(EFCHEN), jids(3)]));
    assert!(!fails(&[entered(1, "moderator"), granted("msa@vesa.yeggmaex.irc/phone"), jids(3)]));
}

/// Efchen was the only one of her site.
#[test]
fn something_sent_where_nobody_is_left_shows() {
    let leave = |jid: &str| {
        let leave = format!("<x xmlns='urn:xmpp:tmp:dmuc:0'><leave jid='{jid}'/></x>");
        occupant("Efchen", GONE, "none", "none", &["110"], &leave)
    };
    let fails = |left: &[String]| {
        let mut story = Story::told();
        left.iter().for_each(|xml| story.crosses(xml));
        story.crosses(&event("3"));
        // Something later: had somebody entered right behind it, that would have been seen by then.
        story.pings(WIZ, "result");
        story.crosses(&event("4"));
        story.fails().iter().any(|name| name == SEATS)
    };
    assert!(!fails(&[]));
    assert!(!fails(&[leave("msa@vesa.yeggmaex.irc/another")]));
    assert!(fails(&[leave(EFCHEN)]));
}

/// Nobody of Efchen's site is in: what a client of it has made up comes back to it in an error.
#[test]
fn what_an_error_gives_back_is_no_word_of_the_room() {
    let fails = |kind: &str| {
        let mut story = Story::told();
        story.tape.crossings.clear();
        let forged = "<x xmlns='urn:xmpp:tmp:dmuc:0'><at xmlns='urn:netjoin:dmuc:0' epoch='f' d='1' kind='event'/></x>";
        story.crosses(&format!("<message from='{ROOM}' to='{EFCHEN}' type='{kind}'>{forged}</message>"));
        // Something later: had somebody entered right behind it, that would have been seen by then.
        story.crosses_at(1_000, true, "<presence/>");
        story.fails().iter().any(|name| name == SEATS)
    };
    assert!(!fails("error"));
    assert!(fails("groupchat"));
}
