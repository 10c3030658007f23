//! What is heard at a site that is cut off, and when the room is reached again.

use super::*;

const DELIVERED: &str = "who stayed was sent everything once, in one order";
const EVE: &str = "eve@vesa.yeggmaex.irc/x";

/// Efchen comes to an island where Eve has said four things, the first of them without a voice: the room, which has given her one, tells
/// all of it when it is reached again. The history is of the last of the others, and has no holes.
#[test]
fn who_came_to_an_island_may_miss_what_its_history_did_not_reach() {
    let fails = |history: &[&str], since: &[&str], told: &[&str]| {
        let mut story = Story::told();
        let says = |story: &mut Story, id: &str| {
            let said = format!("<message to='{ROOM}' type='groupchat' id='m{id}'><body>b{id}</body></message>");
            story.add(EVE, Scene::Sent(Element::parse(&said).unwrap()));
            story.archive.push(Archived { id: id.to_owned(), body: Some(format!("b{id}")) });
        };
        let word = |text: &str| format!("<message from='{ROOM}' type='groupchat'><body>{text}</body></message>");
        ["3", "4", "5", "6"].iter().for_each(|id| says(&mut story, id));
        story.add(EFCHEN, Scene::Connected);
        story.asks_to_enter();
        story.receives(EFCHEN, &presence("Efchen", "participant", "", true));
        let entered_ms = story.tape.tellings.last().unwrap().at_ms;
        story.receives(EFCHEN, &word("The server of this room is not reached any more."));
        story.tape.tellings.last_mut().unwrap().at_ms = entered_ms;
        history.iter().for_each(|id| story.receives(EFCHEN, &message(id)));
        says(&mut story, "7");
        since.iter().for_each(|id| story.receives(EFCHEN, &message(id)));
        story.receives(EFCHEN, &word("The server of this room is reached again."));
        says(&mut story, "8");
        told.iter().chain(&["8"]).for_each(|id| story.receives(EFCHEN, &message(id)));
        ["3", "4", "5", "6", "7", "8"].iter().for_each(|id| story.receives(WIZ, &message(id)));
        story.fails().iter().any(|name| name == DELIVERED)
    };
    assert!(!fails(&["5", "6"], &["7"], &["3"]));
    assert!(!fails(&["4", "5", "6"], &["7"], &["3"]));
    assert!(fails(&["4", "6"], &["7"], &["3"]), "a hole in the history");
    assert!(fails(&["5", "6"], &[], &["3"]), "said when she was in");
    assert!(fails(&["5", "6"], &["7"], &["3", "5"]), "told twice");
}
