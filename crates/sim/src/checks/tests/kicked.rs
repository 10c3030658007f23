//! Who is in again that was kicked: when he was, and whether he has asked since.

use super::*;

/// Who was kicked comes back when he asks to; a census that brings him back alone shows.
#[test]
fn somebody_kicked_who_is_in_again_unasked_shows() {
    let enters =
        occupant("Efchen", "", "none", "participant", &[], &marked(1, "enter", &format!("<enter jid='{EFCHEN}'/>")));
    let there = occupant("Efchen", "", "none", "participant", &[], "");
    let kicked = occupant("Efchen", GONE, "none", "none", &["307"], "");
    let story = |between: &dyn Fn(&mut Story)| {
        let mut story = Story::told();
        story.crosses(&enters);
        story.receives(WIZ, &kicked);
        between(&mut story);
        story.receives(WIZ, &there);
        story.fails().iter().any(|name| name == KICKED)
    };
    assert!(story(&|_| {}));
    assert!(!story(&|story| story.asks_to_enter()));
    let renamed =
        occupant("Other", GONE, "none", "participant", &["303"], "").replace("<item ", "<item nick='Efchen' ");
    assert!(!story(&|story| story.receives(WIZ, &renamed.replace("id='other'", "id='efchen'"))));
}

/// The room's own roster names him though he has not asked, which nobody need have been shown; and of two kicks the second counts
/// too.
#[test]
fn somebody_kicked_in_the_roster_of_a_snapshot_shows() {
    let of = |kind: &str, codes: &[&str], mark: &str| occupant("Efchen", kind, "none", "participant", codes, mark);
    let enter = |d| of("", &[], &marked(d, "enter", &format!("<enter jid='{EFCHEN}'/>")));
    let kick = |d| of(GONE, &["307"], &marked(d, "event", ""));
    let mut story = Story::told();
    [enter(1), kick(2)].iter().for_each(|xml| story.crosses(xml));
    story.asks_to_enter();
    story.receives(EFCHEN, &of(" id='join-1'", &["110"], ""));
    [enter(3), of("", &[], &marked(4, "roster", ""))].iter().for_each(|xml| story.crosses(xml));
    let shows = |story: &Story| story.fails().iter().any(|name| name == KICKED);
    assert!(!shows(&story));
    [kick(5), of("", &[], &marked(6, "roster", ""))].iter().for_each(|xml| story.crosses(xml));
    assert!(shows(&story));
}

/// A replica that is told of a kick when who was kicked is in again already learns nothing new; one that it is told of while he is out
/// counts from when others were.
#[test]
fn somebody_kicked_counts_from_when_anybody_was_told() {
    let of = |kind: &str, codes: &[&str], mark: &str| occupant("Efchen", kind, "none", "participant", codes, mark);
    let enters = of("", &[], &marked(1, "enter", &format!("<enter jid='{EFCHEN}'/>")));
    let (kicked, stray) = (of(GONE, &["307"], ""), of(GONE, &["110", "307", "333"], ""));
    let held = [of(GONE, &["307"], &marked(2, "event", "")), of("", &[], &marked(3, "roster", ""))];
    let shows = |asks: &[bool]| {
        let mut story = Story::told();
        story.crosses(&enters);
        for asks in asks {
            story.crosses(&kicked);
            if *asks {
                story.asks_to_enter();
                story.receives(EFCHEN, &of(" id='join-1'", &["110"], ""));
                story.crosses(&of("", &[], ""));
            }
        }
        held.iter().for_each(|xml| story.crosses(xml));
        story.fails().iter().any(|name| name == KICKED)
    };
    let mut story = Story::told();
    [&enters, &stray, &held[1]].iter().for_each(|xml| story.crosses(xml));
    assert_eq!(story.fails(), [""; 0], "a client of his that was not in has been told so");
    assert!(!shows(&[true]));
    assert!(shows(&[false]), "he has not asked since");
    assert!(shows(&[]), "nor since the replica was told, the first of all");
}

/// Somebody hears of a kick that the room has lost with its disk, and of him again, who has not asked: he has been in all along. Where the
/// copy knows of it he has not.
#[test]
fn somebody_kicked_before_the_copy_was_made_shows_whenever_it_is_heard() {
    let of = |kind: &str, codes: &[&str], mark: &str| occupant("Efchen", kind, "none", "participant", codes, mark);
    let (enters, kicks) = (
        of("", &[], &marked(1, "enter", &format!("<enter jid='{EFCHEN}'/>"))),
        of(GONE, &["307"], &marked(2, "event", "")),
    );
    let onlooker = "rubenro@vesa.yeggmaex.irc/shaver";
    let shows = |is_lost: bool| {
        let mut story = Story::told();
        story.receives(onlooker, &presence("BigCheese", "participant", "", true));
        story.crosses(&enters);
        let begun = story.here();
        story.pings(WIZ, "result");
        story.crosses(&kicks);
        story.pings(WIZ, "result");
        let from = if is_lost { begun } else { story.here() };
        story.set_back(from);
        story.receives(onlooker, &of(GONE, &["307"], ""));
        story.receives(onlooker, &of("", &[], ""));
        story.fails().iter().any(|name| name == KICKED)
    };
    assert!(!shows(true));
    assert!(shows(false), "the copy has it");
}
