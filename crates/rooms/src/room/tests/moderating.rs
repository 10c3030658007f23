//! Sections 8.2 to 8.5 and 9: what moderators and admins do.

use super::kit::{
    CRONE, Disk, Got, HAG, Kit, WICCA, admin, configure, coven, errors, join, leaves, lines, set_affiliation,
    three_witches,
};
use xmpp::ns;

/// 8.2: the kicked is told, then the moderator has his result, then the others hear.
#[test]
fn s8_2_a_kick() {
    // XEP-0045 8.2-a, 8.2-b, 8.2-c
    let mut kit = three_witches();
    let got =
        kit.send(&admin(CRONE, "<item nick='thirdwitch' role='none'><reason>Avaunt, you cullion!</reason></item>"));
    assert_eq!(
        lines(&got),
        [
            "<presence from='coven@chat.shakespeare.lit/thirdwitch' type='unavailable' to='hag66@shakespeare.lit/pda'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='none'>\
             <actor nick='firstwitch'/><reason>Avaunt, you cullion!</reason></item>\
             <status code='110'/><status code='307'/></x></presence>",
            "<iq type='result' id='admin1' from='coven@chat.shakespeare.lit' to='crone1@shakespeare.lit/desktop'/>",
            "<presence from='coven@chat.shakespeare.lit/thirdwitch' type='unavailable' \
             to='crone1@shakespeare.lit/desktop'><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='none' jid='hag66@shakespeare.lit/pda'><actor nick='firstwitch'/>\
             <reason>Avaunt, you cullion!</reason></item><status code='307'/></x></presence>",
            "<presence from='coven@chat.shakespeare.lit/thirdwitch' type='unavailable' \
             to='wiccarocks@shakespeare.lit/laptop'><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='none'><actor nick='firstwitch'/>\
             <reason>Avaunt, you cullion!</reason></item><status code='307'/></x></presence>",
        ]
    );
    assert_eq!(errors(&kit.send(&join(HAG, "thirdwitch"))), [], "a kick is no ban");
}

/// 8.2: nobody kicks who stands higher, and who is no moderator kicks nobody.
#[test]
fn s8_2_whom_one_may_not_kick() {
    // XEP-0045 8-a, 8.2-d
    let mut kit = three_witches();
    kit.send(&admin(CRONE, "<item nick='secondwitch' role='moderator'/>"));
    let refused = |kit: &mut Kit, from: &str, item: &str| errors(&kit.send(&admin(from, item)));
    assert_eq!(
        refused(&mut kit, WICCA, "<item nick='firstwitch' role='none'/>"),
        [(WICCA.into(), "not-allowed".into())]
    );
    assert_eq!(refused(&mut kit, HAG, "<item nick='secondwitch' role='none'/>"), [(HAG.into(), "forbidden".into())]);
    assert_eq!(
        refused(&mut kit, CRONE, "<item nick='macbeth' role='none'/>"),
        [(CRONE.into(), "item-not-found".into())]
    );
}

/// 8.3 and 8.4: voice is granted and revoked by nick; all see it, the reason included.
#[test]
fn s8_3_and_8_4_voice() {
    // XEP-0045 8.3-b, 8.4-b, 8.4-d
    let mut kit = coven();
    configure(&mut kit, &[("muc#roomconfig_moderatedroom", "1")]);
    kit.send(&join(HAG, "thirdwitch"));
    let got = kit.send(&admin(
        CRONE,
        "<item nick='thirdwitch' role='participant'><reason>A worthy witch indeed!</reason></item>",
    ));
    assert_eq!(
        lines(&got[1..2]),
        ["<presence from='coven@chat.shakespeare.lit/thirdwitch' to='crone1@shakespeare.lit/desktop'>\
          <x xmlns='http://jabber.org/protocol/muc#user'>\
          <item affiliation='none' role='participant' jid='hag66@shakespeare.lit/pda'>\
          <reason>A worthy witch indeed!</reason></item></x></presence>"]
    );
    let got = kit.send(&admin(CRONE, "<item nick='thirdwitch' role='visitor'/>"));
    assert!(lines(&got[1..])[0].contains("role='visitor'"));
    assert_eq!(
        errors(&kit.send(&admin(CRONE, "<item nick='firstwitch' role='visitor'/>"))),
        [(CRONE.into(), "not-allowed".into())]
    );
}

/// 9.1: the admin is answered, then the banned is told with 301, then the others; he does not come back.
#[test]
fn s9_1_a_ban() {
    // XEP-0045 9.1-c, 9.1-e, 9.1-f, 9.1-g
    let mut kit = three_witches();
    let got = kit
        .send(&admin(CRONE, "<item affiliation='outcast' jid='hag66@shakespeare.lit'><reason>Treason</reason></item>"));
    let got = lines(&got);
    assert!(got[0].starts_with("<iq type='result'"), "{got:?}");
    assert_eq!(
        got[1],
        "<presence from='coven@chat.shakespeare.lit/thirdwitch' type='unavailable' to='hag66@shakespeare.lit/pda'>\
         <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='outcast' role='none'>\
         <actor nick='firstwitch'/><reason>Treason</reason></item><status code='110'/><status code='301'/></x></presence>"
    );
    assert!(got[2].contains("affiliation='outcast'") && got[2].contains("<status code='301'/>"));
    assert_eq!(errors(&kit.send(&join(HAG, "thirdwitch"))), [(HAG.into(), "forbidden".into())]);
    kit.restart();
    assert_eq!(errors(&kit.send(&join(HAG, "thirdwitch"))), [(HAG.into(), "forbidden".into())], "it is kept");
}

/// 9.1: nobody bans himself; an admin does not ban an owner.
#[test]
fn s9_1_whom_one_may_not_ban() {
    // XEP-0045 9-a, 9.1-h, 9.1-i
    let mut kit = three_witches();
    set_affiliation(&mut kit, "wiccarocks@shakespeare.lit", "admin");
    let ban = |jid: &str| format!("<item affiliation='outcast' jid='{jid}'/>");
    let himself = kit.send(&admin(WICCA, &ban("wiccarocks@shakespeare.lit")));
    assert_eq!(errors(&himself), [(WICCA.into(), "conflict".into())]);
    let owner = kit.send(&admin(WICCA, &ban("crone1@shakespeare.lit")));
    assert_eq!(errors(&owner), [(WICCA.into(), "not-allowed".into())]);
    let by_member = kit.send(&admin(HAG, &ban("wiccarocks@shakespeare.lit")));
    assert_eq!(errors(&by_member), [(HAG.into(), "forbidden".into())]);
}

/// 9.1: a ban may name a whole domain.
#[test]
fn s9_1_a_ban_of_a_domain() {
    let mut kit = coven();
    kit.send(&join("mallory@evil.example/x", "mallory"));
    let got = lines(&set_affiliation(&mut kit, "evil.example", "outcast"));
    assert!(got[1].contains("<status code='301'/>"), "{got:?}");
    let again = kit.send(&join("mallet@evil.example/y", "mallet"));
    assert_eq!(errors(&again), [("mallet@evil.example/y".into(), "forbidden".into())]);
}

/// 9.2 and 9.5: lists, for those who may see them.
#[test]
fn s9_2_the_ban_list() {
    let mut kit = three_witches();
    set_affiliation(&mut kit, "macbeth@shakespeare.lit", "outcast");
    let get = |from: &str, what: &str| {
        format!(
            "<iq from='{from}' id='ban2' to='coven@chat.shakespeare.lit' type='get'>\
             <query xmlns='http://jabber.org/protocol/muc#admin'><item {what}/></query></iq>"
        )
    };
    assert_eq!(
        lines(&kit.send(&get(CRONE, "affiliation='outcast'"))),
        ["<iq type='result' id='ban2' from='coven@chat.shakespeare.lit' to='crone1@shakespeare.lit/desktop'>\
          <query xmlns='http://jabber.org/protocol/muc#admin'>\
          <item affiliation='outcast' jid='macbeth@shakespeare.lit'/></query></iq>"]
    );
    assert_eq!(errors(&kit.send(&get(HAG, "affiliation='outcast'"))), [(HAG.into(), "forbidden".into())]);
    assert_eq!(errors(&kit.send(&get(HAG, "role='participant'"))), [(HAG.into(), "forbidden".into())]);
    assert_eq!(
        lines(&kit.send(&get(CRONE, "role='moderator'"))),
        ["<iq type='result' id='ban2' from='coven@chat.shakespeare.lit' to='crone1@shakespeare.lit/desktop'>\
          <query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='owner' \
          jid='crone1@shakespeare.lit/desktop' nick='firstwitch' role='moderator'/></query></iq>"]
    );
}

/// 9.4: who is taken from the list of a members-only room leaves it, with 321.
#[test]
fn s9_4_a_revoked_member_leaves_a_members_only_room() {
    // XEP-0045 9.4-c, 9.5-n
    let mut kit = coven();
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "member");
    kit.send(&join(HAG, "thirdwitch"));
    configure(&mut kit, &[("muc#roomconfig_membersonly", "1")]);
    let got = lines(&set_affiliation(&mut kit, "hag66@shakespeare.lit", "none"));
    let gone = ["hag66@shakespeare.lit/pda", "crone1@shakespeare.lit/desktop"];
    for (got, to) in got[1..].iter().zip(gone) {
        assert!(got.contains(&format!("to='{to}'")) && got.contains("<status code='321'/>"), "{got}");
    }
    assert_eq!(got.len(), 3, "the result, and both of them: {got:?}");
    assert_eq!(errors(&kit.send(&join(HAG, "thirdwitch"))), [(HAG.into(), "registration-required".into())]);
}

/// 9.5: a new member of a members-only room who is elsewhere is invited.
#[test]
fn s9_5_a_new_member_is_invited() {
    // XEP-0045 9.5-p
    let mut kit = coven();
    configure(&mut kit, &[("muc#roomconfig_membersonly", "1")]);
    let mut got = set_affiliation(&mut kit, "hecate@shakespeare.lit", "member");
    assert!(got[1].stanza.get("id").is_some_and(|id| !id.is_empty()), "as the example has one: {got:?}");
    got[1].stanza.unset("id");
    assert_eq!(
        lines(&got[1..]),
        ["<message from='coven@chat.shakespeare.lit' to='hecate@shakespeare.lit'>\
          <x xmlns='http://jabber.org/protocol/muc#user'><invite from='coven@chat.shakespeare.lit/firstwitch'/></x></message>"]
    );
}

/// The same by an owner who is not in the room itself: where it hides real addresses, it does not name his.
#[test]
fn s9_5_a_new_member_is_invited_by_somebody_outside() {
    let mut kit = three_witches();
    set_affiliation(&mut kit, "wiccarocks@shakespeare.lit", "member");
    configure(&mut kit, &[("muc#roomconfig_membersonly", "1")]);
    kit.send(&leaves(CRONE, "firstwitch"));
    let by = |got: &[Got]| got.last().map(|got| got.stanza.to_xml()).expect("an invitation");
    let got = set_affiliation(&mut kit, "hecate@shakespeare.lit", "member");
    assert!(by(&got).contains("<invite from='coven@chat.shakespeare.lit'/>"), "{got:?}");
    configure(&mut kit, &[("muc#roomconfig_whois", "anyone")]);
    let got = set_affiliation(&mut kit, "hag66@shakespeare.lit", "member");
    assert!(by(&got).contains("<invite from='crone1@shakespeare.lit'/>"), "{got:?}");
}

/// 9.6 and 10.6: moderators and admins come to see real addresses with the event that makes them so.
#[test]
fn s9_6_a_new_moderator_sees_real_addresses() {
    // XEP-0045 9.6-b
    let mut kit = three_witches();
    let got = lines(&kit.send(&admin(CRONE, "<item nick='secondwitch' role='moderator'/>")));
    let own = got.iter().find(|line| line.contains("to='wiccarocks@shakespeare.lit/laptop'")).cloned();
    assert_eq!(
        own.as_deref(),
        Some(
            "<presence from='coven@chat.shakespeare.lit/secondwitch' to='wiccarocks@shakespeare.lit/laptop'>\
             <x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='moderator' jid='wiccarocks@shakespeare.lit/laptop'/>\
             <status code='110'/></x></presence>"
        )
    );
    let told: Vec<&String> = got.iter().filter(|line| line.contains("role='moderator'")).collect();
    assert!(told.len() == 3 && [CRONE, HAG].iter().all(|to| told.iter().any(|line| line.contains(to))), "{got:?}");
    let got = lines(&kit.send(&join("hecate@shakespeare.lit/broom", "hecate")));
    assert!(got.iter().any(|l| l.contains("to='wiccarocks@") && l.contains("jid='hecate@shakespeare.lit/broom'")));
}

/// 10.4: the last owner stays one; several items are all done or none.
#[test]
fn s10_4_the_last_owner_stays_and_several_items_are_one() {
    // XEP-0045 10-a, 10.4-d, 10.4-e, 10.5-h, 10.5-i
    let mut kit = three_witches();
    let alone = kit.send(&admin(CRONE, "<item affiliation='none' jid='crone1@shakespeare.lit'/>"));
    assert_eq!(errors(&alone), [(CRONE.into(), "conflict".into())]);
    let both = "<item affiliation='member' jid='hag66@shakespeare.lit'/>\
                <item affiliation='none' jid='crone1@shakespeare.lit'/>";
    assert_eq!(errors(&kit.send(&admin(CRONE, both))), [(CRONE.into(), "conflict".into())]);
    assert!(!kit.records.keys().any(|key| key.2 == "hag66@shakespeare.lit" && key.0 == "affiliation"));
    let handed_over = "<item affiliation='owner' jid='hag66@shakespeare.lit'/>\
                       <item affiliation='admin' jid='crone1@shakespeare.lit'/>";
    let got = lines(&kit.send(&admin(CRONE, handed_over)));
    assert!(got.iter().any(|line| line.contains("affiliation='owner' role='moderator'")), "{got:?}");
}

/// 17.4: an item has a role or an affiliation.
#[test]
fn s17_4_both_at_once_is_a_bad_request() {
    // XEP-0045 17.4-e
    let mut kit = three_witches();
    let both = kit.send(&admin(CRONE, "<item nick='thirdwitch' role='none' affiliation='outcast'/>"));
    assert_eq!(errors(&both), [(CRONE.into(), "bad-request".into())]);
}

/// 8.2, 8.4, 9.5, 9.7: no moderator kicks who stands higher, takes voice at or above his level, unmakes admins or owners, or
/// makes members.
#[test]
fn s8_2_to_9_7_who_stands_higher_keeps_his_place() {
    // XEP-0045 5.1.1-a, 5.1.3-b, 5.2.1-a, 8.2-d, 8.4-c, 8.4-d, 8.4-e, 9.5-a, 9.5-q, 9.7-c, 9.7-d
    let mut kit = three_witches();
    set_affiliation(&mut kit, "wiccarocks@shakespeare.lit", "admin");
    kit.send(&join("banquo@shakespeare.lit/x", "banquo"));
    set_affiliation(&mut kit, "banquo@shakespeare.lit", "admin");
    kit.send(&join("hecate@shakespeare.lit/broom", "hecate"));
    for member in ["hag66@shakespeare.lit", "hecate@shakespeare.lit"] {
        set_affiliation(&mut kit, member, "member");
    }
    kit.send(&admin(CRONE, "<item nick='thirdwitch' role='moderator'/>"));
    let mut refused =
        |from: &str, item: &str| errors(&kit.send(&admin(from, item))).pop().map(|(_, condition)| condition);
    for (from, item) in [
        (HAG, "<item nick='secondwitch' role='none'/>"),
        (WICCA, "<item nick='firstwitch' role='none'/>"),
        (HAG, "<item nick='hecate' role='visitor'/>"),
        (WICCA, "<item nick='firstwitch' role='visitor'/>"),
        (CRONE, "<item nick='secondwitch' role='visitor'/>"),
        (WICCA, "<item nick='firstwitch' role='participant'/>"),
        (WICCA, "<item nick='banquo' role='participant'/>"),
    ] {
        assert_eq!(refused(from, item).as_deref(), Some("not-allowed"), "{from}: {item}");
    }
    for item in
        ["<item nick='firstwitch' role='participant'/>", "<item affiliation='member' jid='macbeth@shakespeare.lit'/>"]
    {
        assert_eq!(refused(HAG, item).as_deref(), Some("forbidden"), "{item}");
    }
}

/// 9.2: an address is looked for before its domain.
#[test]
fn s9_2_a_member_may_be_of_a_banned_domain() {
    // XEP-0045 9.2-g
    let mut kit = coven();
    set_affiliation(&mut kit, "evil.example", "outcast");
    set_affiliation(&mut kit, "good@evil.example", "member");
    assert_eq!(errors(&kit.send(&join("good@evil.example/x", "good"))), []);
    let mallory = "mallory@evil.example/x";
    assert_eq!(errors(&kit.send(&join(mallory, "mallory"))), [(mallory.into(), "forbidden".into())]);
}

/// 9.2: of several who are banned at once, whoever is in the room is taken out, for all to see.
#[test]
fn s9_2_the_banned_are_removed() {
    // XEP-0045 9.2-e
    let mut kit = three_witches();
    let banned = "<item affiliation='outcast' jid='banquo@shakespeare.lit'/>\
                  <item affiliation='outcast' jid='hag66@shakespeare.lit'/>";
    let got = kit.send(&admin(CRONE, banned));
    let told = got.iter().filter(|got| lines(std::slice::from_ref(got))[0].contains("<status code='301'/>"));
    assert_eq!(told.map(|got| got.to.as_str()).collect::<Vec<_>>(), [HAG, CRONE, WICCA]);
}

/// 9.4: in an open room who is no member any more stays, shown as what he is now.
#[test]
fn s9_4_a_revoked_member_stays_in_an_open_room() {
    // XEP-0045 9.4-a, 9.4-b, 9.5-k, 9.5-o
    let mut kit = three_witches();
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "member");
    let got = lines(&set_affiliation(&mut kit, "hag66@shakespeare.lit", "none"));
    assert!(got[0].starts_with("<iq type='result'") && got.len() == 4, "{got:?}");
    assert_eq!(
        got[2],
        "<presence from='coven@chat.shakespeare.lit/thirdwitch' to='wiccarocks@shakespeare.lit/laptop'>\
         <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='participant'/></x></presence>"
    );
}

/// 10.7: who is no admin any more is no moderator either, and all see it.
#[test]
fn s10_7_an_admin_no_more() {
    // XEP-0045 10.7-d, 10.7-e
    let mut kit = three_witches();
    set_affiliation(&mut kit, "wiccarocks@shakespeare.lit", "admin");
    let got = lines(&set_affiliation(&mut kit, "wiccarocks@shakespeare.lit", "none"));
    assert!(got[0].starts_with("<iq type='result'") && got.len() == 4, "{got:?}");
    let shown = "<item affiliation='none' role='participant'";
    assert!(
        got[1..].iter().all(|line| line.contains("coven@chat.shakespeare.lit/secondwitch") && line.contains(shown))
    );
    let ban = admin(WICCA, "<item affiliation='outcast' jid='macbeth@shakespeare.lit'/>");
    assert_eq!(errors(&kit.send(&ban)), [(WICCA.into(), "forbidden".into())]);
}

/// 5.1: in a moderated room what was said of somebody's voice holds for his next visit, after a crash too.
#[test]
fn s5_1_voice_outlives_a_crash() {
    // XEP-0045 5.1-d
    let mut kit = three_witches();
    configure(&mut kit, &[("muc#roomconfig_moderatedroom", "1"), ("muc#roomconfig_persistentroom", "1")]);
    let role = |kit: &mut Kit, from: &str, nick: &str| {
        let got = kit.send(&join(from, nick));
        let own =
            got.into_iter().rfind(|got| got.to == from && got.stanza.name() == "presence").expect("his own").stanza;
        let item = own.get_child("x", ns::MUC_USER).and_then(|x| x.get_child("item", ns::MUC_USER)).cloned();
        item.and_then(|item| item.get("role").map(str::to_owned)).expect("a role")
    };
    kit.send(&admin(CRONE, "<item nick='thirdwitch' role='visitor'/>"));
    kit.send(&admin(CRONE, "<item nick='thirdwitch' role='participant'/><item nick='secondwitch' role='visitor'/>"));
    kit.restart();
    assert_eq!(role(&mut kit, HAG, "thirdwitch"), "participant");
    assert_eq!(role(&mut kit, WICCA, "secondwitch"), "visitor");
    kit.disk(Disk::Fails);
    let refused = kit.send(&admin(CRONE, "<item nick='thirdwitch' role='visitor'/>"));
    assert_eq!(errors(&refused), [(CRONE.into(), "forbidden".into())], "who is not in the room does not moderate");
    kit.disk(Disk::Works);
    kit.send(&join(CRONE, "firstwitch"));
    kit.disk(Disk::Fails);
    let failed = kit.send(&admin(CRONE, "<item nick='thirdwitch' role='visitor'/>"));
    assert_eq!(errors(&failed), [(CRONE.into(), "internal-server-error".into())]);
    assert_eq!(failed.len(), 1, "nothing has changed");
    kit.disk(Disk::Works);
    configure(&mut kit, &[("muc#roomconfig_moderatedroom", "0")]);
    configure(&mut kit, &[("muc#roomconfig_moderatedroom", "1")]);
    kit.restart();
    assert_eq!(role(&mut kit, HAG, "thirdwitch"), "visitor", "it was forgotten while nobody needed a voice");
}
