//! What clients are told: private messages, subjects, what was taken back, sites, themselves.

use super::*;
use crate::world::SetBack;

fn private(to: &str, body: &str) -> String {
    format!("<message {to} type='chat' id='{body}'><body>{body}</body></message>")
}

#[test]
fn a_private_message_that_another_is_sent_shows() {
    for (who, fails) in [(WIZ, &[][..]), (EFCHEN, &["private messages are for one"][..])] {
        let mut story = Story::told();
        story.add(EFCHEN, Scene::Sent(Element::parse(&private(&format!("to='{ROOM}/WiZ'"), "m9")).unwrap()));
        story.receives(who, &private(&format!("from='{ROOM}/Efchen'"), "m9"));
        assert_eq!(story.fails(), fails);
    }
}

/// WiZ has another client in the room, which has its own nickname there: what is for that one goes to it, and to his first only where it
/// has gone meanwhile. What is for Efchen never does.
#[test]
fn a_private_message_goes_to_another_client_of_who_is_gone() {
    const SATURN: &str = "squit@eris.dclxvii.irc/saturn";
    let fails = |nick: &str, is_gone: bool| {
        let mut story = Story::told();
        story.add(SATURN, Scene::Connected);
        story.receives(SATURN, &presence("Squit", "participant", "", true));
        story.add(EFCHEN, Scene::Sent(Element::parse(&private(&format!("to='{ROOM}/{nick}'"), "m9")).unwrap()));
        if is_gone {
            [SATURN, EFCHEN].iter().for_each(|who| story.add(who, Scene::Ended));
        }
        story.receives(WIZ, &private(&format!("from='{ROOM}/Efchen'"), "m9"));
        story.fails().iter().any(|name| name == "private messages are for one")
    };
    assert!(!fails("Squit", true));
    assert!(fails("Squit", false), "it is there to have it");
    assert!(fails("Efchen", true), "she is not he");
}

#[test]
fn a_subject_that_one_of_them_has_not_shows() {
    let subject = format!("<message from='{ROOM}/WiZ' type='groupchat'><subject>new</subject></message>");
    let mut story = Story::told();
    story.receives(WIZ, &subject);
    assert_eq!(story.fails(), ["everybody has the same subject"]);
    story.receives(EFCHEN, &subject);
    assert_eq!(story.fails(), [""; 0]);
}

#[test]
fn what_was_taken_back_and_is_given_out_shows() {
    let retract = format!(
        "<message from='{ROOM}' type='groupchat'><retract xmlns='urn:xmpp:message-retract:1' id='2'>\
         <moderated xmlns='urn:xmpp:message-moderate:1' by='{ROOM}/WiZ'/></retract></message>"
    );
    let query =
        Element::parse(&format!("<iq to='{ROOM}' type='set' id='q'><query xmlns='urn:xmpp:mam:2' queryid='q'/></iq>"));
    let row = format!(
        "<message from='{ROOM}'><result xmlns='urn:xmpp:mam:2' queryid='q' id='2'><forwarded xmlns='urn:xmpp:forward:0'>\
         <message xmlns='jabber:client'><body>b2</body></message></forwarded></result></message>"
    );
    let mut story = Story::told();
    story.receives(EFCHEN, &retract);
    story.add(EFCHEN, Scene::Sent(query.clone().unwrap()));
    story.receives(EFCHEN, &row);
    assert!(story.fails().contains(&"what was taken back is in no archive".to_owned()));
    // What was asked before may have been read before.
    let mut story = Story::told();
    story.add(EFCHEN, Scene::Sent(query.unwrap()));
    story.receives(EFCHEN, &retract);
    story.receives(EFCHEN, &row);
    assert!(!story.fails().contains(&"what was taken back is in no archive".to_owned()));
}

#[test]
fn a_site_that_is_named_where_addresses_are_hidden_shows() {
    let says = |text| format!("<message from='{ROOM}' type='groupchat'><body>{text}</body></message>");
    let mut story = Story::told();
    story.receives(EFCHEN, &says("Another site is cut off"));
    assert_eq!(story.fails(), [""; 0]);
    story.receives(EFCHEN, &says("eris.dclxvii.irc is cut off"));
    assert_eq!(story.fails(), ["real addresses are seen by those who may"]);
}

#[test]
fn somebody_who_is_shown_otherwise_to_himself_shows() {
    let mut story = Story::told();
    story.receives(WIZ, &presence("WiZ", "moderator", "", true).replace("<x ", "<show>dnd</show><x "));
    assert_eq!(story.fails(), ["everybody sees the same people"]);
    let mut story = Story::told();
    story.receives(EFCHEN, &presence("Efchen", "visitor", "", true));
    assert!(story.fails().contains(&"everybody sees the same people".to_owned()));
}

#[test]
fn a_mirror_that_is_not_as_the_room_shows() {
    let resume = "<resume incarnation='i' term='t' seq='1' roster='full'/>";
    let asked = format!("<iq type='set' id='r'><replicate xmlns='urn:netjoin:dmuc:0'>{resume}</replicate></iq>");
    let mut story = Story::told();
    story.crosses(&asked);
    assert!(story.fails().contains(&"a mirror is as the room is".to_owned()));
    let mut story = Story::told();
    story.crosses(&asked);
    // As the story has it, everything crosses from here.
    story.tape.altered.insert("channel.avalon.irc".to_owned());
    assert_eq!(story.fails(), [""; 0]);
}

#[test]
fn a_message_that_comes_only_when_more_is_said_shows() {
    let mut story = Story::told();
    for (n, telling) in story.tape.tellings.iter_mut().enumerate() {
        telling.at_ms = 1 + n as u64;
    }
    let said = story.tape.tellings.len() as u64;
    story.healed_ms = said + 600_000;
    assert_eq!(story.fails(), [""; 0]);
    // Efchen is sent the last of them much later.
    let late = story.tape.tellings.iter_mut().filter(|telling| telling.who == EFCHEN);
    late.rev().take(3).for_each(|telling| telling.at_ms = said + 600_001);
    assert_eq!(story.fails(), ["what is lost is found by itself"]);
}

#[test]
fn somebody_who_is_out_by_nothing_but_a_join_shows() {
    let granted = |status| {
        let seat = format!("<seat nick='Efchen' jid='{EFCHEN}' verdict='removed' status='{status}'/>");
        format!("<iq type='result' id='r'><granted xmlns='urn:netjoin:dmuc:0'>{seat}</granted></iq>")
    };
    for (status, fails) in [("307", &[][..]), ("333", &["who is removed by nobody is heard"][..])] {
        let mut story = Story::told();
        story.crosses(&granted(status));
        assert_eq!(story.fails(), fails);
    }
}

/// A site that is away for longer than anybody is remembered: it is there again when it registers and is answered, not before.
#[test]
fn somebody_who_is_out_though_his_site_was_there_shows() {
    let heads = |sent: &str| format!("<iq type='result' id='k'><heads xmlns='urn:netjoin:dmuc:0'>{sent}</heads></iq>");
    let of_room = heads(&format!("<sent room='{ROOM}' outbox='o' n='1'/>"));
    let asks = "<iq type='set' id='r'><replicate xmlns='urn:netjoin:dmuc:0'/></iq>";
    let answered = "<iq type='result' id='r'><granted xmlns='urn:netjoin:dmuc:0'/></iq>";
    let pinged = "<iq type='get' id='k'><ping xmlns='urn:xmpp:ping'/></iq>";
    for (up, down, fails) in
        [(&*heads(""), pinged, false), (&of_room, pinged, true), (asks, pinged, false), (asks, answered, true)]
    {
        let mut story = Story::told();
        story.crosses_at(700_000, true, up);
        story.crosses_at(700_000, false, down);
        let seat = format!("<seat nick='Efchen' jid='{EFCHEN}' verdict='removed' status='333'/>");
        let out = format!("<iq type='result' id='s'><granted xmlns='urn:netjoin:dmuc:0'>{seat}</granted></iq>");
        story.crosses_at(1_300_000, false, &out);
        let name = "who is removed by nobody is heard".to_owned();
        assert_eq!(story.fails().contains(&name), fails, "{up} {down}");
    }
}

/// Who is entered again has gone for all others: for that his site has to be away for as long as seats are kept.
#[test]
fn somebody_who_is_entered_again_though_his_site_was_there_shows() {
    for (at_ms, fails) in [(500_000, &["who is removed by nobody is heard"][..]), (700_000, &[])] {
        let mut story = Story::told();
        let seat = format!("<seat nick='Efchen' jid='{EFCHEN}' verdict='reenter'/>");
        let again = format!("<iq type='result' id='r'><granted xmlns='urn:netjoin:dmuc:0'>{seat}</granted></iq>");
        story.crosses_at(at_ms, false, &again);
        assert_eq!(story.fails(), fails, "at {at_ms}");
    }
}

/// Efchen says something that her island shows her, and leaves. The room lets nobody of her site in again: her words are refused by that
/// where she is named, and lost else.
#[test]
fn words_of_an_island_that_the_room_has_not_heard_of_show() {
    let fails = |seat: &str| {
        let mut story = Story::told();
        let said = format!("<message to='{ROOM}' type='groupchat' id='m3'><body>b3</body></message>");
        story.add(EFCHEN, Scene::Sent(Element::parse(&said).unwrap()));
        story.receives(EFCHEN, &message("3").replace("/WiZ", "/Efchen"));
        let leave = format!("<presence to='{ROOM}/Efchen' type='unavailable'/>");
        story.add(EFCHEN, Scene::Sent(Element::parse(&leave).unwrap()));
        story.crosses(&format!(
            "<iq type='result' id='r'><granted xmlns='urn:netjoin:dmuc:0' roster='none'>{seat}</granted></iq>"
        ));
        story.fails().iter().any(|name| name == "what was acknowledged is in the archive once")
    };
    let seat = |who: &str| format!("<seat nick='Efchen' jid='{who}' verdict='removed' status='307'/>");
    assert!(!fails(&seat(EFCHEN)));
    assert!(fails(""));
    assert!(fails(&seat("eve@vesa.yeggmaex.irc/x")), "another is named");
}

#[test]
fn words_of_somebody_who_was_in_and_are_refused_for_it_show() {
    let said = format!("<message to='{ROOM}' type='groupchat' id='m3'><body>b3</body></message>");
    let refused = format!(
        "<message from='{ROOM}' to='{EFCHEN}' type='error' id='m3'><error type='modify'>\
         <not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    );
    let kicked = occupant("Efchen", GONE, "none", "none", &["307"], "")
        .replace("</presence>", &format!("<x xmlns='urn:xmpp:tmp:dmuc:0'><leave jid='{EFCHEN}'/></x></presence>"));
    // Her site has let her in while it was cut off, and the room does not.
    let not_let_in = |why: &str| {
        let error = format!("<error type='auth'><{why} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
        format!("<presence from='{ROOM}/Efchen' to='{EFCHEN}' type='error'>{error}</presence>")
    };
    let (banned, taken) = (not_let_in("forbidden"), not_let_in("conflict"));
    let fails_by_nobody = &["who is removed by nobody is heard"][..];
    for (why, fails) in
        [(Some(&kicked), &[][..]), (Some(&banned), &[]), (Some(&taken), fails_by_nobody), (None, fails_by_nobody)]
    {
        let mut story = Story::told();
        story.add(EFCHEN, Scene::Sent(Element::parse(&said).unwrap()));
        why.into_iter().for_each(|why| story.crosses(why));
        story.crosses(&refused);
        assert_eq!(story.fails(), fails);
    }
}

/// The room is destroyed, and Efchen speaks before that has come to her.
#[test]
fn words_that_cross_the_end_of_a_room_are_refused_by_that() {
    let destroyed = format!(
        "<presence from='{ROOM}/Efchen' to='{EFCHEN}' type='unavailable'><x xmlns='http://jabber.org/protocol/muc#user'>\
         <item affiliation='none' role='none'/><destroy/></x></presence>"
    );
    let refused = format!(
        "<message from='{ROOM}' to='{EFCHEN}' type='error' id='m3'><error type='modify'>\
         <not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    );
    for (comes, fails) in [(true, false), (false, true)] {
        let mut story = Story::told();
        story.crosses_at(0, false, &destroyed);
        let said = format!("<message to='{ROOM}' type='groupchat' id='m3'><body>b3</body></message>");
        story.add(EFCHEN, Scene::Sent(Element::parse(&said).unwrap()));
        if comes {
            story.receives(EFCHEN, &destroyed);
        }
        story.crosses(&refused);
        assert_eq!(story.fails().iter().any(|name| name == "who is removed by nobody is heard"), fails);
    }
}

/// Removed before she has heard that she is in, of what she says then: by who removed her, unless that was before she was let in.
#[test]
fn who_is_removed_before_she_knows_that_she_is_in_is_removed_by_somebody() {
    let enter = occupant("Efchen", "", "none", "participant", &["110"], "")
        .replace("</presence>", &format!("<x xmlns='urn:xmpp:tmp:dmuc:0'><enter jid='{EFCHEN}'/></x></presence>"));
    let kick = occupant("Efchen", GONE, "none", "none", &["307"], "")
        .replace("</presence>", &format!("<x xmlns='urn:xmpp:tmp:dmuc:0'><leave jid='{EFCHEN}'/></x></presence>"));
    for (first, then, fails) in [(&enter, &kick, false), (&kick, &enter, true)] {
        let mut story = Story::told();
        story.tape.tellings.iter_mut().for_each(|telling| telling.at_ms += 100);
        let said = format!("<message to='{ROOM}' type='groupchat' id='m3'><body>b3</body></message>");
        story.add(EFCHEN, Scene::Sent(Element::parse(&said).unwrap()));
        story.tape.tellings.last_mut().unwrap().at_ms = 200;
        story.crosses_at(1, false, first);
        story.crosses_at(2, false, then);
        story.crosses_at(
            300,
            false,
            &format!(
                "<message from='{ROOM}' to='{EFCHEN}' type='error' id='m3'><error type='modify'>\
                 <not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
            ),
        );
        assert_eq!(story.fails().iter().any(|name| name == "who is removed by nobody is heard"), fails);
    }
}

#[test]
fn a_site_that_is_not_told_that_its_room_is_no_more_shows() {
    let granted = "<iq type='result' id='g'><granted xmlns='urn:netjoin:dmuc:0' incarnation='first'/></iq>";
    let destroyed = format!(
        "<presence from='{ROOM}/Efchen' type='unavailable'><x xmlns='http://jabber.org/protocol/muc#user'><destroy/></x></presence>"
    );
    let asked = format!(
        "<iq from='replica@vesa.yeggmaex.irc' type='set' id='r'><replicate xmlns='urn:netjoin:dmuc:0'>\
         <resume incarnation='first'/><census><seat jid='{EFCHEN}'/></census></replicate></iq>"
    );
    let answer = |error: &str| {
        let error = format!("<error type='cancel'>{error}</error>");
        format!("<iq from='{ROOM}' to='replica@vesa.yeggmaex.irc' type='error' id='r'>{error}</iq>")
    };
    let (told, untold) = ("<destroyed xmlns='urn:netjoin:dmuc:0'/>", "<item-not-found/>");
    for (error, fails) in [(told, false), (untold, true)] {
        let mut story = Story::told();
        [granted, &destroyed, &asked, &answer(error)].iter().for_each(|xml| story.crosses(xml));
        let name = "who was in a room that is destroyed is told so".to_owned();
        assert_eq!(story.fails().contains(&name), fails, "{error}");
        // It was told, and has lost that with its disk; or its copy has it.
        let told = story.tape.crossings.iter().find(|crossing| crossing.stanza.to_xml() == destroyed);
        let told_ms = told.expect("it has been told").at_ms;
        for (from_ms, fails) in [(told_ms, false), (told_ms + 1, fails)] {
            let (domain, to_ms) = ("vesa.yeggmaex.irc".to_owned(), told_ms + 5);
            story.tape.set_back = vec![SetBack { domain, from_ms, from: 0, to_ms, told: 0, crossed: 0 }];
            assert_eq!(story.fails().contains(&name), fails, "{error} {from_ms}");
        }
    }
}

/// Whoever was in has been put out, whoever asked for it is cut off: that the room was destroyed is seen when it is new.
#[test]
fn words_of_a_room_whose_end_nobody_was_told_of_are_in_no_archive() {
    let asked = format!(
        "<iq from='{WIZ}' to='{ROOM}' type='set' id='d'><query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query></iq>"
    );
    let refused = format!("<iq from='{ROOM}' to='{WIZ}' type='error' id='d'><error><forbidden/></error></iq>");
    let new = occupant("WiZ", "", "owner", "moderator", &["110", "201"], "");
    for (asks, refuses, is_new, fails) in
        [(true, false, true, false), (true, true, true, true), (false, false, true, true), (true, false, false, true)]
    {
        let mut story = Story::told();
        story.archive.clear();
        if asks {
            let at_ms = story.tape.tellings.len() as u64;
            story.crosses_at(at_ms, true, &asked);
        }
        [(refuses, &refused), (is_new, &new)].iter().filter(|(is, _)| *is).for_each(|(_, xml)| story.crosses(xml));
        let name = "what was acknowledged is in the archive once".to_owned();
        assert_eq!(story.fails().contains(&name), fails, "asks: {asks}, refuses: {refuses}, new: {is_new}");
    }
}

/// Efchen speaks on her island when her room is destroyed, and is gone when her site asks for it, for so long that nobody remembers it.
#[test]
fn words_on_an_island_whose_room_is_not_remembered_are_in_no_archive() {
    let destroyed = format!(
        "<presence from='{ROOM}/WiZ' type='unavailable'><x xmlns='http://jabber.org/protocol/muc#user'><destroy/></x></presence>"
    );
    let said = format!("<message to='{ROOM}' type='groupchat' id='m3'><body>b3</body></message>");
    let shown = message("3").replace("/WiZ", "/Efchen");
    let asked =
        "<iq type='set' id='r'><replicate xmlns='urn:netjoin:dmuc:0'><resume incarnation='first'/></replicate></iq>";
    let answer = |condition: &str| format!("<iq type='error' id='r'><error type='cancel'><{condition}/></error></iq>");
    let (unknown, later) = (answer("item-not-found"), answer("resource-constraint"));
    for (ends, answer, fails) in [(true, &unknown, false), (true, &later, true), (false, &unknown, true)] {
        let mut story = Story::told();
        if ends {
            story.crosses(&destroyed);
        }
        story.pings(EFCHEN, "result");
        story.add(EFCHEN, Scene::Sent(Element::parse(&said).unwrap()));
        story.receives(EFCHEN, &shown);
        story.add(EFCHEN, Scene::Ended);
        let at_ms = story.tape.tellings.len() as u64;
        story.crosses_at(at_ms, true, asked);
        story.crosses(answer);
        let name = "what was acknowledged is in the archive once".to_owned();
        assert_eq!(story.fails().contains(&name), fails, "ends: {ends}, {answer}");
    }
}

#[test]
fn words_of_somebody_who_is_put_out_and_never_hears_of_them_show() {
    let said = format!("<message to='{ROOM}' type='groupchat' id='m3'><body>b3</body></message>");
    let refused = format!("<message from='{ROOM}' type='error' id='m3'><body>b3</body></message>");
    for (told, fails) in [(true, &[][..]), (false, &["what was said is answered for"][..])] {
        let mut story = Story::told();
        story.add(EFCHEN, Scene::Sent(Element::parse(&said).unwrap()));
        story.receives(EFCHEN, &occupant("Efchen", GONE, "none", "none", &["110", "307"], ""));
        story.receives(WIZ, &occupant("Efchen", GONE, "none", "none", &["307"], ""));
        if told {
            story.receives(EFCHEN, &refused);
        }
        assert_eq!(story.fails(), fails);
    }
}

/// What somebody is shown who was put out by a word that was lost, and enters anew: the roster comes before his new role.
#[test]
fn addresses_for_who_enters_anew_are_judged_by_his_new_role() {
    let fails = |asks: bool, role: &str| {
        let mut story = Story::told();
        if asks {
            story.asks_to_enter();
        }
        story.receives(EFCHEN, &presence("WiZ", "moderator", " jid='squit@eris.dclxvii.irc/jupiter'", false));
        let entered = presence("Efchen", role, "", true);
        story.crosses(&entered.replace("<presence", &format!("<presence to='{EFCHEN}'")));
        story.receives(EFCHEN, &entered);
        story.fails().iter().any(|name| name == "real addresses are seen by those who may")
    };
    assert!(!fails(true, "moderator"));
    assert!(fails(true, "participant"));
    assert!(fails(false, "moderator"), "nobody knew yet");
}

/// Three give their nicknames to each other while Efchen, who is one of them, hears of it by one difference: what comes between the end
/// of her old one and the beginning of the new is shown to her as what she is, whoever has the old one by then.
#[test]
fn addresses_for_who_changes_his_nickname_are_judged_by_his_own_role() {
    let renamed = |from: &str, to: &str, jid: &str, codes: &str| {
        format!(
            "<presence from='{ROOM}/{from}' type='unavailable'><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='participant'{jid} nick='{to}'/><status code='303'/>{codes}</x></presence>"
        )
    };
    let (of_troy, of_wiz) = (" jid='troy@eris.dclxvii.irc/screwdriver'", " jid='squit@eris.dclxvii.irc/jupiter'");
    let fails = |role: &str| {
        let mut story = Story::told();
        story.add("troy@eris.dclxvii.irc/screwdriver", Scene::Connected);
        story.receives(EFCHEN, &presence("Efchen", role, "", true));
        story.receives(EFCHEN, &renamed("Efchen", "Eff", "", "<status code='110'/>"));
        story.receives(EFCHEN, &renamed("Eff", "WiZ", of_wiz, ""));
        story.receives(EFCHEN, &presence("Efchen", "participant", of_troy, false));
        story.receives(EFCHEN, &presence("Eff", role, "", true));
        story.fails().iter().any(|name| name == "real addresses are seen by those who may")
    };
    assert!(!fails("moderator"));
    assert!(fails("participant"));
}
