//! The cast of XEP-0282, section 3.1, and what they say.

/// The room.
pub const ROOM: &str = "wallops@channel.avalon.irc";
/// The site of the rooms, first of the four.
pub const CHANNEL: &str = "channel.avalon.irc";
/// The four sites, in the order they are numbered.
pub const SITES: [&str; 4] = [CHANNEL, "killrc.oulubox.irc", "eris.dclxvii.irc", "vesa.yeggmaex.irc"];

/// A user of the cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// The nick in the room.
    pub nick: &'static str,
    /// The account's localpart.
    pub local: &'static str,
    /// The site.
    pub site: &'static str,
    /// The client's resource.
    pub resource: &'static str,
    /// The affiliation they have in the end.
    pub affiliation: &'static str,
    /// The role they have in the end.
    pub role: &'static str,
}

impl Person {
    /// The full JID.
    pub fn jid(&self) -> String {
        format!("{}/{}", self.bare(), self.resource)
    }

    /// The account.
    pub fn bare(&self) -> String {
        format!("{}@{}", self.local, self.site)
    }

    /// The first name of the site: `killrc` of `killrc.oulubox.irc`.
    pub fn place(&self) -> &'static str {
        place(self.site)
    }
}

/// The first name of a site.
pub fn place(site: &'static str) -> &'static str {
    site.split('.').next().unwrap_or(site)
}

/// All seven, in the order they enter. Troy's affiliation is `none`: the XEP's table names a role there.
pub const CAST: [Person; 7] = [
    person("Wumpus", "argl", SITES[1], "laptop", "owner", "moderator"),
    person("Valdis", "valdis", SITES[1], "desktop", "none", "participant"),
    person("Phaedrus", "phaedrus", SITES[1], "phone", "none", "participant"),
    person("WiZ", "squit", SITES[2], "jupiter", "admin", "moderator"),
    person("Troy", "troy", SITES[2], "screwdriver", "none", "moderator"),
    person("Efchen", "msa", SITES[3], "bicycle", "none", "participant"),
    person("BigCheese", "rubenro", SITES[3], "shaver", "none", "participant"),
];

const fn person(
    nick: &'static str,
    local: &'static str,
    site: &'static str,
    resource: &'static str,
    affiliation: &'static str,
    role: &'static str,
) -> Person {
    Person { nick, local, site, resource, affiliation, role }
}

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Enters the room.
    Enters(&'static str),
    /// Makes the new room an instant one (XEP-0045 10.1.2).
    Opens(&'static str),
    /// Gives somebody an affiliation before they come (XEP-0045 10.6).
    Affiliates(&'static str, &'static str),
    /// Makes somebody a moderator (XEP-0045 9.6).
    Promotes(&'static str, &'static str),
    /// Says something to all.
    Says(&'static str, &'static str),
    /// Leaves.
    Leaves(&'static str),
    /// Lets everybody see real addresses (XEP-0045 10.2), so that sites may be named.
    Reveals(&'static str),
    /// An operator of the rooms' server holds a site apart.
    Cut(&'static str),
    /// And lets it connect again.
    Heal(&'static str),
    /// Bans somebody (XEP-0045 9.1).
    Bans(&'static str, &'static str, &'static str),
    /// Changes the nick (XEP-0045 7.6); by the nick of the cast.
    Renames(&'static str, &'static str),
    /// Tries what must be refused.
    Tries(&'static str, Attempt),
}

impl Act {
    /// By whom of the cast.
    pub fn by(self) -> Option<&'static str> {
        match self {
            Act::Enters(nick) | Act::Opens(nick) | Act::Leaves(nick) | Act::Reveals(nick) => Some(nick),
            Act::Affiliates(nick, _) | Act::Promotes(nick, _) | Act::Says(nick, _) | Act::Renames(nick, _) => {
                Some(nick)
            }
            Act::Bans(nick, ..) | Act::Tries(nick, _) => Some(nick),
            Act::Cut(_) | Act::Heal(_) => None,
        }
    }
}

/// What somebody tries in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// To become the owner (XEP-0045 10.3).
    Ownership,
    /// To ban somebody.
    Ban(&'static str),
    /// To set the subject (XEP-0045 8.1).
    Subject(&'static str),
    /// To take another's nick.
    Nick(&'static str),
    /// To enter.
    Entry,
}

/// The story, in chapters: XEP-0282 section 5 with what has to come before it.
pub const STORY: [(&str, &[Act]); 4] = [
    (
        "The room is made",
        &[
            Act::Enters("Wumpus"),
            Act::Opens("Wumpus"),
            Act::Affiliates("Wumpus", "WiZ"),
            Act::Enters("Valdis"),
            Act::Enters("Phaedrus"),
            Act::Enters("WiZ"),
            Act::Enters("Troy"),
            Act::Promotes("WiZ", "Troy"),
            Act::Enters("Efchen"),
            Act::Says("Wumpus", "Avalon took the line, so we meet here."),
            Act::Says("Efchen", "How is the weather in Oulu?"),
            Act::Says("Phaedrus", "Dark. Are you having a good time at least?"),
        ],
    ),
    ("Entering a room (XEP-0282 5.1)", &[Act::Enters("BigCheese")]),
    (
        "Talking (XEP-0282 5.2)",
        &[
            Act::Says("BigCheese", "Phaedrus, we're all having a truly rotten time."),
            Act::Says("WiZ", "Then route around it."),
        ],
    ),
    ("Leaving (XEP-0282 4.6)", &[Act::Leaves("BigCheese"), Act::Leaves("Phaedrus")]),
];

/// What follows where there are replicas: XEP-0282 4.11, and what it leaves "to follow".
pub const SPLIT: [(&str, &[Act]); 4] = [
    ("Before the storm", &[Act::Enters("BigCheese"), Act::Reveals("Wumpus"), Act::Promotes("WiZ", "BigCheese")]),
    (
        "Netsplit (XEP-0282 4.11)",
        &[
            Act::Cut(SITES[3]),
            Act::Says("Troy", "There goes vesa. And Efchen was about to tell us something."),
            Act::Says("BigCheese", "Avalon is gone! From now on this channel is mine."),
            Act::Tries("BigCheese", Attempt::Ownership),
            Act::Tries("BigCheese", Attempt::Ban("WiZ")),
            Act::Tries("BigCheese", Attempt::Subject("BigCheese rules")),
            Act::Says("Efchen", "It is raining in Vesa, that is what I wanted to say. I hope they get it one day."),
            Act::Bans("WiZ", "BigCheese", "whoever takes over channels"),
            Act::Renames("Troy", "Elektra"),
            Act::Tries("Valdis", Attempt::Nick("Efchen")),
            Act::Says("Wumpus", "Nobody takes this channel."),
        ],
    ),
    ("Netjoin (XEP-0282 4.11.2)", &[Act::Heal(SITES[3]), Act::Tries("BigCheese", Attempt::Entry)]),
    ("As if nothing had been", &[Act::Says("Efchen", "You have all been so quiet. Is it raining in Oulu as well?")]),
];

/// The person with this nick.
pub fn by_nick(nick: &str) -> &'static Person {
    CAST.iter().find(|p| p.nick == nick).expect("the story names only the cast")
}
