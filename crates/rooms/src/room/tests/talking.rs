//! Sections 7.4 to 7.8, 7.13, 8.1 and 8.6: what occupants say to all, to each other and to others.

use super::kit::{CRONE, HAG, Kit, WICCA, configure, coven, errors, iq, join, lines, says, three_witches};
use xmpp::ns;

/// 7.4: outsiders are refused with <not-acceptable/>, visitors of a moderated room with <forbidden/>; nobody hears them.
#[test]
fn s7_4_outsiders_and_visitors_may_not_speak() {
    // XEP-0045 7.4-d, 7.4-e, 7.4-f
    let mut kit = coven();
    configure(&mut kit, &[("muc#roomconfig_moderatedroom", "1")]);
    let got = kit.send(&says(HAG, "Harpier cries"));
    assert_eq!(
        lines(&got),
        ["<message from='coven@chat.shakespeare.lit' id='m' type='error' to='hag66@shakespeare.lit/pda'>\
          <body>Harpier cries</body><error by='coven@chat.shakespeare.lit' type='modify'>\
          <not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"]
    );
    kit.send(&join(HAG, "thirdwitch"));
    assert_eq!(errors(&kit.send(&says(HAG, "Harpier cries"))), [(HAG.into(), "forbidden".into())]);
    assert_eq!(kit.rows, []);
}

/// 17.2: a room that is not there is not found.
#[test]
fn s17_2_a_message_to_no_room_is_refused_with_item_not_found() {
    // XEP-0045 17.2-d
    assert_eq!(errors(&Kit::new().send(&says(HAG, "Hail"))), [(HAG.into(), "item-not-found".into())]);
}

/// 17.3, XEP-0359, XEP-0421: what only the room may say is taken from what users say, and said by the room.
#[test]
fn s17_3_what_only_the_room_may_say_is_not_reflected() {
    let mut kit = three_witches();
    let got = kit.send(
        "<message from='hag66@shakespeare.lit/pda' id='f' to='coven@chat.shakespeare.lit' type='groupchat'>\
         <body>I am the king</body><x xmlns='http://jabber.org/protocol/muc#user'><item role='moderator'/></x>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='coven@chat.shakespeare.lit' id='forged'/>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='shakespeare.lit' id='kept'/>\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>\
         <x xmlns='urn:xmpp:tmp:dmuc:0'><up xmlns='urn:netjoin:dmuc:0' outbox='o' n='1'/></x>\
         <at xmlns='urn:netjoin:dmuc:0'/><delay xmlns='urn:xmpp:delay' from='coven@chat.shakespeare.lit' stamp='x'/>\
         <thing xmlns='urn:example:thing'>travels</thing></message>",
    );
    let message = &got[0].stanza;
    let children: Vec<&str> = message.children().map(|c| c.name()).collect();
    assert_eq!(children, ["body", "stanza-id", "thing", "occupant-id", "stanza-id"]);
    let ids: Vec<&str> = message.children().filter(|c| c.ns() == ns::SID).filter_map(|c| c.get("id")).collect();
    assert_eq!(ids[0], "kept");
    assert_eq!(ids[1], kit.rows[0].id, "the room's stanza-id is the archive's");
}

/// XEP-0421: the occupant-id is the user's, whatever the nick or client, and another in each room.
#[test]
fn xep_0421_the_occupant_id_outlives_the_nick() {
    let mut kit = three_witches();
    let id = |got: &[super::kit::Got]| {
        got[0].stanza.get_child("occupant-id", ns::OCCUPANT_ID).and_then(|c| c.get("id")).map(str::to_owned)
    };
    let before = id(&kit.send(&says(HAG, "Harpier cries")));
    kit.send("<presence from='hag66@shakespeare.lit/pda' to='coven@chat.shakespeare.lit/oldhag'/>");
    assert_eq!(id(&kit.send(&says(HAG, "again"))), before);
    assert_ne!(id(&kit.send(&says(WICCA, "again"))), before);
}

/// 7.5: a private message reaches its recipient alone, from the sender's occupant address, marked as MUC.
#[test]
fn s7_5_a_private_message() {
    // XEP-0045 7.5-d, 7.5-e, 7.5-f, 7.5-g
    let mut kit = three_witches();
    let got = kit.send(
        "<message from='wiccarocks@shakespeare.lit/laptop' id='hgn27af1' to='coven@chat.shakespeare.lit/firstwitch' \
         type='chat'><body>I'll give thee a wind.</body></message>",
    );
    assert_eq!(
        lines(&got),
        ["<message from='coven@chat.shakespeare.lit/secondwitch' id='hgn27af1' type='chat' \
          to='crone1@shakespeare.lit/desktop'><body>I&apos;ll give thee a wind.</body>\
          <x xmlns='http://jabber.org/protocol/muc#user'/></message>"]
    );
    let to = |from: &str, nick: &str, kind: &str| {
        format!("<message from='{from}' to='coven@chat.shakespeare.lit/{nick}' type='{kind}'><body>x</body></message>")
    };
    let refused = |kit: &mut Kit, stanza: &str| errors(&kit.send(stanza)).pop().map(|(_, condition)| condition);
    assert_eq!(refused(&mut kit, &to(WICCA, "firstwitch", "groupchat")).as_deref(), Some("bad-request"));
    assert_eq!(refused(&mut kit, &to(WICCA, "macbeth", "chat")).as_deref(), Some("item-not-found"));
    assert_eq!(refused(&mut kit, &to("a@b/c", "firstwitch", "chat")).as_deref(), Some("not-acceptable"));
    configure(&mut kit, &[("muc#roomconfig_allowpm", "moderators")]);
    assert_eq!(refused(&mut kit, &to(WICCA, "firstwitch", "chat")).as_deref(), Some("forbidden"));
}

/// 7.5: an error goes back to who has sent the private message it answers; one that answers what was said to all goes to nobody.
#[test]
fn s7_5_an_error_answers_what_was_said_to_him_alone() {
    let mut kit = three_witches();
    let error = |id: &str| {
        format!(
            "<message from='{CRONE}' to='coven@chat.shakespeare.lit/secondwitch' id='{id}' type='error'><error type='cancel'>\
             <not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        )
    };
    kit.send(&format!(
        "<message from='{WICCA}' id='all' to='coven@chat.shakespeare.lit' type='groupchat'><body>x</body></message>"
    ));
    assert_eq!(kit.send(&error("all")), []);
    kit.send(&format!(
        "<message from='{WICCA}' id='one' to='coven@chat.shakespeare.lit/firstwitch' type='chat'><body>x</body></message>"
    ));
    let got = kit.send(&error("one"));
    assert_eq!(errors(&got), [(WICCA.into(), "not-allowed".into())]);
}

/// 7.6: a nick change is two presences to all; a taken one is a conflict.
#[test]
fn s7_6_a_nick_change_is_told_with_303() {
    // XEP-0045 7.6-a, 7.6-c
    let mut kit = coven();
    kit.send(&join(HAG, "thirdwitch"));
    let got =
        kit.send("<presence from='hag66@shakespeare.lit/pda' id='ifd1c35' to='coven@chat.shakespeare.lit/oldhag'/>");
    assert_eq!(
        lines(&got),
        [
            "<presence from='coven@chat.shakespeare.lit/thirdwitch' type='unavailable' \
             to='crone1@shakespeare.lit/desktop'><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='participant' jid='hag66@shakespeare.lit/pda' nick='oldhag'/>\
             <status code='303'/></x></presence>",
            "<presence from='coven@chat.shakespeare.lit/thirdwitch' type='unavailable' to='hag66@shakespeare.lit/pda'>\
             <x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='participant' nick='oldhag'/><status code='303'/><status code='110'/></x>\
             </presence>",
            "<presence from='coven@chat.shakespeare.lit/oldhag' to='crone1@shakespeare.lit/desktop'>\
             <x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='participant' jid='hag66@shakespeare.lit/pda'/></x></presence>",
            "<presence from='coven@chat.shakespeare.lit/oldhag' to='hag66@shakespeare.lit/pda'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='participant'/>\
             <status code='110'/></x></presence>",
        ]
    );
    let taken = "<presence from='hag66@shakespeare.lit/pda' to='coven@chat.shakespeare.lit/firstwitch'/>";
    assert_eq!(errors(&kit.send(taken)), [(HAG.into(), "conflict".into())]);
}

/// 7.7: another availability goes to all, its owner included, without roles that a client made up.
#[test]
fn s7_7_a_changed_availability_is_passed_along() {
    // XEP-0045 17.3-j
    let mut kit = coven();
    kit.send(&join(WICCA, "secondwitch"));
    let got = kit.send(
        "<presence from='wiccarocks@shakespeare.lit/laptop' id='kr7v143h' to='coven@chat.shakespeare.lit/secondwitch'>\
         <show>xa</show><status>gone where the goblins go</status>\
         <x xmlns='http://jabber.org/protocol/muc#user'><item role='moderator'/></x></presence>",
    );
    assert_eq!(
        lines(&got),
        [
            "<presence from='coven@chat.shakespeare.lit/secondwitch' to='crone1@shakespeare.lit/desktop'>\
             <show>xa</show><status>gone where the goblins go</status>\
             <x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='participant' jid='wiccarocks@shakespeare.lit/laptop'/></x></presence>",
            "<presence from='coven@chat.shakespeare.lit/secondwitch' to='wiccarocks@shakespeare.lit/laptop'>\
             <show>xa</show><status>gone where the goblins go</status>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='participant'/>\
             <status code='110'/></x></presence>",
        ]
    );
}

/// 16.5.3, presencebroadcast: whose role is not shown is seen by himself alone.
#[test]
fn s16_5_3_presence_of_roles_that_are_not_broadcast_is_for_oneself() {
    let mut kit = coven();
    configure(&mut kit, &[("muc#roomconfig_presencebroadcast", "moderator")]);
    let got = kit.send(&join(HAG, "thirdwitch"));
    assert!(got.iter().all(|got| got.to == HAG), "{got:?}");
    let update = "<presence from='hag66@shakespeare.lit/pda' to='coven@chat.shakespeare.lit/thirdwitch'><show>xa</show></presence>";
    assert_eq!(kit.send(update).len(), 1);
}

/// 17.3: an occupant's probe is answered with what he may see of another, and with absence; nobody else's is.
#[test]
fn s17_3_presence_probes() {
    let mut kit = three_witches();
    let probe =
        |from: &str, to: &str| format!("<presence from='{from}' to='coven@chat.shakespeare.lit{to}' type='probe'/>");
    assert_eq!(
        lines(&kit.send(&probe(HAG, "/firstwitch"))),
        ["<presence from='coven@chat.shakespeare.lit/firstwitch' to='hag66@shakespeare.lit/pda'>\
          <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='owner' role='moderator'/></x></presence>"]
    );
    assert!(
        lines(&kit.send(&probe("crone1@shakespeare.lit", "/thirdwitch")))[0]
            .contains("jid='hag66@shakespeare.lit/pda'")
    );
    assert_eq!(
        lines(&kit.send(&probe(HAG, "/macbeth"))),
        ["<presence from='coven@chat.shakespeare.lit/macbeth' type='unavailable' to='hag66@shakespeare.lit/pda'>\
          <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='none'/></x></presence>"]
    );
    let room = "<presence from='coven@chat.shakespeare.lit' to='hag66@shakespeare.lit/pda'/>";
    assert_eq!(lines(&kit.send(&probe(HAG, ""))), [room]);
    for stranger in ["macbeth@shakespeare.lit", "macbeth@shakespeare.lit/pda", "hag66@shakespeare.lit/other"] {
        assert_eq!(kit.send(&probe(stranger, "/firstwitch")), [], "{stranger}");
    }
}

/// 17.2: what is sent to the room from outside, and what is improperly typed.
#[test]
fn s17_2_messages_that_go_nowhere() {
    // XEP-0045 17.2-c
    let mut kit = coven();
    let plain = |from: &str| format!("<message from='{from}' to='coven@chat.shakespeare.lit'><body>?</body></message>");
    assert_eq!(errors(&kit.send(&plain(HAG))), [(HAG.into(), "forbidden".into())]);
    assert_eq!(errors(&kit.send(&plain(CRONE))), [(CRONE.into(), "bad-request".into())]);
}

/// 5.1: in a moderated room what a moderator has said of somebody's voice holds for the next visit.
#[test]
fn s5_1_voice_lasts_across_visits() {
    // XEP-0045 5.1-d, 5.1.2-a
    let mut kit = coven();
    configure(&mut kit, &[("muc#roomconfig_moderatedroom", "1")]);
    let enters = |kit: &mut Kit| {
        kit.send(&super::kit::leaves(HAG, "thirdwitch"));
        let own = kit.send(&join(HAG, "thirdwitch")).into_iter().filter(|got| got.to == HAG).map(|got| got.stanza);
        let own: Vec<xmpp::Element> = own.filter(|stanza| stanza.name() == "presence").collect();
        let item =
            own.last().and_then(|own| own.get_child("x", xmpp::ns::MUC_USER)?.get_child("item", xmpp::ns::MUC_USER));
        item.and_then(|item| item.get("role")).unwrap_or_default().to_owned()
    };
    assert_eq!(enters(&mut kit), "visitor");
    kit.send(&super::kit::admin(CRONE, "<item nick='thirdwitch' role='participant'/>"));
    assert_eq!(enters(&mut kit), "participant");
    kit.send(&super::kit::admin(CRONE, "<item nick='thirdwitch' role='visitor'/>"));
    assert_eq!(enters(&mut kit), "visitor");
    super::kit::set_affiliation(&mut kit, "hag66@shakespeare.lit", "member");
    assert_eq!(enters(&mut kit), "participant", "5.1.2: a member's");
}

/// 7.13 and 8.6: a visitor asks for voice, a moderator grants it by the form.
#[test]
fn s7_13_voice_is_asked_for_and_granted() {
    let mut kit = coven();
    configure(&mut kit, &[("muc#roomconfig_moderatedroom", "1")]);
    kit.send(&join(HAG, "thirdwitch"));
    let asked = kit.send(
        "<message from='hag66@shakespeare.lit/pda' id='yd53c486' to='coven@chat.shakespeare.lit'>\
         <x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
         <value>http://jabber.org/protocol/muc#request</value></field>\
         <field var='muc#role'><value>participant</value></field></x></message>",
    );
    assert_eq!(asked.iter().map(|got| got.to.as_str()).collect::<Vec<_>>(), [CRONE]);
    let granted = kit.send(
        "<message from='crone1@shakespeare.lit/desktop' id='approve' to='coven@chat.shakespeare.lit'>\
         <x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
         <value>http://jabber.org/protocol/muc#request</value></field>\
         <field var='muc#role'><value>participant</value></field>\
         <field var='muc#jid'><value>hag66@shakespeare.lit/pda</value></field>\
         <field var='muc#roomnick'><value>thirdwitch</value></field>\
         <field var='muc#request_allow'><value>true</value></field></x></message>",
    );
    assert!(lines(&granted)[0].contains("role='participant'"), "{granted:?}");
    assert_eq!(kit.send(&says(HAG, "Harpier cries")).len(), 2);
}

/// 8.1: moderators change the subject, others only where they may; entrants get it last, stamped by the room.
#[test]
fn s8_1_the_subject() {
    // XEP-0045 7.2.15-b, 7.2.15-c, 8.1-a, 8.1-c, 8.1-e, 8.1-f
    let mut kit = three_witches();
    let subject = |from: &str| {
        format!(
            "<message from='{from}' id='lh2bs617' to='coven@chat.shakespeare.lit' type='groupchat'>\
             <subject>Fire Burn and Cauldron Bubble!</subject></message>"
        )
    };
    assert_eq!(errors(&kit.send(&subject(HAG))), [(HAG.into(), "forbidden".into())]);
    assert_eq!(kit.send(&subject(CRONE)).len(), 3);
    let got = kit.send(&join("hecate@shakespeare.lit/broom", "hecate"));
    assert_eq!(
        lines(&got[got.len() - 1..]),
        ["<message from='coven@chat.shakespeare.lit/firstwitch' id='lh2bs617' type='groupchat' \
          to='hecate@shakespeare.lit/broom'><subject>Fire Burn and Cauldron Bubble!</subject>\
          <delay xmlns='urn:xmpp:delay' from='coven@chat.shakespeare.lit' stamp='2002-10-13T23:58:37Z'/></message>"]
    );
    configure(&mut kit, &[("muc#roomconfig_changesubject", "1")]);
    assert_eq!(errors(&kit.send(&subject(HAG))), []);
    for more in ["<body>a message, not a subject</body>", "<thread>of a conversation</thread>"] {
        let with_more = format!("<subject>No</subject>{more}");
        assert_eq!(kit.send(&says(HAG, "").replace("<body></body>", &with_more)).len(), 4, "{more}");
    }
    kit.restart();
    let got = kit.send(&join("macbeth@shakespeare.lit/x", "macbeth"));
    assert!(lines(&got[got.len() - 1..])[0].contains("Cauldron Bubble"), "it is kept: {got:?}");
}

/// XEP-0410: a ping to oneself is answered by the room, and tells an outsider that he is one.
#[test]
fn xep_0410_self_ping() {
    let mut kit = three_witches();
    let ping = |from: &str, nick: &str| {
        iq(from, &format!("coven@chat.shakespeare.lit/{nick}"), "get", "s2c1", "<ping xmlns='urn:xmpp:ping'/>")
    };
    assert_eq!(
        lines(&kit.send(&ping(HAG, "thirdwitch"))),
        ["<iq type='result' id='s2c1' from='coven@chat.shakespeare.lit/thirdwitch' to='hag66@shakespeare.lit/pda'/>"]
    );
    let other = "hag66@shakespeare.lit/tablet";
    assert_eq!(errors(&kit.send(&ping(other, "thirdwitch"))), [(other.into(), "not-acceptable".into())]);
    assert_eq!(errors(&kit.send(&ping(HAG, "nobody"))), [(HAG.into(), "item-not-found".into())]);
}

/// 17.4: an iq to an occupant is passed on and its answer back, with real addresses hidden both ways.
#[test]
fn s17_4_an_iq_to_an_occupant_is_passed_on() {
    // XEP-0045 17.4-b, 17.4-c
    let mut kit = three_witches();
    let version = "<query xmlns='jabber:iq:version'/>";
    let asked = kit.send(&iq(HAG, "coven@chat.shakespeare.lit/secondwitch", "get", "v1", version));
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].to.as_str(), asked[0].stanza.get("from")),
        (WICCA, Some("coven@chat.shakespeare.lit/thirdwitch"))
    );
    let id = asked[0].stanza.get("id").unwrap_or_default().to_owned();
    assert_ne!(id, "v1", "ids of different askers must not meet");
    let forged = iq("macbeth@shakespeare.lit/x", "coven@chat.shakespeare.lit/thirdwitch", "result", &id, version);
    assert_eq!(kit.send(&forged), [], "only who was asked may answer");
    let answer = kit.send(&iq(WICCA, "coven@chat.shakespeare.lit/thirdwitch", "result", &id, version));
    assert_eq!(
        lines(&answer),
        ["<iq from='coven@chat.shakespeare.lit/secondwitch' type='result' id='v1' to='hag66@shakespeare.lit/pda'>\
          <query xmlns='jabber:iq:version'/></iq>"]
    );
    kit.send(&iq(HAG, "coven@chat.shakespeare.lit/secondwitch", "get", "v2", version));
    assert_eq!(errors(&kit.pass_ms(120_000)), [(HAG.into(), "remote-server-timeout".into())]);
    let disco = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let stranger = kit.send(&iq("a@b/c", "coven@chat.shakespeare.lit/secondwitch", "get", "d", disco));
    assert_eq!(errors(&stranger), [("a@b/c".into(), "bad-request".into())], "section 6.6");
}

/// 13: what says in which language something is written stays with it.
#[test]
fn s13_the_language_of_a_message_is_kept() {
    // XEP-0045 13-a
    let mut kit = three_witches();
    let said = format!(
        "<message from='{HAG}' to='coven@chat.shakespeare.lit' type='groupchat' xml:lang='de'>\
         <body>Schön ist wüst</body><body xml:lang='en'>Fair is foul</body></message>"
    );
    let got = lines(&kit.send(&said));
    assert!(got[0].contains(" xml:lang='de'") && got[0].contains("<body xml:lang='en'>"), "{got:?}");
}

/// 7.9: to what an owner repeats of a chat that was held before, the room adds no time of its own.
#[test]
fn s7_9_the_time_of_a_chat_held_before_is_kept() {
    // XEP-0045 7.9-d
    let mut kit = three_witches();
    let got = kit.send(
        "<message from='crone1@shakespeare.lit/desktop' to='coven@chat.shakespeare.lit' type='groupchat'>\
         <body>Thrice the brinded cat hath mew'd.</body>\
         <delay xmlns='urn:xmpp:delay' from='crone1@shakespeare.lit/desktop' stamp='2004-09-29T01:54:37Z'/></message>",
    );
    let delays: Vec<&xmpp::Element> = got[0].stanza.children().filter(|child| child.ns() == ns::DELAY).collect();
    assert_eq!(delays.iter().map(|delay| delay.get("stamp")).collect::<Vec<_>>(), [Some("2004-09-29T01:54:37Z")]);
    let told = "<delay xmlns='urn:xmpp:delay' from='coven@chat.shakespeare.lit' stamp='2004-09-29T01:54:37Z'/>";
    let whole = join("hecate@shakespeare.lit/broom", "hecate").replace("<history maxstanzas='0'/>", "");
    let history = lines(&kit.send(&whole)).into_iter().find(|line| line.contains("brinded")).expect("history");
    assert!(history.matches("<delay").count() == 1 && history.contains(told), "7.9, the last example: {history}");
}

/// 7.2.13: nobody but the owner says when something was said.
#[test]
fn s7_2_13_others_do_not_date_back() {
    let mut kit = three_witches();
    let past =
        "<body>x</body><delay xmlns='urn:xmpp:delay' from='hag66@shakespeare.lit/pda' stamp='2004-09-29T01:54:37Z'/>";
    kit.send(&says(HAG, "").replace("<body></body>", past));
    let whole = join("hecate@shakespeare.lit/broom", "hecate").replace("<history maxstanzas='0'/>", "");
    let history = lines(&kit.send(&whole)).into_iter().find(|line| line.contains("<body>x</body>")).expect("history");
    assert!(history.contains("from='coven@chat.shakespeare.lit' stamp='2002-10-13T23:58:37Z'"), "{history}");
}

/// 7.2.15: a subject that was taken away is sent empty, with the time at which that was done.
#[test]
fn s7_2_15_a_subject_that_was_taken_away_has_its_time() {
    // XEP-0045 7.2.15-e
    let mut kit = coven();
    for subject in ["<subject>Fire Burn and Cauldron Bubble!</subject>", "<subject/>"] {
        kit.send(&says(CRONE, "").replace("<body></body>", subject));
    }
    let got = lines(&kit.send(&join(HAG, "thirdwitch")));
    assert_eq!(
        got[got.len() - 1],
        "<message from='coven@chat.shakespeare.lit/firstwitch' id='m' type='groupchat' to='hag66@shakespeare.lit/pda'>\
         <subject/><delay xmlns='urn:xmpp:delay' from='coven@chat.shakespeare.lit' stamp='2002-10-13T23:58:37Z'/></message>"
    );
}
