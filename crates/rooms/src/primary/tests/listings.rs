//! The listings of XEP-0282 that the primary sends, to the letter; marks and ids are left out of the comparison.

use super::kit::*;

/// 4.3, Listing 1: a new replica gets the roster, one presence per seat.
#[test]
fn s4_3_listing_1_a_new_replica_gets_the_roster() {
    let mut net = Net::wallops();
    let efchen = "<presence from='msa@vesa.yeggmaex.irc/bicycle' to='wallops@channel.avalon.irc/Efchen' \
                  type='unavailable'/>";
    net.relay(efchen);
    net.register(VESA);
    let got = net.joins(BIG_CHEESE, "BigCheese");
    let seat = |nick: &str, affiliation: &str, role: &str| {
        format!(
            "<presence from='wallops@channel.avalon.irc/{nick}' to='replica@vesa.yeggmaex.irc'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='{affiliation}' role='{role}'/></x></presence>"
        )
    };
    let roster: Vec<String> = of(&got, VESA)
        .into_iter()
        .filter(|stanza| kinds_of(stanza) == Some("roster"))
        .map(|stanza| shown(stanza).to_xml())
        .collect();
    assert_eq!(
        roster,
        [
            seat("Phaedrus", "none", "participant"),
            seat("Troy", "admin", "moderator"),
            seat("Valdis", "none", "participant"),
            seat("WiZ", "admin", "moderator"),
            seat("Wumpus", "owner", "moderator"),
        ]
    );
    assert_eq!(
        kinds(&got, VESA),
        ["config", "roster", "roster", "roster", "roster", "roster", "subject", "synced", "event", "enter"]
    );
}

fn kinds_of(stanza: &xmpp::Element) -> Option<&str> {
    stanza.get_child("x", xmpp::ns::DMUC)?.get_child("at", xmpp::ns::NETJOIN)?.get("kind")
}
