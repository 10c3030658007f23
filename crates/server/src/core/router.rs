//! Where a stanza goes: a pure function of its addresses and of read-only tables.
//!
//! RFC 6120 section 10 (server rules for processing stanzas), XEP-0282's interception (a replica sees what its users
//! send to a distributed room and what the room sends to them), and the seal on the two DMUC namespaces, of which
//! nothing is taken from a client and nothing reaches one. What a machine does with a stanza is its own affair.

use xmpp::stanza::{Condition, answerable};
use xmpp::{Element, Jid, ns};

/// By which way a stanza came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A client's stream.
    Client,
    /// The accounts machine, in its users' names.
    Accounts,
    /// The rooms led here.
    Primary,
    /// The mirrors kept here.
    Replica,
    /// This server itself, about a stanza it could not deliver.
    Host,
    /// The stream of a component, on which the server behind it may also hand over what its users send to rooms elsewhere,
    /// and what these send to them.
    Component,
    /// Another server's stream, or an error made in the name of a server that cannot be reached.
    Remote,
}

/// Where a stanza goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The client's stream that has exactly this address.
    Session,
    /// The accounts machine.
    Accounts,
    /// The machine that leads rooms.
    Primary,
    /// The machine that mirrors rooms.
    Replica,
    /// A stream to the domain of the recipient.
    Remote,
    /// Nowhere: the sender gets this condition, unless the stanza may not be answered.
    Nowhere(Condition),
}

/// What the router reads.
pub trait Tables {
    /// The domain whose accounts live here.
    fn accounts_domain(&self) -> Option<&str>;
    /// The domain whose rooms are led here.
    fn rooms_domain(&self) -> Option<&str>;
    /// The replica's bare address.
    fn replica(&self) -> Option<&Jid>;
    /// Whether the replica serves the users of this domain, whose accounts are another server's.
    fn is_attached(&self, domain: &str) -> bool;
    /// Whether this is the domain of a component that is the replica's.
    fn is_component_of_replica(&self, domain: &str) -> bool;
    /// Whether a client's stream has this full address.
    fn has_session(&self, full: &Jid) -> bool;
    /// Whether the replica must see this stanza first ([`rooms::Replica::wants`]).
    fn replica_wants(&self, stanza: &Element, to: &Jid) -> bool;
    /// Whether the accounts machine must see it whoever is connected ([`accounts::is_for_accounts`]).
    fn accounts_wants(&self, stanza: &Element, from: &Jid, to: &Jid) -> bool;
}

/// Finds the destination of `stanza`, whose addresses are `from` and `to`.
pub fn route(origin: Origin, stanza: &Element, from: &Jid, to: &Jid, tables: &impl Tables) -> Destination {
    if tables.replica().is_some_and(|replica| is_addressed(replica, to, tables)) {
        return Destination::Replica;
    }
    if tables.rooms_domain() == Some(to.domain()) {
        return Destination::Primary;
    }
    if tables.accounts_domain() == Some(to.domain()) {
        return local(origin, stanza, from, to, tables);
    }
    match origin {
        // RFC 6120 10.4: relaying for strangers is no server's duty.
        Origin::Component if tables.is_attached(from.domain()) != tables.is_attached(to.domain()) => {
            Destination::Replica
        }
        Origin::Remote | Origin::Component => Destination::Nowhere(Condition::ItemNotFound),
        Origin::Client if tables.accounts_wants(stanza, from, to) => Destination::Accounts,
        Origin::Client | Origin::Accounts if tables.replica_wants(stanza, to) => Destination::Replica,
        _ => Destination::Remote,
    }
}

/// Whether something is for the replica itself; where it is a component's alone, also what is for the component.
fn is_addressed(replica: &Jid, to: &Jid, tables: &impl Tables) -> bool {
    replica.as_str() == to.bare_str() || (tables.is_component_of_replica(to.domain()) && to.local().is_none())
}

/// RFC 6120 10.5: the recipient is of this domain.
fn local(origin: Origin, stanza: &Element, from: &Jid, to: &Jid, tables: &impl Tables) -> Destination {
    if origin == Origin::Remote && tables.replica_wants(stanza, to) {
        return Destination::Replica;
    }
    // What rooms here say comes in their order, beside what they show.
    let is_said_in_order = matches!(origin, Origin::Primary | Origin::Replica) && stanza.name() == "message";
    let goes_past = origin == Origin::Accounts || is_said_in_order || !tables.accounts_wants(stanza, from, to);
    if tables.has_session(to) && goes_past {
        return Destination::Session;
    }
    match origin {
        // The accounts machine has decided on this one already; its recipient has gone meanwhile.
        Origin::Accounts if !to.is_bare() => Destination::Nowhere(Condition::ServiceUnavailable),
        _ => Destination::Accounts,
    }
}

/// Whether an undeliverable stanza is answered with an error: RFC 6120 8.3.1 and 10.5.4, presence never.
pub fn bounces(stanza: &Element) -> bool {
    answerable(stanza) && (stanza.name() != "presence" || stanza.get("type").is_none())
}

/// Whether a child is of the two namespaces that stay between servers.
pub fn is_sealed(child: &Element) -> bool {
    matches!(child.ns(), ns::DMUC | ns::NETJOIN)
}

/// Removes what may not come from a client, nor reach one.
pub fn seal(stanza: &mut Element) {
    if stanza.children().any(is_sealed) {
        stanza.retain(|child| !is_sealed(child));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Vesa;

    impl Tables for Vesa {
        fn accounts_domain(&self) -> Option<&str> {
            Some("vesa.yeggmaex.irc")
        }
        fn rooms_domain(&self) -> Option<&str> {
            Some("rooms.vesa.yeggmaex.irc")
        }
        fn replica(&self) -> Option<&Jid> {
            static REPLICA: std::sync::LazyLock<Jid> =
                std::sync::LazyLock::new(|| Jid::new("replica@vesa.yeggmaex.irc").unwrap());
            Some(&REPLICA)
        }
        fn is_attached(&self, domain: &str) -> bool {
            domain == "oulubox.irc"
        }
        fn is_component_of_replica(&self, domain: &str) -> bool {
            domain == "netjoin.oulubox.irc"
        }
        fn has_session(&self, full: &Jid) -> bool {
            full.as_str() == "rubenro@vesa.yeggmaex.irc/shaver"
        }
        fn replica_wants(&self, stanza: &Element, to: &Jid) -> bool {
            [stanza.get("from"), Some(to.as_str())].iter().flatten().any(|a| a.contains("@channel.avalon.irc"))
        }
        fn accounts_wants(&self, stanza: &Element, from: &Jid, to: &Jid) -> bool {
            accounts::is_for_accounts(stanza, from, Some(to), "vesa.yeggmaex.irc")
        }
    }

    fn routed(origin: Origin, xml: &str) -> Destination {
        let stanza = Element::parse(xml).unwrap();
        let [from, to] = ["from", "to"].map(|name| Jid::new(stanza.get(name).unwrap()).unwrap());
        route(origin, &stanza, &from, &to, &Vesa)
    }

    #[test]
    fn a_session_is_reached_by_its_full_address_alone() {
        let full = "<iq type='get' id='1' from='a@b' to='rubenro@vesa.yeggmaex.irc/shaver'/>";
        assert_eq!(routed(Origin::Remote, full), Destination::Session);
        assert_eq!(routed(Origin::Client, full), Destination::Session);
        let said = "<message type='chat' from='a@b' to='rubenro@vesa.yeggmaex.irc/shaver'/>";
        assert_eq!(routed(Origin::Remote, said), Destination::Accounts, "it has an archive to pass");
        assert_eq!(routed(Origin::Accounts, said), Destination::Session);
        for origin in [Origin::Primary, Origin::Replica] {
            assert_eq!(routed(origin, said), Destination::Session);
        }
        let bare = "<message from='a@b' to='rubenro@vesa.yeggmaex.irc'/>";
        assert_eq!(routed(Origin::Client, bare), Destination::Accounts);
        let absent = "<message from='a@b' to='rubenro@vesa.yeggmaex.irc/gone'/>";
        assert_eq!(routed(Origin::Client, absent), Destination::Accounts);
    }

    #[test]
    fn what_changes_a_subscription_passes_the_accounts_first() {
        let subscribe = "<presence type='subscribe' from='a@b' to='rubenro@vesa.yeggmaex.irc/shaver'/>";
        assert_eq!(routed(Origin::Remote, subscribe), Destination::Accounts);
        assert_eq!(routed(Origin::Accounts, subscribe), Destination::Session);
        let away = "<presence type='subscribe' from='rubenro@vesa.yeggmaex.irc/shaver' to='a@b'/>";
        assert_eq!(routed(Origin::Client, away), Destination::Accounts);
        assert_eq!(routed(Origin::Accounts, away), Destination::Remote);
    }

    #[test]
    fn the_accounts_machine_is_never_asked_twice_about_one_stanza() {
        let absent = "<message from='a@b' to='rubenro@vesa.yeggmaex.irc/gone'/>";
        assert_eq!(routed(Origin::Accounts, absent), Destination::Nowhere(Condition::ServiceUnavailable));
        let bare = "<presence type='probe' from='a@vesa.yeggmaex.irc' to='rubenro@vesa.yeggmaex.irc'/>";
        assert_eq!(routed(Origin::Accounts, bare), Destination::Accounts);
    }

    #[test]
    fn hosted_domains_talk_without_leaving_the_process() {
        let room = "<message from='rubenro@vesa.yeggmaex.irc/shaver' to='wallops@rooms.vesa.yeggmaex.irc'/>";
        assert_eq!(routed(Origin::Client, room), Destination::Primary);
        let replica = "<message from='wallops@rooms.vesa.yeggmaex.irc' to='replica@vesa.yeggmaex.irc'/>";
        assert_eq!(routed(Origin::Primary, replica), Destination::Replica);
    }

    #[test]
    fn a_distributed_room_is_reached_and_heard_through_the_replica() {
        let join = "<presence from='rubenro@vesa.yeggmaex.irc/shaver' to='wallops@channel.avalon.irc/BigCheese'/>";
        assert_eq!(routed(Origin::Client, join), Destination::Replica);
        assert_eq!(routed(Origin::Accounts, join), Destination::Replica);
        assert_eq!(routed(Origin::Replica, join), Destination::Remote);
        let heard = "<message from='wallops@channel.avalon.irc/WiZ' to='rubenro@vesa.yeggmaex.irc/shaver'/>";
        assert_eq!(routed(Origin::Remote, heard), Destination::Replica);
        assert_eq!(routed(Origin::Replica, heard), Destination::Session);
    }

    #[test]
    fn a_server_hands_over_what_its_users_and_rooms_elsewhere_say() {
        let said = "<message from='argl@oulubox.irc/l' to='wallops@channel.avalon.irc'/>";
        let heard = "<message from='wallops@channel.avalon.irc/WiZ' to='argl@oulubox.irc/l'/>";
        for xml in [said, heard] {
            assert_eq!(routed(Origin::Component, xml), Destination::Replica);
            assert_eq!(routed(Origin::Replica, xml), Destination::Remote);
        }
        let stray = "<message from='a@b' to='c@elsewhere.example'/>";
        assert_eq!(routed(Origin::Component, stray), Destination::Nowhere(Condition::ItemNotFound));
        let room = "<message from='argl@oulubox.irc/l' to='wallops@rooms.vesa.yeggmaex.irc'/>";
        assert_eq!(routed(Origin::Component, room), Destination::Primary);
    }

    #[test]
    fn nothing_is_relayed_for_strangers() {
        let stray = "<message from='a@b' to='c@elsewhere.example'/>";
        assert_eq!(routed(Origin::Remote, stray), Destination::Nowhere(Condition::ItemNotFound));
        assert_eq!(routed(Origin::Client, stray), Destination::Remote);
    }

    #[test]
    fn sealed_namespaces_are_cut_out() {
        let mut stanza =
            Element::parse("<message to='a@b'><body>hi</body><x xmlns='urn:xmpp:tmp:dmuc:0'/></message>").unwrap();
        seal(&mut stanza);
        assert_eq!(stanza.to_xml(), "<message to='a@b'><body>hi</body></message>");
    }

    #[test]
    fn errors_and_results_and_departures_are_not_answered() {
        for xml in ["<message type='error'/>", "<iq type='result' id='1'/>", "<presence type='unavailable'/>"] {
            assert!(!bounces(&Element::parse(xml).unwrap()), "{xml}");
        }
        assert!(bounces(&Element::parse("<iq type='get' id='1'/>").unwrap()));
    }
}
