//! What is asked for once more: pages by who has left, and rosters that a digest has shown to be wrong.

use super::*;

/// Efchen asks to leave, which does not arrive, and one of two messages that she is still sent is lost. Whether she enters anew and is
/// shown by a page what she lacks, or not.
#[test]
fn who_has_left_lacks_nothing_until_he_is_in_again() {
    let tells = |comes_back: bool, page: &[&str]| {
        let mut story = Story::told();
        let leave = format!("<presence to='{ROOM}/Efchen' type='unavailable'/>");
        story.add(EFCHEN, Scene::Sent(Element::parse(&leave).unwrap()));
        for id in ["3", "4"] {
            story.archive.push(Archived { id: id.to_owned(), body: Some(format!("b{id}")) });
            story.receives(WIZ, &message(id));
        }
        story.receives(EFCHEN, &message("4"));
        if comes_back {
            story.asks_to_enter();
            story.receives(
                EFCHEN,
                &presence("Efchen", "participant", "", true).replace("<presence", "<presence id='join-2'"),
            );
            story.pings(EFCHEN, "result");
            story.efchen_pages("2", page);
        }
        story.fails().iter().any(|failed| failed == PAGED)
    };
    assert!(!tells(false, &[]), "she is not promised what she does not ask for");
    assert!(!tells(true, &["3", "4"]));
    assert!(tells(true, &["4"]), "what was said while she was away is in the archive");
}

/// What somebody is sent who has not been told that he is in is nothing to go on from.
#[test]
fn who_enters_pages_from_the_beginning_whatever_he_was_sent_before() {
    let mut record = Record::of(&Jid::new(ROOM).unwrap());
    let mut hears = |xml: &str| record.note(0, &Scene::Received(Element::parse(xml).unwrap()));
    hears(&message("2"));
    hears(&presence("Efchen", "participant", "", true));
    assert!(record.is_behind());
    assert!(!record.page(0).to_xml().contains("<after>"));
}

/// A message is lost on the stream by which the room serves Efchen itself, and is heard by anybody only when she is out again, or by an
/// island long before she came: when the room has told it decides whether the stream was disturbed then.
#[test]
fn what_a_disturbed_stream_loses_is_promised_to_nobody() {
    let fails = |disturbed: bool, on_island: bool| {
        let mut story = Story::told();
        story.crosses(
            &presence("Efchen", "participant", "", true).replace("<presence", &format!("<presence to='{EFCHEN}'")),
        );
        story.tape.crossings.last_mut().unwrap().at_ms = 0;
        story.crosses(&message("3"));
        if disturbed {
            story.disturbed.push(("vesa.yeggmaex.irc".to_owned(), 0, story.tape.tellings.len() as u64));
        }
        for id in ["3", "4"] {
            story.archive.push(Archived { id: id.to_owned(), body: Some(format!("b{id}")) });
        }
        story.receives(EFCHEN, &message("4"));
        let out = presence("Efchen", "none", "", true).replacen("<presence", "<presence type='unavailable'", 1);
        story.receives(EFCHEN, &out);
        ["3", "4"].iter().for_each(|id| story.receives(WIZ, &message(id)));
        story.receives(EFCHEN, &presence("Efchen", "participant", "", true));
        story.efchen_pages("4", &[]);
        if on_island {
            story.begins_at(10_000);
            let shown = Scene::Received(Element::parse(&message("3")).unwrap());
            story
                .tape
                .tellings
                .insert(0, Telling { at_ms: 0, who: "eve@killrc.oulubox.irc/x".to_owned(), what: shown });
        }
        story.fails().iter().any(|failed| failed == PAGED)
    };
    for on_island in [false, true] {
        assert!(!fails(true, on_island), "on an island: {on_island}");
        assert!(fails(false, on_island), "on an island: {on_island}");
    }
}

/// What a replica asks for again since it was lost is no second repair; what the next digest but a moment later is answered by is one.
#[test]
fn a_roster_that_each_digest_has_fetched_anew_shows() {
    let digest = format!(
        "<message from='{ROOM}' to='replica@vesa.yeggmaex.irc'><x xmlns='urn:xmpp:tmp:dmuc:0'>\
         <at xmlns='urn:netjoin:dmuc:0' epoch='e' d='1' kind='digest'/></x></message>"
    );
    let asks = format!(
        "<iq from='replica@vesa.yeggmaex.irc' to='{ROOM}'><replicate xmlns='urn:netjoin:dmuc:0'>\
         <resume incarnation='i' term='t' seq='1' roster='full'/></replicate></iq>"
    );
    let fails = |then: &[(&str, u64)]| {
        let mut story = Story::told();
        let begun_ms = story.tape.tellings.len() as u64;
        for (stanza, after_ms) in [(&*digest, 0), (&*asks, 10)].iter().chain(then) {
            story.crosses(stanza);
            story.tape.crossings.last_mut().unwrap().at_ms = begun_ms + after_ms;
        }
        story.fails().iter().any(|failed| failed == BOUNDS)
    };
    assert!(!fails(&[(&asks, 600), (&asks, 1_700)]), "it was not answered");
    assert!(fails(&[(&digest, 25_000), (&asks, 25_010)]));
    assert!(!fails(&[(&digest, 25_000), (&digest, 50_000), (&digest, 75_000), (&asks, 75_010)]));
}
