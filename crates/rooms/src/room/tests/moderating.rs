//! Sections 8.2 to 8.5 and 9: what moderators and admins do.

use super::kit::{
    CRONE, HAG, Kit, WICCA, admin, configure, coven, errors, join, lines, set_affiliation, three_witches,
};

/// 8.2: the kicked is told, then the moderator has his result, then the others hear.
#[test]
fn s8_2_a_kick() {
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
    let mut kit = coven();
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "member");
    kit.send(&join(HAG, "thirdwitch"));
    configure(&mut kit, &[("muc#roomconfig_membersonly", "1")]);
    let got = lines(&set_affiliation(&mut kit, "hag66@shakespeare.lit", "none"));
    assert!(got[1].contains("to='hag66@shakespeare.lit/pda'") && got[1].contains("<status code='321'/>"), "{got:?}");
}

/// 9.5: a new member of a members-only room who is elsewhere is invited.
#[test]
fn s9_5_a_new_member_is_invited() {
    let mut kit = coven();
    configure(&mut kit, &[("muc#roomconfig_membersonly", "1")]);
    let got = set_affiliation(&mut kit, "hecate@shakespeare.lit", "member");
    assert_eq!(
        lines(&got[1..]),
        ["<message from='coven@chat.shakespeare.lit' to='hecate@shakespeare.lit'>\
          <x xmlns='http://jabber.org/protocol/muc#user'><invite from='coven@chat.shakespeare.lit/firstwitch'/></x></message>"]
    );
}

/// 9.6 and 10.6: moderators and admins come to see real addresses with the event that makes them so.
#[test]
fn s9_6_a_new_moderator_sees_real_addresses() {
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
    let got = lines(&kit.send(&join("hecate@shakespeare.lit/broom", "hecate")));
    assert!(got.iter().any(|l| l.contains("to='wiccarocks@") && l.contains("jid='hecate@shakespeare.lit/broom'")));
}

/// 10.4: the last owner stays one; several items are all done or none.
#[test]
fn s10_4_the_last_owner_stays_and_several_items_are_one() {
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

/// 16.4: an item has a role or an affiliation.
#[test]
fn s16_4_both_at_once_is_a_bad_request() {
    let mut kit = three_witches();
    let both = kit.send(&admin(CRONE, "<item nick='thirdwitch' role='none' affiliation='outcast'/>"));
    assert_eq!(errors(&both), [(CRONE.into(), "bad-request".into())]);
}
