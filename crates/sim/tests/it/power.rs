//! Loss of power: every server loses it at the same moment, and each disk keeps what was synced and nothing else. Every
//! message that anybody had been sent by then is in the archive afterwards.

use sim::users::stays::body_of;
use sim::users::{User, act, archive};
use sim::world::{Scene, ServerConfig, World};
use std::collections::BTreeSet;
use xmpp::Jid;

const ROOMS: &str = "channel.avalon.irc";
/// One site with a replica, one whose users the room serves directly.
const USERS: [(&str, &str); 4] = [
    ("argl@killrc.oulubox.irc/laptop", "Wumpus"),
    ("valdis@killrc.oulubox.irc/desktop", "Valdis"),
    ("squit@eris.dclxvii.irc/jupiter", "WiZ"),
    ("troy@eris.dclxvii.irc/screwdriver", "Troy"),
];
const SERVERS: usize = 3;
/// How long a disk takes to sync: long beside a link, so that much is under way when the power goes.
const DISK_MS: (u64, u64) = (3, 12);
/// The power goes after so many milliseconds of talk at the latest, and at each before.
const TALK_MS: u64 = 60;
/// Until everybody is at rest again: longer than a restart and all retries.
const REST_MS: u64 = 300_000;

/// People talk, and after so many milliseconds there is no power: what had been said, what of it people had been sent,
/// and what is in the archive when power is back.
fn lights_out(after_ms: u64) -> [BTreeSet<String>; 3] {
    let mut world = World::new(after_ms, 655_862_317_000);
    world.add(ServerConfig::rooms(ROOMS));
    world.add(ServerConfig::site("killrc.oulubox.irc", &["argl", "valdis"]));
    world.add(ServerConfig::plain_site("eris.dclxvii.irc", &["squit", "troy"]));
    let room: Jid = format!("wallops@{ROOMS}").parse().unwrap();
    let mut users = USERS.map(|(full, nick)| User::new(full, &room, nick));
    for user in &mut users {
        user.enter(&mut world);
        world.quiet();
        let configured = act::configure(&room, "open", &[("muc#roomconfig_persistentroom", "1")]);
        user.send(&mut world, configured);
        world.quiet();
    }
    world.disk_ms = DISK_MS;
    let mut said = BTreeSet::new();
    let start = world.tape.tellings.len();
    for ms in 0..after_ms {
        for (user, (_, nick)) in users.iter().zip(USERS) {
            let text = format!("{nick} at {ms}");
            user.send(&mut world, act::say(&room, &text, &text));
            said.insert(text);
        }
        world.pass_ms(1);
    }
    let received = world.tape.tellings[start..].iter().filter_map(|telling| match &telling.what {
        Scene::Received(message) if message.get("type") == Some("groupchat") => body_of(message),
        _ => None,
    });
    let shown = received.collect();
    for server in 0..SERVERS {
        world.crash(server, 0, 10);
    }
    world.pass_ms(REST_MS);
    let reader = &mut users[0];
    reader.start_anew();
    reader.enter(&mut world);
    world.pass_ms(REST_MS);
    let archived = archive::read(reader, &mut world).expect("the archive is read");
    schema::collect(world.tape.on_links());
    [said, shown, archived.into_iter().filter_map(|row| row.body).collect()]
}

/// What is still being written when a copy of a disk is put aside is not in it, and the copy says since when that is.
#[test]
fn a_copy_of_a_disk_says_what_it_has() {
    let mut world = World::new(1, 655_862_317_000);
    world.add(ServerConfig::rooms(ROOMS));
    world.add(ServerConfig::plain_site("eris.dclxvii.irc", &["squit", "troy"]));
    let room: Jid = format!("wallops@{ROOMS}").parse().unwrap();
    let mut wiz = User::new(USERS[2].0, &room, USERS[2].1);
    wiz.enter(&mut world);
    world.quiet();
    assert_eq!(world.back_up(0), world.now().mono_ms);
    world.disk_ms = (1_000, 1_000);
    let configured = act::configure(&room, "open", &[("muc#roomconfig_persistentroom", "1")]);
    wiz.send(&mut world, configured);
    while world.unsynced(0) == 0 {
        world.pass_ms(1);
    }
    let begun_ms = world.now().mono_ms;
    world.pass_ms(500);
    assert_eq!(world.back_up(0), begun_ms);
    world.quiet();
    assert_eq!(world.back_up(0), world.now().mono_ms);
}

/// Everybody's first word apart, something is under way at each of these moments.
#[test]
fn what_anybody_was_sent_is_in_the_archive_after_loss_of_power() {
    let (mut shown_in_all, mut lost_in_all) = (0, 0);
    for after_ms in 1..TALK_MS {
        let [said, shown, archived] = lights_out(after_ms);
        let missing: Vec<_> = shown.difference(&archived).collect();
        assert!(missing.is_empty(), "power lost after {after_ms} ms: people had seen {missing:?}");
        shown_in_all += shown.len();
        lost_in_all += said.difference(&archived).count();
    }
    // Else the power was not lost at a moment that matters.
    assert!(shown_in_all > 1_000 && lost_in_all > 100, "{shown_in_all} shown, {lost_in_all} lost");
}
