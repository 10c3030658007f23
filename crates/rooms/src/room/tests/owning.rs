//! Section 10: what owners do, and section 6, what anybody may ask.

use super::kit::{CRONE, HAG, Kit, WICCA, configure, coven, errors, join, lines, three_witches};
use xmpp::ns;
use xmpp::stanza::form::Form;

fn owner(from: &str, kind: &str, inner: &str) -> String {
    format!(
        "<iq from='{from}' id='config1' to='coven@chat.shakespeare.lit' type='{kind}'>\
         <query xmlns='http://jabber.org/protocol/muc#owner'>{inner}</query></iq>"
    )
}

/// 10.1.3: the form is there before the room is open; cancelling it undoes the room, its creator is told.
#[test]
fn s10_1_3_cancelling_the_first_form_destroys_the_room() {
    let mut kit = Kit::new();
    kit.send(&join(CRONE, "firstwitch"));
    let form = kit.send(&owner(CRONE, "get", ""));
    let query = form[0].stanza.get_child("query", ns::MUC_OWNER).cloned();
    let form = query.and_then(|query| Form::find(&query)).expect("a form");
    assert_eq!(form.form_type(), Some(ns::MUC_ROOMCONFIG));
    assert_eq!(form.boolean("muc#roomconfig_publicroom"), Some(true));
    let got = lines(&kit.send(&owner(CRONE, "set", "<x xmlns='jabber:x:data' type='cancel'/>")));
    assert!(got[0].contains("<destroy/>") && got[1].starts_with("<iq type='result'"), "{got:?}");
    assert_eq!((kit.service.rooms().len(), kit.records.len()), (0, 0));
}

/// 10.1.3: a form that cannot be is refused whole, and the room stays as it was.
#[test]
fn s10_1_3_a_blank_password_is_refused_with_not_acceptable() {
    let mut kit = coven();
    let wrong = [
        vec![("muc#roomconfig_passwordprotectedroom", "1"), ("muc#roomconfig_roomname", "Changed")],
        vec![("muc#roomconfig_whois", "nobody")],
        vec![("muc#roomconfig_moderatedroom", "perhaps")],
        vec![("muc#roomconfig_presencebroadcast", "king")],
        vec![("muc#roomconfig_maxusers", "-1")],
    ];
    for fields in wrong {
        assert_eq!(errors(&configure(&mut kit, &fields)), [(CRONE.into(), "not-acceptable".into())], "{fields:?}");
    }
    assert_eq!(kit.service.rooms()[0].name, "");
    assert_eq!(errors(&kit.send(&owner(HAG, "get", ""))), [(HAG.into(), "forbidden".into())]);
}

/// 10.2.1: a change that touches privacy has its code, any other 104.
#[test]
fn s10_2_1_what_a_change_of_configuration_tells() {
    let mut kit = coven();
    let mut codes = |fields: &[(&str, &str)]| -> Vec<String> {
        let got = configure(&mut kit, fields);
        let x = got.iter().filter_map(|got| got.stanza.get_child("x", ns::MUC_USER));
        x.flat_map(|x| x.children()).filter_map(|status| status.get("code").map(str::to_owned)).collect()
    };
    assert_eq!(codes(&[("muc#roomconfig_enablelogging", "0")]), ["171"]);
    assert_eq!(codes(&[("muc#roomconfig_enablelogging", "1")]), ["170"]);
    assert_eq!(codes(&[("muc#roomconfig_whois", "anyone")]), ["172"]);
    assert_eq!(codes(&[("muc#roomconfig_whois", "moderators"), ("muc#roomconfig_roomname", "Heath")]), ["104", "173"]);
    assert_eq!(codes(&[("muc#roomconfig_moderatedroom", "1")]), ["104"]);
    assert_eq!(codes(&[]), [""; 0]);
}

/// 10.2: who is no member leaves what is now a members-only room, with 322 for all to see.
#[test]
fn s10_2_a_room_made_members_only_loses_the_others() {
    let mut kit = three_witches();
    let got = lines(&configure(&mut kit, &[("muc#roomconfig_membersonly", "1")]));
    let removed: Vec<&String> = got.iter().filter(|line| line.contains("<status code='322'/>")).collect();
    assert!(removed[0].contains("to='wiccarocks@shakespeare.lit/laptop'"), "{removed:?}");
    assert_eq!(kit.service.rooms()[0].occupants, 1);
}

/// 10.2: a persistent room outlives its last occupant, and the service.
#[test]
fn s10_2_a_persistent_room_stays() {
    let mut kit = coven();
    configure(&mut kit, &[("muc#roomconfig_persistentroom", "1"), ("muc#roomconfig_roomname", "A Dark Cave")]);
    kit.send(&super::kit::leaves(CRONE, "firstwitch"));
    kit.restart();
    assert_eq!(kit.service.rooms()[0].name, "A Dark Cave");
    assert!(!lines(&kit.send(&join(HAG, "thirdwitch"))).iter().any(|line| line.contains("code='201'")));
}

/// 10.9: each occupant is told once, with venue and reason, then the owner has his result.
#[test]
fn s10_9_destroying_a_room() {
    let mut kit = coven();
    configure(&mut kit, &[("muc#roomconfig_persistentroom", "1")]);
    kit.send(&join(HAG, "thirdwitch"));
    let destroy = "<destroy jid='heath@chat.shakespeare.lit'><reason>Macbeth doth come.</reason></destroy>";
    assert_eq!(errors(&kit.send(&owner(HAG, "set", destroy))), [(HAG.into(), "forbidden".into())]);
    let told = |nick: &str, to: &str| {
        format!(
            "<presence from='coven@chat.shakespeare.lit/{nick}' type='unavailable' to='{to}'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='none'/>\
             <destroy jid='heath@chat.shakespeare.lit'><reason>Macbeth doth come.</reason></destroy></x></presence>"
        )
    };
    assert_eq!(
        lines(&kit.send(&owner(CRONE, "set", destroy))),
        [
            told("firstwitch", CRONE),
            told("thirdwitch", HAG),
            "<iq type='result' id='config1' from='coven@chat.shakespeare.lit' to='crone1@shakespeare.lit/desktop'/>"
                .into(),
        ]
    );
    assert_eq!((kit.records.len(), kit.rows.len(), kit.service.rooms().len()), (0, 0, 0));
}

fn disco(to: &str, what: &str, inner: &str) -> String {
    format!(
        "<iq from='{HAG}' id='d' to='{to}' type='get'><query xmlns='http://jabber.org/protocol/disco#{what}'>{inner}</query></iq>"
    )
}

/// 6.2 and 6.3: the service says what it can and which rooms are public, page by page.
#[test]
fn s6_3_public_rooms_are_listed_page_by_page() {
    let mut kit = Kit::new();
    for room in ["forres", "coven", "heath"] {
        let at = |stanza: &str| stanza.replace("coven@", &format!("{room}@"));
        kit.send(&at(&join(CRONE, "firstwitch")));
        kit.send(&at(super::kit::INSTANT));
    }
    configure(&mut kit, &[("muc#roomconfig_roomname", "A Dark Cave")]);
    let listed = lines(&kit.send(&disco("chat.shakespeare.lit", "items", "")));
    assert_eq!(
        listed,
        ["<iq type='result' id='d' from='chat.shakespeare.lit' to='hag66@shakespeare.lit/pda'>\
          <query xmlns='http://jabber.org/protocol/disco#items'>\
          <item jid='coven@chat.shakespeare.lit' name='A Dark Cave'/><item jid='forres@chat.shakespeare.lit'/>\
          <item jid='heath@chat.shakespeare.lit'/></query></iq>"]
    );
    let page =
        "<set xmlns='http://jabber.org/protocol/rsm'><max>1</max><after>coven@chat.shakespeare.lit</after></set>";
    let listed = lines(&kit.send(&disco("chat.shakespeare.lit", "items", page)));
    assert!(
        listed[0].contains(
            "<item jid='forres@chat.shakespeare.lit'/><set xmlns='http://jabber.org/protocol/rsm'>\
             <first index='1'>forres@chat.shakespeare.lit</first><last>forres@chat.shakespeare.lit</last><count>3</count>"
        ),
        "{listed:?}"
    );
    configure(&mut kit, &[("muc#roomconfig_publicroom", "0")]);
    assert!(!lines(&kit.send(&disco("chat.shakespeare.lit", "items", "")))[0].contains("coven@"));
    let info = lines(&kit.send(&disco("chat.shakespeare.lit", "info", "")));
    for feature in [ns::MUC, ns::DMUC, ns::MAM, "http://jabber.org/protocol/muc#stable_id"] {
        assert!(info[0].contains(&format!("<feature var='{feature}'/>")), "{feature} in {info:?}");
    }
}

/// 6.4: a room says what kind of room it is; who is in it is nobody's to list (6.5).
#[test]
fn s6_4_a_room_says_what_it_is() {
    let mut kit = coven();
    kit.send(&join(WICCA, "secondwitch"));
    configure(&mut kit, &[("muc#roomconfig_roomdesc", "The place for all good witches!")]);
    let info = lines(&kit.send(&disco("coven@chat.shakespeare.lit", "info", "")));
    for expected in [
        "<identity category='conference' name='coven' type='text'/>",
        "<feature var='muc_semianonymous'/>",
        "<feature var='muc_temporary'/>",
        "<feature var='muc_open'/>",
        "<feature var='urn:xmpp:tmp:dmuc:0'/>",
        "<value>The place for all good witches!</value>",
        "<field var='muc#roominfo_occupants' type='text-single' label='Number of occupants'><value>2</value>",
    ] {
        assert!(info[0].contains(expected), "{expected} in {info:?}");
    }
    assert!(!lines(&kit.send(&disco("coven@chat.shakespeare.lit", "items", "")))[0].contains("witch"));
    configure(&mut kit, &[("{urn:netjoin:dmuc:0}replicas", "0")]);
    assert!(!lines(&kit.send(&disco("coven@chat.shakespeare.lit", "info", "")))[0].contains(ns::DMUC));
}
