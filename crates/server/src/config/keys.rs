//! Every key there is, once: its type, its default and its manual. The typed configuration, the commented file that
//! `init` writes, the errors of `check` and `docs/configuration.md` all come from here.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::reader::Reader;
use super::setting::{
    Create, Domain, Encryption, LogFormat, Peer, Route, Secret, Setting, SplitEnter, Trust, Uri, Url,
};
use xmpp::Jid;

/// A section of the file.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// As in the file: `c2s`, `rooms.tls`; empty for the top.
    pub path: &'static str,
    /// What the section is for.
    pub manual: &'static str,
    /// Its keys; none when the operator chooses them.
    pub keys: &'static [Key],
}

/// A key of a section.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// How the reference names its type.
    pub kind: fn() -> String,
    /// The default, as TOML; empty when there is none.
    pub default: &'static str,
    /// The least and the greatest number, where it is one.
    pub range: Option<(u64, u64)>,
    /// What it does, and why one would change it.
    pub manual: &'static str,
}

impl Section {
    /// Whether there may be several of it: `[[component]]`.
    pub fn is_list(&self) -> bool {
        self.path == Component::SECTION.path
    }

    /// As it stands above its keys in the file.
    pub fn heading(&self) -> String {
        if self.is_list() { format!("[[{}]]", self.path) } else { format!("[{}]", self.path) }
    }
}

macro_rules! section {
    (
        $(#[doc = $about:literal])*
        $name:ident $path:literal {
            $( $(#[doc = $manual:literal])* $field:ident : $type:ty = $default:literal $(in $min:literal ..= $max:literal)?, )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $( $(#[doc = $manual])* pub $field: $type, )*
        }

        impl $name {
            /// Its keys and their manual.
            pub const SECTION: Section = Section {
                path: $path,
                manual: concat!($($about, "\n",)*),
                keys: &[$(Key {
                    name: stringify!($field),
                    kind: <$type as Setting>::kind,
                    default: $default,
                    range: section!(@range $($min, $max)?),
                    manual: concat!($($manual, "\n",)*),
                },)*],
            };

            /// Reads all keys, and reports what is wrong with each; `None` when one without default is not there.
            #[allow(dead_code, reason = "of a list each section has a path of its own")]
            pub(super) fn read(reader: &mut Reader<'_, '_>) -> Option<$name> {
                Self::read_at(Self::SECTION.path, reader)
            }

            /// As `read`, from a section of another name.
            pub(super) fn read_at(path: &str, reader: &mut Reader<'_, '_>) -> Option<$name> {
                let mut keys = Self::SECTION.keys.iter();
                $(let $field = reader.key(path, keys.next()?);)*
                Some($name { $($field: $field?,)* })
            }
        }
    };
    (@range) => { None };
    (@range $min:literal, $max:literal) => { Some(($min, $max)) };
}

section! {
    /// What this server is, and where it keeps what it must not lose.
    Top "" {
        /// The domain whose accounts live here: the part behind the @ of its users. Leave it out for a server
        /// of rooms only, which then listens for no clients.
        domain: Option<Domain> = "",
        /// The directory for everything the server keeps: rooms, archives, accounts, certificates it makes.
        /// Relative to this file. Nobody but the server's user should be able to read it.
        data: PathBuf = "\"data\"",
        /// Accounts that may administer this server and every room on it.
        admins: Vec<Jid> = "[]",
    }
}

section! {
    /// Clients: people's programs connect here.
    C2s "c2s" {
        /// Addresses for clients that begin in the clear and then encrypt (STARTTLS). Port 0 takes any free one.
        listen: Vec<SocketAddr> = "[\"0.0.0.0:5222\"]",
        /// Addresses for clients that encrypt from the first byte (direct TLS, XEP-0368).
        listen_tls: Vec<SocketAddr> = "[\"0.0.0.0:5223\"]",
        /// Whether clients must encrypt. "off" is for loopback and tests, and refused on other addresses.
        tls: Encryption = "\"required\"",
        /// Whether anybody may make an account over the wire (XEP-0077). Open registration attracts spam.
        registration: bool = "false",
        /// New accounts that one address may register in a day, when registration is on.
        registrations_per_day: u64 = "3" in 1..=10_000,
        /// Seconds of silence after which a client is asked whether it is still there; without any answer in as
        /// many again it is disconnected. Phones sleep: low values cost battery.
        keepalive_seconds: u64 = "300" in 5..=86_400,
        /// Seconds for which a client whose connection has broken is still logged in, and in its rooms, so that it can
        /// go on where it was when it connects again (stream management, XEP-0198). Others see it until then. 0 for not
        /// at all.
        resume_seconds: u64 = "600" in 0..=86_400,
    }
}

section! {
    /// Other servers: rooms and people elsewhere are reached through here.
    S2s "s2s" {
        /// Addresses for servers that begin in the clear and then encrypt (STARTTLS).
        listen: Vec<SocketAddr> = "[\"0.0.0.0:5269\"]",
        /// Addresses for servers that encrypt from the first byte (direct TLS, XEP-0368).
        listen_tls: Vec<SocketAddr> = "[]",
        /// Whether servers must encrypt. "off" is for loopback and tests, and refused on other addresses.
        tls: Encryption = "\"required\"",
        /// How another server proves its domain: "certificate" takes only certificates that a known authority
        /// signed; "dialback" also asks the domain itself (XEP-0220), as most of the network does.
        trust: Trust = "\"dialback\"",
        /// A PEM file with further authorities to trust, beside those of the system: for closed networks.
        ca: Option<PathBuf> = "",
        /// Name servers to ask where other domains are, in place of those of the system: addresses with a port, as in
        /// "127.0.0.1:53". [s2s.routes] comes before all of them.
        resolvers: Vec<SocketAddr> = "[]",
        /// Seconds to wait for a stream to another server until what is queued for it bounces.
        connect_seconds: u64 = "30" in 1..=600,
        /// Longest time in seconds for which a domain that cannot be reached is left alone; what is sent to it
        /// meanwhile bounces at once. From the second failure in a row on it is a second, then twice as long each time
        /// up to this, and by chance up to half as long. It is over when that domain connects to us.
        retry_seconds: u64 = "60" in 1..=3_600,
        /// Bytes that a stanza from another server may have; [limits] says it for clients. A site tells a room
        /// of all its people in one stanza when their link is made again, with 100 to 400 bytes for each: the default is
        /// enough for 10,000. Both sides of a link need the same.
        stanza_bytes: u64 = "4194304" in 10_000..=67_108_864,
        /// Stanzas that may wait for a stream to one domain, while it is being made or takes less than is sent; what is
        /// over bounces. A message to a room is one for each of its occupants who are there without a replica: the
        /// default is enough for 50 messages at once to 400 of them.
        queue_stanzas: u64 = "20000" in 1..=1_000_000,
        /// Bytes that these stanzas may have.
        queue_bytes: u64 = "67108864" in 10_000..=1_073_741_824,
        /// Seconds without a stanza after which a stream to another server is closed. Links of distributed rooms
        /// keep theirs open by themselves.
        idle_seconds: u64 = "600" in 10..=86_400,
    }
}

/// `[s2s.routes]`: keys are domains.
pub const ROUTES: Section = Section {
    path: "s2s.routes",
    manual: "Where to find a domain, in place of DNS: for closed networks and tests. Each key is a domain, each\n\
             value a host with a port, as in \"channel.avalon.irc\" = \"127.0.0.1:5269\".\n",
    keys: &[],
};

section! {
    /// HTTP. On `listen`, for the operator: /metrics and /health, which ask for no password: keep it on loopback, or behind
    /// a proxy. On both: /xmpp-websocket, for clients in browsers (RFC 7395), and /.well-known/host-meta and
    /// host-meta.json, by which they find it (XEP-0156).
    Http "http" {
        /// Addresses to answer HTTP on; an empty list for none. Clients of other machines may not log in here unless
        /// `proxied` says that the way is encrypted, or c2s.tls does not ask for it.
        listen: Vec<SocketAddr> = "[\"127.0.0.1:5280\"]",
        /// Addresses to answer HTTPS on, with the certificate of [tls]: for clients, without /metrics and /health.
        listen_tls: Vec<SocketAddr> = "[]",
        /// Where clients reach /xmpp-websocket from outside, as in "wss://chat.example.org/xmpp-websocket". Told to
        /// them by host-meta, which must be reachable as https://DOMAIN/.well-known/host-meta; left out, there is none.
        websocket_url: Option<Url> = "",
        /// Whether a proxy is in front of `listen` that encrypts, and says in X-Forwarded-For whom it speaks for. A
        /// proxy on this machine, which connects from a loopback address, is believed without it.
        proxied: bool = "false",
    }
}

section! {
    /// The certificate that clients and servers are shown. Left out, one is made and signed by itself at the first
    /// start, in the data directory: enough to try, and for servers that use dialback. Read again on SIGHUP.
    Tls "tls" {
        /// PEM file with the certificate and then its chain. Relative to this file.
        certificate: Option<PathBuf> = "",
        /// PEM file with the private key that belongs to it. Relative to this file.
        key: Option<PathBuf> = "",
    }
}

section! {
    /// Rooms: this server is the primary of the rooms at this address. Leave the section out for none.
    Rooms "rooms" {
        /// The domain of the rooms; another than that of the accounts, since an address is one or the other.
        domain: Domain = "",
        /// Who may create rooms: "anyone", "local" (accounts of this server) or "admins".
        create: Create = "\"anyone\"",
        /// The sites that may hold replicas of rooms here: domains, or "*" for all. A site with a replica gets each
        /// message of a room once, whatever the number of its users there.
        replicas: Vec<Peer> = "[\"*\"]",
        /// Seconds between the pings by which a link to a replica is watched when nothing else is said on it.
        keepalive_seconds: u64 = "60" in 1..=3_600,
        /// Seconds that a link to a replica may be in doubt. Then it is split: the people behind it keep their places,
        /// and what both sides say meanwhile is joined when the link is back. Doubled with each split within an hour.
        suspect_seconds: u64 = "15" in 1..=600,
        /// Seconds that people behind a split link keep their places; then they are shown as gone.
        retention_seconds: u64 = "86400" in 1..=2_592_000,
        /// People behind a split link are shown as away; not in rooms that hide real addresses.
        mark_away: bool = "true",
        /// Sites that ask for it are told which of their own users are members, admins and owners of a room, so that these can
        /// enter it there while the link is lost. Never of a room with a password. What a site has once been told it knows.
        supply_members: bool = "false",
    }
}

/// `[rooms.tls]`: as `[tls]`, for the rooms' domain.
pub const ROOMS_TLS: Section = Section {
    path: "rooms.tls",
    manual: "A certificate for the rooms' domain alone. Left out, that of [tls] serves both.\n",
    keys: Tls::SECTION.keys,
};

section! {
    /// Replica: users of this site reach distributed rooms elsewhere through one copy of each room that is kept here.
    /// Leave the section out and they are in those rooms as anywhere else.
    Replica "replica" {
        /// The address of the replica, at this server's domain; no account can have this name. With `serves`, at a
        /// component's domain.
        jid: Jid = "",
        /// Domains whose users it serves where that is another server's, of which this one is a component: then `jid`
        /// is the domain of a [[component]], or an address there. docs/prosody.md and docs/ejabberd.md say how.
        serves: Vec<Domain> = "[]",
        /// The services of rooms it may be a replica of: domains, or "*" for all.
        primaries: Vec<Peer> = "[\"*\"]",
        /// Seconds between the pings by which a link to a primary is watched when nothing else is said on it.
        keepalive_seconds: u64 = "60" in 1..=3_600,
        /// Seconds that a link may be in doubt until it counts as split.
        suspect_seconds: u64 = "15" in 1..=600,
        /// Seconds that the copy of a room is kept up after the last local user has left.
        grace_seconds: u64 = "300" in 0..=86_400,
        /// Days that what is kept of a room stays after the copy was given up; then it is deleted.
        mirror_days: u64 = "30" in 1..=36_500,
    }
}

section! {
    /// What users here may do in a distributed room while the link to its primary is lost (XEP-0282 4.11.1).
    /// Presence and leaving always work; whatever else needs the primary is refused until it is reached again.
    Split "replica.split" {
        /// They may go on talking to each other; what they said is joined to the room when the link is back.
        local_chat: bool = "true",
        /// They may send private messages to each other.
        private_messages: bool = "true",
        /// Those of them who are moderators may kick others of them.
        kick: bool = "true",
        /// Who may enter: "none", or "members": those of them whom a room has named as its members, admins or owners while
        /// the link was there, as services do that have `supply_members` in [rooms]. The room judges it when it is reached.
        enter: SplitEnter = "\"none\"",
        /// Occupants at other sites are shown as away.
        mark_away: bool = "true",
    }
}

section! {
    /// Component: a domain that this server is at the service of another, Prosody or ejabberd, which speaks to the world
    /// for it (XEP-0114). Name it in rooms.domain, and the rooms are that server's; or in replica.jid, and its users
    /// reach rooms elsewhere through the replica here. Write the section once for each domain.
    Component "component" {
        /// The domain of the component, as the other server has it.
        domain: Domain = "",
        /// Where that server takes components. The stream is in clear text: keep it on one machine.
        connect: Route = "",
        /// What both servers know and nobody else.
        secret: Secret = "",
    }
}

section! {
    /// What is kept of accounts, for each of them.
    Accounts "accounts" {
        /// Days that what a user says and is told is kept in his archive, which his clients read (XEP-0313); 0 for no archive.
        archive_days: u64 = "30" in 0..=36_500,
        /// Messages that wait for a user while none of his clients is there, in at most 262,144 bytes; over it they are
        /// refused. They are held in memory. 0 for none.
        offline_messages: u64 = "100" in 0..=10_000,
        /// Bytes that a user's clients may keep here: bookmarks, avatar, vCard and the like. They are held in memory.
        kept_bytes: u64 = "524288" in 16_384..=67_108_864,
    }
}

section! {
    /// What this domain shows to programs that ask what there is (XEP-0030).
    Disco "disco" {
        /// Services shown besides those of this server: rooms elsewhere, for instance.
        services: Vec<Domain> = "[]",
    }
}

section! {
    /// Whom to write to about this server, shown to everybody who asks it or its rooms' domain what they are (XEP-0157).
    /// Addresses are URIs: "mailto:abuse@example.org", "xmpp:admin@example.org", "https://example.org/help".
    Contacts "contacts" {
        /// About abuse that comes from here.
        abuse: Vec<Uri> = "[]",
        /// The administrators.
        admin: Vec<Uri> = "[]",
        /// What users think of the service.
        feedback: Vec<Uri> = "[]",
        /// Sales.
        sales: Vec<Uri> = "[]",
        /// Holes in its security.
        security: Vec<Uri> = "[]",
        /// Whether it works at present: a page that works when it does not.
        status: Vec<Uri> = "[]",
        /// Help for users.
        support: Vec<Uri> = "[]",
    }
}

section! {
    /// Bounds on what anybody can make this server do. The defaults suit most.
    Limits "limits" {
        /// Threads that serve connections; 0 for one per core but one, which is left to the rooms and the store.
        threads: u64 = "0" in 0..=1_024,
        /// Bytes that a client's stanza may have. What is longer ends its stream. For servers: s2s.stanza_bytes.
        stanza_bytes: u64 = "262144" in 10_000..=16_777_216,
        /// Bytes that a stanza may have before its sender has logged in.
        login_stanza_bytes: u64 = "10000" in 4_096..=262_144,
        /// Bytes that may wait for one connection whose receiver is slow. Over it, the connection is cut. For another
        /// server, one stanza of s2s.stanza_bytes is allowed besides.
        outbound_bytes: u64 = "1048576" in 65_536..=1_073_741_824,
        /// Stanzas kept for one client until it says that it has them (XEP-0198). A client that is there and has more
        /// open cannot be sent the oldest again; a session that waits for its client ends.
        unacked_stanzas: u64 = "10000" in 100..=1_000_000,
        /// Bytes of them.
        unacked_bytes: u64 = "4194304" in 65_536..=1_073_741_824,
        /// Seconds that a connection may take to log in.
        handshake_seconds: u64 = "30" in 1..=600,
        /// Failed logins that one network address may have in a minute; over it, further ones wait.
        login_failures_per_minute: u64 = "20" in 1..=100_000,
        /// Messages a second that one session may send in the long run. Over it, they are answered with an error.
        messages_per_second: u64 = "20" in 1..=1_000_000,
        /// Messages that one session may send at once before that is applied.
        messages_burst: u64 = "200" in 1..=1_000_000,
        /// Rooms a minute that one session may enter. Over it, it is answered with an error.
        joins_per_minute: u64 = "120" in 1..=1_000_000,
    }
}

section! {
    /// The log, on standard error. It names rooms and links, never what was said.
    Log "log" {
        /// "human" for people, "json" for one object a line.
        format: LogFormat = "\"human\"",
        /// How much: "error", "warn", "info", "debug" or "trace"; or a filter by part, as in
        /// "info,server::edge=debug".
        level: String = "\"info\"",
    }
}

/// All sections, in the order of the file.
pub const SECTIONS: &[Section] = &[
    Top::SECTION,
    C2s::SECTION,
    S2s::SECTION,
    ROUTES,
    Http::SECTION,
    Tls::SECTION,
    Rooms::SECTION,
    ROOMS_TLS,
    Replica::SECTION,
    Split::SECTION,
    Component::SECTION,
    Accounts::SECTION,
    Disco::SECTION,
    Contacts::SECTION,
    Limits::SECTION,
    Log::SECTION,
];
