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
    assert!(fails("eris.dclxvii.irc", at_ms + 1, at_ms + 5), "the copy has it");
    assert!(fails("eris.dclxvii.irc", 0, at_ms - 1), "said since");
    assert!(fails("vesa.yeggmaex.irc", 0, at_ms + 5));
}
