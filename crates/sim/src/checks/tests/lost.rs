//! What is in no archive because a server has lost its disk.

use super::*;
use crate::world::SetBack;

/// Its author's site has lost the disk that it was kept on, and had a copy put aside before; at another time, or at another site, that
/// excuses nothing.
#[test]
fn a_message_that_went_with_a_disk_is_in_no_archive() {
    let fails = |domain: &str, from_ms: u64, to_ms: u64| {
        let mut story = Story::told();
        story.archive.pop();
        let (from, told, crossed) = (0, story.tape.tellings.len(), story.tape.crossings.len());
        story.tape.set_back.push(SetBack { domain: domain.to_owned(), from_ms, from, to_ms, told, crossed });
        story.fails().iter().any(|name| name == "what was acknowledged is in the archive once")
    };
    let said = |telling: &Telling| matches!(&telling.what, Scene::Sent(stanza) if stanza.get("id") == Some("m2"));
    let at_ms = Story::told().tape.tellings.iter().find(|telling| said(telling)).expect("he has said it").at_ms;
    assert!(!fails("eris.dclxvii.irc", at_ms, at_ms + 5));
    assert!(!fails("eris.dclxvii.irc", 0, at_ms));
    let shows = |telling: &Telling| telling.who == WIZ && telling.at_ms > at_ms;
    let shown_ms = Story::told().tape.tellings.iter().find(|telling| shows(telling)).expect("he has it back").at_ms;
    assert!(!fails("eris.dclxvii.irc", shown_ms, shown_ms + 5), "it was on its way to the room until then");
    assert!(fails("eris.dclxvii.irc", shown_ms + 1, shown_ms + 5), "the copy has it");
    assert!(fails("eris.dclxvii.irc", 0, at_ms - 1), "said since");
    assert!(fails("vesa.yeggmaex.irc", 0, at_ms + 5));
}

/// Efchen has seen on an island, ahead of the room, what she has said herself; the room has told something else before it, which came to
/// her site no more. She pages on from hers: she is promised what was told before that as long as her site has the disk that says where
/// it stands.
#[test]
fn what_stands_before_what_a_lost_disk_had_shown_is_promised_to_nobody() {
    let fails = |lost: Option<(u64, u64)>, came: bool| {
        let mut story = Story::told();
        let said = format!("<message to='{ROOM}' type='groupchat' id='m4'><body>b4</body></message>");
        if came {
            story.crosses(&message("3"));
        }
        story.add(EFCHEN, Scene::Sent(Element::parse(&said).unwrap()));
        let said_ms = story.tape.tellings.last().unwrap().at_ms;
        story.receives(EFCHEN, &message("4").replace("/WiZ", "/Efchen"));
        for id in ["3", "4", "5"] {
            story.receives(WIZ, &message(id));
            story.archive.push(Archived { id: id.to_owned(), body: Some(format!("b{id}")) });
        }
        for scene in [Scene::Ended, Scene::Connected] {
            story.add(EFCHEN, scene);
        }
        story.asks_to_enter();
        story.receives(EFCHEN, &presence("Efchen", "participant", "", true));
        story.pings(EFCHEN, "result");
        story.efchen_pages("4", &["5"]);
        if let Some((from, to)) = lost {
            let (domain, told, crossed) = ("vesa.yeggmaex.irc".to_owned(), story.tape.tellings.len(), 0);
            let (from_ms, to_ms) = (said_ms + from, said_ms + to);
            story.tape.set_back.push(SetBack { domain, from_ms, from: 0, to_ms, told, crossed });
        }
        story.fails().iter().any(|name| name == PAGED)
    };
    assert!(!fails(Some((0, 5)), false));
    assert!(fails(None, false), "her site knows where it stands");
    assert!(fails(Some((2, 5)), false), "so does the copy");
    assert!(fails(Some((0, 5)), true), "it had come to her site");
}
