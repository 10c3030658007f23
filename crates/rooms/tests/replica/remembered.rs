//! What a room remembers of users behind replicas when its server starts again: their voice (XEP-0045 5.1), that they have applied for
//! membership (7.10), and whose an invitation was (7.8.2).

use crate::site::{ROOM, join};
use crate::world::*;
use xmpp::{Element, ns};

fn configured(world: &mut World, field: &str, value: &str) {
    world.user(&format!(
        "<iq from='{}' id='c' type='set' to='{ROOM}'><query xmlns='{}'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>\
         <field var='muc#roomconfig_{field}'><value>{value}</value></field></x></query></iq>",
        of("Wumpus"),
        ns::MUC_OWNER
    ));
}

fn gives_role(world: &mut World, nick: &str, role: &str) {
    world.user(&format!(
        "<iq from='{}' id='r' type='set' to='{ROOM}'><query xmlns='{}'><item nick='{nick}' role='{role}'/></query></iq>",
        of("Wumpus"),
        ns::MUC_ADMIN
    ));
}

/// Somebody leaves and enters again; the role he has then.
fn role_of_returned(world: &mut World, nick: &str) -> String {
    world.user(&format!("<presence from='{}' to='{ROOM}/{nick}' type='unavailable'/>", of(nick)));
    world.take(of(nick));
    world.user(&join(of(nick), nick));
    let got = world.take(of(nick));
    let own = got.iter().find(|stanza| stanza.to_xml().contains("<status code='110'/>")).expect("his own presence");
    let item = own.get_child("x", ns::MUC_USER).and_then(|x| x.get_child("item", ns::MUC_USER)).expect("an item");
    item.get("role").unwrap_or_default().to_owned()
}

/// The room's server starts again, and all replicas are back.
fn restarted(world: &mut World) {
    world.restart(SERVICE);
    world.pass_ms(120_000);
    for site in SITES {
        assert_eq!(world.states(site), ["live"], "{site}");
    }
    world.inbox.clear();
}

#[test]
fn voice_of_users_behind_replicas_outlives_a_restart() {
    let mut world = World::with_cast(true);
    world.affiliate("rubenro@vesa.yeggmaex.irc", "member");
    configured(&mut world, "moderatedroom", "1");
    assert_eq!(role_of_returned(&mut world, "Troy"), "visitor");
    gives_role(&mut world, "Troy", "participant");
    gives_role(&mut world, "BigCheese", "visitor");
    restarted(&mut world);
    assert_eq!(role_of_returned(&mut world, "Troy"), "participant", "he was given voice");
    assert_eq!(role_of_returned(&mut world, "BigCheese"), "visitor", "his was taken");
    assert_eq!(role_of_returned(&mut world, "WiZ"), "visitor", "of him nothing was said");
}

#[test]
fn an_application_from_behind_a_replica_outlives_a_restart() {
    let mut world = World::with_cast(true);
    configured(&mut world, "moderatedroom", "1");
    world.user(&format!(
        "<iq from='{}' id='reg' type='set' to='{ROOM}'><query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>\
         <field var='muc#register_roomnick'><value>Troy</value></field></x></query></iq>",
        of("Troy")
    ));
    restarted(&mut world);
    world.user(&format!("<presence from='{}' to='{ROOM}/Wumpus' type='unavailable'/>", of("Wumpus")));
    world.user(&join(of("Wumpus"), "Wumpus"));
    let got = world.take(of("Wumpus"));
    let asked = got.iter().filter(|stanza| stanza.to_xml().contains("muc#register_allow"));
    let asked: Vec<String> = asked.map(Element::to_xml).collect();
    assert!(asked.len() == 1 && asked[0].contains("<value>troy@eris.dclxvii.irc</value>"), "{asked:?}");
    world.user(&format!(
        "<message from='{}' to='{ROOM}'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>\
         <field var='muc#jid'><value>troy@eris.dclxvii.irc</value></field>\
         <field var='muc#register_roomnick'><value>Troy</value></field>\
         <field var='muc#register_allow'><value>1</value></field></x></message>",
        of("Wumpus")
    ));
    let told = world.take(of("Efchen"));
    let shown = |stanza: &Element| stanza.get("from") == Some(&format!("{ROOM}/Troy"));
    let member = told.iter().filter(|stanza| shown(stanza) && stanza.to_xml().contains("affiliation='member'"));
    assert_eq!(member.count(), 1, "{told:?}");
}

#[test]
fn a_decline_from_behind_a_replica_finds_the_inviter_after_a_restart() {
    let mut world = World::with_cast(true);
    world.user(&format!(
        "<message from='{}' id='i' to='{ROOM}'><x xmlns='{}'><invite to='hecate@vesa.yeggmaex.irc'/></x></message>",
        of("WiZ"),
        ns::MUC_USER
    ));
    let invited = world.take("hecate@vesa.yeggmaex.irc");
    let invite = invited[0].get_child("x", ns::MUC_USER).and_then(|x| x.get_child("invite", ns::MUC_USER));
    let by = invite.and_then(|invite| invite.get("from")).expect("by whom").to_owned();
    restarted(&mut world);
    world.user(&format!(
        "<message from='hecate@vesa.yeggmaex.irc/broom' id='d' to='{ROOM}'><x xmlns='{}'><decline to='{by}'/></x></message>",
        ns::MUC_USER
    ));
    let heard = |world: &mut World, nick: &str| {
        let told = world.take(of(nick));
        told.iter().filter(|stanza| stanza.to_xml().contains("<decline from='hecate@vesa.yeggmaex.irc'")).count()
    };
    assert_eq!((heard(&mut world, "WiZ"), heard(&mut world, "Troy")), (1, 0));
}
