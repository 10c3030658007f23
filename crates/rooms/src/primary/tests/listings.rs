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
            seat("Wumpus", "owner", "moderator"),
            seat("Valdis", "none", "participant"),
            seat("Phaedrus", "none", "participant"),
            seat("WiZ", "admin", "moderator"),
            seat("Troy", "admin", "moderator"),
        ]
    );
    assert_eq!(
        kinds(&got, VESA),
        ["config", "roster", "roster", "roster", "roster", "roster", "subject", "synced", "event", "enter"]
    );
}

/// 5.1, Listings 7, 8 and 12 (and 4.5, Listing 2): who enters is told to every replica, with the real JID only where a
/// moderator is; then comes the ENTER for the entrant's own.
#[test]
fn s5_1_listings_7_8_12_entering_is_told_once_to_each_and_then_entered() {
    let mut net = Net::wallops();
    let got = net.relay(
        "<presence from='rubenro@vesa.yeggmaex.irc/shaver' to='wallops@channel.avalon.irc/BigCheese'>\
         <x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='20'/></x></presence>",
    );
    let update = |to: &str, jid: &str| {
        format!(
            "<presence from='wallops@channel.avalon.irc/BigCheese' to='{to}'><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='participant'{jid}/></x></presence>"
        )
    };
    let shown_jid = " jid='rubenro@vesa.yeggmaex.irc/shaver'";
    assert_eq!(lines(&got, KILLRC), [update(KILLRC, shown_jid)]);
    assert_eq!(lines(&got, ERIS), [update(ERIS, shown_jid)]);
    assert_eq!(
        lines(&got, VESA),
        [
            update(VESA, ""),
            "<presence from='wallops@channel.avalon.irc/BigCheese' to='replica@vesa.yeggmaex.irc'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='participant'/>\
             <status code='110'/><status code='170'/></x><x xmlns='urn:xmpp:tmp:dmuc:0'>\
             <enter jid='rubenro@vesa.yeggmaex.irc/shaver'/><history maxstanzas='20'/></x></presence>"
                .into(),
        ]
    );
    assert_eq!(got.len(), 4, "one copy for each replica and the ENTER; nothing straight to users");
    schema::assert_valid(&net.crossed);
}

/// 4.6, Listing 3: the replica of who leaves is told to take him out, then all are told.
#[test]
fn s4_6_listing_3_leaving() {
    let mut net = Net::whole();
    let got = net.leaves(BIG_CHEESE, "BigCheese");
    assert_eq!(
        lines(&got, VESA),
        [
            "<presence from='wallops@channel.avalon.irc/BigCheese' type='unavailable' to='replica@vesa.yeggmaex.irc'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='none'/><status code='110'/></x>\
             <x xmlns='urn:xmpp:tmp:dmuc:0'><leave jid='rubenro@vesa.yeggmaex.irc/shaver'/></x></presence>",
            "<presence from='wallops@channel.avalon.irc/BigCheese' type='unavailable' to='replica@vesa.yeggmaex.irc'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='none'/></x></presence>",
        ]
    );
    assert_eq!((kinds(&got, KILLRC), kinds(&got, ERIS)), (vec!["event"], vec!["event"]));
    schema::assert_valid(&net.crossed);
}

/// 4.7, Listing 4: a presence update, with the real JID only for replicas that have a moderator.
#[test]
fn s4_7_listing_4_a_presence_update() {
    // XEP-0282 4.7-a
    let mut net = Net::whole();
    let got = net.relay(
        "<presence from='rubenro@vesa.yeggmaex.irc/shaver' to='wallops@channel.avalon.irc/BigCheese'>\
         <show>away</show></presence>",
    );
    let update = |to: &str, jid: &str| {
        format!(
            "<presence from='wallops@channel.avalon.irc/BigCheese' to='{to}'><show>away</show>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='participant'{jid}/></x></presence>"
        )
    };
    let shown_jid = " jid='rubenro@vesa.yeggmaex.irc/shaver'";
    assert_eq!(lines(&got, KILLRC), [update(KILLRC, shown_jid)]);
    assert_eq!(lines(&got, ERIS), [update(ERIS, shown_jid)]);
    assert_eq!(lines(&got, VESA), [update(VESA, "")]);
    schema::assert_valid(&net.crossed);
}

/// 4.8 and 4.9, Listings 5 and 6, which are 16 and 17 of 5.2: a message goes to each replica once, its own included, with its
/// time in the dmuc element.
#[test]
fn s4_9_listings_5_6_16_17_a_message_goes_to_each_replica_once() {
    // XEP-0282 4.9-a
    let mut net = Net::whole();
    let got = net.says(BIG_CHEESE, "Phaedrus, we're all having a truly rotten time.");
    for replica in [KILLRC, ERIS, VESA] {
        assert_eq!(
            lines(&got, replica),
            [format!(
                "<message from='wallops@channel.avalon.irc/BigCheese' type='groupchat' to='{replica}'>\
                 <body>Phaedrus, we&apos;re all having a truly rotten time.</body><x xmlns='urn:xmpp:tmp:dmuc:0'>\
                 <delay xmlns='urn:xmpp:delay' from='wallops@channel.avalon.irc/BigCheese' stamp='1990-10-13T23:58:37Z'/>\
                 </x></message>"
            )]
        );
    }
    assert_eq!(got.len(), 3);
    schema::assert_valid(&net.crossed);
}

/// 4.7: when a site gets its first moderator the real JIDs go first; when it has none left it is sent no more of them.
#[test]
fn s4_7_jids_go_before_the_promotion_that_needs_them_and_end_with_the_last_moderator() {
    // XEP-0282 4.7-a
    let mut net = Net::whole();
    let role = |role: &str| {
        format!(
            "<iq from='{WUMPUS}' id='mod1' to='{ROOM}' type='set'><query xmlns='http://jabber.org/protocol/muc#admin'>\
             <item nick='Efchen' role='{role}'/></query></iq>"
        )
    };
    let got = net.feed(&role("moderator"));
    assert_eq!(kinds(&got, VESA), ["jids", "event"]);
    let seats = of(&got, VESA)[0].to_xml();
    assert!(seats.contains("<seat nick='Wumpus' jid='argl@killrc.oulubox.irc/laptop'/>"), "{seats}");
    assert_eq!(kinds(&got, ERIS), ["event"]);
    let got = net.relay(&format!("<presence from='{WIZ}' to='{ROOM}/WiZ'><show>dnd</show></presence>"));
    assert!(lines(&got, VESA)[0].contains(WIZ));
    net.feed(&role("participant"));
    let got = net.relay(&format!("<presence from='{WIZ}' to='{ROOM}/WiZ'/>"));
    assert!(!lines(&got, VESA)[0].contains(WIZ));
    schema::assert_valid(&net.crossed);
}

fn kinds_of(stanza: &xmpp::Element) -> Option<&str> {
    stanza.get_child("x", xmpp::ns::DMUC)?.get_child("at", xmpp::ns::NETJOIN)?.get("kind")
}
