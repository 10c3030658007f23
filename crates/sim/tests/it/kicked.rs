//! XEP-0045 8.2: a kick that anybody was told of holds, though the rooms' server loses its power the moment after and the victim's site
//! has not heard of it.

use sim::checks::Safety;
use sim::users::{User, act};
use sim::world::{Scene, ServerConfig, Weather, World};
use xmpp::Jid;

const ROOMS: &str = "channel.avalon.irc";
const VESA: &str = "vesa.yeggmaex.irc";
/// How long the disk takes: longer by far than a stanza is on its way.
const DISK_MS: u64 = 1_000;
/// Until what is cut off is seen to be, and until everybody is at rest again.
const NOTICE_MS: u64 = 120_000;
const REST_MS: u64 = 300_000;

/// Wumpus kicks BigCheese, whose site is cut off; so long after it there is no power. Whether Wumpus had been told by then, and whether
/// he sees BigCheese when all is well again.
fn kicked_and_no_power(after_ms: u64) -> (bool, bool) {
    let mut world = World::new(after_ms, 655_862_317_000);
    world.add(ServerConfig::rooms(ROOMS));
    world.add(ServerConfig::site("killrc.oulubox.irc", &["argl"]));
    world.add(ServerConfig::site(VESA, &["rubenro"]));
    let room: Jid = format!("wallops@{ROOMS}").parse().unwrap();
    let mut wumpus = User::new("argl@killrc.oulubox.irc/laptop", &room, "Wumpus");
    wumpus.enter(&mut world);
    world.quiet();
    wumpus.send(&mut world, act::configure(&room, "open", &[("muc#roomconfig_persistentroom", "1")]));
    let mut big_cheese = User::new(&format!("rubenro@{VESA}/shaver"), &room, "BigCheese");
    big_cheese.enter(&mut world);
    world.quiet();
    wumpus.hear(&world);
    assert!(wumpus.view.seats.contains_key("BigCheese"));

    world.cut(VESA, ROOMS, Weather::Refused);
    world.pass_ms(NOTICE_MS);
    world.disk_ms = (DISK_MS, DISK_MS);
    wumpus.send(&mut world, act::role(&room, "kick", "BigCheese", "none"));
    world.pass_ms(after_ms);
    wumpus.hear(&world);
    let told = !wumpus.view.seats.contains_key("BigCheese");
    let rooms = world.server_of(ROOMS).unwrap();
    world.crash(rooms, 0, 10);
    world.pass_ms(NOTICE_MS);
    world.mend(VESA, ROOMS);
    world.pass_ms(REST_MS);
    wumpus.hear(&world);
    big_cheese.hear(&world);
    let is_in = wumpus.view.seats.contains_key("BigCheese");
    assert_eq!(is_in, big_cheese.is_in(), "both see the same");
    let heard_the_reason = world.tape.tellings.iter().any(|telling| match &telling.what {
        Scene::Received(stanza) if telling.who == big_cheese.jid.as_str() => stanza.get("type") == Some("unavailable"),
        _ => false,
    });
    assert_eq!(heard_the_reason, !is_in, "who is out has been told so");
    assert_eq!(Safety::of(&room, true).look(&world.tape), [""; 0], "power lost after {after_ms} ms");
    schema::collect(world.tape.on_links());
    (told, is_in)
}

#[test]
fn s8_2_a_kick_that_was_told_holds_after_loss_of_power() {
    let mut told_in_all = 0;
    for after_ms in (0..3 * DISK_MS).step_by(250) {
        let (told, is_in) = kicked_and_no_power(after_ms);
        assert!(!(told && is_in), "power lost after {after_ms} ms");
        told_in_all += usize::from(told);
    }
    // Else it was never lost at a moment that matters.
    assert!((1..12).contains(&told_in_all), "{told_in_all} of 12");
}
