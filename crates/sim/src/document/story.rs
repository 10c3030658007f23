//! The run that the examples of `docs/xep.md` are from: a room is made, entered from a site, talked in; the site is cut off and
//! joined again; the room ends.

use super::Captured;
use crate::users::act;
use crate::world::{Scene, ServerConfig, Weather, World};
use xmpp::{Element, Jid, ns};

const ROOMS: &str = "channel.avalon.irc";
const KILLRC: &str = "killrc.oulubox.irc";
const ERIS: &str = "eris.dclxvii.irc";
const VESA: &str = "vesa.yeggmaex.irc";
const WUMPUS: &str = "argl@killrc.oulubox.irc/laptop";
const WIZ: &str = "squit@eris.dclxvii.irc/jupiter";
const TROY: &str = "troy@eris.dclxvii.irc/screwdriver";
const BIG_CHEESE: &str = "rubenro@vesa.yeggmaex.irc/shaver";
const EFCHEN: &str = "msa@vesa.yeggmaex.irc/bicycle";
/// 1990-10-13T23:58:37Z, as in the XEP's own examples.
const THEN_MS: i64 = 655_862_317_000;
/// Longer than it takes both sides to miss each other, and a link may be in doubt.
const SPLIT_MS: u64 = 200_000;
/// Longer than it takes to find each other again.
const JOIN_MS: u64 = 60_000;

/// Plays it.
pub fn captured() -> Captured {
    let mut run = Run::new();
    run.creating();
    run.talking();
    run.keepalive();
    run.netsplit();
    run.netjoin();
    run.ending();
    assert_eq!(run.world.tape.complaints, [""; 0]);
    schema::collect(run.world.tape.on_links());
    run.all
}

struct Run {
    world: World,
    told: usize,
    crossed: usize,
    all: Captured,
}

impl Run {
    fn new() -> Run {
        let mut world = World::new(282, THEN_MS);
        world.add(ServerConfig::rooms(ROOMS));
        world.add(ServerConfig::site(KILLRC, &["argl"]));
        world.add(ServerConfig::site(ERIS, &["squit", "troy"]));
        world.add(ServerConfig::site(VESA, &["rubenro", "msa"]));
        Run { world, told: 0, crossed: 0, all: Captured::new() }
    }

    fn creating(&mut self) {
        self.enters(WUMPUS, "Wumpus");
        self.sends(WUMPUS, act::configure(&room(), "open", &[]));
        self.sends(WUMPUS, act::affiliation(&room(), "admin", jid(WIZ).bare().as_str(), "admin"));
        self.enters(WIZ, "WiZ");
        self.enters(TROY, "Troy");
        self.forget();
        self.enters(EFCHEN, "Efchen");
        self.keep("registration", self.link(VESA, ROOMS, |s| has(s, "replicate")));
        self.keep("relayed-join", self.link(VESA, ROOMS, |s| s.get("from") == Some(EFCHEN)));
        self.keep("granted", self.link(ROOMS, VESA, |s| has(s, "granted")));
        let of_snapshot = ["config", "roster", "history", "subject", "synced"];
        self.keep("snapshot", self.link(ROOMS, VESA, |s| of_snapshot.contains(&kind(s).as_str())));
        self.keep("event-entry", self.link(ROOMS, KILLRC, |s| kind(s) == "event"));
        self.keep("enter", self.link(ROOMS, VESA, |s| kind(s) == "enter"));
        self.enters(BIG_CHEESE, "BigCheese");
        self.forget();
        self.sends(WIZ, act::role(&room(), "moderator", "BigCheese", "moderator"));
        self.keep("jids", self.link(ROOMS, VESA, |s| kind(s) == "jids"));
    }

    fn talking(&mut self) {
        self.forget();
        self.sends(BIG_CHEESE, act::say(&room(), "rotten", "Phaedrus, we're all having a truly rotten time."));
        self.keep("relayed-message", self.link(VESA, ROOMS, |_| true));
        self.keep("event-message", self.link(ROOMS, KILLRC, |_| true));
        self.keep("event-acknowledged", self.link(ROOMS, VESA, |_| true));
        self.forget();
        self.sends(TROY, act::presence(&room(), "Elektra", None, None));
        self.keep("event-nick", self.link(ROOMS, VESA, |s| kind(s) == "event"));
    }

    fn keepalive(&mut self) {
        self.forget();
        self.world.pass_ms(70_000);
        let is_ping = |s: &Element| s.name() == "iq" && s.get("type") == Some("get");
        let ping = self.link(VESA, ROOMS, is_ping);
        let id = ping.first().and_then(|ping| ping.get("id")).unwrap_or_default().to_owned();
        self.keep("ping", ping.into_iter().take(1).collect());
        self.keep("pong", self.link(ROOMS, VESA, |s| s.get("type") == Some("result") && s.get("id") == Some(&id)));
        self.forget();
        self.world.pass_ms(300_000);
        self.keep("digest", self.link(ROOMS, VESA, |s| kind(s) == "digest").into_iter().take(1).collect());
    }

    fn netsplit(&mut self) {
        self.sends(WUMPUS, act::configure(&room(), "whois", &[("muc#roomconfig_whois", "anyone")]));
        self.forget();
        self.world.cut(VESA, ROOMS, Weather::Refused);
        self.sends(WIZ, act::say(&room(), "there", "There goes vesa."));
        self.world.pass_ms(SPLIT_MS);
        self.keep("away", self.link(ROOMS, KILLRC, |s| kind(s) == "away"));
        self.keep("told-elsewhere", self.client(WUMPUS, is_notice));
        self.keep("told-on-the-island", self.client(EFCHEN, is_notice));
        self.forget();
        self.sends(BIG_CHEESE, act::say(&room(), "mine", "From now on this channel is mine."));
        self.sends(EFCHEN, act::say(&room(), "rain", "It is raining in Vesa."));
        self.keep("shown-on-the-island", self.client(BIG_CHEESE, |s| s.get("id") == Some("rain")));
        self.forget();
        self.sends(BIG_CHEESE, act::affiliation(&room(), "ban", jid(WIZ).bare().as_str(), "outcast"));
        self.keep("cannot-be-done", self.client(BIG_CHEESE, |s| s.get("id") == Some("ban")));
        self.sends(WIZ, act::affiliation(&room(), "out", jid(BIG_CHEESE).bare().as_str(), "outcast"));
    }

    fn netjoin(&mut self) {
        self.forget();
        self.world.mend(VESA, ROOMS);
        self.world.pass_ms(JOIN_MS);
        let granted = self.link(ROOMS, VESA, |s| has(s, "granted"));
        let id = granted.last().and_then(|answer| answer.get("id")).unwrap_or_default().to_owned();
        let asks = |s: &Element| has(s, "replicate") && s.get("id") == Some(&id);
        self.keep("resume", self.link(VESA, ROOMS, asks));
        self.keep("verdicts", granted);
        self.keep("changes", self.link(ROOMS, VESA, |s| kind(s) == "roster"));
        self.keep("missed", self.link(ROOMS, VESA, |s| matches!(kind(s).as_str(), "missed" | "synced")));
        self.keep("island-log", self.link(VESA, ROOMS, |s| s.has_child("body", ns::CLIENT)));
        self.keep(
            "judged",
            self.link(ROOMS, KILLRC, |s| s.has_child("body", ns::CLIENT) && s.get("id") == Some("rain")),
        );
        self.keep("void", self.link(ROOMS, VESA, |s| s.get("type") == Some("error")));
        self.keep("retracted", self.client(EFCHEN, |s| s.children().any(|child| child.name() == "retract")));
        self.keep("reported", self.link(VESA, ROOMS, |s| has(s, "reported")));
        self.keep("lifted", self.link(ROOMS, KILLRC, |s| kind(s) == "away"));
    }

    fn ending(&mut self) {
        self.forget();
        self.sends(TROY, act::leave(&room(), "Elektra"));
        self.keep("leave", self.link(ROOMS, ERIS, |s| kind(s) == "leave"));
        self.world.cut(VESA, ROOMS, Weather::Refused);
        self.sends(WIZ, act::say(&room(), "again", "And again."));
        self.world.pass_ms(SPLIT_MS);
        self.sends(WUMPUS, act::destroy(&room(), "destroy", "We meet elsewhere."));
        self.forget();
        self.world.mend(VESA, ROOMS);
        self.world.pass_ms(JOIN_MS);
        self.keep("gone", self.link(ROOMS, VESA, |s| s.get("type") == Some("error")).into_iter().take(1).collect());
    }

    fn keep(&mut self, name: &'static str, stanzas: Vec<Element>) {
        assert!(!stanzas.is_empty(), "{name}: nothing of the kind was seen");
        assert!(self.all.insert(name, stanzas).is_none(), "{name} was captured before");
    }

    fn enters(&mut self, who: &str, nick: &str) {
        assert!(self.world.connect(&jid(who)), "{who} logs in");
        self.sends(who, act::join(&room(), nick));
    }

    fn sends(&mut self, who: &str, stanza: Element) {
        self.world.send(&jid(who), stanza);
        self.world.quiet();
    }

    /// Everything up to now has been looked at.
    fn forget(&mut self) {
        (self.told, self.crossed) = (self.world.tape.tellings.len(), self.world.tape.crossings.len());
    }

    /// What has crossed from one domain to another since, of this kind.
    fn link(&self, from: &str, to: &str, is: impl Fn(&Element) -> bool) -> Vec<Element> {
        let new = self.world.tape.crossings.iter().skip(self.crossed);
        let between = new.filter(|c| c.from == from && c.to == to && !c.lost && is(&c.stanza));
        between.map(|c| c.stanza.clone()).collect()
    }

    /// What a client has received since, of this kind.
    fn client(&self, who: &str, is: impl Fn(&Element) -> bool) -> Vec<Element> {
        let new = self.world.tape.tellings.iter().skip(self.told).filter(|t| t.who == who);
        let received = new.filter_map(|telling| match &telling.what {
            Scene::Received(stanza) if is(stanza) => Some(stanza.clone()),
            _ => None,
        });
        received.collect()
    }
}

fn jid(text: &str) -> Jid {
    text.parse().expect("the cast's addresses are valid")
}

fn room() -> Jid {
    jid("wallops@channel.avalon.irc")
}

/// Whether the payload of an iq, or of the dmuc element, is this one of ours.
fn has(stanza: &Element, name: &str) -> bool {
    let inside = stanza.get_child("x", ns::DMUC).is_some_and(|x| x.has_child(name, ns::NETJOIN));
    inside || stanza.has_child(name, ns::NETJOIN)
}

/// What stands in the marks of a stanza down.
fn kind(stanza: &Element) -> String {
    let at = stanza.get_child("x", ns::DMUC).and_then(|x| x.get_child("at", ns::NETJOIN));
    at.and_then(|at| at.get("kind")).unwrap_or_default().to_owned()
}

/// What the room says itself.
fn is_notice(stanza: &Element) -> bool {
    stanza.get("from") == Some(room().as_str()) && stanza.has_child("body", ns::CLIENT)
}
