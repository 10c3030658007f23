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
    assert!(asks("nick='Troy' role='participant'", &["participant"], true), "voice is the moderators'");
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

/// What the room says to Efchen's site of one of her occupants, by an ENTER or to all.
fn efchen(nick: &str, kind: &str, role: &str, mark: &str) -> String {
    let inner = if mark == "enter" { format!("<enter jid='{EFCHEN}'/>") } else { String::new() };
    let of_nick = format!("<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{}'/>", nick.to_lowercase());
    let presence = occupant(nick, kind, "none", role, &[], &marked(1, mark, &inner));
    presence.replace(&of_nick, "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='hers'/>")
}

/// Efchen is in under two nicknames: as one she is a moderator, as the other she is not.
#[test]
fn who_is_in_twice_may_what_either_may() {
    let retracts = |told: &[String]| {
        let mut story = Story::told();
        told.iter().for_each(|xml| story.crosses(xml));
        let moderate = "<moderate xmlns='urn:xmpp:message-moderate:1' id='1'/>";
        let set = format!("<iq to='{ROOM}' type='set' id='a1'>{moderate}</iq>");
        story.add(EFCHEN, Scene::Sent(Element::parse(&set).unwrap()));
        let result = format!("<iq from='{ROOM}' to='{EFCHEN}' type='result' id='a1'/>");
        story.crosses(&result);
        story.receives(EFCHEN, &result);
        story.fails().iter().any(|name| name == POWERS)
    };
    let told = |nick: &str, role: &str| efchen(nick, "", role, "enter");
    let both = [told("Efchen", "moderator"), told("Eff", "participant")];
    assert!(!retracts(&both));
    assert!(retracts(&both[1..]));
    let demoted = efchen("Efchen", "", "participant", "event");
    assert!(retracts(&[&both[..], &[demoted]].concat()), "taken back");
    let gone = efchen("Efchen", GONE, "none", "event");
    assert!(retracts(&[&both[..], std::slice::from_ref(&gone)].concat()), "that one is not there any more");
    let one_session = gone.replace("<at ", &format!("<leave xmlns='urn:xmpp:tmp:dmuc:0' jid='{EFCHEN}'/><at "));
    assert!(!retracts(&[&both[..], &[one_session]].concat()), "another session of hers is");
}

/// Efchen asks for a page of the archive, and a row of it names WiZ by his address.
fn is_read(before: impl Fn(&mut Story), meanwhile: impl Fn(&mut Story), by_room: bool) -> bool {
    let mut story = Story::told();
    before(&mut story);
    let query = format!("<iq to='{ROOM}' type='set' id='p'><query xmlns='urn:xmpp:mam:2' queryid='q'/></iq>");
    story.add(EFCHEN, Scene::Sent(Element::parse(&query).unwrap()));
    meanwhile(&mut story);
    let item = format!("<x xmlns='http://jabber.org/protocol/muc#user'><item jid='{WIZ}'/></x>");
    let said = format!("<message xmlns='jabber:client'>{item}</message>");
    let row = format!("<result xmlns='urn:xmpp:mam:2' queryid='q' id='1'>{said}</result>");
    let row = format!("<message from='{ROOM}' to='{EFCHEN}'>{row}</message>");
    if by_room {
        story.crosses(&row);
    }
    story.receives(EFCHEN, &row);
    !story.fails().iter().any(|name| name == POWERS)
}

/// Addresses in the archive are for who has the right to them when she asks, XEP-0313: as a moderator.
#[test]
fn addresses_in_the_archive_are_for_moderators() {
    let tells = |xml: String| move |story: &mut Story| story.crosses(&xml);
    let (moderator, participant) =
        (efchen("Efchen", "", "moderator", "enter"), efchen("Efchen", "", "participant", "event"));
    let nothing = |_: &mut Story| {};
    assert!(is_read(tells(moderator.clone()), nothing, true));
    assert!(is_read(nothing, tells(moderator.clone()), true), "when the room reads");
    assert!(is_read(tells(moderator.clone()), tells(participant.clone()), true), "when she asks");
    assert!(!is_read(tells(participant.clone()), nothing, true));
    let demoted = |story: &mut Story| [&moderator, &participant].iter().for_each(|xml| story.crosses(xml));
    assert!(!is_read(demoted, nothing, true), "no longer");
    // Her nickname has changed, and she has not heard of it.
    let renamed = efchen("Efchen", GONE, "moderator", "event").replace("role=", "nick='Eff' role=");
    let renamed = renamed.replace("</x><occ", "<status code='303'/></x><occ");
    let told = [moderator.clone(), renamed, efchen("Eff", "", "moderator", "event")];
    assert!(is_read(|story| told.iter().for_each(|xml| story.crosses(xml)), nothing, true));
    // Her stream ends, and she is in anew, and no moderator, by the time the answer arrives.
    let anew = |story: &mut Story| {
        story.add(EFCHEN, Scene::Ended);
        story.add(EFCHEN, Scene::Connected);
        story.crosses(&participant);
    };
    assert!(is_read(tells(moderator.clone()), anew, true));
    // What her site answers is by what it was told.
    assert!(is_read(tells(moderator.clone()), nothing, false));
    assert!(!is_read(tells(participant.clone()), nothing, false));
}

/// Efchen is not in: of her affiliation no presence tells, and who has her nickname by now does not matter.
#[test]
fn addresses_in_the_archive_are_for_those_whom_the_room_has_made_admins() {
    let read = |decided: &[(&str, bool)]| {
        let decide = |story: &mut Story| decided.iter().for_each(|(what, granted)| story.bans(what, *granted));
        is_read(decide, |_| {}, true)
    };
    assert!(read(&[("admin", true)]));
    assert!(!read(&[("admin", false)]), "asked for alone");
    assert!(!read(&[("member", true)]));
    assert!(!read(&[("admin", true), ("none", true)]), "no longer");
    let taken = |nick: &str| {
        let taken = occupant(nick, "", "none", "participant", &[], &marked(2, "event", ""));
        let in_before = efchen("Efchen", "", "participant", "enter");
        is_read(
            |story| {
                story.crosses(&in_before);
                story.bans("admin", true);
                story.crosses(&taken);
            },
            |_| {},
            true,
        )
    };
    assert!(taken("Efchen"));
    // That she is told that she is not in says nothing of what she is to the room.
    let out = occupant("Efchen", GONE, "none", "none", &["110", "307", "333"], "");
    let out = out.replace("<presence", &format!("<presence to='{EFCHEN}'"));
    let tells = |story: &mut Story| {
        story.bans("admin", true);
        story.crosses(&out);
    };
    assert!(is_read(tells, |_| {}, true));
}

/// Troy, named as a member for when his site is cut off, was made a moderator, has left, and enters the island: he is what he was named
/// as, and a moderator no more.
#[test]
fn who_enters_an_island_anew_is_what_he_was_named_as() {
    let fails = |leaves: bool, shown: &[&str]| {
        let troy = "msa@vesa.yeggmaex.irc";
        let member = format!("<member jid='{troy}' affiliation='none' role='participant' occupant-id='troy'/>");
        let members = format!("<members xmlns='urn:netjoin:dmuc:0'>{member}</members>");
        let mut story = Story::told();
        story.crosses(&format!("<message from='{ROOM}'>{}</message>", marked(1, "members", &members)));
        story.crosses(&is_now(2, "moderator"));
        let (_, moderates) = sees(EVE, "moderator");
        story.add(EVE, Scene::Connected);
        story.add(EVE, moderates);
        if leaves {
            story.receives(EVE, &occupant("Troy", GONE, "none", "none", &[], ""));
        }
        story.asks_to_enter();
        shown.iter().for_each(|role| story.receives(EVE, &occupant("Troy", "", "none", role, &[], "")));
        story.fails().iter().any(|name| name == POWERS)
    };
    assert!(!fails(true, &["participant"]));
    assert!(fails(true, &["participant", "moderator"]), "he is none any more");
    assert!(fails(true, &["visitor"]), "nobody has named him so");
    assert!(fails(false, &["participant"]), "the room has not said so of him who is there");
}

/// WiZ, an owner who is not in the room, makes a participant of Troy: of a moderator he may (XEP-0045 9.7), of a visitor he may not.
#[test]
fn an_owner_outside_makes_no_more_of_somebody_than_no_moderator() {
    let fails = |role: &str| {
        let mut story = Story::told();
        let mark = marked(1, "enter", &format!("<enter jid='{WIZ}'/>"));
        story.crosses(&occupant("WiZ", "", "owner", "moderator", &[], &mark));
        story.crosses(&occupant("WiZ", GONE, "owner", "none", &[], &marked(2, "event", "")));
        // Who is who is known of those alone whom the room has let in.
        let troy = marked(3, "enter", &format!("<enter jid='{EVE}'/>"));
        story.crosses(&occupant("Troy", "", "none", role, &[], &troy));
        story.is_granted(WIZ, "<item nick='Troy' role='participant'/>");
        story.fails().iter().any(|name| name == POWERS)
    };
    assert!(!fails("moderator"));
    assert!(fails("visitor"));
}
