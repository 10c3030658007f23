//! The twenty listings of XEP-0282 with its cast, captured from the links between running engines and from what they send
//! to clients; and a fault in every field that is written anew, which must show.

use sim::compare::{Kind, Renaming};
use sim::listings::{parse, same};
use sim::users::act;
use sim::world::{Scene, ServerConfig, World};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use xmpp::stanza::parse_ms;
use xmpp::{Element, Jid, ns};

const ROOMS: &str = "channel.avalon.irc";
const KILLRC: &str = "killrc.oulubox.irc";
const ERIS: &str = "eris.dclxvii.irc";
const VESA: &str = "vesa.yeggmaex.irc";
const WUMPUS: &str = "argl@killrc.oulubox.irc/laptop";
const VALDIS: &str = "valdis@killrc.oulubox.irc/desktop";
const PHAEDRUS: &str = "phaedrus@killrc.oulubox.irc/phone";
const WIZ: &str = "squit@eris.dclxvii.irc/jupiter";
const TROY: &str = "troy@eris.dclxvii.irc/screwdriver";
const BIG_CHEESE: &str = "rubenro@vesa.yeggmaex.irc/shaver";
const EFCHEN: &str = "msa@vesa.yeggmaex.irc/bicycle";
/// 1990-01-23T19:50:01Z
const HONEST_MS: i64 = 633_124_201_000;
/// 1990-10-13T23:58:37Z
const ROTTEN_MS: i64 = 655_862_317_000;

/// Captured stanzas by the number of their listing.
type Captured = BTreeMap<u32, Vec<Element>>;

fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

/// The room of XEP-0282, and how much of the tape has been looked at.
struct Avalon {
    world: World,
    told: usize,
    crossed: usize,
}

impl Avalon {
    /// Four servers; those who spoke earlier come from a fifth, and are gone.
    fn new() -> Avalon {
        let mut world = World::new(282, HONEST_MS - 60_000);
        world.add(ServerConfig::rooms(ROOMS));
        world.add(ServerConfig::site(KILLRC, &["argl", "valdis", "phaedrus"]));
        world.add(ServerConfig::site(ERIS, &["squit", "troy"]));
        world.add(ServerConfig::site(VESA, &["rubenro", "msa"]));
        world.add(ServerConfig::plain_site("tubman.oulubox.irc", &["trillian", "blonde", "six", "cerebus"]));
        let mut avalon = Avalon { world, told: 0, crossed: 0 };
        avalon.enters(WUMPUS, "Wumpus");
        avalon.sends(WUMPUS, act::configure(&room(), "open", &[]));
        avalon.remembers();
        for (who, nick) in [(VALDIS, "Valdis"), (PHAEDRUS, "Phaedrus")] {
            avalon.enters(who, nick);
        }
        avalon.sends(WUMPUS, act::affiliation(&room(), "admin", jid(WIZ).bare().as_str(), "admin"));
        for (who, nick) in [(WIZ, "WiZ"), (TROY, "Troy")] {
            avalon.enters(who, nick);
        }
        avalon.sends(WUMPUS, act::role(&room(), "moderator", "Troy", "moderator"));
        avalon
    }

    fn remembers(&mut self) {
        let lines = [
            ("trillian", "Trillian", 0, "Honest! He did!!"),
            ("blonde", "BlondeBoy", 29_000, "Was that absolutely necessary????????"),
            ("six", "DCLXVI", 50_000, "SUUUUUUURE he did"),
            ("cerebus", "Cerebus", 79_000, "He did.  really truly he did."),
        ];
        for (local, nick, later_ms, text) in lines {
            let who = format!("{local}@tubman.oulubox.irc/x");
            self.enters(&who, nick);
            self.world.set_unix_ms(HONEST_MS + later_ms);
            self.sends(&who, says(text));
            self.sends(&who, act::leave(&room(), nick));
        }
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

    /// What has gone from one domain to an address at another since, of this kind.
    fn link(&self, from: &str, to: &str, is: impl Fn(&Element) -> bool) -> Vec<Element> {
        let new = self.world.tape.crossings.iter().skip(self.crossed);
        let between = new.filter(|c| c.from == from && c.to == to && is(&c.stanza));
        between.map(|c| c.stanza.clone()).collect()
    }

    /// What a client has received since, of this kind.
    fn client(&self, who: &str, is: impl Fn(&Element) -> bool) -> Vec<Element> {
        let new = self.world.tape.tellings.iter().skip(self.told).filter(|t| t.who == who);
        let received = new.filter_map(|telling| match &telling.what {
            Scene::Received(stanza) if is_from_room(stanza) && is(stanza) => Some(stanza.clone()),
            _ => None,
        });
        received.collect()
    }

    /// The same event to the three replicas, in the order of the listings.
    fn to_replicas(&self) -> Vec<Element> {
        [KILLRC, ERIS, VESA].into_iter().flat_map(|site| self.link(ROOMS, site, |s| kind(s) == "event")).collect()
    }

    fn to_clients(&self, clients: &[&str]) -> Vec<Element> {
        clients.iter().flat_map(|client| self.client(client, |_| true)).collect()
    }
}

fn room() -> Jid {
    jid("wallops@channel.avalon.irc")
}

fn says(text: &str) -> Element {
    let mut message = act::say(&room(), "", text);
    message.unset("id");
    message
}

/// What stands in the marks of a stanza down, `docs/wire.md`.
fn kind(stanza: &Element) -> String {
    let at = stanza.get_child("x", ns::DMUC).and_then(|x| x.get_child("at", ns::NETJOIN));
    at.and_then(|at| at.get("kind")).unwrap_or_default().to_owned()
}

/// Presence of one's own account is none of the room's.
fn is_from_room(stanza: &Element) -> bool {
    stanza.get("from").is_some_and(|from| from.starts_with(room().as_str()))
}

fn is_own(stanza: &Element) -> bool {
    sim::users::view::has_status(stanza, "110")
}

/// One run that shows all twenty.
fn captured() -> &'static Captured {
    static CAPTURED: OnceLock<Captured> = OnceLock::new();
    CAPTURED.get_or_init(play)
}

fn play() -> Captured {
    let mut all = Captured::new();
    let mut avalon = Avalon::new();
    avalon.forget();
    avalon.enters(EFCHEN, "Efchen");
    all.insert(1, avalon.link(ROOMS, VESA, |s| kind(s) == "roster"));

    avalon.forget();
    avalon.enters(BIG_CHEESE, "BigCheese");
    all.insert(7, avalon.link(VESA, ROOMS, |s| s.get("from") == Some(BIG_CHEESE)));
    all.insert(8, avalon.to_replicas());
    all.insert(9, avalon.to_clients(&[WUMPUS, VALDIS, PHAEDRUS]));
    all.insert(10, avalon.to_clients(&[WIZ, TROY]));
    all.insert(11, avalon.to_clients(&[EFCHEN]));
    all.insert(12, avalon.link(ROOMS, VESA, |s| kind(s) == "enter"));
    all.insert(13, avalon.client(BIG_CHEESE, |s| s.name() == "presence" && !is_own(s)));
    all.insert(14, avalon.client(BIG_CHEESE, |s| s.name() == "presence" && is_own(s)));
    all.insert(15, avalon.client(BIG_CHEESE, |s| s.has_child("body", ns::CLIENT)));
    let received: Vec<Element> = avalon.to_clients(&[BIG_CHEESE]);
    let listed: Vec<Element> = [13, 14, 15].iter().flat_map(|n| all[n].clone()).collect();
    assert_eq!(received[..listed.len()], listed, "roster, one's own presence, history, in this order");

    avalon.forget();
    avalon.sends(BIG_CHEESE, act::presence(&room(), "BigCheese", Some("away"), None));
    all.insert(4, avalon.to_replicas());

    avalon.forget();
    avalon.world.set_unix_ms(ROTTEN_MS);
    avalon.sends(BIG_CHEESE, says("Phaedrus, we're all having a truly rotten time."));
    let up = avalon.link(VESA, ROOMS, |_| true);
    let down = avalon.to_replicas();
    for (number, stanzas) in [(5, up.clone()), (16, up), (6, down.clone()), (17, down)] {
        all.insert(number, stanzas);
    }
    all.insert(18, avalon.to_clients(&[WUMPUS, VALDIS, PHAEDRUS]));
    all.insert(19, avalon.to_clients(&[WIZ, TROY]));
    all.insert(20, avalon.to_clients(&[BIG_CHEESE, EFCHEN]));

    avalon.forget();
    avalon.sends(BIG_CHEESE, act::leave(&room(), "BigCheese"));
    all.insert(3, avalon.link(ROOMS, VESA, |s| kind(s) == "leave"));

    avalon.forget();
    let history = Element::new("history", ns::MUC).attr("maxstanzas", "20");
    let mut join = act::join(&room(), "BigCheese");
    join.get_child_mut("x", ns::MUC).unwrap().push(history);
    avalon.sends(BIG_CHEESE, join);
    all.insert(2, avalon.link(ROOMS, VESA, |s| kind(s) == "enter"));
    assert_eq!(avalon.world.tape.complaints, [""; 0]);
    schema::collect(avalon.world.tape.on_links());
    all
}

fn listings() -> BTreeMap<u32, Vec<Element>> {
    parse(include_str!("listings/xep-0282.txt")).unwrap()
}

/// Whether a listing was captured; the clock of the run is that of the listings, so their stamps are right to the second.
fn compare(listing: &[Element], stanzas: &[Element], names: &mut Renaming) -> Result<(), String> {
    same(listing, stanzas, names).map_err(|difference| difference.to_string())?;
    for stamp in listing.iter().flat_map(stamps) {
        let actual = names.actual(Kind::Stamp, &stamp).and_then(parse_ms).map(|ms| ms / 1_000);
        if actual != parse_ms(&stamp).map(|ms| ms / 1_000) {
            return Err(format!("{stamp} was said, got {actual:?}"));
        }
    }
    Ok(())
}

fn stamps(element: &Element) -> Vec<String> {
    let below = element.children().flat_map(stamps);
    element.get("stamp").map(str::to_owned).into_iter().chain(below).collect()
}

fn holds(number: u32) {
    let result = compare(&listings()[&number], &captured()[&number], &mut Renaming::default());
    if let Err(difference) = result {
        panic!("listing {number}: {difference}\ncaptured: {:#?}", captured()[&number]);
    }
}

macro_rules! listing {
    ($($(#[$doc:meta])* $name:ident: $number:literal;)*) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            holds($number);
        }
    )*};
}

listing! {
    /// XEP-0282 4.3: "the primary must send the room roster … to the replica".
    s4_3_listing_1: 1;
    /// XEP-0282 4.5: "the primary sends the affected replica a stanza requesting it to add the user to the distribution list".
    s4_5_listing_2: 2;
    /// XEP-0282 4.6: "the primary sends the affected replica a stanza requesting it to remove the user from the distribution list".
    s4_6_listing_3: 3;
    /// XEP-0282 4.7: "the primary MUST NOT send the full jid of the user to any replicas without members that are moderators".
    s4_7_listing_4: 4;
    /// XEP-0282 4.8: "it MUST NOT modify the stanzas 'from' attribute but MUST retain the original address of the sender".
    s4_8_listing_5: 5;
    /// XEP-0282 4.9: "the primary SHOULD add a urn:xmpp:delay element inside dmuc element".
    s4_9_listing_6: 6;
    /// XEP-0282 5.1: "The user seeks to enter the wallops chatroom with the room nickname BigCheese".
    s5_1_listing_7: 7;
    /// XEP-0282 5.1: "The primary sends the presence update to each replica to inform the current occupants".
    s5_1_listing_8: 8;
    /// XEP-0282 5.1: "Each replica then distributes this presence update".
    s5_1_listing_9: 9;
    /// XEP-0282 5.1, the same at eris.
    s5_1_listing_10: 10;
    /// XEP-0282 5.1, the same at vesa.
    s5_1_listing_11: 11;
    /// XEP-0282 5.1: "The primary then informs the replica of the entered user about a new occupant".
    s5_1_listing_12: 12;
    /// XEP-0282 5.1: "The replica sends presence from existing occupants to new occupant".
    s5_1_listing_13: 13;
    /// XEP-0282 5.1: "and concludes the room roster by sending the new occupant's presence to the new occupant".
    s5_1_listing_14: 14;
    /// XEP-0282 5.1: "After that, the replica will send the discussion history to the new occupant".
    s5_1_listing_15: 15;
    /// XEP-0282 5.2, caption: "Occupant Sends a Message to All Occupants".
    s5_2_listing_16: 16;
    /// XEP-0282 5.2: "The primary will broadcast this message to all replicas".
    s5_2_listing_17: 17;
    /// XEP-0282 5.2: "And each replica distributes to local occupants".
    s5_2_listing_18: 18;
    /// XEP-0282 5.2, the same at eris.
    s5_2_listing_19: 19;
    /// XEP-0282 5.2, the same at vesa.
    s5_2_listing_20: 20;
}

/// One renaming of ids and stamps does for all twenty.
#[test]
fn all_listings_by_one_renaming() {
    let (mut names, listings) = (Renaming::default(), listings());
    assert_eq!(listings.len(), 20);
    for (number, listing) in &listings {
        let result = compare(listing, &captured()[number], &mut names);
        assert_eq!(result, Ok(()), "listing {number}");
    }
}

/// A way to spoil a stanza; `None` where it has no such field.
type Fault = (&'static str, fn(&Element) -> Option<Element>);

/// Spoils the first element down there that has this name and this attribute.
fn spoil(element: &Element, name: &str, attribute: &str, value: &str) -> Option<Element> {
    if element.name() == name && element.get(attribute).is_some_and(|present| present != value) {
        return Some(element.clone().attr(attribute, value));
    }
    rebuilt(element, |child| spoil(child, name, attribute, value))
}

/// The element with the first child changed that can be.
fn rebuilt(element: &Element, change: impl Fn(&Element) -> Option<Element>) -> Option<Element> {
    let (mut out, mut changed) = (element.clone(), false);
    out.clear();
    for child in element.children() {
        let new = if changed { None } else { change(child) };
        changed |= new.is_some();
        out.push(new.unwrap_or_else(|| child.clone()));
    }
    changed.then_some(out)
}

fn spoil_body(element: &Element) -> Option<Element> {
    if element.name() == "body" {
        return Some(Element::new("body", ns::CLIENT).text("Everything is fine."));
    }
    rebuilt(element, spoil_body)
}

fn without(element: &Element, name: &str) -> Option<Element> {
    let mut out = element.clone();
    out.retain(|child| child.name() != name);
    if out != *element { Some(out) } else { rebuilt(element, |child| without(child, name)) }
}

/// A fault in each field that primary or replica write anew turns every listing red that shows the field.
#[test]
fn a_fault_in_any_rewritten_field_shows() {
    let faults: [Fault; 14] = [
        ("from", |s| Some(s.clone().attr("from", "wallops@channel.avalon.irc/Nobody"))),
        ("to", |s| Some(s.clone().attr("to", "nobody@vesa.yeggmaex.irc/x"))),
        ("type", |s| s.get("type").map(|_| s.clone().attr("type", "error"))),
        ("no type", |s| {
            s.get("type").map(|_| {
                let mut s = s.clone();
                s.unset("type");
                s
            })
        }),
        ("affiliation", |s| spoil(s, "item", "affiliation", "member")),
        ("role", |s| spoil(s, "item", "role", "visitor")),
        ("jid", |s| spoil(s, "item", "jid", "nobody@vesa.yeggmaex.irc/x")),
        ("body", spoil_body),
        ("delay from", |s| spoil(s, "delay", "from", "wallops@channel.avalon.irc/Nobody")),
        ("delay stamp", |s| spoil(s, "delay", "stamp", "1990-10-13T23:58:38Z")),
        ("no delay", |s| without(s, "delay")),
        ("enter jid", |s| spoil(s, "enter", "jid", "nobody@vesa.yeggmaex.irc/x")),
        ("leave jid", |s| spoil(s, "leave", "jid", "nobody@vesa.yeggmaex.irc/x")),
        ("history", |s| spoil(s, "history", "maxstanzas", "21")),
    ];
    let listings = listings();
    for (name, fault) in faults {
        let mut shown = 0;
        for (number, listing) in &listings {
            for index in 0..listing.len() {
                // Where the listing does not show the field, a fault in it is none of the listing's.
                let mut stanzas = captured()[number].clone();
                let (Some(_), Some(spoiled)) = (fault(&listing[index]), fault(&stanzas[index])) else { continue };
                stanzas[index] = spoiled;
                let result = compare(listing, &stanzas, &mut Renaming::default());
                assert!(result.is_err(), "listing {number}, stanza {index}: the fault in {name} does not show");
                shown += 1;
            }
        }
        assert!(shown > 0, "no listing shows {name}");
    }
}

#[test]
fn stanzas_in_another_order_or_number_show() {
    let listing = &listings()[&1];
    let mut swapped = captured()[&1].clone();
    swapped.swap(0, 1);
    assert!(same(listing, &swapped, &mut Renaming::default()).is_err());
    assert!(same(listing, &captured()[&1][1..], &mut Renaming::default()).is_err());
}
