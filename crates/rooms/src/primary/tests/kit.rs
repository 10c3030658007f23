//! The cast of XEP-0282: wallops@channel.avalon.irc, three sites with a replica each, seven users behind them.
//!
//! Replicas are played by hand: what a test feeds is what a site would send, what it gets is what crossed the link.

use crate::room::tests::kit::{Got, Kit};
use crate::service::{Create, PrimaryConfig};
use crate::wire::{At, CensusSeat, Granted, Outbox, Replicate, Reported, Resume, RosterHeld, UpMark, VERSION};
use xmpp::{Element, Jid, ns};

pub(crate) const ROOM: &str = "wallops@channel.avalon.irc";
pub(crate) const KILLRC: &str = "replica@killrc.oulubox.irc";
pub(crate) const ERIS: &str = "replica@eris.dclxvii.irc";
pub(crate) const VESA: &str = "replica@vesa.yeggmaex.irc";
pub(crate) const WUMPUS: &str = "argl@killrc.oulubox.irc/laptop";
pub(crate) const VALDIS: &str = "valdis@killrc.oulubox.irc/desktop";
pub(crate) const PHAEDRUS: &str = "phaedrus@killrc.oulubox.irc/phone";
pub(crate) const WIZ: &str = "squit@eris.dclxvii.irc/jupiter";
pub(crate) const TROY: &str = "troy@eris.dclxvii.irc/screwdriver";
pub(crate) const BIG_CHEESE: &str = "rubenro@vesa.yeggmaex.irc/shaver";
pub(crate) const EFCHEN: &str = "msa@vesa.yeggmaex.irc/bicycle";

/// 1990-10-13T23:58:37Z, when everybody had a truly rotten time.
pub(crate) const THEN_MS: i64 = 655_862_317_000;

/// The primary with its wires, and the sites' side of the links as far as a test needs it.
pub(crate) struct Net {
    pub kit: Kit,
    /// Everything that crossed a link, both ways, for the schema.
    pub crossed: Vec<Element>,
    sites: Vec<Site>,
}

struct Site {
    replica: String,
    outbox: String,
    n: u64,
    epoch: Option<String>,
}

impl Net {
    /// An empty service.
    pub fn new() -> Net {
        let config = PrimaryConfig {
            domain: "channel.avalon.irc".parse().expect("a domain"),
            create: Create::Anyone,
            local_domains: Vec::new(),
            admins: Vec::new(),
            contacts: Default::default(),
            replicas: vec!["*".into()],
            keepalive_seconds: 60,
            suspect_seconds: 10,
            retention_seconds: 3_600,
            mark_away: true,
            supply_members: true,
        };
        let mut kit = Kit::with(config);
        kit.now.unix_ms = THEN_MS;
        let site = |(replica, outbox): (&str, &str)| Site {
            replica: replica.into(),
            outbox: outbox.into(),
            n: 0,
            epoch: None,
        };
        let sites = [(KILLRC, "k1"), (ERIS, "e1"), (VESA, "v1")].map(site).into();
        Net { kit, crossed: Vec::new(), sites }
    }

    /// The room with everybody but BigCheese in it, as section 5.1 begins.
    pub fn wallops() -> Net {
        let mut net = Net::new();
        net.register(KILLRC);
        net.joins(WUMPUS, "Wumpus");
        net.feed(&format!(
            "<iq from='{WUMPUS}' id='o1' to='{ROOM}' type='set'><query xmlns='http://jabber.org/protocol/muc#owner'>\
             <x xmlns='jabber:x:data' type='submit'/></query></iq>"
        ));
        net.affiliate("squit@eris.dclxvii.irc", "admin");
        net.affiliate("troy@eris.dclxvii.irc", "admin");
        net.joins(VALDIS, "Valdis");
        net.joins(PHAEDRUS, "Phaedrus");
        net.register(ERIS);
        net.joins(WIZ, "WiZ");
        net.joins(TROY, "Troy");
        net.register(VESA);
        net.joins(EFCHEN, "Efchen");
        net
    }

    /// The room with the whole cast.
    pub fn whole() -> Net {
        let mut net = Net::wallops();
        net.joins(BIG_CHEESE, "BigCheese");
        net
    }

    /// The same in a room that shows real addresses to all, with a direct occupant: Eve.
    pub fn open() -> Net {
        let mut net = Net::whole();
        net.kit.service.rooms.get_mut(&jid(ROOM)).expect("the room is there").config.whois = crate::room::Whois::Anyone;
        net.feed(&format!(
            "<presence from='eve@elsewhere.example/x' to='{ROOM}/Eve'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        ));
        net
    }

    /// Makes a user what the owner's list would make him.
    pub fn affiliate(&mut self, bare: &str, affiliation: &str) {
        let room = self.kit.service.rooms.get_mut(&jid(ROOM)).expect("the room is there");
        let affiliation = crate::Affiliation::parse(affiliation).expect("an affiliation");
        room.affiliations.set(jid(bare), Some(crate::room::Affiliated::plain(affiliation)));
    }

    /// Feeds a stanza; gives what anybody got, and notes what crossed links.
    pub fn feed(&mut self, stanza: &str) -> Vec<Got> {
        let parsed = Element::parse(stanza).expect("a test's stanza");
        if is_of_link(&parsed) {
            self.crossed.push(parsed);
        }
        let got = self.kit.send(stanza);
        self.note(got)
    }

    /// Lets time pass.
    pub fn pass_ms(&mut self, ms: u64) -> Vec<Got> {
        let got = self.kit.pass_ms(ms);
        self.note(got)
    }

    /// Notes what crossed links, and the epochs granted.
    pub fn note(&mut self, got: Vec<Got>) -> Vec<Got> {
        for got in &got {
            if is_of_link(&got.stanza) {
                self.crossed.push(got.stanza.clone());
            }
            let granted = got.stanza.get_child("granted", ns::NETJOIN).map(|g| Granted::parse(g).expect("a grant"));
            if let (Some(granted), Some(site)) = (granted, self.sites.iter_mut().find(|s| s.replica == got.to)) {
                site.epoch = Some(granted.epoch);
            }
        }
        got
    }

    /// A replica registers for the first time.
    pub fn register(&mut self, replica: &str) -> Vec<Got> {
        let request = self.request(replica);
        self.ask(replica, &request)
    }

    /// A first request of a replica.
    pub fn request(&self, replica: &str) -> Replicate {
        let site = self.site(replica);
        Replicate {
            version: VERSION,
            keepalive: 60,
            maxstanzas: 100,
            maxbytes: 65_536,
            outboxes: vec![Outbox { name: site.outbox.clone(), from: site.n + 1 }],
            domains: Vec::new(),
            resume: None,
            members: false,
            census: None,
        }
    }

    /// The same with an outbox of this name.
    pub fn request_by(&self, replica: &str, outbox: &str) -> Replicate {
        let outboxes = vec![Outbox { name: outbox.to_owned(), from: 1 }];
        Replicate { outboxes, ..self.request(replica) }
    }

    /// A request of a replica that was here before.
    pub fn request_again(&self, replica: &str, seq: u64, census: &[(&str, &str)]) -> Replicate {
        let room = &self.kit.service.rooms[&jid(ROOM)];
        let seat = |(session, nick): &(&str, &str)| CensusSeat {
            nick: nick.parse().expect("a nick"),
            jid: jid(session),
            payload: Vec::new(),
        };
        Replicate {
            resume: Some(Resume {
                incarnation: room.order.incarnation.clone(),
                term: room.order.term.clone(),
                seq,
                archive: None,
                roster: RosterHeld::AsOfSeq { jids: false },
            }),
            census: Some((self.site(replica).n, census.iter().map(seat).collect())),
            ..self.request(replica)
        }
    }

    /// Sends a request, and takes every page of what was missed.
    pub fn ask(&mut self, replica: &str, request: &Replicate) -> Vec<Got> {
        let mut got = self.ask_only(replica, request);
        while let Some(id) = page_behind(&got, replica) {
            got.extend(self.feed(&format!("<iq type='result' from='{replica}' to='{ROOM}' id='{id}'/>")));
        }
        got
    }

    /// Sends a request, and takes no more than comes at once.
    pub fn ask_only(&mut self, replica: &str, request: &Replicate) -> Vec<Got> {
        let site = self.sites.iter_mut().find(|s| s.replica == replica).expect("a site of the cast");
        site.epoch = None;
        self.feed(&format!("<iq type='set' from='{replica}' to='{ROOM}' id='r1'>{}</iq>", request.element()))
    }

    /// A user's stanza as its replica relays it, under the next number.
    pub fn relay(&mut self, stanza: &str) -> Vec<Got> {
        let marked = self.marked(stanza);
        self.feed(&marked)
    }

    /// The same without sending it.
    pub fn marked(&mut self, stanza: &str) -> String {
        let stanza = Element::parse(stanza).expect("a test's stanza");
        let user = jid(stanza.get("from").expect("a sender"));
        let site =
            self.sites.iter_mut().find(|s| jid(&s.replica).domain() == user.domain()).expect("a site of the cast");
        site.n += 1;
        let mark = UpMark { outbox: site.outbox.clone(), n: site.n, epoch: site.epoch.clone(), ..UpMark::default() };
        stanza.child(mark.x()).to_xml()
    }

    /// A user of a site joins through its replica.
    pub fn joins(&mut self, user: &str, nick: &str) -> Vec<Got> {
        self.relay(&format!(
            "<presence from='{user}' to='{ROOM}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        ))
    }

    /// A user of a site says something to all.
    pub fn says(&mut self, user: &str, body: &str) -> Vec<Got> {
        self.relay(&format!("<message from='{user}' to='{ROOM}' type='groupchat'><body>{body}</body></message>"))
    }

    /// A user of a site leaves.
    pub fn leaves(&mut self, user: &str, nick: &str) -> Vec<Got> {
        self.relay(&format!("<presence type='unavailable' from='{user}' to='{ROOM}/{nick}'/>"))
    }

    /// Something a site accepted while it was cut off, as it comes up behind the registration.
    pub fn reports(&mut self, stanza: &str, island: UpMark) -> Vec<Got> {
        let marked = Element::parse(&self.marked(stanza)).expect("a test's stanza");
        let mark = UpMark::find(&marked).expect("it has a mark").expect("that can be read");
        let mark = UpMark { outbox: mark.outbox, n: mark.n, epoch: mark.epoch, ..island };
        self.feed(&Element::parse(stanza).expect("a test's stanza").child(mark.x()).to_xml())
    }

    /// A site's report is over.
    pub fn reported(&mut self, replica: &str) -> Vec<Got> {
        let x = Reported { epoch: self.epoch(replica) }.x();
        self.feed(&format!("<message from='{replica}' to='{ROOM}'>{x}</message>"))
    }

    /// A moderator kicks somebody.
    pub fn kicks(&mut self, who: &str, nick: &str, reason: &str) -> Vec<Got> {
        self.feed(&format!(
            "<iq from='{who}' id='kick1' to='{ROOM}' type='set'><query xmlns='http://jabber.org/protocol/muc#admin'>\
             <item nick='{nick}' role='none'><reason>{reason}</reason></item></query></iq>"
        ))
    }

    /// Which life of the room this is.
    pub fn incarnation(&self) -> String {
        self.kit.service.rooms[&jid(ROOM)].order.incarnation.clone()
    }

    /// What the room has had of an outbox.
    pub fn marked_of(&self, replica: &str, outbox: &str) -> u64 {
        self.kit.service.rooms[&jid(ROOM)].links.marks.get(&jid(replica), outbox)
    }

    /// The number of the room's last event.
    pub fn seq(&self) -> u64 {
        self.kit.service.rooms[&jid(ROOM)].order.seq
    }

    /// Whether the link to a replica is split.
    pub fn is_split(&self, replica: &str) -> bool {
        self.kit.service.rooms[&jid(ROOM)].links.links.get(&jid(replica)).is_some_and(|link| link.is_split())
    }

    /// The epoch a replica was granted last.
    pub fn epoch(&self, replica: &str) -> String {
        self.site(replica).epoch.clone().expect("a replica that was granted one")
    }

    fn site(&self, replica: &str) -> &Site {
        self.sites.iter().find(|s| s.replica == replica).expect("a site of the cast")
    }
}

/// The ping behind the last page, where that is the end of what came.
pub(crate) fn page_behind(got: &[Got], replica: &str) -> Option<String> {
    let last = of(got, replica).pop().filter(|s| s.has_child("ping", ns::PING))?;
    last.get("id").map(str::to_owned)
}

/// What one address got.
pub(crate) fn of<'a>(got: &'a [Got], to: &str) -> Vec<&'a Element> {
    got.iter().filter(|got| got.to == to).map(|got| &got.stanza).collect()
}

/// What one address got, a stanza a line: without the ids that only the room's secret explains, and without the marks.
pub(crate) fn lines(got: &[Got], to: &str) -> Vec<String> {
    of(got, to).into_iter().map(|stanza| shown(stanza).to_xml()).collect()
}

/// The stanza without what netjoin adds to XEP-0282, and without occupant-ids, stanza-ids and versions of affiliations.
pub(crate) fn shown(stanza: &Element) -> Element {
    let mut shown = stanza.clone();
    shown.retain(|c| c.ns() != ns::OCCUPANT_ID && c.ns() != ns::SID);
    if let Some(x) = shown.get_child_mut("x", ns::MUC_USER) {
        x.retain(|c| c.name() != "mav");
    }
    if let Some(x) = shown.get_child_mut("x", ns::DMUC) {
        x.retain(|c| c.ns() != ns::NETJOIN);
        if x.nodes().is_empty() {
            shown.retain(|c| c.ns() != ns::DMUC);
        }
    }
    shown
}

/// The marks of everything one replica got, in order.
pub(crate) fn marks(got: &[Got], to: &str) -> Vec<At> {
    let at = |stanza: &Element| At::parse(stanza.get_child("x", ns::DMUC)?.get_child("at", ns::NETJOIN)?).ok();
    of(got, to).into_iter().filter_map(at).collect()
}

/// The kinds of everything one replica got, in order.
pub(crate) fn kinds(got: &[Got], to: &str) -> Vec<&'static str> {
    marks(got, to).iter().map(|at| at.kind.as_str()).collect()
}

pub(crate) fn jid(text: &str) -> Jid {
    text.parse().expect("an address")
}

/// Whether a stanza is part of what primary and replica say to each other.
pub(crate) fn is_of_link(stanza: &Element) -> bool {
    let ours = |e: &Element| matches!(e.ns(), ns::DMUC | ns::NETJOIN);
    stanza.children().any(|child| ours(child) || child.children().any(ours))
}
