//! Section 7.2, entering, and 7.14, leaving.

use super::kit::{
    CRONE, Got, HAG, INSTANT, Kit, WICCA, config, configure, coven, errors, join, leaves, lines, says, set_affiliation,
    three_witches,
};
use xmpp::ns;

/// 10.1.1 and 10.1.2: who enters where there is no room creates it, locked until its owner takes it as it is.
#[test]
fn s10_1_1_a_room_is_created_locked_and_opened_by_its_owner() {
    // XEP-0045 10.1.1-c, 10.1.1-d, 10.1.1-j, 10.1.2-b
    let mut kit = Kit::new();
    let got = kit.send(
        "<presence from='crone1@shakespeare.lit/desktop' id='n1' to='coven@chat.shakespeare.lit/firstwitch'>\
         <x xmlns='http://jabber.org/protocol/muc'/></presence>",
    );
    assert_eq!(
        lines(&got),
        [
            "<presence from='coven@chat.shakespeare.lit/firstwitch' id='n1' to='crone1@shakespeare.lit/desktop'>\
             <x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='owner' role='moderator' jid='crone1@shakespeare.lit/desktop'/>\
             <status code='110'/><status code='170'/><status code='201'/></x></presence>",
            "<message from='coven@chat.shakespeare.lit' type='groupchat' to='crone1@shakespeare.lit/desktop'>\
             <subject/></message>",
        ]
    );
    assert_eq!(errors(&kit.send(&join(HAG, "thirdwitch"))), [(HAG.into(), "item-not-found".into())]);
    // She may not have heard it, and asks once more: the room waits for her still.
    let again = join("crone1@shakespeare.lit/desktop", "firstwitch");
    let is_new = |got: &[Got]| lines(got).iter().any(|line| line.contains("<status code='201'/>"));
    assert!(is_new(&kit.send(&again)));
    assert_eq!(
        lines(&kit.send(INSTANT)),
        ["<iq type='result' id='create1' from='coven@chat.shakespeare.lit' to='crone1@shakespeare.lit/desktop'/>"]
    );
    assert_eq!(errors(&kit.send(&join(HAG, "thirdwitch"))), []);
    assert!(!is_new(&kit.send(&again)));
}

/// 7.2.2: the entrant gets the others, then himself with 110; the others get the entrant. Only moderators see JIDs (7.2.4).
#[test]
fn s7_2_2_presence_is_broadcast_and_the_entrants_own_comes_last() {
    // XEP-0045 5.1-a, 5.1-b, 5.2-a, 7.2.2-a, 7.2.2-c, 7.2.2-d, 7.2.2-e, 7.2.2-g, 7.2.4-a
    let mut kit = coven();
    kit.send(&join(WICCA, "secondwitch"));
    let got = kit.send(
        "<presence from='hag66@shakespeare.lit/pda' id='n13mt3l' to='coven@chat.shakespeare.lit/thirdwitch'>\
         <show>chat</show><x xmlns='http://jabber.org/protocol/muc'/></presence>",
    );
    assert_eq!(
        lines(&got),
        [
            "<presence from='coven@chat.shakespeare.lit/thirdwitch' to='crone1@shakespeare.lit/desktop'>\
             <show>chat</show><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='participant' jid='hag66@shakespeare.lit/pda'/></x></presence>",
            "<presence from='coven@chat.shakespeare.lit/thirdwitch' to='wiccarocks@shakespeare.lit/laptop'>\
             <show>chat</show><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='participant'/></x></presence>",
            "<presence from='coven@chat.shakespeare.lit/firstwitch' to='hag66@shakespeare.lit/pda'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='owner' role='moderator'/></x></presence>",
            "<presence from='coven@chat.shakespeare.lit/secondwitch' to='hag66@shakespeare.lit/pda'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='participant'/></x></presence>",
            "<presence from='coven@chat.shakespeare.lit/thirdwitch' id='n13mt3l' to='hag66@shakespeare.lit/pda'>\
             <show>chat</show><x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='participant'/>\
             <status code='110'/><status code='170'/></x></presence>",
            "<message from='coven@chat.shakespeare.lit' type='groupchat' to='hag66@shakespeare.lit/pda'><subject/></message>",
        ]
    );
}

/// 7.4: a message reaches everybody, the sender too, with its id.
#[test]
fn s7_4_a_message_is_reflected_to_all() {
    let mut kit = three_witches();
    let got = kit.send(&says(HAG, "Harpier cries"));
    let to: Vec<&str> = got.iter().map(|got| got.to.as_str()).collect();
    assert_eq!(to, [CRONE, HAG, WICCA]);
    assert_eq!(
        lines(&got[..1]),
        ["<message from='coven@chat.shakespeare.lit/thirdwitch' id='m' type='groupchat' \
          to='crone1@shakespeare.lit/desktop'><body>Harpier cries</body></message>"]
    );
}

/// 7.14: the leaver is told with 110, then the others; the last to leave ends a temporary room.
#[test]
fn s7_14_leaving_is_told_and_the_last_one_ends_the_room() {
    // XEP-0045 7.14-a, 7.14-c, 7.14-d
    let mut kit = coven();
    kit.send(&join(HAG, "thirdwitch"));
    let got = kit.send(
        "<presence from='hag66@shakespeare.lit/pda' to='coven@chat.shakespeare.lit/thirdwitch' type='unavailable'>\
         <status>gone where the goblins go</status></presence>",
    );
    assert_eq!(
        lines(&got),
        [
            "<presence from='coven@chat.shakespeare.lit/thirdwitch' type='unavailable' to='hag66@shakespeare.lit/pda'>\
             <status>gone where the goblins go</status><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='none'/><status code='110'/></x></presence>",
            "<presence from='coven@chat.shakespeare.lit/thirdwitch' type='unavailable' to='crone1@shakespeare.lit/desktop'>\
             <status>gone where the goblins go</status><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='none' jid='hag66@shakespeare.lit/pda'/></x></presence>",
        ]
    );
    kit.send(
        "<presence from='crone1@shakespeare.lit/desktop' to='coven@chat.shakespeare.lit/firstwitch' type='unavailable'/>",
    );
    assert_eq!(kit.service.rooms(), []);
    assert!(kit.records.is_empty(), "a temporary room leaves nothing: {:?}", kit.records);
}

fn join_with(from: &str, nick: &str, inner: &str) -> String {
    format!(
        "<presence from='{from}' to='coven@chat.shakespeare.lit/{nick}'>\
         <x xmlns='http://jabber.org/protocol/muc'>{inner}</x></presence>"
    )
}

/// 7.2.1: no nickname, or only spaces, is no address of an occupant.
#[test]
fn s7_2_1_no_nickname_is_refused_with_jid_malformed() {
    // XEP-0045 7.2.1-d, 17.1-c
    let mut kit = coven();
    let got = kit.send(
        "<presence from='hag66@shakespeare.lit/pda' id='273hs51g' to='coven@chat.shakespeare.lit'>\
         <x xmlns='http://jabber.org/protocol/muc'/></presence>",
    );
    assert_eq!(
        lines(&got),
        ["<presence from='coven@chat.shakespeare.lit' id='273hs51g' type='error' to='hag66@shakespeare.lit/pda'>\
          <x xmlns='http://jabber.org/protocol/muc'/><error by='coven@chat.shakespeare.lit' type='modify'>\
          <jid-malformed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"]
    );
    assert_eq!(errors(&kit.send(&join(HAG, "   "))), [(HAG.into(), "jid-malformed".into())]);
    let long = "w".repeat(300);
    assert_eq!(errors(&kit.send(&join(HAG, &long))), [(HAG.into(), "not-acceptable".into())]);
}

/// 7.2.1: who leaves out the room's name enters nothing, and hears it; his password is not repeated.
#[test]
fn s7_2_1_a_join_to_the_service_is_refused() {
    let mut kit = coven();
    let join =
        join(HAG, "thirdwitch").replace("coven@", "").replace("<history", "<password>cauldronburn</password><history");
    assert_eq!(
        lines(&kit.send(&join)),
        ["<presence from='chat.shakespeare.lit/thirdwitch' type='error' to='hag66@shakespeare.lit/pda'>\
          <x xmlns='http://jabber.org/protocol/muc'/><error type='modify'>\
          <jid-malformed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"]
    );
}

/// 7.2.1: a client that joins although it is in gets everything again, and nobody else hears of it.
#[test]
fn s7_2_1_joining_twice_is_a_synchronisation() {
    // XEP-0045 7.2.1-f, 17.3-e, 17.3-f
    let mut kit = three_witches();
    let first = kit.send(&join(HAG, "thirdwitch"));
    assert!(first.iter().all(|got| got.to == HAG), "{first:?}");
    assert_eq!(first.len(), 4, "two others, oneself, the subject: {first:?}");
    kit.send(&says(CRONE, "Harpier cries"));
    let with_show = kit.send(
        "<presence from='hag66@shakespeare.lit/pda' to='coven@chat.shakespeare.lit/thirdwitch'><show>dnd</show>\
         <x xmlns='http://jabber.org/protocol/muc'/></presence>",
    );
    let hers: Vec<String> =
        lines(&with_show).into_iter().filter(|line| line.contains(&format!("to='{HAG}'"))).collect();
    let (history, subject) = ("<body>Harpier cries</body>", "<subject/>");
    assert!(hers[3].contains(history) && hers[4].contains(subject), "everything, the history as well: {hers:?}");
    assert!(
        with_show.iter().any(|got| got.to == CRONE && lines(std::slice::from_ref(got))[0].contains("<show>dnd</show>"))
    );
}

/// 7.2.3: in a non-anonymous room everybody gets the full JID, and the entrant is warned with 100.
#[test]
fn s7_2_3_a_non_anonymous_room_warns_with_100() {
    // XEP-0045 7.2.3-a, 7.2.3-b, 14.5-a, 17.3-o
    let mut kit = coven();
    configure(&mut kit, &[("muc#roomconfig_whois", "anyone"), ("muc#roomconfig_enablelogging", "0")]);
    kit.send(&join(WICCA, "secondwitch"));
    let got = lines(&kit.send(&join(HAG, "thirdwitch")));
    assert_eq!(
        got[1],
        "<presence from='coven@chat.shakespeare.lit/thirdwitch' to='wiccarocks@shakespeare.lit/laptop'>\
         <x xmlns='http://jabber.org/protocol/muc#user'>\
         <item affiliation='none' role='participant' jid='hag66@shakespeare.lit/pda'/></x></presence>"
    );
    assert_eq!(
        got[4],
        "<presence from='coven@chat.shakespeare.lit/thirdwitch' to='hag66@shakespeare.lit/pda'>\
         <x xmlns='http://jabber.org/protocol/muc#user'>\
         <item affiliation='none' role='participant' jid='hag66@shakespeare.lit/pda'/>\
         <status code='100'/><status code='110'/></x></presence>"
    );
}

/// 7.2.5: the password must be given and right; it is never sent back.
#[test]
fn s7_2_5_a_wrong_password_is_refused_with_not_authorized() {
    // XEP-0045 7.2.5-a
    let mut kit = coven();
    configure(
        &mut kit,
        &[("muc#roomconfig_passwordprotectedroom", "1"), ("muc#roomconfig_roomsecret", "cauldronburn")],
    );
    assert_eq!(errors(&kit.send(&join(HAG, "thirdwitch"))), [(HAG.into(), "not-authorized".into())]);
    let wrong = kit.send(&join_with(HAG, "thirdwitch", "<password>cauldronboil</password>"));
    assert_eq!(errors(&wrong), [(HAG.into(), "not-authorized".into())]);
    assert!(!lines(&wrong)[0].contains("cauldronboil"));
    assert_eq!(errors(&kit.send(&join_with(HAG, "thirdwitch", "<password>cauldronburn</password>"))), []);
}

/// 7.2.6 and 7.2.7: members only, and never the banned; the ban comes first.
#[test]
fn s7_2_6_and_7_strangers_and_the_banned_are_refused() {
    // XEP-0045 7.2.6-a, 7.2.7-a
    let mut kit = coven();
    configure(&mut kit, &[("muc#roomconfig_membersonly", "1")]);
    assert_eq!(errors(&kit.send(&join(HAG, "thirdwitch"))), [(HAG.into(), "registration-required".into())]);
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "member");
    assert_eq!(errors(&kit.send(&join(HAG, "thirdwitch"))), []);
    set_affiliation(&mut kit, "wiccarocks@shakespeare.lit", "outcast");
    assert_eq!(errors(&kit.send(&join(WICCA, "secondwitch"))), [(WICCA.into(), "forbidden".into())]);
}

/// 7.2.8: a nickname in use is refused with <conflict/>; the same user's other client shares it.
#[test]
fn s7_2_8_nickname_in_use_is_refused_with_conflict() {
    // XEP-0045 7.2.8-a, 7.2.8-b, 7.2.8-c
    let mut kit = three_witches();
    assert_eq!(
        errors(&kit.send(&join("macbeth@shakespeare.lit/x", "thirdwitch"))),
        [("macbeth@shakespeare.lit/x".into(), "conflict".into())]
    );
    let second = kit.send(&join("hag66@shakespeare.lit/tablet", "thirdwitch"));
    assert!(second.iter().all(|got| got.to == "hag66@shakespeare.lit/tablet"), "nobody else hears: {second:?}");
    let said = kit.send(&says("hag66@shakespeare.lit/tablet", "Double, double"));
    assert_eq!(said.len(), 4);
    let left = kit.send(&leaves("hag66@shakespeare.lit/tablet", "thirdwitch"));
    assert_eq!(left.iter().map(|got| got.to.as_str()).collect::<Vec<_>>(), ["hag66@shakespeare.lit/tablet"]);
}

/// 7.2.9: a full room is full, but not for its admins and owners.
#[test]
fn s7_2_9_a_full_room_is_refused_with_service_unavailable() {
    // XEP-0045 7.2.9-a, 7.2.9-b
    let mut kit = coven();
    configure(&mut kit, &[("muc#roomconfig_maxusers", "1")]);
    let got = kit.send(&join(HAG, "thirdwitch"));
    assert_eq!(errors(&got), [(HAG.into(), "service-unavailable".into())]);
    assert!(lines(&got)[0].contains("type='wait'"));
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "admin");
    assert_eq!(errors(&kit.send(&join(HAG, "thirdwitch"))), []);
}

/// 7.2.13 and 7.2.14: history before the subject, stamped by the room, within every limit asked for.
#[test]
fn s7_2_13_history_is_sent_within_what_was_asked_for() {
    // XEP-0045 7.2.13-b, 7.2.13-c, 7.2.14-b, 7.2.14-c, 7.2.15-a
    let mut kit = coven();
    for line in ["Thrice the brinded cat", "Thrice and once", "Harpier cries"] {
        kit.send(&says(CRONE, line));
        kit.pass_ms(60_000);
    }
    let bodies = |kit: &mut Kit, history: &str| -> Vec<String> {
        let got = kit.send(&join_with(HAG, "thirdwitch", history));
        kit.send(&leaves(HAG, "thirdwitch"));
        assert_eq!(got.last().map(|got| got.stanza.has_child("subject", xmpp::ns::CLIENT)), Some(true));
        got.iter().filter_map(|g| g.stanza.get_child("body", xmpp::ns::CLIENT)).map(xmpp::Element::content).collect()
    };
    assert_eq!(bodies(&mut kit, "").len(), 3);
    assert_eq!(bodies(&mut kit, "<history maxstanzas='2'/>"), ["Thrice and once", "Harpier cries"]);
    assert_eq!(bodies(&mut kit, "<history maxchars='0'/>"), [""; 0]);
    let sent = kit.send(&join_with(HAG, "thirdwitch", "<history maxstanzas='1'/>")).into_iter();
    let sent =
        sent.map(|got| got.stanza.to_xml()).find(|xml| xml.contains("<body>")).unwrap_or_default().chars().count();
    assert_eq!(bodies(&mut kit, &format!("<history maxchars='{sent}'/>")), ["Harpier cries"]);
    assert_eq!(bodies(&mut kit, &format!("<history maxchars='{}'/>", sent - 1)), [""; 0], "the whole stanza counts");
    assert_eq!(bodies(&mut kit, "<history seconds='130'/>"), ["Thrice and once", "Harpier cries"]);
    assert_eq!(bodies(&mut kit, "<history since='2002-10-14T00:00:00Z'/>"), ["Harpier cries"]);
    assert_eq!(bodies(&mut kit, "<history maxstanzas='9' seconds='100'/>"), ["Harpier cries"]);
    let got = kit.send(&join_with(HAG, "thirdwitch", "<history maxstanzas='1'/>"));
    let delayed = lines(&got).into_iter().find(|line| line.contains("<body>")).unwrap_or_default();
    assert_eq!(
        delayed,
        "<message from='coven@chat.shakespeare.lit/firstwitch' id='m' type='groupchat' to='hag66@shakespeare.lit/pda'>\
         <body>Harpier cries</body>\
         <delay xmlns='urn:xmpp:delay' from='coven@chat.shakespeare.lit' stamp='2002-10-14T00:00:37Z'/></message>"
    );
}

/// 7.2.17: presence without the muc element from somebody who is not in the room is answered with a removal.
#[test]
fn s7_2_17_presence_of_an_outsider_is_answered_with_307_and_333() {
    // XEP-0045 7.2.18-a, 7.2.18-b
    let expected = "<presence from='coven@chat.shakespeare.lit/thirdwitch' type='unavailable' \
        to='hag66@shakespeare.lit/pda'><x xmlns='http://jabber.org/protocol/muc#user'>\
        <item affiliation='none' role='none'><reason>You are not in the room.</reason></item>\
        <status code='110'/><status code='307'/><status code='333'/></x></presence>";
    let update = "<presence from='hag66@shakespeare.lit/pda' to='coven@chat.shakespeare.lit/thirdwitch'/>";
    assert_eq!(lines(&coven().send(update)), [expected]);
    assert_eq!(lines(&Kit::new().send(update)), [expected], "nor is there a room");
}

/// 10.1.1: where creation is restricted others are told so with <not-allowed/>.
#[test]
fn s10_1_1_creation_may_be_restricted() {
    // XEP-0045 10.1.1-a
    let mut config = config();
    config.create = crate::Create::Local;
    let mut kit = Kit::with(config);
    let stranger = "mallory@evil.example/x";
    assert_eq!(errors(&kit.send(&join(stranger, "m"))), [(stranger.into(), "not-allowed".into())]);
    assert_eq!(kit.service.rooms(), []);
    assert_eq!(errors(&kit.send(&join(CRONE, "firstwitch"))), []);
}

/// What the thirdwitch's client, or a server for it, answers with.
fn bounce(kind: &str, condition: &str) -> String {
    format!(
        "<{kind} from='{HAG}' to='coven@chat.shakespeare.lit/firstwitch' type='error'>\
         <error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></{kind}>"
    )
}

/// 18.1.2 "Ghost Users": all the conditions it names, and no other by itself.
#[test]
fn s18_1_2_which_errors_mean_that_somebody_is_gone() {
    let gone = [
        "gone",
        "item-not-found",
        "recipient-unavailable",
        "redirect",
        "remote-server-not-found",
        "remote-server-timeout",
    ];
    for condition in gone {
        for kind in ["message", "presence"] {
            let got = three_witches().send(&bounce(kind, condition));
            assert!(got[0].stanza.to_xml().contains("<status code='333'/>"), "{kind} {condition}: {got:?}");
        }
    }
    for condition in ["feature-not-implemented", "forbidden", "not-acceptable", "undefined-condition"] {
        let got = three_witches().send(&bounce("presence", condition));
        assert_eq!(got, [], "{condition}");
    }
}

/// 18.1.2: where servers say the same for a client that is gone as clients for much else, the room asks by XEP-0199.
#[test]
fn s18_1_2_a_client_that_may_be_gone_is_asked() {
    let mut kit = three_witches();
    let pinged = |got: &[Got]| -> Option<String> {
        let ping = got.iter().map(|got| &got.stanza).find(|stanza| stanza.has_child("ping", ns::PING))?;
        ping.get("id").map(str::to_owned)
    };
    let answer = |id: &str, kind: &str, error: &str| {
        format!("<iq from='{HAG}' to='coven@chat.shakespeare.lit' id='{id}' type='{kind}'>{error}</iq>")
    };
    let doubtful = bounce("presence", "service-unavailable");
    let got = kit.send(&doubtful);
    assert_eq!(got.len(), 1, "she alone hears of it: {got:?}");
    let id = pinged(&got).expect("a ping");
    assert_eq!(kit.send(&doubtful), [], "one question at a time");
    assert_eq!(kit.send(&answer(&id, "result", "")), [], "she is there");
    let id = pinged(&kit.send(&doubtful)).expect("asked again");
    let error = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    assert_eq!(kit.send(&answer("another", "error", error)), []);
    let out = kit.send(&answer(&id, "error", error));
    assert!(out.len() == 3 && out[0].to == HAG && out[0].stanza.to_xml().contains("<status code='333'/>"), "{out:?}");
    assert_eq!(kit.send(&doubtful), [], "who is not in is not asked");
}

/// 11.1: an error from an occupant's client takes it out, with 333 and without 307.
#[test]
fn s11_1_a_bounce_removes_its_sender_with_333() {
    // XEP-0045 11.1-a, 11.1-b, 18.1.2-a
    let mut kit = three_witches();
    let got = kit.send(&bounce("message", "recipient-unavailable"));
    assert_eq!(
        lines(&got[..2]),
        [
            "<presence from='coven@chat.shakespeare.lit/thirdwitch' type='unavailable' to='hag66@shakespeare.lit/pda'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='none'/>\
             <status code='110'/><status code='333'/></x></presence>",
            "<presence from='coven@chat.shakespeare.lit/thirdwitch' type='unavailable' \
             to='crone1@shakespeare.lit/desktop'><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='none' jid='hag66@shakespeare.lit/pda'/><status code='333'/></x></presence>",
        ]
    );
    let harmless = "<message from='wiccarocks@shakespeare.lit/laptop' to='coven@chat.shakespeare.lit' type='error'>\
        <error type='modify'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>";
    assert_eq!(kit.send(harmless), []);
}

/// 11.2: the service says good-bye with 332.
#[test]
fn s11_2_shutting_down_is_told_with_332() {
    // XEP-0045 11.2-a
    let mut kit = coven();
    let mut out = Vec::new();
    kit.service.shutdown(kit.now, &mut out);
    let said: Vec<String> = out
        .iter()
        .filter_map(|output| match output {
            machine::Output::Send { stanza, .. } => Some(stanza.element().to_xml()),
            _ => None,
        })
        .collect();
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("type='unavailable'") && said[0].contains("<status code='110'/><status code='332'/>"));
}

/// 7.2.2: what an entrant is shown of the others is how they stand now, whatever was shown to entrants before.
#[test]
fn s7_2_2_the_roster_shows_everybody_as_they_stand_now() {
    // XEP-0045 17.3-n
    let mut kit = three_witches();
    let shown = |kit: &mut Kit| {
        let got = lines(&kit.send(&join("macbeth@shakespeare.lit/x", "macbeth")));
        kit.send(&leaves("macbeth@shakespeare.lit/x", "macbeth"));
        got.into_iter().find(|line| line.contains("to='macbeth@") && line.contains("hag'")).unwrap_or_default()
    };
    assert_eq!(shown(&mut kit), "");
    kit.send(
        "<presence from='hag66@shakespeare.lit/pda' to='coven@chat.shakespeare.lit/hag'><show>xa</show></presence>",
    );
    assert!(shown(&mut kit).contains("<show>xa</show>"));
    kit.send(
        "<presence from='hag66@shakespeare.lit/pda' to='coven@chat.shakespeare.lit/hag'><show>dnd</show></presence>",
    );
    assert!(shown(&mut kit).contains("<show>dnd</show>"));
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "member");
    assert!(shown(&mut kit).contains("affiliation='member'"));
    assert!(!shown(&mut kit).contains("jid="));
    configure(&mut kit, &[("muc#roomconfig_whois", "anyone")]);
    assert!(shown(&mut kit).contains("jid='hag66@shakespeare.lit/pda'"));
}

/// 7.2.14: however much is asked for, the room sends no more than it is configured for.
#[test]
fn s7_2_14_the_room_limits_what_is_asked_for() {
    // XEP-0045 7.2.14-e
    let mut kit = coven();
    configure(&mut kit, &[("muc#maxhistoryfetch", "2")]);
    for line in ["Thrice the brinded cat", "Thrice and once", "Harpier cries"] {
        kit.send(&says(CRONE, line));
    }
    let got = kit.send(&join_with(HAG, "thirdwitch", "<history since='1970-01-01T00:00:00Z'/>"));
    let bodies = got.iter().filter_map(|got| got.stanza.get_child("body", xmpp::ns::CLIENT));
    assert_eq!(bodies.map(xmpp::Element::content).collect::<Vec<_>>(), ["Thrice and once", "Harpier cries"]);
}

/// 17.3: presence without a type enters, unavailable presence leaves, and no other does either; from who is not there it is
/// ignored.
#[test]
fn s17_3_which_presence_enters_and_leaves() {
    // XEP-0045 17.3-b, 17.3-d, 17.3-g
    let mut kit = coven();
    let typed = |kind: &str| join(HAG, "thirdwitch").replace("<presence ", &format!("<presence type='{kind}' "));
    let others = ["probe", "subscribe", "subscribed", "unsubscribe", "unsubscribed"];
    for kind in others {
        kit.send(&typed(kind));
        assert_eq!(kit.service.rooms()[0].occupants, 1, "{kind} is no request to enter");
    }
    assert_eq!(kit.send(&typed("unavailable")), []);
    kit.send(&join(HAG, "thirdwitch"));
    for kind in others {
        kit.send(&typed(kind));
        assert_eq!(kit.service.rooms()[0].occupants, 2, "{kind} is no request to leave");
    }
    kit.send(&typed("unavailable"));
    assert_eq!(kit.service.rooms()[0].occupants, 1);
}

/// 17.1: rooms are compared by nodeprep, nicknames by resourceprep.
#[test]
fn s17_1_a_nickname_in_other_letters_is_the_same() {
    // XEP-0045 17.1-a
    let mut kit = coven();
    let wide = join(HAG, "\u{ff46}irstwitch").replace("coven@", "COVEN@");
    assert_eq!(errors(&kit.send(&wide)), [(HAG.into(), "conflict".into())]);
}

/// 18.1.2: whatever says that somebody cannot be reached takes him out.
#[test]
fn s18_1_2_every_delivery_error_takes_its_sender_out() {
    // XEP-0045 18.1.2-a
    let unreachable = [
        "gone",
        "item-not-found",
        "recipient-unavailable",
        "redirect",
        "remote-server-not-found",
        "remote-server-timeout",
    ];
    for condition in unreachable {
        let mut kit = three_witches();
        kit.send(&format!(
            "<message from='{HAG}' to='coven@chat.shakespeare.lit/firstwitch' type='error'><error type='cancel'>\
             <{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        ));
        assert_eq!(kit.service.rooms()[0].occupants, 2, "{condition}");
    }
}
