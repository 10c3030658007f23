//! XEP-0282 4.11.2: a leave on an island is heard in its turn, behind what was said before it.

use crate::site::ROOM;
use crate::world::{ERIS, SERVICE, World, of};
use xmpp::{Element, ns};

/// Longer than a link is suspect.
const SPLIT_MS: u64 = 15_000;

/// When a stream ends its client leaves under each nickname it has had (RFC 6121 4.6.3), and what was on its way to it bounces; the
/// link is whole again by then and the room has not been asked yet. What was said before counts.
#[test]
fn s4_11_2_who_is_gone_is_gone_behind_his_words() {
    let leave = |nick: &str| format!("<presence from='{}' type='unavailable' to='{ROOM}/{nick}'/>", of("Troy"));
    let bounce = format!(
        "<message from='{}' type='error' to='{ROOM}/Troy'><error type='cancel'>\
         <recipient-unavailable xmlns='{}'/></error></message>",
        of("Troy"),
        ns::STANZA_ERRORS
    );
    for second in [leave("Trojan"), bounce] {
        let mut world = World::with_cast(true);
        world.cut(ERIS);
        world.pass_ms(SPLIT_MS);
        world.says("Troy", "my last words");
        world.take(of("Wumpus"));
        world.heal(ERIS);
        assert_eq!(world.states(ERIS), ["split"]);
        world.user(&leave("Troy"));
        world.user(&second);
        world.pass_ms(120_000);
        assert_eq!(world.archived(SERVICE), ["my last words"], "{second}");
        let of_troy = |stanza: &Element| stanza.get("from").is_some_and(|from| from.ends_with("/Troy"));
        let got = world.take(of("Wumpus"));
        let spoke = |stanza: &&Element| of_troy(stanza) && stanza.get("type") != Some("unavailable");
        let last = got.iter().rfind(|stanza| of_troy(stanza)).and_then(|stanza| stanza.get("type"));
        assert!(got.iter().any(|s| spoke(&s) && s.has_child("body", ns::CLIENT)), "{got:?}");
        assert_eq!(last, Some("unavailable"), "and then he is gone: {got:?}");
    }
}
