//! XEP-0282 4.11.1: an island. What its users may do while the primary is not reached, and what comes of it when it is again.

use crate::site::{ROOM, join, says};
use crate::world::{ERIS, SERVICE, World, of};
use xmpp::{Element, ns};

/// Longer than a link is suspect.
const SPLIT_MS: u64 = 15_000;

/// The whole cast in the room, and eris cut off for good.
fn cut() -> World {
    let mut world = World::with_cast(true);
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    world.inbox.clear();
    world
}

/// What was said, by people or the room.
pub fn bodies(got: &[Element]) -> Vec<String> {
    got.iter().filter_map(|stanza| Some(stanza.get_child("body", ns::CLIENT)?.content())).collect()
}

fn ids(got: &[Element]) -> Vec<String> {
    let id = |stanza: &Element| Some(stanza.get_child("stanza-id", ns::SID)?.get("id")?.to_owned());
    got.iter().filter_map(id).collect()
}

fn condition(stanza: &Element) -> &str {
    let error = stanza.get_child("error", ns::CLIENT).expect("an error");
    error.children().next().expect("a condition").name()
}

/// They go on talking to each other, and what they said is in the room once when the link is back, for everybody.
#[test]
fn s4_11_1_local_conversation() {
    let mut world = cut();
    world.says("WiZ", "hi");
    world.says("Wumpus", "meanwhile");
    world.says("Troy", "hi yourself");
    let (wiz, troy) = (world.take(of("WiZ")), world.take(of("Troy")));
    assert_eq!(
        (bodies(&wiz), bodies(&troy)),
        (vec!["hi".into(), "hi yourself".into()], vec!["hi".into(), "hi yourself".into()])
    );
    assert_eq!(world.archived(SERVICE), ["meanwhile"]);
    assert_eq!(world.archived(ERIS), ["hi", "hi yourself"]);

    world.heal(ERIS);
    world.pass_ms(120_000);
    assert_eq!(world.states(ERIS), ["live"]);
    assert_eq!(world.archived(SERVICE), ["meanwhile", "hi", "hi yourself"]);
    assert_eq!(world.archived(ERIS), ["meanwhile", "hi", "hi yourself"], "what was provisional has its place");
    let said = |got: Vec<Element>| -> Vec<String> {
        got.into_iter().filter(|s| s.get("from") != Some(ROOM)).filter_map(|s| bodies(&[s]).pop()).collect()
    };
    assert_eq!(said(world.take(of("WiZ"))), ["meanwhile"], "he has seen the rest");
    let wumpus = world.take(of("Wumpus"));
    assert_eq!(ids(&wumpus)[1..], ids(&wiz), "with the ids that the island gave");
    assert_eq!(said(wumpus), ["meanwhile", "hi", "hi yourself"]);
}

/// Nobody is told anything while a link is only suspect, and what was said then is shown when it is split.
#[test]
fn s4_11_1_what_had_been_relayed_is_shown_when_it_is_split() {
    let mut world = World::with_cast(true);
    world.inbox.clear();
    world.cut(ERIS);
    world.says("WiZ", "anybody there?");
    assert_eq!(bodies(&world.take(of("Troy"))), [""; 0]);
    world.pass_ms(SPLIT_MS);
    assert_eq!(bodies(&world.take(of("Troy"))).pop().as_deref(), Some("anybody there?"));
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert!(!bodies(&world.take(of("Troy"))).contains(&"anybody there?".to_owned()));
    assert_eq!(world.archived(SERVICE), ["anybody there?"]);
}

/// What the primary had and whose answer alone was lost is shown once, with the id that the primary gave it.
#[test]
fn s4_11_1_what_the_primary_had_is_not_shown_twice() {
    let mut world = World::with_cast(true);
    world.inbox.clear();
    world.user_sends(&says(of("WiZ"), "heard"));
    world.cut_after_delivery(ERIS);
    world.pass_ms(SPLIT_MS);
    let (wumpus, troy) = (world.take(of("Wumpus")), world.take(of("Troy")));
    assert_eq!(ids(&wumpus), ids(&troy));
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert_eq!(ids(&world.take(of("Troy"))), [""; 0]);
    assert_eq!((world.archived(SERVICE), world.archived(ERIS)), (vec!["heard".into()], vec!["heard".into()]));
}

/// "react to people … setting a status": presence is shown, and told when the link is back, once.
#[test]
fn s4_11_1_presence() {
    // XEP-0282 4.11.1.2-b
    let mut world = cut();
    world.user(&format!("<presence from='{}' to='{ROOM}/WiZ'><show>dnd</show></presence>", of("WiZ")));
    let shown = |got: Vec<Element>| -> Vec<(String, String)> {
        let show = |s: &Element| s.get_child("show", ns::CLIENT).map(Element::content).unwrap_or_default();
        let presence = got.iter().filter(|s| s.name() == "presence");
        presence
            .map(|s| (s.get("from").expect("it has one").rsplit('/').next().expect("a nick").into(), show(s)))
            .collect()
    };
    let dnd = vec![("WiZ".to_owned(), "dnd".to_owned())];
    assert_eq!((shown(world.take(of("Troy"))), shown(world.take(of("WiZ")))), (dnd.clone(), dnd.clone()));
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert_eq!(shown(world.take(of("Troy"))), []);
    assert_eq!(shown(world.take(of("WiZ"))), []);
    assert_eq!(shown(world.take(of("Wumpus"))).pop(), dnd.into_iter().next());
}

/// Whatever only the primary could do has to wait, and people are told why.
#[test]
fn s4_11_1_the_rest_is_refused() {
    let mut world = cut();
    let (wiz, admin) = (of("WiZ"), ns::MUC_ADMIN);
    let asked = [
        format!("<message from='{wiz}' to='{ROOM}' type='groupchat'><subject>war</subject></message>"),
        format!("<presence from='{wiz}' to='{ROOM}/TheWiZ'/>"),
        format!(
            "<iq from='{wiz}' to='{ROOM}' type='set' id='ban'><query xmlns='{admin}'>\
             <item affiliation='outcast' jid='troy@eris.dclxvii.irc'/></query></iq>"
        ),
        format!("<message from='{wiz}' to='{ROOM}/Wumpus' type='chat'><body>psst</body></message>"),
        format!("<message from='{wiz}' to='{ROOM}'><x xmlns='{}'><invite to='a@b.c'/></x></message>", ns::MUC_USER),
        format!("<presence from='new@eris.dclxvii.irc/x' to='{ROOM}/New'><x xmlns='{}'/></presence>", ns::MUC),
    ];
    for stanza in asked {
        world.user(&stanza);
        let from = Element::parse(&stanza).expect("a test's stanza").get("from").expect("it has one").to_owned();
        let got = world.take(&from);
        assert_eq!(got.len(), 1, "{stanza}: {got:?}");
        assert_eq!(condition(&got[0]), "remote-server-timeout");
        assert!(got[0].to_xml().contains("not reached"), "{}", got[0]);
        assert_eq!(world.take(of("Troy")), []);
    }
}

/// A typing notification is seen, and nothing of it is left.
#[test]
fn s4_11_1_typing_is_shown_and_not_submitted() {
    let mut world = cut();
    world.user(&format!(
        "<message from='{}' to='{ROOM}' type='groupchat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
        of("WiZ")
    ));
    assert_eq!(world.take(of("Troy")).len(), 1);
    world.take(of("Wumpus"));
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert!(!world.take(of("Wumpus")).iter().any(|s| s.to_xml().contains("composing")));
}

/// A second split before the join is over loses nothing and shows nothing twice.
#[test]
fn s4_11_split_again_in_the_middle_of_a_join() {
    let mut world = cut();
    world.says("WiZ", "first");
    world.heal(ERIS);
    world.cut_while_joining(ERIS);
    world.pass_ms(4 * SPLIT_MS);
    world.says("Troy", "second");
    world.heal(ERIS);
    world.pass_ms(240_000);
    assert_eq!(world.states(ERIS), ["live"]);
    let ours = |world: &mut World, nick: &str| -> Vec<String> {
        bodies(&world.take(of(nick))).into_iter().filter(|b| b == "first" || b == "second").collect()
    };
    for nick in ["WiZ", "Troy", "Wumpus"] {
        assert_eq!(ours(&mut world, nick), ["first", "second"], "{nick}");
    }
    assert_eq!(
        (world.archived(SERVICE), world.archived(ERIS)),
        (vec!["first".into(), "second".into()], vec!["first".into(), "second".into()])
    );
}

/// The site dies in the middle of a split: what was said on the island is heard when it is back, once.
#[test]
fn s4_11_a_site_dies_on_its_island() {
    let mut world = cut();
    world.says("WiZ", "one");
    world.user(&format!("<presence from='{}' to='{ROOM}/WiZ'><show>dnd</show></presence>", of("WiZ")));
    world.says("WiZ", "two");
    let seen = ids(&world.take(of("Troy")));
    world.restart(ERIS);
    world.pass_ms(SPLIT_MS);
    world.heal(ERIS);
    world.pass_ms(240_000);
    assert_eq!(
        (world.archived(SERVICE), world.archived(ERIS)),
        (vec!["one".into(), "two".into()], vec!["one".into(), "two".into()])
    );
    assert_eq!(ids(&world.take(of("Wumpus"))), seen, "under the ids that were shown");
}

/// Who had a nick here when the link was lost has it still, with whatever client; that is no entry, and told to nobody but
/// who had seen him leave.
#[test]
fn s4_11_1_a_session_comes_back() {
    let mut world = cut();
    let (wiz, moon) = (of("WiZ"), "squit@eris.dclxvii.irc/moon");
    world.says("Troy", "before");
    world.user(&format!("<presence from='{wiz}' type='unavailable' to='{ROOM}/WiZ'/>"));
    world.inbox.clear();
    world.user(&join(moon, "WiZ"));
    let got = world.take(moon);
    let own = got.iter().position(|s| s.to_xml().contains("code='110'")).expect("his own presence");
    let roster: Vec<&str> = got[..own].iter().filter_map(|s| s.get("from")?.rsplit('/').next()).collect();
    assert_eq!(roster, ["Wumpus", "Valdis", "Phaedrus", "Troy", "BigCheese", "Efchen"]);
    assert_eq!(bodies(&got)[1], "before", "history, with what is provisional, behind the word that it is split");
    assert!(got.iter().any(|s| s.has_child("subject", ns::CLIENT)));
    assert_eq!(presence_of(&world.take(of("Troy")), "WiZ"), ["available"]);
    world.user(&says(moon, "back again"));
    assert_eq!(bodies(&world.take(of("Troy"))), ["back again"]);
    // Somebody else, and he himself under another name, have to wait.
    for (user, nick) in [("eve@eris.dclxvii.irc/x", "WiZ"), ("squit@eris.dclxvii.irc/mars", "Merlin")] {
        world.user(&join(user, nick));
        assert_eq!(condition(&world.take(user)[0]), "remote-server-timeout");
    }
    world.inbox.clear();
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert_eq!(world.states(ERIS), ["live"]);
    for who in [moon, of("Troy")] {
        assert_eq!(presence_of(&world.take(who), "WiZ"), [""; 0], "nothing is told to {who}");
    }
    assert_eq!(world.archived(SERVICE), ["before", "back again"]);
    world.user(&says(moon, "and on"));
    assert_eq!(bodies(&world.take(of("Wumpus"))).pop().as_deref(), Some("and on"));
}

/// He has left and the primary has heard it, though its LEAVE was lost; then he comes back, before the link is split or
/// after: he is in, here and when the link is back, and what was known of his leave does not put him out.
#[test]
fn s4_11_1_a_session_comes_back_whose_leave_was_heard() {
    let own = |got: &[Element]| presence_of(got, "WiZ");
    // Whether its site has learnt that it was heard, and lost the link again before it learnt what came of it.
    for (comes_early, learnt) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut world = World::with_cast(true);
        world.inbox.clear();
        world.user_sends(&format!("<presence from='{}' type='unavailable' to='{ROOM}/WiZ'/>", of("WiZ")));
        world.cut_after_delivery(ERIS);
        if learnt {
            world.heal(ERIS);
            world.cut_while_joining(ERIS);
        }
        if comes_early {
            world.user(&join(of("WiZ"), "WiZ"));
        }
        world.pass_ms(SPLIT_MS);
        if !comes_early {
            world.user(&join(of("WiZ"), "WiZ"));
        }
        assert_eq!(own(&world.take(of("WiZ"))), ["unavailable", "available"], "early: {comes_early}, learnt: {learnt}");
        world.says("Troy", "welcome back");
        assert_eq!(
            bodies(&world.take(of("WiZ"))).pop().as_deref(),
            Some("welcome back"),
            "early: {comes_early}, learnt: {learnt}"
        );

        world.heal(ERIS);
        world.pass_ms(120_000);
        assert_eq!(world.states(ERIS), ["live"]);
        assert_eq!(own(&world.take(of("WiZ"))), [""; 0], "he notices nothing; early: {comes_early}, learnt: {learnt}");
        assert_eq!(
            own(&world.take(of("Wumpus"))),
            ["unavailable", "available"],
            "early: {comes_early}, learnt: {learnt}"
        );
        world.says("WiZ", "hi");
        assert_eq!(
            bodies(&world.take(of("Wumpus"))).pop().as_deref(),
            Some("hi"),
            "early: {comes_early}, learnt: {learnt}"
        );
        assert_eq!(
            bodies(&world.take(of("WiZ"))).pop().as_deref(),
            Some("hi"),
            "early: {comes_early}, learnt: {learnt}"
        );
    }
}

/// Private messages go between those who are here.
#[test]
fn s4_11_1_private_messages() {
    let mut world = cut();
    let (wiz, troy) = (of("WiZ"), of("Troy"));
    world.user(&format!("<message from='{wiz}' to='{ROOM}/Troy' type='chat' id='p'><body>psst</body></message>"));
    let got = world.take(troy);
    assert_eq!((got.len(), got[0].get("from"), got[0].get("type")), (1, Some(&*format!("{ROOM}/WiZ")), Some("chat")));
    assert!(got[0].has_child("x", ns::MUC_USER) && got[0].has_child("occupant-id", ns::OCCUPANT_ID));
    world.user(&format!("<message from='{wiz}' to='{ROOM}/Nobody' type='chat' id='p'><body>psst</body></message>"));
    assert_eq!(condition(&world.take(wiz)[0]), "item-not-found");
}

/// A moderator kicks somebody who is here; nobody else can, and nobody who is elsewhere is kicked.
#[test]
fn s4_11_1_kick() {
    let mut world = World::with_cast(true);
    let kick = |from: &str, nick: &str| {
        format!(
            "<iq from='{from}' to='{ROOM}' type='set' id='kick'><query xmlns='{}'>\
             <item role='none' nick='{nick}'><reason>enough</reason></item></query></iq>",
            ns::MUC_ADMIN
        )
    };
    let promote = format!(
        "<iq from='{}' to='{ROOM}' type='set' id='mod'><query xmlns='{}'><item role='moderator' nick='WiZ'/></query></iq>",
        of("Wumpus"),
        ns::MUC_ADMIN
    );
    world.user(&promote);
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    world.inbox.clear();
    let (wiz, troy) = (of("WiZ"), of("Troy"));
    world.user(&kick(troy, "WiZ"));
    assert_eq!(condition(&world.take(troy)[0]), "forbidden");
    world.user(&kick(wiz, "BigCheese"));
    assert_eq!(condition(&world.take(wiz)[0]), "remote-server-timeout");
    world.user(&kick(wiz, "Troy"));
    let told = world.take(troy).pop().expect("he is told").to_xml();
    for part in ["unavailable", "code='307'", "code='110'", "nick='WiZ'", "enough"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let got = world.take(wiz);
    assert_eq!((got[0].get("type"), presence_of(&got, "Troy")), (Some("result"), vec!["unavailable".to_owned()]));
    // What he says then is heard by nobody, and he is told so at once.
    for (to, kind) in [(ROOM.to_owned(), "groupchat"), (format!("{ROOM}/WiZ"), "chat")] {
        world.user(&format!("<message from='{troy}' to='{to}' type='{kind}' id='late'><body>wait</body></message>"));
        assert_eq!(condition(&world.take(troy)[0]), "not-acceptable");
    }
    // He does not come back before the primary is asked.
    world.user(&join(troy, "Troy"));
    assert_eq!(condition(&world.take(troy)[0]), "remote-server-timeout");
    world.inbox.clear();
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert_eq!(presence_of(&world.take(of("Wumpus")), "Troy").pop().as_deref(), Some("unavailable"));
    assert_eq!(presence_of(&world.take(wiz), "Troy"), [""; 0]);
}

/// Who was banned meanwhile is told, and what he said on the island is taken back from those who saw it.
#[test]
fn s4_11_what_is_refused_is_retracted() {
    let mut world = cut();
    world.says("Troy", "mischief");
    let id = ids(&world.take(of("WiZ"))).pop().expect("an id");
    world.user(&format!(
        "<iq from='{}' to='{ROOM}' type='set' id='ban'><query xmlns='{}'>\
         <item affiliation='outcast' jid='troy@eris.dclxvii.irc'/></query></iq>",
        of("Wumpus"),
        ns::MUC_ADMIN
    ));
    world.inbox.clear();
    world.heal(ERIS);
    world.pass_ms(120_000);
    let (wiz, troy) = (world.take(of("WiZ")), world.take(of("Troy")));
    let retracted = wiz.iter().filter_map(|s| s.get_child("retract", "urn:xmpp:message-retract:1")?.get("id"));
    assert_eq!(retracted.collect::<Vec<_>>(), [id]);
    assert!(troy.iter().any(|s| s.to_xml().contains("code='301'")), "{troy:?}");
    assert_eq!(world.archived(SERVICE), [""; 0]);
    assert_eq!(world.rows_of(ERIS, &format!("mirror:{ROOM}")), [""; 0]);
    let refused = world.rows_of(ERIS, &format!("refused:{ROOM}"));
    assert!(refused.len() == 1 && refused[0].contains("mischief") && refused[0].contains("<error"), "{refused:?}");
}

/// Those who are there are told once when it is split and once when it is joined, and no site is named.
#[test]
fn s4_11_people_are_told() {
    let mut world = World::with_cast(true);
    world.inbox.clear();
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    world.heal(ERIS);
    world.pass_ms(120_000);
    let got = world.take(of("WiZ"));
    let told = bodies(&got);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("not reached any more") && told[1].contains("reached again"));
    assert!(got.iter().all(|s| s.get("from") == Some(ROOM) && !s.to_xml().contains("oulubox")));
}

/// What somebody was shown of an occupant: `available` or `unavailable` each time.
pub fn presence_of(got: &[Element], nick: &str) -> Vec<String> {
    let from = format!("{ROOM}/{nick}");
    let of_him = got.iter().filter(|s| s.name() == "presence" && s.get("from") == Some(&from));
    of_him.map(|s| s.get("type").unwrap_or("available").to_owned()).collect()
}

/// An operator lets the two reach each other again: whichever side he is at does not wait for its next attempt, though that be
/// long.
#[test]
fn s4_11_1_healing_by_hand_ends_the_waiting() {
    for side in [ERIS, SERVICE] {
        let mut world = cut();
        world.pass_ms(1_800_000);
        world.heal(ERIS);
        assert_ne!(world.states(ERIS), ["live"]);
        world.reachable(side, if side == ERIS { SERVICE } else { ERIS });
        world.pass_ms(2_000);
        assert_eq!(world.states(ERIS), ["live"], "at {side}");
    }
}

/// However long nothing came through: a sign of the service is worth an attempt at once.
#[test]
fn s4_11_1_a_sign_of_the_service_ends_the_waiting() {
    let mut world = cut();
    world.pass_ms(1_800_000);
    world.heal(ERIS);
    assert_ne!(world.states(ERIS), ["live"]);
    let (wumpus, nick) = (of("Wumpus"), "WiZ");
    world.user(&format!("<message from='{wumpus}' to='{ROOM}/{nick}' type='chat'><body>back?</body></message>"));
    world.pass_ms(2_000);
    assert_eq!(world.states(ERIS), ["live"]);
}

/// A stream that stands and carries nothing is given up by a site that registers in vain.
#[test]
fn s4_11_1_a_stream_that_carries_nothing_is_made_anew() {
    let mut world = cut();
    world.pass_ms(600_000);
    assert!(world.renewed.contains(&(ERIS.to_owned(), SERVICE.to_owned())), "{:?}", world.renewed);
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert_eq!(world.states(ERIS), ["live"]);
    world.renewed.clear();
    world.pass_ms(600_000);
    assert!(world.renewed.is_empty(), "{:?}", world.renewed);
}

/// An islander whose nick was taken after his seat had been given up is given another and told so, as an occupant who is
/// renamed is (XEP-0045 7.6), with 210; that another has his old one now changes nothing of that.
#[test]
fn s4_11_another_has_the_nick_by_now() {
    // XEP-0045 7.6-b
    let mut world = cut();
    world.pass_ms(3_700_000);
    world.user(&format!("<presence from='{}' to='{ROOM}/WiZ'/>", of("BigCheese")));
    world.inbox.clear();
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert_eq!(world.states(ERIS), ["live"]);
    let told = |got: Vec<Element>| -> Vec<(String, bool, Vec<String>)> {
        let renamed = |s: &Element| s.get("from").is_some_and(|from| from.starts_with(&format!("{ROOM}/WiZ")));
        let codes = |s: &Element| -> Vec<String> {
            let x = s.get_child("x", ns::MUC_USER).into_iter().flat_map(Element::children);
            x.filter_map(|child| child.get("code").map(str::to_owned)).collect()
        };
        let of_them = got.iter().filter(|s| s.name() == "presence" && renamed(s));
        let nick = |s: &Element| s.get("from").and_then(|f| f.rsplit('/').next()).unwrap_or_default().to_owned();
        of_them.map(|s| (nick(s), s.get("type").is_none(), codes(s))).collect()
    };
    let one = |nick: &str, there: bool, codes: &[&str]| {
        (nick.to_owned(), there, codes.iter().map(|&code| code.to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(
        told(world.take(of("WiZ"))),
        [one("WiZ", false, &["303", "110"]), one("WiZ_", true, &["110", "210"]), one("WiZ", true, &[])]
    );
    assert_eq!(
        told(world.take(of("Troy"))),
        [one("WiZ", false, &["303"]), one("WiZ_", true, &[]), one("WiZ", true, &[])]
    );
}

/// Who was banned while he came back to his island is out when that is known, for those who are there as well.
#[test]
fn s4_11_who_came_back_and_may_not_is_gone_for_all() {
    let mut world = cut();
    let (wiz, moon) = (of("WiZ"), "squit@eris.dclxvii.irc/moon");
    world.user(&format!(
        "<iq from='{}' to='{ROOM}' type='set' id='ban'><query xmlns='{}'>\
         <item affiliation='outcast' jid='squit@eris.dclxvii.irc'/></query></iq>",
        of("Wumpus"),
        ns::MUC_ADMIN
    ));
    world.user(&format!("<presence from='{wiz}' type='unavailable' to='{ROOM}/WiZ'/>"));
    world.user(&join(moon, "WiZ"));
    assert_eq!(presence_of(&world.take(of("Troy")), "WiZ"), ["unavailable", "available"]);
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert_eq!(presence_of(&world.take(moon), "WiZ").pop().as_deref(), Some("unavailable"));
    assert_eq!(presence_of(&world.take(of("Troy")), "WiZ"), ["unavailable"]);
}

/// A further client of a seat comes in while the word that the seat has another name now is lost: it learns the name when it
/// is answered.
#[test]
fn s4_11_1_a_session_comes_back_to_a_seat_that_was_renamed() {
    let mut world = World::with_cast(true);
    let moon = "squit@eris.dclxvii.irc/moon";
    world.user_sends(&join(moon, "WiZ"));
    world.user_sends(&format!("<presence from='{}' to='{ROOM}/TheWiZ'/>", of("WiZ")));
    world.cut_after_delivery(ERIS);
    world.pass_ms(SPLIT_MS);
    assert_eq!(presence_of(&world.take(moon), "WiZ"), ["available"]);
    world.heal(ERIS);
    world.pass_ms(120_000);
    let got = world.take(moon);
    assert_eq!(
        (presence_of(&got, "WiZ"), presence_of(&got, "TheWiZ").pop()),
        (vec!["unavailable".into()], Some("available".into()))
    );
    let own = got.iter().rfind(|s| s.get("from") == Some(&format!("{ROOM}/TheWiZ"))).expect("his own");
    assert!(own.to_xml().contains("code='110'"), "{own}");
}

/// A seat is renamed, by an event that is lost, and one of its clients leaves meanwhile: the other is told the new name.
#[test]
fn s4_11_a_seat_renamed_before_the_split_that_one_of_its_clients_has_left() {
    let mut world = World::with_cast(true);
    let moon = "squit@eris.dclxvii.irc/moon";
    world.user(&join(moon, "WiZ"));
    world.inbox.clear();
    world.user_sends(&format!("<presence from='{}' to='{ROOM}/TheWiZ'/>", of("WiZ")));
    world.cut_after_delivery(ERIS);
    world.pass_ms(SPLIT_MS);
    world.user(&format!("<presence from='{moon}' type='unavailable' to='{ROOM}/WiZ'/>"));
    world.inbox.clear();
    world.heal(ERIS);
    world.pass_ms(120_000);
    let got = world.take(of("WiZ"));
    assert_eq!(
        (presence_of(&got, "WiZ"), presence_of(&got, "TheWiZ")),
        (vec!["unavailable".into()], vec!["available".into()])
    );
    let renamed = got.iter().find(|s| s.get("type") == Some("unavailable")).expect("the old one").to_xml();
    assert!(renamed.contains("code='303'") && renamed.contains("code='110'"), "{renamed}");
}

/// All leave an island, and one comes back and speaks: he is in, and heard, when the link is back, though the room has none of
/// that site between the two.
#[test]
fn s4_11_all_leave_an_island_and_one_comes_back() {
    let mut world = cut();
    let wiz = of("WiZ");
    for nick in ["Troy", "WiZ"] {
        world.user(&format!("<presence from='{}' type='unavailable' to='{ROOM}/{nick}'/>", of(nick)));
    }
    world.user(&join(wiz, "WiZ"));
    world.says("WiZ", "back again");
    world.inbox.clear();
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert_eq!((world.states(ERIS), world.archived(SERVICE)), (vec!["live"], vec!["back again".to_owned()]));
    let got = world.take(wiz);
    assert_eq!(
        (presence_of(&got, "WiZ"), bodies(&got).len()),
        (Vec::<String>::new(), 1),
        "but that it is joined: {got:?}"
    );
    assert_eq!(presence_of(&world.take(of("Wumpus")), "WiZ"), ["unavailable", "available"]);
    world.says("Wumpus", "welcome");
    assert_eq!(bodies(&world.take(wiz)), ["welcome"]);
    // And when the last leaves, that is the end of it.
    world.user(&format!("<presence from='{wiz}' type='unavailable' to='{ROOM}/WiZ'/>"));
    assert_eq!(world.states(ERIS), ["dormant"]);
}

/// The same where he is in twice, under two nicks, and is given for the one that another has the other: his client learns that it is
/// that now, though that occupant was there all the time.
#[test]
fn s4_11_two_seats_of_a_user_become_one() {
    // XEP-0045 7.6-b
    let mut world = World::with_cast(true);
    let moon = "squit@eris.dclxvii.irc/moon";
    world.user(&join(moon, "WiZ_"));
    world.cut(ERIS);
    world.pass_ms(3_700_000);
    world.user(&format!("<presence from='{}' to='{ROOM}/WiZ'/>", of("BigCheese")));
    world.inbox.clear();
    world.heal(ERIS);
    world.pass_ms(120_000);
    let (wiz, troy) = (world.take(of("WiZ")), world.take(of("Troy")));
    let own: Vec<String> = wiz.iter().map(Element::to_xml).filter(|line| line.contains("code='110'")).collect();
    assert_eq!(own.len(), 2, "{own:?}");
    let is = |line: &str, words: &[&str]| words.iter().all(|word| line.contains(word));
    assert!(is(&own[0], &["/WiZ' type='unavailable'", "nick='WiZ_'", "code='303'"]), "{own:?}");
    assert!(is(&own[1], &["/WiZ_' to=", "code='210'"]), "{own:?}");
    assert_eq!(presence_of(&wiz, "WiZ"), ["unavailable", "available"]);
    assert_eq!(presence_of(&troy, "WiZ"), ["unavailable", "available"]);
    assert_eq!((presence_of(&troy, "WiZ_"), presence_of(&world.take(moon), "WiZ_")), (vec![], vec![]));
}
