//! XEP-0282 4.11.1.2: entering on an island. Users of the site whom the room has named as its members beforehand are in at once,
//! and the room judges it when it is reached again.

use crate::site::{ROOM, join, says};
use crate::world::{ERIS, SERVICE, World, of};
use xmpp::{Element, ns};

const SPLIT_MS: u64 = 15_000;
const EVE: &str = "eve@eris.dclxvii.irc/x";
const EVE_BARE: &str = "eve@eris.dclxvii.irc";

/// Eve is a member who is not in the room when eris is cut off from it.
fn cut() -> World {
    cut_with(&[(EVE_BARE, "member")])
}

fn cut_with(members: &[(&str, &str)]) -> World {
    let mut world = World::with_members(members);
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    world.inbox.clear();
    world
}

fn heal(world: &mut World) {
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert_eq!(world.states(ERIS), ["live"]);
}

/// What people said, and by whom.
fn said(got: &[Element]) -> Vec<(String, String)> {
    let talk = got.iter().filter(|s| s.name() == "message" && s.get("type") == Some("groupchat"));
    let by = |s: &Element| Some(s.get("from")?.split_once('/')?.1.to_owned());
    talk.filter_map(|s| Some((by(s)?, s.get_child("body", ns::CLIENT)?.content()))).collect()
}

/// Of presences: nick, whether it is there, and the codes.
fn seen(got: &[Element]) -> Vec<(String, bool, Vec<String>)> {
    let codes = |s: &Element| {
        let x = s.get_child("x", ns::MUC_USER).into_iter().flat_map(Element::children);
        x.filter(|c| c.name() == "status").filter_map(|c| c.get("code").map(str::to_owned)).collect()
    };
    let presence = got.iter().filter(|s| s.name() == "presence" && s.get("type") != Some("error"));
    let nick = |s: &Element| s.get("from").and_then(|from| from.split_once('/')).map(|(_, nick)| nick.to_owned());
    presence.filter_map(|s| Some((nick(s)?, s.get("type").is_none(), codes(s)))).collect()
}

fn of_nick(got: &[Element], nick: &str) -> Vec<(bool, Vec<String>)> {
    seen(got).into_iter().filter(|(of, ..)| of == nick).map(|(_, there, codes)| (there, codes)).collect()
}

fn refusal(got: &[Element]) -> Option<String> {
    let error = got.iter().find_map(|s| s.get_child("error", ns::CLIENT))?;
    Some(error.children().next()?.name().to_owned())
}

fn pair(by: &str, body: &str) -> (String, String) {
    (by.to_owned(), body.to_owned())
}

/// She is in as the primary would have let her in, and stays in when it does; everybody has heard everything once.
#[test]
fn s4_11_1_2_a_member_enters() {
    let mut world = cut();
    world.says("Troy", "before");
    world.user(&join(EVE, "Eve"));
    let got = world.take(EVE);
    let roster: Vec<String> = seen(&got).into_iter().map(|(nick, ..)| nick).collect();
    assert_eq!(roster, ["Wumpus", "Valdis", "Phaedrus", "WiZ", "Troy", "BigCheese", "Efchen", "Eve"]);
    let own = got.iter().find(|s| s.get("from") == Some(&format!("{ROOM}/Eve"))).expect("her own presence");
    assert!(own.to_xml().contains("affiliation='member' role='participant'"), "{own}");
    assert!(said(&got).contains(&pair("Troy", "before")));
    let troy = world.take(of("Troy"));
    assert_eq!(of_nick(&troy, "Eve"), [(true, vec![])]);
    world.user(&says(EVE, "hello"));
    assert_eq!(said(&world.take(of("Troy"))), [pair("Eve", "hello")]);
    world.says("Wumpus", "elsewhere");
    assert_eq!(said(&world.take(of("Wumpus"))), [pair("Wumpus", "elsewhere")]);
    world.take(EVE);

    heal(&mut world);
    let (eve, troy, wumpus) = (world.take(EVE), world.take(of("Troy")), world.take(of("Wumpus")));
    assert_eq!((said(&eve), said(&troy)), (vec![pair("Wumpus", "elsewhere")], vec![pair("Wumpus", "elsewhere")]));
    assert_eq!((of_nick(&eve, "Eve"), of_nick(&troy, "Eve")), (vec![], vec![]), "to them she was in all the time");
    assert_eq!(of_nick(&wumpus, "Eve"), [(true, vec![])]);
    assert_eq!(said(&wumpus), [pair("Troy", "before"), pair("Eve", "hello")]);
    assert_eq!(world.archived(SERVICE), ["elsewhere", "before", "hello"]);
    world.user(&says(EVE, "and on"));
    world.says("Wumpus", "welcome");
    assert_eq!(said(&world.take(EVE)), [pair("Eve", "and on"), pair("Wumpus", "welcome")]);
    assert_eq!(said(&world.take(of("Wumpus"))), [pair("Eve", "and on"), pair("Wumpus", "welcome")]);
}

/// Whoever is nothing to the room waits, and so does a member under a nick that somebody has, or under a second one.
#[test]
fn s4_11_1_2_nobody_else_enters() {
    let mut world = cut();
    for (user, nick, why) in [
        ("mallory@eris.dclxvii.irc/x", "Mallory", "remote-server-timeout"),
        (EVE, "Wumpus", "conflict"),
        (EVE, "WiZ", "conflict"),
        (EVE, &"e".repeat(300), "not-acceptable"),
        ("squit@eris.dclxvii.irc/mars", "Merlin", "remote-server-timeout"),
    ] {
        world.user(&join(user, nick));
        let got = world.take(user);
        assert_eq!((got.len(), refusal(&got).as_deref()), (1, Some(why)), "{user} as {nick}");
        assert_eq!(world.take(of("Troy")), []);
    }
    world.user(&join(EVE, "Eve"));
    world.take(EVE);
    world.user(&join(EVE.replace("/x", "/y").as_str(), "Adam"));
    assert_eq!(refusal(&world.take("eve@eris.dclxvii.irc/y")).as_deref(), Some("remote-server-timeout"), "one seat");
}

/// Who was made a member after the link was lost is none on the island; who was one no more before it neither.
#[test]
fn s4_11_1_2_the_list_is_as_it_was_at_the_split() {
    let mut world = World::with_members(&[(EVE_BARE, "member")]);
    world.affiliate(EVE_BARE, "none");
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    world.affiliate("adam@eris.dclxvii.irc", "owner");
    for user in [EVE, "adam@eris.dclxvii.irc/x"] {
        world.user(&join(user, "Nobody"));
        assert_eq!(refusal(&world.take(user)).as_deref(), Some("remote-server-timeout"), "{user}");
    }
}

/// She is banned meanwhile: she is told so, hears nothing of what was said since, and what she said is taken back.
#[test]
fn s4_11_1_2_a_member_who_was_banned_meanwhile() {
    let mut world = cut();
    world.user(&join(EVE, "Eve"));
    world.user(&says(EVE, "I am in"));
    world.affiliate(EVE_BARE, "outcast");
    world.says("Wumpus", "not for Eve");
    world.inbox.clear();
    heal(&mut world);
    world.says("Wumpus", "nor this");
    let (eve, troy) = (world.take(EVE), world.take(of("Troy")));
    assert_eq!(said(&eve), []);
    assert_eq!(of_nick(&eve, "Eve"), [(false, vec!["110".to_owned(), "301".to_owned()])]);
    assert!(eve.iter().any(|s| s.to_xml().contains("does not let you in: forbidden")), "{eve:?}");
    assert_eq!(said(&troy), [pair("Wumpus", "not for Eve"), pair("Wumpus", "nor this")]);
    assert_eq!(of_nick(&troy, "Eve").iter().map(|(there, _)| *there).collect::<Vec<_>>(), [false]);
    assert_eq!(troy.iter().filter(|s| s.to_xml().contains("<retract ")).count(), 1);
    assert_eq!(of_nick(&world.take(of("Wumpus")), "Eve"), [], "the room has never had her in");
    assert_eq!(world.archived(SERVICE), ["not for Eve", "nor this"]);
}

/// Another has her nick by then: she is given one like it, told so by 303 and 210, and what she said is hers.
#[test]
fn s4_11_1_2_a_nick_that_was_taken_meanwhile() {
    let mut world = cut();
    world.user(&join(EVE, "Eve"));
    world.user(&says(EVE, "I am Eve"));
    let other = "evelyn@vesa.yeggmaex.irc/x";
    world.user(&join(other, "Eve"));
    world.user(&says(other, "so am I"));
    world.inbox.clear();
    heal(&mut world);
    let (eve, troy) = (world.take(EVE), world.take(of("Troy")));
    let to_eve = seen(&eve);
    let code = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>();
    assert_eq!(to_eve[0], ("Eve".into(), false, code(&["303", "110"])), "{to_eve:?}");
    assert_eq!(to_eve[1], ("Eve_".into(), true, code(&["210", "110"])));
    assert_eq!(to_eve[to_eve.len() - 1], ("Eve".into(), true, vec![]), "and the other is Eve: {to_eve:?}");
    assert_eq!(said(&eve), [pair("Eve", "so am I")]);
    assert_eq!(seen(&troy), [("Eve", false), ("Eve", true), ("Eve_", true)].map(|(n, t)| (n.to_owned(), t, vec![])));
    assert_eq!(said(&world.take(of("Wumpus"))), [pair("Eve_", "I am Eve")]);
    world.user(&says(EVE, "well then"));
    world.user(&says(other, "sorry"));
    for who in [EVE, of("Troy"), of("Wumpus")] {
        assert_eq!(said(&world.take(who)), [pair("Eve_", "well then"), pair("Eve", "sorry")], "{who}");
    }
}

/// Who was kicked on the island does not come back to it, under no nick.
#[test]
fn s4_11_1_2_who_was_kicked_on_the_island_stays_out() {
    let mut world = cut_with(&[(EVE_BARE, "admin"), ("troy@eris.dclxvii.irc", "member")]);
    world.user(&join(EVE, "Eve"));
    let kick = format!(
        "<iq from='{EVE}' to='{ROOM}' type='set' id='k'><query xmlns='{}'><item role='none' nick='Troy'/></query></iq>",
        ns::MUC_ADMIN
    );
    world.user(&kick);
    assert_eq!(of_nick(&world.take(of("WiZ")), "Troy"), [(false, vec!["307".to_owned()])]);
    world.inbox.clear();
    for nick in ["Troy", "Trojan"] {
        world.user(&join(of("Troy"), nick));
        assert_eq!(refusal(&world.take(of("Troy"))).as_deref(), Some("remote-server-timeout"), "{nick}");
    }
    heal(&mut world);
    let at_killrc = of_nick(&world.take(of("Wumpus")), "Troy");
    assert!(at_killrc.contains(&(false, vec!["307".to_owned()])), "her kick counts, for she may: {at_killrc:?}");
}

/// The room has a password by then, which nobody has asked her for.
#[test]
fn s4_11_1_2_a_password_that_was_set_meanwhile() {
    let mut world = cut();
    world.user(&join(EVE, "Eve"));
    configure(&mut world, "wine");
    world.inbox.clear();
    heal(&mut world);
    let eve = world.take(EVE);
    assert_eq!(of_nick(&eve, "Eve"), [(false, vec!["110".to_owned(), "333".to_owned()])]);
    assert!(eve.iter().any(|s| s.to_xml().contains("not-authorized")), "{eve:?}");
}

/// Where there is a password the room names nobody: an island could not ask for it.
#[test]
fn s4_11_1_2_a_room_with_a_password_names_nobody() {
    let mut world = World::with_members(&[(EVE_BARE, "member")]);
    configure(&mut world, "wine");
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    world.user(&join(EVE, "Eve"));
    assert_eq!(refusal(&world.take(EVE)).as_deref(), Some("remote-server-timeout"));
}

fn configure(world: &mut World, password: &str) {
    let field = |var: &str, value: &str| format!("<field var='{var}'><value>{value}</value></field>");
    world.user(&format!(
        "<iq from='{}' id='c' type='set' to='{ROOM}'><query xmlns='{}'><x xmlns='jabber:x:data' type='submit'>{}{}{}</x></query></iq>",
        of("Wumpus"),
        ns::MUC_OWNER,
        field("FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig"),
        field("muc#roomconfig_passwordprotectedroom", "1"),
        field("muc#roomconfig_roomsecret", password),
    ));
}

/// She leaves before it is joined, or leaves and comes back: what she said is hers all the same.
#[test]
fn s4_11_1_2_a_member_leaves_again() {
    for comes_back in [false, true] {
        let mut world = cut();
        world.user(&join(EVE, "Eve"));
        world.user(&says(EVE, "just passing"));
        world.user(&format!("<presence from='{EVE}' type='unavailable' to='{ROOM}/Eve'/>"));
        let there: Vec<bool> = of_nick(&world.take(of("Troy")), "Eve").iter().map(|(there, _)| *there).collect();
        assert_eq!(there, [true, false]);
        if comes_back {
            world.user(&join(EVE, "Eve"));
            assert_eq!(of_nick(&world.take(of("Troy")), "Eve"), [(true, vec![])]);
        }
        world.inbox.clear();
        heal(&mut world);
        assert_eq!(world.archived(SERVICE), ["just passing"]);
        let there: Vec<bool> = of_nick(&world.take(of("Wumpus")), "Eve").iter().map(|(there, _)| *there).collect();
        assert_eq!(there.last(), Some(&comes_back), "{there:?}");
        assert_eq!(of_nick(&world.take(of("Troy")), "Eve"), []);
        world.says("Wumpus", "who is there?");
        assert_eq!(said(&world.take(EVE)).len(), usize::from(comes_back));
    }
}

/// She leaves and comes back, and it is split again in the middle of the join: she is in where she is the last to have asked for it, and
/// what she said is hers.
#[test]
fn s4_11_1_2_leaves_comes_back_and_is_split_again() {
    for comes_back in [false, true] {
        let mut world = cut();
        world.user(&join(EVE, "Eve"));
        world.user(&says(EVE, "one"));
        let leave = format!("<presence from='{EVE}' type='unavailable' to='{ROOM}/Eve'/>");
        world.user(&leave);
        world.user(&join(EVE, "Eve"));
        world.user(&says(EVE, "two"));
        world.inbox.clear();
        world.heal(ERIS);
        world.cut_while_joining(ERIS);
        world.pass_ms(4 * SPLIT_MS);
        world.user(&leave);
        if comes_back {
            world.user(&join(EVE, "Eve"));
            world.user(&says(EVE, "three"));
        }
        world.inbox.clear();
        world.heal(ERIS);
        world.pass_ms(240_000);
        assert_eq!(world.states(ERIS), ["live"]);
        let all = ["one", "two", "three"];
        assert_eq!(world.archived(SERVICE), all[..if comes_back { 3 } else { 2 }]);
        let there: Vec<bool> = of_nick(&world.take(of("Wumpus")), "Eve").iter().map(|(there, _)| *there).collect();
        assert_eq!(there.last(), Some(&comes_back), "{there:?}");
        assert_eq!(of_nick(&world.take(of("Troy")), "Eve"), [], "to those here nothing is new");
        world.inbox.clear();
        world.says("Wumpus", "who is there?");
        assert_eq!(said(&world.take(EVE)).len(), usize::from(comes_back));
        let refusals = world.crossed.iter().filter(|(from, _, s)| from == ERIS && s.to_xml().contains("<refused "));
        assert_eq!(refusals.count(), 0, "no ENTER is refused");
    }
}

/// She leaves and comes back, twice, while somebody else waits to be let in as well: what was said elsewhere she hears once.
#[test]
fn s4_11_1_2_who_is_let_in_again_and_again_hears_it_once() {
    let mut world = cut_with(&[(EVE_BARE, "member"), ("adam@eris.dclxvii.irc", "member")]);
    world.says("Wumpus", "elsewhere");
    for _ in 0..2 {
        world.user(&join(EVE, "Eve"));
        world.user(&format!("<presence from='{EVE}' type='unavailable' to='{ROOM}/Eve'/>"));
    }
    world.user(&join(EVE, "Eve"));
    world.user(&join("adam@eris.dclxvii.irc/x", "Adam"));
    world.inbox.clear();
    heal(&mut world);
    for who in [EVE, "adam@eris.dclxvii.irc/x", of("Troy")] {
        assert_eq!(said(&world.take(who)), [pair("Wumpus", "elsewhere")], "{who}");
    }
}

/// A second split before the join is over: she is in all the same, and hears and has said everything once.
#[test]
fn s4_11_1_2_split_again_in_the_middle_of_a_join() {
    let mut world = cut();
    world.user(&join(EVE, "Eve"));
    world.user(&says(EVE, "one"));
    world.says("Wumpus", "elsewhere");
    world.inbox.clear();
    world.heal(ERIS);
    world.cut_while_joining(ERIS);
    world.pass_ms(4 * SPLIT_MS);
    world.user(&says(EVE, "two"));
    world.heal(ERIS);
    world.pass_ms(240_000);
    assert_eq!(world.states(ERIS), ["live"]);
    assert_eq!(said(&world.take(EVE)), [pair("Eve", "two"), pair("Wumpus", "elsewhere")]);
    assert_eq!(of_nick(&world.take(of("Troy")), "Eve"), []);
    assert_eq!(world.archived(SERVICE), ["elsewhere", "one", "two"]);
}

/// The site dies in between: what she said is heard, and she is not in.
#[test]
fn s4_11_1_2_a_site_dies_with_a_member_on_its_island() {
    let mut world = cut();
    world.user(&join(EVE, "Eve"));
    world.user(&says(EVE, "one"));
    world.restart(ERIS);
    world.pass_ms(SPLIT_MS);
    world.heal(ERIS);
    world.pass_ms(240_000);
    assert_eq!(world.archived(SERVICE), ["one"]);
    let there: Vec<bool> = of_nick(&world.take(of("Wumpus")), "Eve").iter().map(|(there, _)| *there).collect();
    assert_eq!(there, [true, false]);
}

/// Each site is told of its own users and of nobody else.
#[test]
fn s4_11_1_2_no_site_learns_of_others() {
    let world = World::with_members(&[(EVE_BARE, "member"), ("msa@vesa.yeggmaex.irc", "admin"), ("a@b.c", "member")]);
    let mut told: Vec<(String, String)> = Vec::new();
    for (_, to, stanza) in &world.crossed {
        let members = stanza.get_child("x", ns::DMUC).and_then(|x| x.get_child("members", ns::NETJOIN));
        for member in members.into_iter().flat_map(Element::children) {
            told.push((to.clone(), member.get("jid").expect("an address").to_owned()));
        }
    }
    told.sort();
    told.dedup();
    let wumpus = ("killrc.oulubox.irc".to_owned(), "argl@killrc.oulubox.irc".to_owned());
    let vesa = ("vesa.yeggmaex.irc".to_owned(), "msa@vesa.yeggmaex.irc".to_owned());
    assert_eq!(told, [(ERIS.to_owned(), EVE_BARE.to_owned()), wumpus, vesa]);
}

/// A list that nobody has asked for is out of turn, and of users of other sites a primary may claim what it likes.
#[test]
fn a_primary_that_names_whom_it_likes() {
    use crate::site::{Site, TROY, WIZ, config};
    use rooms::wire::{Down, Kind, Member, Members, Membership, SITE_MEMBERS_MAX};
    use rooms::{Affiliation, ReplicaConfig, Role, SplitConfig};
    let named = |users: &[String]| {
        let standing = Membership { affiliation: Affiliation::Owner, role: Role::Moderator, occupant_id: "o".into() };
        let member = |user: &String| Member { jid: user.parse().unwrap(), standing: Some(standing.clone()) };
        Down::Members(Members(users.iter().map(member).collect()))
    };
    let room = format!("<message from='{ROOM}'/>");
    for (enter_members, state) in [(false, "suspect"), (true, "live")] {
        let split = SplitConfig { enter_members, ..SplitConfig::default() };
        let config = ReplicaConfig { split, ..config(ERIS) };
        let mut site = Site::with_config(config).entered_by(&[("WiZ", WIZ), ("Troy", TROY)]);
        site.down(&room, named(&["mallory@elsewhere.example".into(), EVE_BARE.into()]), Kind::Members, None);
        assert_eq!(site.replica.links(site.now)[0].state, state);
        if enter_members {
            // As many as may be; one more is not kept in mind.
            let many: Vec<String> = (1..SITE_MEMBERS_MAX).map(|n| format!("user{n:05}@{ERIS}")).collect();
            for users in many.chunks(200) {
                site.down(&room, named(users), Kind::Members, None);
            }
            site.down(&room, named(&[format!("over@{ERIS}")]), Kind::Members, None);
            site.feed(machine::Input::StreamEnded(SERVICE.into()));
            site.pass_ms(SPLIT_MS);
            for (user, enters) in [("over", false), ("user09999", true), ("eve", true)] {
                let got = site.send(&join(&format!("{user}@{ERIS}/x"), user));
                assert_eq!(refusal(&got).is_none(), enters, "{user}");
            }
        }
    }
}
