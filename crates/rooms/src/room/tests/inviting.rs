//! Section 7.8.2: invitations through the room, and what becomes of them.

use super::kit::{CRONE, Got, HAG, Kit, WICCA, configure, coven, errors, join, lines, set_affiliation, three_witches};

fn invite(from: &str, to: &str) -> String {
    format!(
        "<message from='{from}' id='nzd143v8' to='coven@chat.shakespeare.lit'>\
         <x xmlns='http://jabber.org/protocol/muc#user'><invite to='{to}'><reason>Hey!</reason></invite></x></message>"
    )
}

fn decline(from: &str, to: &str) -> String {
    invite(from, to).replace("invite", "decline").replace("Hey!", "Sorry!")
}

fn member_list(kit: &Kit) -> Vec<&String> {
    kit.records.keys().filter(|key| key.0 == "affiliation").map(|key| &key.2).collect()
}

/// 7.8.2: the room sends it in the inviter's name, with the password.
#[test]
fn s7_8_2_an_invitation() {
    // XEP-0045 7.8.2-b, 7.8.2-c, 9.5-t
    let mut kit = three_witches();
    configure(
        &mut kit,
        &[("muc#roomconfig_roomsecret", "cauldronburn"), ("muc#roomconfig_passwordprotectedroom", "1")],
    );
    let sent = |from: &str| {
        format!(
            "<message from='coven@chat.shakespeare.lit' id='nzd143v8' to='hecate@shakespeare.lit'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><invite from='{from}'><reason>Hey!</reason></invite>\
             <password>cauldronburn</password></x></message>"
        )
    };
    let got = kit.send(&invite(HAG, "hecate@shakespeare.lit"));
    assert_eq!(lines(&got), [sent("coven@chat.shakespeare.lit/thirdwitch")], "addresses are hidden here");
    configure(&mut kit, &[("muc#roomconfig_whois", "anyone")]);
    assert_eq!(lines(&kit.send(&invite(HAG, "hecate@shakespeare.lit"))), [sent("hag66@shakespeare.lit")]);
    assert_eq!(member_list(&kit), ["crone1@shakespeare.lit"], "9.5: an open room makes no members by that");
}

/// 17.2: who is not in the room has nobody invited; an invitation of nobody, of no address, of the room itself.
#[test]
fn s7_8_2_what_is_no_invitation() {
    let mut kit = coven();
    let refused = |got: Vec<Got>| errors(&got).pop().map(|(_, condition)| condition);
    assert_eq!(refused(kit.send(&invite(HAG, "hecate@shakespeare.lit"))).as_deref(), Some("forbidden"));
    assert_eq!(refused(kit.send(&invite(CRONE, "@"))).as_deref(), Some("jid-malformed"));
    assert_eq!(
        refused(kit.send(&invite(CRONE, "coven@chat.shakespeare.lit/firstwitch"))).as_deref(),
        Some("jid-malformed")
    );
    let nobody = invite(CRONE, "").replace(" to=''", "");
    assert_eq!(refused(kit.send(&nobody)).as_deref(), Some("bad-request"));
}

/// 9.5: into a members-only room admins invite, mere members where the owner lets them, and the invited is a member by that.
#[test]
fn s9_5_invitations_into_a_members_only_room() {
    // XEP-0045 7.8.2-d, 7.8.2-e, 9.5-r, 9.5-s
    let mut kit = three_witches();
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "member");
    configure(&mut kit, &[("muc#roomconfig_membersonly", "1")]);
    let forbidden = kit.send(&invite(HAG, "hecate@shakespeare.lit"));
    assert_eq!(errors(&forbidden), [(HAG.into(), "forbidden".into())]);
    assert!(lines(&forbidden)[0].contains("<invite to='hecate@shakespeare.lit'><reason>Hey!</reason></invite>"));
    assert!(!member_list(&kit).contains(&&"hecate@shakespeare.lit".to_owned()));
    configure(&mut kit, &[("muc#roomconfig_allowinvites", "1")]);
    assert_eq!(errors(&kit.send(&invite(HAG, "hecate@shakespeare.lit"))), []);
    assert!(member_list(&kit).contains(&&"hecate@shakespeare.lit".to_owned()));
    assert_eq!(errors(&kit.send(&join("hecate@shakespeare.lit/broom", "hecate"))), []);
}

/// 7.8.2: a decline reaches the client that invited, by either of its addresses.
#[test]
fn s7_8_2_a_decline() {
    let mut kit = three_witches();
    kit.send(&invite(HAG, "hecate@shakespeare.lit"));
    let declined = |to: &str| {
        format!(
            "<message from='coven@chat.shakespeare.lit' id='nzd143v8' to='{to}'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><decline from='hecate@shakespeare.lit'>\
             <reason>Sorry!</reason></decline></x></message>"
        )
    };
    let got = kit.send(&decline("hecate@shakespeare.lit/broom", "coven@chat.shakespeare.lit/thirdwitch"));
    assert_eq!(lines(&got), [declined(HAG)]);
    kit.send(&invite(WICCA, "hecate@shakespeare.lit"));
    kit.send(&super::kit::leaves(WICCA, "secondwitch"));
    let got = kit.send(&decline("hecate@shakespeare.lit/broom", "wiccarocks@shakespeare.lit"));
    assert_eq!(lines(&got), [declined(WICCA)], "she has left meanwhile");
    let got = kit.send(&decline("hecate@shakespeare.lit/broom", "macbeth@shakespeare.lit"));
    assert_eq!(errors(&got), [("hecate@shakespeare.lit/broom".into(), "forbidden".into())], "not his invitation");
}

/// 17.2: who was not invited does not speak to occupants by declining, nor learns by an address who is in the room.
#[test]
fn s17_2_a_decline_of_no_invitation_is_not_passed_on() {
    let mut kit = three_witches();
    let hecate = "hecate@shakespeare.lit/broom";
    for to in ["coven@chat.shakespeare.lit/thirdwitch", "hag66@shakespeare.lit", "nobody@shakespeare.lit"] {
        let got = kit.send(&decline(hecate, to));
        assert_eq!(got.len(), 1, "{to}");
        assert_eq!(errors(&got), [(hecate.into(), "forbidden".into())], "{to}");
    }
    // Who was made a member has perhaps been invited by that (9.5).
    set_affiliation(&mut kit, "hecate@shakespeare.lit", "member");
    let mut reached = |to: &str| kit.send(&decline(hecate, to)).iter().map(|got| got.to.clone()).collect::<Vec<_>>();
    assert_eq!(reached("coven@chat.shakespeare.lit/thirdwitch"), [HAG]);
    assert_eq!(reached("hag66@shakespeare.lit"), [hecate], "addresses are hidden here");
}

/// 9.5 and 9.2: by an invitation the invited becomes a member; a whole domain is an admin's to let in.
#[test]
fn s9_5_a_mere_member_invites_no_whole_domain() {
    let mut kit = three_witches();
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "member");
    configure(&mut kit, &[("muc#roomconfig_membersonly", "1"), ("muc#roomconfig_allowinvites", "1")]);
    assert_eq!(errors(&kit.send(&invite(HAG, "macbeth.lit"))), [(HAG.into(), "forbidden".into())]);
    assert!(!member_list(&kit).contains(&&"macbeth.lit".to_owned()));
    assert_eq!(errors(&kit.send(&invite(CRONE, "macbeth.lit"))), []);
    assert!(member_list(&kit).contains(&&"macbeth.lit".to_owned()));
}

/// Who invites without end is in nobody else's way: what becomes of another's invitation is still told.
#[test]
fn s7_8_2_nobody_has_anothers_invitation_forgotten() {
    let mut kit = three_witches();
    kit.send(&invite(WICCA, "hecate@shakespeare.lit"));
    for n in 0..200 {
        kit.send(&invite(HAG, &format!("u{n}@shakespeare.lit")));
    }
    let kept = kit.records.keys().filter(|(space, ..)| space == "invited").count();
    assert_eq!(kept, 21);
    let got = kit.send(&decline("hecate@shakespeare.lit/broom", "coven@chat.shakespeare.lit/secondwitch"));
    assert_eq!(got.iter().map(|got| got.to.as_str()).collect::<Vec<_>>(), [WICCA]);
}

/// 7.8.2: also after a crash of the room's server, the inviter being known to the invited as an occupant only.
#[test]
fn s7_8_2_a_decline_after_a_crash() {
    let mut kit = three_witches();
    configure(&mut kit, &[("muc#roomconfig_persistentroom", "1")]);
    kit.send(&invite(HAG, "hecate@shakespeare.lit"));
    kit.send(&invite(WICCA, "nobody@shakespeare.lit"));
    kit.restart();
    let got = kit.send(&decline("hecate@shakespeare.lit/broom", "coven@chat.shakespeare.lit/thirdwitch"));
    assert_eq!(got.iter().map(|got| got.to.as_str()).collect::<Vec<_>>(), [HAG]);
    let bounce = "<message from='nobody@shakespeare.lit' to='coven@chat.shakespeare.lit' type='error' id='nzd143v8'>\
                  <error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>";
    let got = kit.send(bounce);
    assert_eq!(errors(&got), [(WICCA.into(), "item-not-found".into())]);
    assert!(lines(&got)[0].contains("<invite to='nobody@shakespeare.lit'>"), "what she had sent: {got:?}");
    assert!(!kit.records.keys().any(|(space, ..)| space == "invited"), "answered, and forgotten");
}

/// 7.8.2: an inviter hears that there is nobody of that address.
#[test]
fn s7_8_2_inviting_nobody_is_item_not_found() {
    // XEP-0045 7.8.2-f
    let mut kit = three_witches();
    kit.send(&invite(HAG, "nobody@shakespeare.lit"));
    let bounce = |id: &str| {
        format!(
            "<message from='nobody@shakespeare.lit' to='coven@chat.shakespeare.lit' type='error' id='{id}'>\
             <error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        )
    };
    assert_eq!(kit.send(&bounce("another")), []);
    assert_eq!(errors(&kit.send(&bounce("nzd143v8"))), [(HAG.into(), "item-not-found".into())]);
    assert_eq!(kit.send(&bounce("nzd143v8")), [], "once");
}

/// 18.1: who was something to the room and is not there hears of a change, with code 101; a stranger does not.
#[test]
fn s18_1_an_absent_member_hears_of_a_change() {
    // XEP-0045 18.1-a, 18.1-b
    let mut kit = coven();
    assert_eq!(set_affiliation(&mut kit, "hecate@shakespeare.lit", "member").len(), 1, "the result alone");
    let got = set_affiliation(&mut kit, "hecate@shakespeare.lit", "admin");
    assert_eq!(
        lines(&got[1..]),
        ["<message from='coven@chat.shakespeare.lit' to='hecate@shakespeare.lit'>\
          <body>Your affiliation with coven@chat.shakespeare.lit is now: admin.</body>\
          <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='admin' role='none'/><status code='101'/></x>\
          </message>"]
    );
    assert_eq!(set_affiliation(&mut kit, "hecate@shakespeare.lit", "admin").len(), 1, "nothing has changed");
}
