//! Sections 8.5, 9.2, 9.5, 9.8, 10.5 and 10.8: lists, who may read them, and how they are changed.

use super::kit::{CRONE, HAG, Kit, WICCA, admin, configure, errors, join, lines, set_affiliation, three_witches};

fn ask(kit: &mut Kit, from: &str, item: &str) -> Vec<String> {
    let asked = admin(from, item).replace("type='set'", "type='get'");
    let got = kit.send(&asked);
    match errors(&got).pop() {
        Some((_, condition)) => vec![condition],
        None => lines(&got),
    }
}

fn answer(to: &str, items: &str) -> Vec<String> {
    let answer = format!(
        "<iq type='result' id='admin1' from='coven@chat.shakespeare.lit' to='{to}'>\
         <query xmlns='http://jabber.org/protocol/muc#admin'>{items}</query></iq>"
    );
    vec![answer.replace("></query>", if items.is_empty() { "/>" } else { "></query>" })]
}

/// Wicca is an admin, Hag a member who moderates.
fn ranks() -> Kit {
    let mut kit = three_witches();
    set_affiliation(&mut kit, "wiccarocks@shakespeare.lit", "admin");
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "member");
    kit.send(&admin(CRONE, "<item nick='thirdwitch' role='moderator'/>"));
    kit
}

/// 8.5 and 17.4: moderators read the voice list, with nick, role, affiliation and full JID.
#[test]
fn s8_5_the_voice_list() {
    // XEP-0045 8-a, 8.5-a, 8.5-b, 17.4-g
    let mut kit = ranks();
    kit.send(&join("hecate@shakespeare.lit/broom", "hecate"));
    let voiced = "<item affiliation='none' jid='hecate@shakespeare.lit/broom' nick='hecate' role='participant'/>";
    assert_eq!(ask(&mut kit, HAG, "<item role='participant'/>"), answer(HAG, voiced));
    assert_eq!(ask(&mut kit, "hag66@shakespeare.lit/other", "<item role='visitor'/>").len(), 1, "any of her clients");
    assert_eq!(ask(&mut kit, "hecate@shakespeare.lit/broom", "<item role='participant'/>"), ["forbidden"]);
    assert_eq!(ask(&mut kit, "macbeth@shakespeare.lit/pda", "<item role='visitor'/>"), ["forbidden"]);
    assert_eq!(ask(&mut kit, CRONE, "<item role='none'/>"), ["bad-request"]);
    assert_eq!(ask(&mut kit, CRONE, "<item role='visitor' affiliation='none'/>"), ["bad-request"]);
    assert_eq!(ask(&mut kit, CRONE, ""), ["bad-request"]);
}

/// 9.8 and the introduction of 9: the moderator list is for admins, a moderator is none by that.
#[test]
fn s9_8_the_moderator_list_is_for_admins() {
    // XEP-0045 9-a, 9.8-a
    let mut kit = ranks();
    let listed = ask(&mut kit, WICCA, "<item role='moderator'/>");
    assert!(listed[0].contains("nick='thirdwitch' role='moderator'") && listed[0].contains("nick='firstwitch'"));
    assert_eq!(ask(&mut kit, HAG, "<item role='moderator'/>"), ["forbidden"]);
}

/// 9.2: each item has affiliation and bare JID, no nick and no role.
#[test]
fn s9_2_the_ban_list() {
    // XEP-0045 9.1-a, 9.2-a, 9.2-b
    let mut kit = ranks();
    kit.send(&admin(
        WICCA,
        "<item affiliation='outcast' jid='banquo@shakespeare.lit/x'><reason>Treason</reason></item>",
    ));
    let banned = "<item affiliation='outcast' jid='banquo@shakespeare.lit'><reason>Treason</reason></item>";
    assert_eq!(ask(&mut kit, WICCA, "<item affiliation='outcast'/>"), answer(WICCA, banned));
    assert_eq!(ask(&mut kit, HAG, "<item affiliation='outcast'/>"), ["forbidden"]);
    assert_eq!(ask(&mut kit, WICCA, "<item affiliation='none'/>"), ["bad-request"]);
}

/// 9.2: what is prohibited in one item denies all; 9.1: nobody bans himself, an admin no owner.
#[test]
fn s9_2_one_prohibited_item_denies_all() {
    // XEP-0045 9.2-h, 9.2-i, 9.2-j
    let mut kit = ranks();
    let others = "<item affiliation='outcast' jid='banquo@shakespeare.lit'/>";
    let himself = format!("{others}<item affiliation='outcast' jid='wiccarocks@shakespeare.lit'/>");
    assert_eq!(errors(&kit.send(&admin(WICCA, &himself))), [(WICCA.into(), "conflict".into())]);
    let owner = format!("{others}<item affiliation='outcast' jid='crone1@shakespeare.lit'/>");
    assert_eq!(errors(&kit.send(&admin(WICCA, &owner))), [(WICCA.into(), "not-allowed".into())]);
    let malformed = format!("{others}<item affiliation='outcast' jid='@'/>");
    assert_eq!(errors(&kit.send(&admin(WICCA, &malformed))), [(WICCA.into(), "jid-malformed".into())]);
    let many: String = (0..2_000).map(|n| format!("<item affiliation='outcast' jid='u{n}@x'/>")).collect();
    assert_eq!(errors(&kit.send(&admin(WICCA, &many))), [(WICCA.into(), "policy-violation".into())]);
    assert_eq!(ask(&mut kit, WICCA, "<item affiliation='outcast'/>"), answer(WICCA, ""));
}

/// 9.5: a member list names the nick in use; in a semi-anonymous room it is for admins, in a non-anonymous one for members and
/// for the roles its owner has chosen.
#[test]
fn s9_5_who_reads_the_member_list() {
    // XEP-0045 5.2.1-b, 9.5-b, 9.5-c, 9.5-d, 17.4-i, 17.4-j, 17.4-k
    let mut kit = ranks();
    let member = "<item affiliation='member'/>";
    let listed = "<item affiliation='member' jid='hag66@shakespeare.lit' nick='thirdwitch'/>";
    assert_eq!(ask(&mut kit, WICCA, member), answer(WICCA, listed));
    assert_eq!(ask(&mut kit, HAG, member), ["forbidden"], "5.2.1: addresses are hidden here");
    configure(&mut kit, &[("muc#roomconfig_whois", "anyone")]);
    assert_eq!(ask(&mut kit, HAG, member), answer(HAG, listed));
    kit.send(&join("hecate@shakespeare.lit/broom", "hecate"));
    assert_eq!(ask(&mut kit, "hecate@shakespeare.lit/broom", member).len(), 1, "an occupant");
    assert_eq!(ask(&mut kit, "macbeth@shakespeare.lit/pda", member), ["forbidden"]);
    kit.send(&super::kit::leaves(HAG, "thirdwitch"));
    assert_eq!(ask(&mut kit, HAG, member).len(), 1, "a member need not be in the room");
}

/// 10.5 and 10.8: owners and admins are listed for owners, and made and unmade by them.
#[test]
fn s10_5_and_10_8_owner_and_admin_lists() {
    // XEP-0045 10.3-c, 10.4-c, 10.5-a, 10.5-b, 10.5-g, 10.6-c, 10.7-c, 10.8-a, 10.8-b, 10.8-g
    let mut kit = ranks();
    let admins = "<item affiliation='admin' jid='wiccarocks@shakespeare.lit' nick='secondwitch'/>";
    assert_eq!(ask(&mut kit, CRONE, "<item affiliation='admin'/>"), answer(CRONE, admins));
    let owners = "<item affiliation='owner' jid='crone1@shakespeare.lit' nick='firstwitch'/>";
    assert_eq!(ask(&mut kit, CRONE, "<item affiliation='owner'/>"), answer(CRONE, owners));
    for who in ["admin", "owner"] {
        assert_eq!(ask(&mut kit, WICCA, &format!("<item affiliation='{who}'/>")), ["forbidden"]);
    }
    for item in [
        "<item affiliation='owner' jid='hecate@shakespeare.lit'/>",
        "<item affiliation='admin' jid='hecate@shakespeare.lit'/>",
        "<item affiliation='admin' jid='crone1@shakespeare.lit'/>",
        "<item affiliation='none' jid='crone1@shakespeare.lit'/>",
        "<item affiliation='none' jid='wiccarocks@shakespeare.lit'/>",
    ] {
        assert_eq!(errors(&kit.send(&admin(WICCA, item))), [(WICCA.into(), "forbidden".into())], "{item}");
    }
}

/// A list that does not fit into one answer comes in pages, XEP-0059.
#[test]
fn s9_5_a_long_list_is_paged() {
    let mut kit = ranks();
    for block in 0..4 {
        let items: String = (0..400)
            .map(|n| format!("<item affiliation='outcast' jid='u{:04}@example.org'/>", block * 400 + n))
            .collect();
        assert_eq!(errors(&kit.send(&admin(CRONE, &items))), []);
    }
    let first = ask(&mut kit, CRONE, "<item affiliation='outcast'/>");
    assert!(
        first[0]
            .contains("<first index='0'>u0000@example.org</first><last>u0999@example.org</last><count>1600</count>")
    );
    let page = "<item affiliation='outcast'/><set xmlns='http://jabber.org/protocol/rsm'><max>2</max>\
                <after>u0999@example.org</after></set>";
    let second = ask(&mut kit, CRONE, page);
    assert!(
        second[0].contains("<first index='1000'>u1000@example.org</first><last>u1001@example.org</last>"),
        "{second:?}"
    );
}

/// 10.3 to 10.8: who is named with a resource is meant by his bare address.
#[test]
fn s10_3_to_10_8_a_full_jid_stands_for_the_bare_one() {
    // XEP-0045 10.3-b, 10.4-b, 10.5-f, 10.6-b, 10.7-b, 10.8-f
    let mut kit = three_witches();
    for affiliation in ["owner", "admin"] {
        let list = format!("<item affiliation='{affiliation}'/>");
        set_affiliation(&mut kit, HAG, affiliation);
        let listed = format!("<item affiliation='{affiliation}' jid='hag66@shakespeare.lit' nick='thirdwitch'/>");
        assert!(ask(&mut kit, CRONE, &list)[0].contains(&listed), "{affiliation}");
        set_affiliation(&mut kit, HAG, "none");
        assert!(!ask(&mut kit, CRONE, &list)[0].contains("hag66"), "{affiliation}");
    }
}
