//! The one order of what is said, as an island shows it; `docs/wire.md`, *Netsplit*.

use crate::s4_11_netsplit::bodies;
use crate::site::{CAST, Site, TROY, WIZ, presence, says};
use crate::world::{ERIS, SERVICE};
use machine::Input;
use xmpp::{Element, ns};

/// Longer than a link is suspect, the second time too.
const SPLIT_MS: u64 = 25_000;

/// What leaves a site that is cut off, and of its requests the last.
fn split(site: &mut Site) -> Vec<Element> {
    site.feed(Input::StreamEnded(SERVICE.into()));
    let mut left = site.pass_ms(SPLIT_MS);
    let asks = |stanza: &Element| stanza.has_child("replicate", ns::NETJOIN);
    let last = left.iter().rfind(|stanza| asks(stanza)).cloned();
    left.retain(|stanza| !asks(stanza));
    left.extend(last);
    left
}

fn heard_by(user: &str, got: &[Element]) -> Vec<String> {
    let his: Vec<Element> = got.iter().filter(|stanza| stanza.get("to") == Some(user)).cloned().collect();
    let mut heard = bodies(&his);
    assert!(heard.remove(0).contains("not reached any more"), "first he is told that it is split");
    heard
}

/// Two have spoken and had no answer when an island begins, where one of them may not speak as far as is known: what he said is not
/// shown, and what the other said behind it is. On the next island he may: by then it would be shown out of its order, and comes
/// in its place when the room tells of it.
#[test]
fn s4_11_1_what_was_shown_ahead_of_something_stays_ahead_of_it() {
    for muted in [true, false] {
        let mut site = Site::with_users(ERIS, &[("WiZ", WIZ), ("Troy", TROY)]);
        site.send(&says(TROY, "one"));
        site.send(&says(WIZ, "two"));
        site.event(&presence("Troy", "none", if muted { "visitor" } else { "participant" }), 803);
        let left = split(&mut site);
        let first = if muted { vec!["two"] } else { vec!["one", "two"] };
        assert_eq!(heard_by(WIZ, &left), first);
        site.grant(&left, 2, true);
        site.snapshot(&CAST, &[], 810);
        let left = split(&mut site);
        assert_eq!(heard_by(WIZ, &left), [""; 0]);
    }
}
