//! What people are and what they may: as the room has said, and as it has named them beforehand.

use super::*;

/// Efchen's site has been told that she is a participant, then a moderator, then a participant again.
#[test]
fn a_role_that_was_not_given_or_was_taken_back_shows() {
    let roles = |told: &[&str], shown: &[&str]| {
        let mut story = Story::told();
        for (d, role) in told.iter().enumerate() {
            let mark = marked(d as u64 + 1, "event", "");
            story.crosses(&occupant("Troy", "", "none", role, &[], &mark));
        }
        story.add(EFCHEN, Scene::Connected);
        story.receives(EFCHEN, &presence("WiZ", "moderator", "", false));
        shown.iter().for_each(|role| story.receives(EFCHEN, &occupant("Troy", "", "none", role, &[], "")));
        story.fails().iter().any(|name| name == POWERS)
    };
    let told = ["participant", "moderator", "participant"];
    assert!(!roles(&told, &["participant", "moderator", "participant"]));
    assert!(!roles(&told, &["participant", "participant", "moderator", "moderator"]), "her site may be behind");
    assert!(roles(&told, &["visitor"]), "never given");
    assert!(roles(&told, &["participant", "moderator", "participant", "moderator"]), "taken back");
    assert!(roles(&told[..1], &["moderator"]), "not given yet");
}

/// What Efchen asks for and is granted: by the room, or by her site alone.
#[test]
fn something_done_without_the_power_to_shows() {
    let asks = |item: &str, roles: &[&str], by_room: bool| {
        let mut story = Story::told();
        for (d, role) in roles.iter().enumerate() {
            let mark = marked(d as u64 + 1, "enter", &format!("<enter jid='{EFCHEN}'/>"));
            story.crosses(&occupant("Efchen", "", "none", role, &[], &mark));
        }
        let set = format!(
            "<iq to='{ROOM}' type='set' id='a1'><query xmlns='http://jabber.org/protocol/muc#admin'><item {item}/></query></iq>"
        );
        story.add(EFCHEN, Scene::Sent(Element::parse(&set).unwrap()));
        let result = format!("<iq from='{ROOM}' to='{EFCHEN}' type='result' id='a1'/>");
        if by_room {
            story.crosses(&result);
        }
        story.receives(EFCHEN, &result);
        story.fails().iter().any(|name| name == POWERS)
    };
    let (kick, ban) = ("nick='Troy' role='none'", "jid='troy@eris.dclxvii.irc' affiliation='outcast'");
    for by_room in [true, false] {
        assert!(!asks(kick, &["participant", "moderator"], by_room));
        assert!(asks(kick, &["participant"], by_room));
        assert!(asks(ban, &["moderator"], by_room));
    }
    assert!(asks("nick='Troy' role='visitor'", &["moderator"], false), "voice is the room's");
    assert!(asks(kick, &["moderator", "participant"], true), "no longer");
}

/// What the room says of Troy to Efchen's site, as an event.
fn is_now(d: u64, role: &str) -> String {
    occupant("Troy", "", "none", role, &[], &marked(d, "event", ""))
}

/// Efchen, or Eve, who is at the same site and has not asked to enter of late, is shown him.
fn sees(who: &str, role: &str) -> (String, Scene) {
    (who.to_owned(), Scene::Received(Element::parse(&occupant("Troy", "", "none", role, &[], "")).unwrap()))
}

const EVE: &str = "eve@vesa.yeggmaex.irc/x";

/// Efchen has come to an island and is let in behind Eve, who has been shown by then what the room has said since: it has waited for
/// her. What had been taken back when she asked is not for her, nor what others are shown twice.
#[test]
fn what_has_waited_for_an_entrant_is_in_order() {
    let shown = |before: &[&str], then: &[(String, Scene)]| {
        let mut story = Story::told();
        for (d, role) in ["participant", "moderator", "visitor"].iter().enumerate() {
            story.crosses(&is_now(d as u64 + 1, role));
        }
        story.add(EVE, Scene::Connected);
        before.iter().for_each(|role| story.receives(EVE, &occupant("Troy", "", "none", role, &[], "")));
        story.add(EFCHEN, Scene::Connected);
        story.asks_to_enter();
        then.iter().for_each(|(who, scene)| story.add(who, scene.clone()));
        story.fails().iter().any(|name| name == POWERS)
    };
    let waited = [sees(EVE, "visitor"), sees(EFCHEN, "moderator"), sees(EFCHEN, "visitor")];
    assert!(!shown(&["participant"], &waited));
    assert!(shown(&["visitor"], &waited[1..]), "taken back before she asked");
    assert!(
        shown(&["participant"], &[sees(EVE, "visitor"), sees(EVE, "moderator")]),
        "who has not asked waits for nothing"
    );
    assert!(shown(&["participant"], &[sees(EFCHEN, "visitor"), sees(EFCHEN, "moderator")]), "not in order");
    let is = |xml: &str| (EFCHEN.to_owned(), Scene::Received(Element::parse(xml).unwrap()));
    let out = is(&occupant("Efchen", GONE, "none", "none", &["110"], ""));
    let late = [sees(EVE, "visitor"), out.clone(), sees(EFCHEN, "moderator")];
    assert!(!shown(&["participant"], &late), "that was about her time before");
    let entered = is(&presence("Efchen", "participant", "", true));
    let late = [sees(EVE, "visitor"), entered, out, sees(EFCHEN, "moderator")];
    assert!(shown(&["participant"], &late), "she waits no more");
}

/// The room has named Efchen as an admin before her site was cut off, where she enters and kicks.
#[test]
fn who_enters_on_an_island_is_what_she_was_named_as() {
    let named = |id: &str, affiliation: &str, role: &str| {
        let jid = EFCHEN.split('/').next().unwrap();
        let member = format!("<member jid='{jid}' affiliation='{affiliation}' role='{role}' occupant-id='{id}'/>");
        let members = format!("<members xmlns='urn:netjoin:dmuc:0'>{member}</members>");
        format!("<message from='{ROOM}'>{}</message>", marked(1, "members", &members))
    };
    let fails = |told: &[String], shown: &[&str], kicks: bool| {
        let mut story = Story::told();
        story.tape.crossings.clear();
        told.iter().for_each(|xml| story.crosses(xml));
        story.add(EFCHEN, Scene::Connected);
        story.asks_to_enter();
        shown.iter().for_each(|role| story.receives(EFCHEN, &occupant("Eff", "", "admin", role, &["110"], "")));
        if kicks {
            let item = "<item nick='Troy' role='none'/>";
            let query = format!("<query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query>");
            let set = format!("<iq to='{ROOM}' type='set' id='a1'>{query}</iq>");
            story.add(EFCHEN, Scene::Sent(Element::parse(&set).unwrap()));
            story.receives(EFCHEN, &format!("<iq from='{ROOM}' to='{EFCHEN}' type='result' id='a1'/>"));
        }
        story.fails().iter().any(|name| name == POWERS)
    };
    let demoted = occupant("Eff", "", "admin", "participant", &[], &marked(2, "event", ""));
    let moderator = named("eff", "admin", "moderator");
    assert!(!fails(std::slice::from_ref(&moderator), &["moderator"], true));
    assert!(fails(&[], &["moderator"], false), "nobody has named her");
    assert!(fails(&[named("other", "admin", "moderator")], &["moderator"], false), "another was named");
    assert!(fails(&[named("eff", "member", "participant")], &["moderator"], false), "as less");
    assert!(fails(&[named("eff", "admin", "participant")], &["participant"], true), "who is no moderator kicks nobody");
    let told = [moderator, demoted];
    assert!(fails(&told, &["participant", "moderator"], false), "she was told that she is one no more");
}
