//! What somebody who is in is told to have failed.

use super::*;
use crate::world::SetBack;

const ROOMS: &str = "channel.avalon.irc";
const VESA: &str = "vesa.yeggmaex.irc";
const UNREACHED: &str = "remote-server-timeout";
const LOST: &str = "undefined-condition";
const TAKEN_BACK: &str = "policy-violation";

/// What befalls a message of Efchen's.
#[derive(Clone, Copy)]
enum What {
    /// Her site is granted its registration.
    Granted,
    /// Its replica relays the message,
    Relayed,
    /// or it is passed on as any server does.
    PassedOn,
    /// The room says to this client that it does not take it, which is lost.
    Refused(&'static str),
    /// The room tells it.
    Said,
    /// The room takes back what has this stanza-id.
    TakenBack(&'static str),
    /// This server loses its power.
    Crashed(&'static str),
    /// This server goes on with an older disk.
    SetBack(&'static str),
    /// She is told that it has failed, and by which condition.
    Told(&'static str),
}

use What::{Crashed, Granted, PassedOn, Refused, Relayed, Said, Told};

impl What {
    fn befalls(self, story: &mut Story) {
        let (at_ms, told, crossed) =
            (story.tape.tellings.len() as u64, story.tape.tellings.len(), story.tape.crossings.len());
        let up = "<x xmlns='urn:xmpp:tmp:dmuc:0'><up xmlns='urn:netjoin:dmuc:0' outbox='o' n='3'/></x>";
        let error = |to: &str, why: &str| {
            format!(
                "<message from='{ROOM}' to='{to}' type='error' id='m3'><error type='wait'>\
                 <{why} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
            )
        };
        let sent =
            |marks: &str| format!("<message from='{EFCHEN}' to='{ROOM}' type='groupchat' id='m3'>{marks}</message>");
        match self {
            Granted => story.crosses("<iq type='result' id='g'><granted xmlns='urn:netjoin:dmuc:0'/></iq>"),
            Relayed => story.crosses_at(at_ms, true, &sent(up)),
            PassedOn => story.crosses_at(at_ms, true, &sent("")),
            Refused(to) => {
                story.crosses(&error(to, "forbidden"));
                story.tape.crossings[crossed].lost = true;
            }
            Said => story.crosses(&message("3").replace("/WiZ", "/Efchen")),
            What::TakenBack(id) => story.crosses(&format!(
                "<message from='{ROOM}' type='groupchat'><retract xmlns='urn:xmpp:message-retract:1' id='{id}'/></message>"
            )),
            Crashed(server) => story.crashed.push((server.to_owned(), at_ms)),
            What::SetBack(server) => {
                let domain = server.to_owned();
                story.tape.set_back.push(SetBack { domain, from_ms: 0, from: 0, to_ms: at_ms, told, crossed });
            }
            Told(why) => story.receives(EFCHEN, &error(EFCHEN, why)),
        }
        story.pings(WIZ, "result");
    }
}

/// Whether it shows that she is told what is not so.
fn shows(all: &[What]) -> bool {
    let mut story = Story::told();
    let said = format!("<message to='{ROOM}' type='groupchat' id='m3'><body>b3</body></message>");
    story.add(EFCHEN, Scene::Sent(Element::parse(&said).unwrap()));
    all.iter().for_each(|what| what.befalls(&mut story));
    story.fails().iter().any(|name| name == "what is said to have failed was refused")
}

/// The same of what the replica of a site that serves the room has relayed.
fn shows_of_relayed(all: &[What]) -> bool {
    shows(&[&[Granted, Relayed], all].concat())
}

/// What is relayed is the site's to make good, as long as its author is in: a server that knows nothing of that says what every server
/// does, and so does one that the room has never granted anything.
#[test]
fn who_is_told_that_the_room_was_not_reached_by_his_replica_shows() {
    assert!(shows_of_relayed(&[Told(UNREACHED)]));
    assert!(shows_of_relayed(&[Crashed(ROOMS), Told(UNREACHED)]));
    assert!(shows_of_relayed(&[Refused(EFCHEN), Told(UNREACHED)]), "it was");
    assert!(!shows(&[Granted, PassedOn, Told(UNREACHED)]));
    assert!(!shows(&[Relayed, Told(UNREACHED)]));
    assert!(!shows(&[Granted, Told(UNREACHED), Relayed]), "it was sent once more since");
}

/// The room has decided so, and the word of that is lost, or was never said, since the rooms' server has lost its power behind it.
#[test]
fn who_is_told_of_a_refusal_that_never_was_shows() {
    assert!(shows_of_relayed(&[Told(LOST)]));
    assert!(!shows_of_relayed(&[Refused(EFCHEN), Told(LOST)]));
    assert!(!shows_of_relayed(&[Refused(EFCHEN), Told("forbidden")]));
    assert!(shows_of_relayed(&[Refused(EFCHEN), Told("not-acceptable")]), "for another reason");
    assert!(shows_of_relayed(&[Refused("msa@vesa.yeggmaex.irc/unicycle"), Told(LOST)]), "another client's");
    assert!(shows_of_relayed(&[Told(LOST), Refused(EFCHEN)]), "nobody could know");
    assert!(!shows_of_relayed(&[Crashed(ROOMS), Told(LOST)]));
    assert!(shows_of_relayed(&[Crashed(ROOMS), Told("forbidden")]), "who would have said so?");
    assert!(shows_of_relayed(&[Crashed(VESA), Told(LOST)]));
    assert!(shows_of_relayed(&[Told(LOST), Crashed(ROOMS)]));
    assert!(shows(&[Granted, Crashed(ROOMS), Relayed, Told(LOST)]));
}

/// What all have heard has not failed, whatever else has befallen the room, before or after its author is told so; unless the room has lost
/// that it was said.
#[test]
fn who_is_told_that_something_has_failed_that_was_said_shows() {
    assert!(shows_of_relayed(&[Said, Crashed(ROOMS), Told(LOST)]));
    assert!(shows_of_relayed(&[Refused(EFCHEN), Told(LOST), Said]));
    assert!(shows_of_relayed(&[Said, Refused(EFCHEN), Told("forbidden")]));
    assert!(!shows_of_relayed(&[Said, What::SetBack(ROOMS), Refused(EFCHEN), Told("forbidden")]));
    assert!(shows_of_relayed(&[Said, What::SetBack(VESA), Refused(EFCHEN), Told("forbidden")]));
    assert!(shows(&[Granted, What::SetBack(ROOMS), Relayed, Said, Refused(EFCHEN), Told("forbidden")]));
}

/// He has not seen it said, and a moderator has had it taken back.
#[test]
fn who_is_told_that_something_was_taken_back_that_was_not_shows() {
    assert!(!shows_of_relayed(&[Said, What::TakenBack("3"), Told(TAKEN_BACK)]));
    assert!(shows_of_relayed(&[Said, What::TakenBack("3"), Told(LOST)]));
    assert!(shows_of_relayed(&[Said, What::TakenBack("2"), Told(TAKEN_BACK)]));
    assert!(shows_of_relayed(&[Told(TAKEN_BACK)]));
}
