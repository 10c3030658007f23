//! Engines at both ends: what users see does not show whether their site has a replica; one copy crosses to each.

use crate::site::{ROOM, join, says};
use crate::world::*;
use std::collections::BTreeMap;
use xmpp::{Element, ns};

/// What each user was sent, by user, without what only the room's secrets explain.
fn seen(world: &mut World) -> BTreeMap<String, Vec<String>> {
    let inbox = std::mem::take(&mut world.inbox);
    inbox.into_iter().map(|(user, stanzas)| (user, stanzas.iter().map(plain).collect())).collect()
}

fn plain(stanza: &Element) -> String {
    let mut stanza = stanza.clone();
    stanza.retain(|child| !matches!(child.ns(), ns::SID | ns::OCCUPANT_ID));
    if let Some(x) = stanza.get_child_mut("x", ns::MUC_USER) {
        // What is the same is that it says a version (XEP-0463).
        let versions = x.children().filter(|child| child.name() == "mav").count();
        x.retain(|child| child.name() != "mav");
        (0..versions).for_each(|_| x.push(Element::new("mav", ns::MUC_USER)));
    }
    // The order of attributes says nothing.
    let mut sorted = Element::new(stanza.name().to_owned(), ns::CLIENT);
    let mut attrs: Vec<_> = stanza.attrs().iter().map(|a| (a.name.to_string(), a.value.to_string())).collect();
    attrs.sort();
    for (name, value) in attrs {
        sorted.set(&name, value);
    }
    sorted.with(stanza.children().cloned()).to_xml()
}

/// The same script at one node and distributed: every user gets the same stanzas in the same order.
fn same_for_everybody(script: &[&str]) {
    let (mut single, mut distributed) = (World::with_cast(false), World::with_cast(true));
    assert_eq!(seen(&mut distributed), seen(&mut single), "entering");
    for stanza in script {
        single.user(stanza);
        distributed.user(stanza);
        assert_eq!(seen(&mut distributed), seen(&mut single), "{stanza}");
    }
    for site in SITES {
        assert_eq!(distributed.states(site), ["live"]);
    }
}

/// XEP-0282 section 5: entering, talking.
#[test]
fn s5_users_see_the_same() {
    let says = says(of("BigCheese"), "Phaedrus, we're all having a truly rotten time.");
    let away = format!("<presence from='{}' to='{ROOM}/Troy'><show>away</show></presence>", of("Troy"));
    let left = format!("<presence from='{}' type='unavailable' to='{ROOM}/Efchen'/>", of("Efchen"));
    let back = join(of("Efchen"), "Efchen");
    same_for_everybody(&[&says, &away, &left, &back]);
}

/// Another session of one user, a nick change, a taken nick, a private message, a subject.
#[test]
fn s5_users_see_the_same_of_all_that_differs_per_occupant() {
    let second = join("rubenro@vesa.yeggmaex.irc/phone", "BigCheese");
    let nick = format!("<presence from='{}' to='{ROOM}/Wizard'/>", of("WiZ"));
    let taken = format!("<presence from='{}' to='{ROOM}/Valdis'/>", of("Troy"));
    let private =
        format!("<message from='{}' type='chat' to='{ROOM}/BigCheese'><body>psst</body></message>", of("Wumpus"));
    let subject =
        format!("<message from='{}' type='groupchat' to='{ROOM}'><subject>war</subject></message>", of("Wumpus"));
    let refused =
        format!("<message from='{}' type='groupchat' to='{ROOM}'><subject>peace</subject></message>", of("Troy"));
    let one_leaves =
        format!("<presence from='rubenro@vesa.yeggmaex.irc/phone' type='unavailable' to='{ROOM}/BigCheese'/>");
    same_for_everybody(&[&second, &nick, &taken, &private, &subject, &refused, &one_leaves]);
}

/// Kick, voice, promotion, ban, configuration, destruction.
#[test]
fn s5_users_see_the_same_of_moderation() {
    let admin = |item: &str| {
        format!(
            "<iq from='{}' id='a' type='set' to='{ROOM}'><query xmlns='{}'>{item}</query></iq>",
            of("Wumpus"),
            ns::MUC_ADMIN
        )
    };
    let kick = admin("<item nick='Troy' role='none'><reason>of course</reason></item>");
    let back = join(of("Troy"), "Troy");
    let promoted = admin("<item nick='WiZ' role='moderator'/>");
    let comes = join("kev@vesa.yeggmaex.irc/x", "Kev");
    let mute = admin("<item nick='Kev' role='visitor'/>");
    let heard = says("kev@vesa.yeggmaex.irc/x", "mpf");
    let demoted = admin("<item nick='WiZ' role='participant'/>");
    let ban = admin("<item jid='msa@vesa.yeggmaex.irc' affiliation='outcast'/>");
    let open = format!(
        "<iq from='{}' id='c' type='set' to='{ROOM}'><query xmlns='{}'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>{}</value></field><field var='muc#roomconfig_whois'><value>anyone</value></field>\
         </x></query></iq>",
        of("Wumpus"),
        ns::MUC_OWNER,
        ns::MUC_ROOMCONFIG
    );
    let more = join("new@eris.dclxvii.irc/x", "New");
    let destroy = format!(
        "<iq from='{}' id='d' type='set' to='{ROOM}'><query xmlns='{}'><destroy><reason>war</reason></destroy></query></iq>",
        of("Wumpus"),
        ns::MUC_OWNER
    );
    same_for_everybody(&[&kick, &back, &promoted, &comes, &mute, &heard, &demoted, &ban, &open, &more]);
    let (mut single, mut distributed) = (World::with_cast(false), World::with_cast(true));
    single.user(&destroy);
    distributed.user(&destroy);
    assert_eq!(seen(&mut distributed), seen(&mut single), "{destroy}");
}

/// XEP-0282 4.7: whoever is first of a site and a moderator at once sees real JIDs in the roster, as at one node.
#[test]
fn s4_7_the_first_of_a_site_may_be_a_moderator() {
    let admin = |item: &str| {
        format!(
            "<iq from='{}' id='a' type='set' to='{ROOM}'><query xmlns='{}'>{item}</query></iq>",
            of("Wumpus"),
            ns::MUC_ADMIN
        )
    };
    let open = format!(
        "<iq from='{}' id='o' type='set' to='{ROOM}'><query xmlns='{}'><x xmlns='jabber:x:data' type='submit'/></query></iq>",
        of("Wumpus"),
        ns::MUC_OWNER
    );
    let affiliated = admin("<item jid='squit@eris.dclxvii.irc' affiliation='admin'/>");
    let leaves = format!("<presence from='{}' type='unavailable' to='{ROOM}/WiZ'/>", of("WiZ"));
    let (enters, wiz) = (join(of("Wumpus"), "Wumpus"), join(of("WiZ"), "WiZ"));
    let (mut single, mut distributed) = (World::new(false), World::new(true));
    for stanza in [&enters, &open, &affiliated, &wiz, &leaves, &wiz] {
        single.user(stanza);
        distributed.user(stanza);
        let shown = seen(&mut distributed);
        assert_eq!(shown, seen(&mut single), "{stanza}");
        if stanza == &wiz {
            assert!(shown[of("WiZ")][0].contains("jid="), "{shown:?}");
        }
    }
}

/// One copy of a message to each site, whatever the number behind it.
#[test]
fn s1_one_copy_crosses_to_each_site() {
    let mut world = World::with_cast(true);
    world.says("BigCheese", "Phaedrus, we're all having a truly rotten time.");
    for site in SITES {
        assert_eq!(world.down_to(site, |stanza| stanza.has_child("body", ns::CLIENT)), 1, "{site}");
        assert_eq!(world.archived(site), world.archived(SERVICE));
    }
}

/// A link is cut, both sides talk, it heals: every message is everywhere once, in the primary's order.
#[test]
fn s4_11_a_cut_link_heals_and_nothing_is_lost() {
    let mut world = World::with_cast(true);
    world.inbox.clear();
    world.cut("eris.dclxvii.irc");
    world.says("WiZ", "from the island");
    world.says("BigCheese", "from the mainland");
    world.pass_ms(5_000);
    world.heal("eris.dclxvii.irc");
    world.pass_ms(300_000);
    assert_eq!(world.states("eris.dclxvii.irc"), ["live"]);
    everybody_has(&mut world, &["from the mainland", "from the island"]);
}

/// The same for longer than `suspect`: the site's users keep their seats.
#[test]
fn s4_11_a_long_cut_heals_and_nothing_is_lost() {
    let mut world = World::with_cast(true);
    world.inbox.clear();
    world.cut("eris.dclxvii.irc");
    world.says("WiZ", "from the island");
    world.pass_ms(60_000);
    world.says("BigCheese", "from the mainland");
    world.heal("eris.dclxvii.irc");
    world.pass_ms(300_000);
    assert_eq!(world.states("eris.dclxvii.irc"), ["live"]);
    for (nick, jid) in CAST {
        let said = said_to(&mut world, jid);
        let own_first = ["WiZ", "Troy"].contains(&nick);
        assert_eq!(said[usize::from(!own_first)], "from the island", "{nick}");
        assert_eq!(said[usize::from(own_first)], "from the mainland", "{nick}");
        assert_eq!(said.len(), 2, "{nick}");
    }
    assert_eq!(world.archived(ERIS), ["from the mainland", "from the island"]);
    world.says("Troy", "and on we go");
    everybody_has(&mut world, &["and on we go"]);
}

/// Who left while cut off is gone for his site at once; when somebody else has taken his nick after `retention`, that one is
/// seen there like everywhere.
#[test]
fn s4_11_1_the_nick_of_one_who_left_while_cut_off_is_another_s() {
    let mut world = World::with_cast(true);
    world.cut("eris.dclxvii.irc");
    world.user(&format!("<presence from='{}' type='unavailable' to='{ROOM}/WiZ'/>", of("WiZ")));
    world.pass_ms(3_700_000);
    world.user(&format!("<presence from='{}' to='{ROOM}/WiZ'/>", of("Efchen")));
    world.inbox.clear();
    world.heal("eris.dclxvii.irc");
    world.pass_ms(300_000);
    let from = format!("{ROOM}/WiZ");
    let got = world.take(of("Troy"));
    let last = got.iter().rfind(|s| s.name() == "presence" && s.get("from") == Some(&from)).expect("a presence");
    assert_eq!(last.get("type"), None, "{got:?}");
}

/// The service's process dies: its rooms are filled again by the census of each site, and on it goes.
#[test]
fn s4_11_the_service_starts_again() {
    let mut world = World::with_cast(true);
    world.says("WiZ", "before");
    world.inbox.clear();
    world.restart(SERVICE);
    world.says("WiZ", "meanwhile");
    world.pass_ms(120_000);
    world.says("Wumpus", "after");
    everybody_has(&mut world, &["meanwhile", "after"]);
    assert_eq!(world.archived(SERVICE), ["before", "meanwhile", "after"]);
}

/// The service's process dies, and one of its sites never comes back: those of it who were in the room are waited for no
/// longer than anybody.
#[test]
fn s4_11_the_service_starts_again_without_a_site() {
    let mut world = World::with_cast(true);
    world.cut(ERIS);
    world.restart(SERVICE);
    world.pass_ms(50 * 60_000);
    assert_eq!(world.keys(SERVICE, "occupant").len(), 7, "they are waited for");
    world.pass_ms(12 * 60_000);
    assert_eq!(world.keys(SERVICE, "occupant").len(), 5);
}

/// A room of which only a site that never comes back had anybody ends in time.
#[test]
fn s4_11_a_room_nobody_comes_back_to_ends_in_time() {
    let mut world = World::new(true);
    world.user(&join(of("WiZ"), "WiZ"));
    world.cut(ERIS);
    world.restart(SERVICE);
    world.pass_ms(61 * 60_000);
    assert_eq!(world.keys(SERVICE, "room"), [""; 0]);
}

fn close_to_replicas(world: &mut World) {
    world.user(&format!(
        "<iq from='{}' id='c' type='set' to='{ROOM}'><query xmlns='{}'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>{}</value></field>\
         <field var='{{urn:netjoin:dmuc:0}}replicas'><value>0</value></field></x></query></iq>",
        of("Wumpus"),
        ns::MUC_OWNER,
        ns::MUC_ROOMCONFIG
    ));
}

/// The owner closes the room to replicas while something is on its way: it is said, once, and everybody goes on talking.
#[test]
fn s4_2_a_room_is_closed_to_replicas() {
    let mut world = World::with_cast(true);
    world.inbox.clear();
    world.faults = [Some(Fault::Drop)].into();
    world.says("WiZ", "on its way");
    close_to_replicas(&mut world);
    world.says("WiZ", "afterwards");
    assert_eq!(world.archived(SERVICE), ["on its way", "afterwards"]);
    assert!(world.inbox[of("WiZ")].iter().all(|s| s.name() != "presence"), "he notices nothing");
    everybody_heard(&mut world, &["on its way", "afterwards"]);
}

/// The same where it had been heard, and only its site has no word of that: it is not said twice, and those of the site are
/// told to come back for what they have missed.
#[test]
fn s4_2_a_room_is_closed_to_replicas_with_a_word_missing() {
    let mut world = World::with_cast(true);
    world.inbox.clear();
    world.faults = [None, Some(Fault::Drop)].into();
    world.says("WiZ", "heard");
    assert_eq!(world.archived(ERIS), [""; 0], "its copy was lost");
    close_to_replicas(&mut world);
    assert_eq!(world.archived(SERVICE), ["heard"]);
    let got = world.take(of("WiZ"));
    assert!(got.iter().all(|s| s.get("type") != Some("error")), "{got:?}");
    assert!(got.last().is_some_and(|s| s.to_xml().contains("code='333'")), "{got:?}");
}

/// A site's process dies with something accepted that the primary never got: it is said, and who said it is gone.
#[test]
fn s4_8_a_site_starts_again() {
    let mut world = World::with_cast(true);
    world.inbox.clear();
    world.cut("eris.dclxvii.irc");
    world.says("WiZ", "last words");
    world.heal("eris.dclxvii.irc");
    world.restart("eris.dclxvii.irc");
    world.pass_ms(120_000);
    let got = world.take(of("Wumpus"));
    let said: Vec<String> = got.iter().filter_map(|s| Some(s.get_child("body", ns::CLIENT)?.content())).collect();
    assert_eq!(said, ["last words"]);
    for nick in ["WiZ", "Troy"] {
        let from = format!("{ROOM}/{nick}");
        let last = got.iter().rfind(|s| s.name() == "presence" && s.get("from") == Some(&from)).expect("a presence");
        assert_eq!(last.get("type"), Some("unavailable"), "{nick} is gone");
    }
    world.user(&join(of("WiZ"), "WiZ"));
    world.says("WiZ", "here I am again");
    assert_eq!(world.archived("eris.dclxvii.irc").last().map(String::as_str), Some("here I am again"));
    assert_eq!(world.states("eris.dclxvii.irc"), ["live"]);
}

/// The same where the primary had heard it and only its word of that was lost: nobody of the site stays behind in the room.
#[test]
fn s4_8_a_site_starts_again_that_was_heard() {
    let mut world = World::with_cast(true);
    world.inbox.clear();
    world.faults = [None, Some(Fault::Drop)].into();
    world.says("WiZ", "last words");
    assert_eq!(world.archived(ERIS), [] as [&str; 0], "its copy was lost");
    world.restart(ERIS);
    world.pass_ms(120_000);
    let got = world.take(of("Wumpus"));
    for nick in ["WiZ", "Troy"] {
        let from = format!("{ROOM}/{nick}");
        let last = got.iter().rfind(|s| s.name() == "presence" && s.get("from") == Some(&from)).expect("a presence");
        assert_eq!(last.get("type"), Some("unavailable"), "{nick} is gone");
    }
    assert_eq!(world.archived(SERVICE), ["last words"]);
}

/// The users of a site that died come back before it is in touch again, under the same full JIDs, while what they said is
/// still to be submitted: seats of before and joins of now are not confused.
#[test]
fn s4_8_users_come_back_before_their_site_is_in_touch() {
    for speaker in ["WiZ", "Troy"] {
        let mut world = World::with_cast(true);
        world.cut(ERIS);
        world.says(speaker, "last words");
        world.heal(ERIS);
        world.restart(ERIS);
        come_back(&mut world);
        assert_eq!(world.archived(SERVICE), ["last words", "again"], "{speaker} spoke before");
    }
}

/// The same with any one stanza of the link lost on the way.
#[test]
fn s4_11_users_come_back_whatever_is_lost_meanwhile() {
    // Right behind a first request a join is not asked for again: streams lose their ends, not one in the middle.
    for lost in (0..MARKED_WHILE_COMING_BACK).filter(|lost| *lost != JOIN_BEHIND_A_REQUEST) {
        let mut world = World::with_cast(true);
        world.restart(ERIS);
        world.faults = std::iter::repeat_n(None, lost).chain([Some(Fault::Drop)]).collect();
        come_back(&mut world);
        assert_eq!(world.archived(SERVICE), ["again"], "stanza {lost} was lost");
    }
}

/// Both users of eris enter at once; in the end both are in, and heard.
fn come_back(world: &mut World) {
    world.inbox.clear();
    for nick in ["WiZ", "Troy"] {
        world.user_sends(&join(of(nick), nick));
    }
    world.run();
    world.pass_ms(300_000);
    world.faults.clear();
    world.says("WiZ", "again");
    world.pass_ms(300_000);
    assert_eq!(world.states(ERIS), ["live"]);
    for nick in ["WiZ", "Troy"] {
        let from = format!("{ROOM}/{nick}");
        let got = world.take(of(nick));
        let own = got.iter().filter(|s| s.name() == "presence" && s.get("from") == Some(&from));
        let kinds: Vec<_> = own.map(|s| s.get("type")).collect();
        assert_eq!(kinds, [None], "{nick} entered once and stayed");
        assert!(got.iter().any(|s| s.get_child("body", ns::CLIENT).is_some()), "{nick} heard it");
    }
}

/// More than cross the links until both are in.
const MARKED_WHILE_COMING_BACK: usize = 40;
/// Its place among them.
const JOIN_BEHIND_A_REQUEST: usize = 0;

/// What people said that somebody was sent.
fn said_to(world: &mut World, jid: &str) -> Vec<String> {
    let got = world.take(jid);
    let said = got.iter().filter(|s| s.get("from") != Some(ROOM));
    said.filter_map(|s| Some(s.get_child("body", ns::CLIENT)?.content())).collect()
}

/// Everybody was sent these, in this order and once, and the archives agree.
fn everybody_has(world: &mut World, bodies: &[&str]) {
    everybody_heard(world, bodies);
    for site in SITES {
        assert_eq!(world.archived(site), world.archived(SERVICE), "{site}");
    }
}

fn everybody_heard(world: &mut World, bodies: &[&str]) {
    for (nick, jid) in CAST {
        assert_eq!(said_to(world, jid), bodies, "{nick}");
    }
}
