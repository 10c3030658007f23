//! XEP-0282 4.11.1 with XEP-0313: what was said is asked for on an island, and what is paged during a split and after it fits
//! together.

use crate::site::{ROOM, join, leaves, says};
use crate::world::{ERIS, Fault, KILLRC, SERVICE, World, of};
use std::collections::VecDeque;
use xmpp::{Element, ns};

/// Longer than a link is suspect.
const SPLIT_MS: u64 = 15_000;

/// What a query was answered.
#[derive(Debug, PartialEq)]
struct Page {
    bodies: Vec<String>,
    ids: Vec<String>,
    last: Option<String>,
    complete: bool,
    stable: bool,
}

fn ask(world: &mut World, nick: &str, after: Option<&str>, max: usize) -> Result<Page, String> {
    let after = after.map(|id| format!("<after>{id}</after>")).unwrap_or_default();
    world.take(of(nick));
    world.user(&format!(
        "<iq from='{}' to='{ROOM}' type='set' id='m'><query xmlns='{}' queryid='q'>\
         <set xmlns='{}'><max>{max}</max>{after}</set></query></iq>",
        of(nick),
        ns::MAM,
        ns::RSM
    ));
    page(&world.take(of(nick)))
}

fn page(got: &[Element]) -> Result<Page, String> {
    let (end, rows) = got.split_last().expect("an answer");
    if let Some(error) = end.get_child("error", ns::CLIENT) {
        return Err(error.children().next().expect("a condition").name().to_owned());
    }
    let fin = end.get_child("fin", ns::MAM).expect("the end of the page");
    let said = |row: &Element| {
        let result = row.get_child("result", ns::MAM).expect("a result");
        assert_eq!((row.get("from"), result.get("queryid")), (Some(ROOM), Some("q")));
        let message = result.get_child("forwarded", ns::FORWARD).and_then(|f| f.get_child("message", ns::CLIENT));
        let body = message.and_then(|message| message.get_child("body", ns::CLIENT)).expect("a body").content();
        (body, result.get("id").expect("an id").to_owned())
    };
    let (bodies, ids) = rows.iter().map(said).unzip();
    let last = fin.get_child("set", ns::RSM).and_then(|set| set.get_child("last", ns::RSM)).map(Element::content);
    Ok(Page {
        bodies,
        ids,
        last,
        complete: fin.get("complete") == Some("true"),
        stable: fin.get("stable") != Some("false"),
    })
}

/// Pages to the end; what was said, and the id it goes on from.
pub fn all(world: &mut World, nick: &str, after: Option<&str>, max: usize) -> (Vec<String>, Option<String>) {
    let (mut bodies, mut after) = (Vec::new(), after.map(str::to_owned));
    loop {
        let page = ask(world, nick, after.as_deref(), max).expect("a page");
        if page.bodies.is_empty() {
            return (bodies, after);
        }
        bodies.extend(page.bodies);
        after = page.last;
    }
}

/// The whole cast in the room, where these were said, and eris cut off.
fn cut_after(said: &[&str]) -> World {
    let mut world = World::with_cast(true);
    for body in said {
        world.says("Wumpus", body);
    }
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    world
}

/// The mirror and what was said on the island answer, page by page, in one order; what is provisional is not stable, nor what was said
/// before the site came.
#[test]
fn s4_11_1_queries_are_answered_from_the_mirror() {
    let mut world = cut_after(&["one", "two"]);
    world.says("WiZ", "three");
    world.says("Troy", "four");
    let first = ask(&mut world, "Troy", None, 1).expect("a page");
    assert_eq!((first.bodies, first.complete, first.stable), (vec!["one".into()], false, false));
    let first = ask(&mut world, "Troy", first.last.as_deref(), 1).expect("a page");
    assert_eq!((first.bodies, first.complete, first.stable), (vec!["two".into()], false, true));
    let second = ask(&mut world, "Troy", first.last.as_deref(), 2).expect("a page");
    assert_eq!((&*second.bodies, second.stable), (&["three".to_owned(), "four".to_owned()][..], false));
    assert!(second.complete, "nothing is missing behind what he has named");
    let ids = second.ids.clone();
    // The ids are those that the room gives them.
    world.heal(ERIS);
    world.pass_ms(120_000);
    let after = ask(&mut world, "Wumpus", first.last.as_deref(), 9).expect("a page");
    assert_eq!((after.bodies, after.ids, after.stable), (second.bodies, ids, true));
}

/// XEP-0313 5: from which message to which the archive reaches an island knows where its mirror has no hole; else the room alone.
#[test]
fn s4_11_1_metadata_is_answered_where_nothing_is_missing() {
    let asks = |world: &mut World, nick: &str| {
        world.take(of(nick));
        world.user(&format!(
            "<iq from='{}' to='{ROOM}' type='get' id='m'><metadata xmlns='{}'/></iq>",
            of(nick),
            ns::MAM
        ));
        world.take(of(nick)).pop().expect("an answer")
    };
    let ends = |answer: Element| answer.get_child("metadata", ns::MAM).map(Element::to_xml);
    let mut world = World::with_cast(true);
    world.says("Wumpus", "one");
    world.says("Wumpus", "two");
    let there = ends(asks(&mut world, "Troy"));
    assert!(there.as_ref().is_some_and(|ends| ends.contains("<start id=") && ends.contains("<end id=")));
    for site in [KILLRC, ERIS] {
        world.cut(site);
    }
    world.pass_ms(SPLIT_MS);
    assert_eq!(ends(asks(&mut world, "Wumpus")), there, "who has made the room has been there all the time");
    let late = asks(&mut world, "Troy").to_xml();
    assert!(late.contains("remote-server-timeout"), "who came later has not: {late}");
}

/// XEP-0313 4.1.5 and 4.1.3: the filters are told, a query that is not understood is refused as ever.
#[test]
fn s4_11_1_queries_are_judged_as_at_the_room() {
    let mut world = cut_after(&["one"]);
    let mut asks = |kind: &str, content: &str| {
        world.take(of("WiZ"));
        world.user(&format!(
            "<iq from='{}' to='{ROOM}' type='{kind}' id='m'><query xmlns='{}'>{content}</query></iq>",
            of("WiZ"),
            ns::MAM
        ));
        world.take(of("WiZ")).pop().expect("an answer").to_xml()
    };
    assert!(asks("get", "").contains("var='after-id'"));
    let form = |field: &str| {
        format!(
            "<x xmlns='{}' type='submit'><field var='FORM_TYPE' type='hidden'><value>{}</value></field>\
             <field var='{field}'><value>x</value></field></x>",
            ns::FORMS,
            ns::MAM
        )
    };
    assert!(asks("set", &form("start")).contains("<bad-request"));
    assert!(asks("set", &form("colour")).contains("<feature-not-implemented"));
    assert!(asks("set", &form("after-id")).contains("<remote-server-timeout"), "the room may know the id");
}

/// Whoever is not in the room is told that it is not reached.
#[test]
fn s4_11_1_only_those_who_are_in_are_answered() {
    let mut world = cut_after(&["one"]);
    world.user(&format!("<presence from='{}' type='unavailable' to='{ROOM}/Troy'/>", of("Troy")));
    assert_eq!(ask(&mut world, "Troy", None, 9), Err("remote-server-timeout".into()));
}

/// P9: who pages on an island and goes away there pages on from its last id when all is whole, and gets what was said
/// elsewhere meanwhile.
#[test]
fn s4_11_1_paging_on_from_the_island_misses_nothing() {
    let mut world = cut_after(&["before"]);
    world.says("WiZ", "here");
    world.says("Wumpus", "elsewhere");
    let (bodies, last) = all(&mut world, "Troy", None, 1);
    assert_eq!(bodies, ["before", "here"]);
    world.user(&format!("<presence from='{}' type='unavailable' to='{ROOM}/Troy'/>", of("Troy")));
    world.says("WiZ", "here again");
    world.heal(ERIS);
    world.pass_ms(120_000);
    world.says("Wumpus", "whole");
    world.user(&join(of("Troy"), "Troy"));
    let (bodies, last) = all(&mut world, "Troy", last.as_deref(), 1);
    assert_eq!(bodies, ["elsewhere", "here", "here again", "whole"], "what he has had is told apart by its id");
    world.says("Valdis", "later");
    assert_eq!(all(&mut world, "Troy", last.as_deref(), 9).0, ["later"], "and on from there without doing so again");
}

/// What the room has had and its site was not told of is shown on the island ahead of what the room has before it: who goes away there
/// pages on from it, and gets that. Also when the room's server has died meanwhile, and when the answer is lost by which the site learns
/// of it.
#[test]
fn s4_11_1_paging_on_from_what_the_room_had_had_misses_nothing() {
    for (restarts, lost_grants) in [(false, 0), (true, 0), (false, 1)] {
        let mut world = World::with_cast(true);
        world.faults = VecDeque::from([None, Some(Fault::Drop)]);
        world.says("Wumpus", "elsewhere");
        world.user_sends(&says(of("WiZ"), "here"));
        world.cut_after_delivery(ERIS);
        world.inbox.clear();
        world.pass_ms(SPLIT_MS);
        let heard = world.take(of("Troy"));
        let here = heard.iter().find_map(|said| said.get_child("stanza-id", ns::SID)?.get("id")).expect("its id");
        world.user(&format!("<presence from='{}' type='unavailable' to='{ROOM}/Troy'/>", of("Troy")));
        if restarts {
            world.restart(SERVICE);
        }
        world.lost_grants = lost_grants;
        world.heal(ERIS);
        world.pass_ms(120_000);
        world.says("Wumpus", "whole");
        world.user(&join(of("Troy"), "Troy"));
        assert_eq!(all(&mut world, "Troy", Some(here), 1).0, ["elsewhere", "here", "whole"], "restarts: {restarts}");
        // Elsewhere the order is the room's own.
        assert_eq!(all(&mut world, "Wumpus", Some(here), 9).0, ["whole"]);
    }
}

/// The same from the mirror, on the next island.
#[test]
fn s4_11_1_paging_on_from_one_island_on_the_next() {
    let mut world = cut_after(&["before"]);
    world.says("WiZ", "here");
    world.says("Wumpus", "elsewhere");
    let (_, last) = all(&mut world, "Troy", None, 9);
    world.heal(ERIS);
    world.pass_ms(120_000);
    world.cut(ERIS);
    world.pass_ms(4 * SPLIT_MS);
    world.says("WiZ", "here again");
    assert_eq!(world.states(ERIS), ["split"]);
    let (bodies, last) = all(&mut world, "Troy", last.as_deref(), 1);
    assert_eq!(bodies, ["elsewhere", "here", "here again"]);
    assert_eq!(all(&mut world, "Troy", last.as_deref(), 1).0, [""; 0]);
}

/// Also when the site has died and started again on the island.
#[test]
fn s4_11_1_paging_on_from_an_island_whose_site_has_died() {
    let mut world = cut_after(&["before"]);
    world.says("WiZ", "here");
    world.says("Wumpus", "elsewhere");
    let (_, last) = all(&mut world, "Troy", None, 9);
    world.restart(ERIS);
    world.heal(ERIS);
    world.pass_ms(240_000);
    world.user(&join(of("Troy"), "Troy"));
    assert_eq!(all(&mut world, "Troy", last.as_deref(), 9).0, ["elsewhere", "here"]);
    world.cut(ERIS);
    world.pass_ms(4 * SPLIT_MS);
    assert_eq!(all(&mut world, "Troy", last.as_deref(), 9).0, ["elsewhere", "here"], "from the mirror too");
}

/// Nobody is at eris while thirty things are said; WiZ comes back, hears two more, and the link is cut.
fn an_island_with_a_hole(world: &mut World) {
    for nick in ["WiZ", "Troy"] {
        world.user(&leaves(of(nick), nick));
    }
    for n in 0..30 {
        world.says("Wumpus", &format!("{n}"));
    }
    world.user(&join(of("WiZ"), "WiZ"));
    world.says("Wumpus", "welcome");
    world.says("Wumpus", "again");
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
}

/// A mirror begins where its site came: what was said before is missing there, and no answer says that it is complete which may
/// need it.
#[test]
fn s4_11_1_a_mirror_with_a_hole_is_never_complete() {
    let mut world = World::with_cast(true);
    an_island_with_a_hole(&mut world);
    let whole = ask(&mut world, "WiZ", None, 99).expect("a page");
    assert_eq!((whole.bodies.len(), whole.complete), (22, false), "the room's history length, and what came since");
    let rest = ask(&mut world, "WiZ", whole.ids.get(20).map(String::as_str), 9).expect("a page");
    assert_eq!((rest.bodies, rest.complete), (vec!["again".to_owned()], true));
    let early = ask(&mut world, "WiZ", whole.ids.first().map(String::as_str), 99).expect("a page");
    assert!(!early.complete, "it is not known what is between what was told of the past");
}

/// P9: who has been away from an island's room and pages there over what its mirror lacks is told so page by page (XEP-0313 4.3.2). When
/// the room is reached again in the middle of it, there is no more behind his last page, and he must know that there may be before it.
#[test]
fn s4_11_1_a_page_over_a_hole_is_not_stable() {
    let mut world = World::with_cast(true);
    world.take(of("WiZ"));
    world.says("Wumpus", "had");
    let got = world.take(of("WiZ"));
    let had = got.iter().find_map(|said| said.get_child("stanza-id", ns::SID)?.get("id")).expect("its id").to_owned();
    an_island_with_a_hole(&mut world);
    let over = ask(&mut world, "WiZ", Some(&had), 20).expect("a page");
    assert_eq!((over.bodies.first().map(String::as_str), over.stable), (Some("10"), false));
    let behind = ask(&mut world, "WiZ", over.last.as_deref(), 1).expect("a page");
    assert_eq!((behind.bodies, behind.stable), (vec!["welcome".to_owned()], true), "what comes behind it is all there");
    let backwards = "<set xmlns='http://jabber.org/protocol/rsm'><max>2</max><before/></set>";
    world.take(of("WiZ"));
    world.user(&format!(
        "<iq from='{}' to='{ROOM}' type='set' id='m'><query xmlns='{}' queryid='q'>{backwards}</query></iq>",
        of("WiZ"),
        ns::MAM
    ));
    let last = page(&world.take(of("WiZ"))).expect("the last page");
    assert_eq!((last.bodies, last.complete, last.stable), (vec!["welcome".into(), "again".into()], false, true));
    world.heal(ERIS);
    world.pass_ms(120_000);
    let rest = ask(&mut world, "WiZ", behind.last.as_deref(), 9).expect("a page");
    assert_eq!((rest.bodies, rest.complete), (vec!["again".to_owned()], true));
}

/// XEP-0313 6.1.2, 4.1.1: who has said what is told at each site those who may see it, and nobody else; whose messages an address finds
/// an island leaves to the room.
#[test]
fn s4_7_real_addresses_in_results() {
    let mut world = World::with_cast(true);
    world.says("WiZ", "one");
    world.says("Efchen", "two");
    let asks = |world: &mut World, nick: &str, with: Option<&str>| -> Vec<Element> {
        let field = with.map(|jid| format!("<field var='with'><value>{jid}</value></field>")).unwrap_or_default();
        world.take(of(nick));
        world.user(&format!(
            "<iq from='{}' to='{ROOM}' type='set' id='m'><query xmlns='{}' queryid='q'><x xmlns='{}' type='submit'>\
             <field var='FORM_TYPE'><value>{}</value></field>{field}</x></query></iq>",
            of(nick),
            ns::MAM,
            ns::FORMS,
            ns::MAM
        ));
        world.take(of(nick))
    };
    let bodies = |got: &[Element]| page(got).map(|page| page.bodies.join(" "));
    let addresses = |got: &[Element]| got.iter().filter(|stanza| stanza.to_xml().contains("@")).count();
    let named = |got: &[Element]| {
        let jids = [of("WiZ"), of("Efchen")].map(|jid| format!("jid='{jid}'"));
        got.iter().filter(|stanza| jids.iter().any(|jid| stanza.to_xml().contains(jid))).count()
    };
    let got = asks(&mut world, "Wumpus", None);
    assert_eq!((bodies(&got), named(&got)), (Ok("one two".into()), 2), "an owner, behind a replica: {got:?}");
    assert_eq!(bodies(&asks(&mut world, "Wumpus", Some("squit@eris.dclxvii.irc"))), Ok("one".into()));
    let got = asks(&mut world, "Troy", None);
    assert!(named(&got) == 0 && addresses(&got) == 3, "nobody in particular: {got:?}");
    assert_eq!(bodies(&asks(&mut world, "Troy", Some("squit@eris.dclxvii.irc"))), Ok(String::new()));
    for site in [KILLRC, ERIS] {
        world.cut(site);
    }
    world.pass_ms(SPLIT_MS);
    assert_eq!(bodies(&asks(&mut world, "Wumpus", None)), Ok("one two".into()));
    let with = |world: &mut World, nick: &str| bodies(&asks(world, nick, Some("squit@eris.dclxvii.irc")));
    assert_eq!(with(&mut world, "Wumpus"), Err("remote-server-timeout".into()));
    assert_eq!(with(&mut world, "Troy"), Ok(String::new()), "as the room would have said");
}

/// An island whose users were told "one", "two" and "three", "two" while its disk was full, or not, and the id of the first.
fn an_island_after_a_full_disk(full: bool) -> (World, String) {
    let mut world = World::with_cast(true);
    world.take(of("Troy"));
    world.says("Wumpus", "one");
    let got = world.take(of("Troy"));
    let one = got.iter().find_map(|said| said.get_child("stanza-id", ns::SID)?.get("id")).expect("its id").to_owned();
    world.full.extend(full.then(|| ERIS.to_owned()));
    world.says("Wumpus", "two");
    world.full.clear();
    world.says("Wumpus", "three");
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    (world, one)
}

/// What the disk of a site did not take its mirror lacks: no answer that may lack it is complete.
#[test]
fn s4_11_1_a_full_disk_leaves_a_hole_that_is_known() {
    for full in [false, true] {
        let (mut world, one) = an_island_after_a_full_disk(full);
        let behind = ask(&mut world, "Troy", Some(&one), 9).expect("a page");
        let all = ["two".to_owned(), "three".to_owned()];
        assert_eq!((&*behind.bodies, behind.complete), (&all[usize::from(full)..], !full));
        if full {
            let rest = ask(&mut world, "Troy", behind.last.as_deref(), 9).expect("a page");
            assert!(rest.bodies.is_empty() && rest.complete, "nothing is missing behind that");
        }
    }
}

/// The same when the disk did not take the word of it either, and the process dies later: no row behind the hole is on disk without it.
#[test]
fn s4_11_1_a_hole_of_a_full_disk_is_known_to_the_next_start() {
    for full in [false, true] {
        let (mut world, one) = an_island_after_a_full_disk(full);
        world.says("WiZ", "four");
        world.restart(ERIS);
        world.heal(ERIS);
        world.user_sends(&join(of("Troy"), "Troy"));
        world.pass_ms(120_000);
        world.cut(ERIS);
        world.pass_ms(2 * SPLIT_MS);
        let behind = ask(&mut world, "Troy", Some(&one), 9).expect("a page");
        let all = ["two", "three", "four"];
        assert_eq!((&*behind.bodies, behind.complete), (&all.map(str::to_owned)[usize::from(full)..], !full));
    }
}
