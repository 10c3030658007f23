//! Section 10: what owners do, and section 6, what anybody may ask.

use super::kit::{CRONE, Got, HAG, Kit, WICCA, configure, coven, errors, join, lines, says, three_witches};
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
    // XEP-0045 10.1.1-k, 10.1.3-g
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

/// 10.1.3: an owner who goes before he has configured the room is told that it is destroyed, and it is.
#[test]
fn s10_1_3_a_room_left_before_it_is_configured_was_never_there() {
    // XEP-0045 10.1.3-h
    let mut kit = Kit::new();
    kit.send(&join(CRONE, "firstwitch"));
    assert_eq!(
        lines(&kit.send(&super::kit::leaves(CRONE, "firstwitch"))),
        [
            "<presence from='coven@chat.shakespeare.lit/firstwitch' type='unavailable' to='crone1@shakespeare.lit/desktop'>\
          <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='none'/><destroy/></x></presence>"
        ]
    );
    assert_eq!((kit.service.rooms().len(), kit.records.len()), (0, 0));
}

/// 10.1.3: a form that cannot be is refused whole, and the room stays as it was.
#[test]
fn s10_1_3_a_blank_password_is_refused_with_not_acceptable() {
    // XEP-0045 10.1.3-f
    let mut kit = coven();
    let wrong = [
        vec![("muc#roomconfig_passwordprotectedroom", "1"), ("muc#roomconfig_roomname", "Changed")],
        vec![("muc#roomconfig_whois", "nobody")],
        vec![("muc#roomconfig_moderatedroom", "perhaps")],
        vec![("muc#roomconfig_presencebroadcast", "king")],
        vec![("muc#roomconfig_maxusers", "-1")],
        vec![("muc#roomconfig_maxusers", "100000000")],
        vec![("muc#maxhistoryfetch", "5000")],
        vec![("muc#roomconfig_getmemberlist", "king")],
        vec![("muc#roomconfig_allowpm", "friends")],
        vec![("{urn:netjoin:dmuc:0}registration", "perhaps")],
        vec![("muc#roomconfig_roomadmins", "@"), ("muc#roomconfig_roomname", "Changed")],
    ];
    for fields in wrong {
        assert_eq!(errors(&configure(&mut kit, &fields)), [(CRONE.into(), "not-acceptable".into())], "{fields:?}");
    }
    assert_eq!(kit.service.rooms()[0].name, "");
    assert_eq!(errors(&kit.send(&owner(HAG, "get", ""))), [(HAG.into(), "forbidden".into())]);
}

/// 10.1.3 and 16.5.3: the form has every field of the registry, and what is submitted is there the next time (10.2).
#[test]
fn s10_1_3_the_form_is_complete_and_remembers() {
    // XEP-0045 10.2-b
    let mut kit = coven();
    let shown = |kit: &mut Kit| {
        let got = kit.send(&owner(CRONE, "get", ""));
        Form::find(got[0].stanza.get_child("query", ns::MUC_OWNER).expect("a query")).expect("a form")
    };
    let form = shown(&mut kit);
    let other_values = [
        ("muc#maxhistoryfetch", "50"),
        ("muc#roomconfig_allowpm", "moderators"),
        ("muc#roomconfig_allowinvites", "1"),
        ("muc#roomconfig_changesubject", "1"),
        ("muc#roomconfig_enablelogging", "0"),
        ("muc#roomconfig_getmemberlist", "moderator"),
        ("muc#roomconfig_lang", "en"),
        ("muc#roomconfig_pubsub", "xmpp:pubsub.shakespeare.lit?;node=the-coven-node"),
        ("muc#roomconfig_maxusers", "20"),
        ("muc#roomconfig_membersonly", "1"),
        ("muc#roomconfig_moderatedroom", "1"),
        ("muc#roomconfig_passwordprotectedroom", "1"),
        ("muc#roomconfig_persistentroom", "1"),
        ("muc#roomconfig_presencebroadcast", "participant"),
        ("muc#roomconfig_publicroom", "0"),
        ("muc#roomconfig_roomadmins", "wiccarocks@shakespeare.lit"),
        ("muc#roomconfig_roomdesc", "The place for all good witches!"),
        ("muc#roomconfig_roomname", "A Dark Cave"),
        ("muc#roomconfig_roomowners", "crone1@shakespeare.lit"),
        ("muc#roomconfig_roomsecret", "cauldronburn"),
        ("muc#roomconfig_whois", "anyone"),
        ("{urn:netjoin:dmuc:0}registration", "closed"),
    ];
    for (var, _) in other_values {
        assert!(form.values(var).is_some(), "{var}");
    }
    assert_eq!(errors(&configure(&mut kit, &other_values)), []);
    kit.restart();
    let form = shown(&mut kit);
    for (var, value) in other_values {
        assert_eq!(form.values(var), Some(&[value.to_owned()][..]), "{var}");
    }
}

fn lists(admins: Option<&[&str]>, owners: Option<&[&str]>) -> String {
    let field = |var: &str, jids: Option<&[&str]>| {
        let values = |jids: &[&str]| jids.iter().map(|jid| format!("<value>{jid}</value>")).collect::<String>();
        jids.map(|jids| format!("<field var='muc#roomconfig_{var}'>{}</field>", values(jids))).unwrap_or_default()
    };
    owner(
        CRONE,
        "set",
        &format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
             <value>http://jabber.org/protocol/muc#roomconfig</value></field>{}{}</x>",
            field("roomadmins", admins),
            field("roomowners", owners)
        ),
    )
}

/// 10.2: whoever is an admin or owner by the form, or is no more, is shown so to all; the form has full lists, no deltas.
#[test]
fn s10_2_admins_and_owners_in_the_form() {
    // XEP-0045 10.2-e, 10.2-f, 10.2-g, 10.2-j
    let mut kit = three_witches();
    let (wicca, hag, crone) = ("wiccarocks@shakespeare.lit", "hag66@shakespeare.lit", "crone1@shakespeare.lit");
    let mut shown = |admins: Option<&[&str]>, owners: Option<&[&str]>, nick: &str| -> Vec<(String, String)> {
        let got = kit.send(&lists(admins, owners));
        assert_eq!(errors(&got), []);
        let of = format!("coven@chat.shakespeare.lit/{nick}");
        let told = got.iter().filter(|got| got.to == HAG && got.stanza.get("from") == Some(&of));
        let item =
            |stanza: &xmpp::Element| stanza.get_child("x", ns::MUC_USER)?.get_child("item", ns::MUC_USER).cloned();
        let attr = |item: &xmpp::Element, name| item.get(name).unwrap_or_default().to_owned();
        told.filter_map(|got| item(&got.stanza)).map(|item| (attr(&item, "affiliation"), attr(&item, "role"))).collect()
    };
    let is = |affiliation: &str, role: &str| vec![(affiliation.to_owned(), role.to_owned())];
    assert_eq!(shown(Some(&[wicca]), None, "secondwitch"), is("admin", "moderator"));
    assert_eq!(shown(None, Some(&[crone, wicca]), "secondwitch"), is("owner", "moderator"));
    assert_eq!(shown(None, Some(&[crone]), "secondwitch"), is("admin", "moderator"), "10.2: a lost owner is an admin");
    assert_eq!(shown(Some(&[hag]), None, "secondwitch"), is("none", "participant"));
    assert_eq!(shown(Some(&[hag, crone]), None, "firstwitch"), [], "an owner is not made less by the other list");
}

/// 10.2: the last owner cannot take himself from the list, whatever else is asked for.
#[test]
fn s10_2_the_form_leaves_an_owner() {
    // XEP-0045 10.2-h, 10.2-i
    let mut kit = coven();
    let got = kit.send(&lists(Some(&["hag66@shakespeare.lit"]), Some(&[])));
    assert_eq!(errors(&got), [(CRONE.into(), "conflict".into())]);
    assert!(!kit.records.keys().any(|key| key.2 == "hag66@shakespeare.lit"), "nothing half done");
    assert_eq!(errors(&kit.send(&lists(None, Some(&["hag66@shakespeare.lit"])))), [], "another takes his place");
    assert_eq!(errors(&kit.send(&owner(HAG, "get", ""))), []);
}

/// 10.2.1: a change that touches privacy has its code, any other 104.
#[test]
fn s10_2_1_what_a_change_of_configuration_tells() {
    // XEP-0045 10.2.1-a, 10.2.1-b
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
    assert_eq!(codes(&[("muc#roomconfig_roomadmins", "hag66@shakespeare.lit")]), ["104"]);
    assert_eq!(codes(&[]), [""; 0]);
}

/// 10.2: who is no member leaves what is now a members-only room, with 322 for all to see.
#[test]
fn s10_2_a_room_made_members_only_loses_the_others() {
    // XEP-0045 10.2-k
    let mut kit = three_witches();
    let got = lines(&configure(&mut kit, &[("muc#roomconfig_membersonly", "1")]));
    let removed: Vec<&String> = got.iter().filter(|line| line.contains("<status code='322'/>")).collect();
    let told = |to: &str| removed.iter().filter(|line| line.contains(&format!("to='{to}'"))).count();
    assert!(removed[0].contains("to='wiccarocks@shakespeare.lit/laptop'"), "{removed:?}");
    assert_eq!(["crone1@shakespeare.lit/desktop", "hag66@shakespeare.lit/pda"].map(told), [2, 2], "and who remains");
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
    // XEP-0045 10.9-a, 10.9-c, 10.9-d, 10.9-e, 10.9-f
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

/// XEP-0421 4: "every presence sent by a MUC", that of its end included, has the occupant's id once.
#[test]
fn s10_9_the_end_of_a_room_says_who_each_was() {
    let mut kit = three_witches();
    let ids = |got: &[Got]| -> Vec<(String, Vec<String>)> {
        let presence = got.iter().filter(|got| got.stanza.name() == "presence");
        let id = |got: &Got| {
            let ids = got.stanza.children().filter(|c| c.ns() == ns::OCCUPANT_ID).filter_map(|c| c.get("id"));
            (got.to.clone(), ids.map(str::to_owned).collect())
        };
        presence.map(id).collect()
    };
    let probe =
        |who: &str, nick: &str| format!("<presence from='{who}' to='coven@chat.shakespeare.lit/{nick}' type='probe'/>");
    let mut known = Vec::new();
    for (who, nick) in [(CRONE, "firstwitch"), (WICCA, "secondwitch"), (HAG, "thirdwitch")] {
        known.extend(ids(&kit.send(&probe(who, nick))));
    }
    assert!(known.iter().all(|(_, ids)| ids.len() == 1), "{known:?}");
    assert_eq!(ids(&kit.send(&owner(CRONE, "set", "<destroy/>"))), known);
}

/// 10.9: the reason and the password go to everybody, so they have a bound; nothing is done where they pass it.
#[test]
fn s10_9_a_reason_has_a_bound() {
    let mut kit = three_witches();
    for text in ["reason", "password"] {
        let long = format!("<destroy><{text}>{}</{text}></destroy>", "a".repeat(1_001));
        assert_eq!(errors(&kit.send(&owner(CRONE, "set", &long))), [(CRONE.into(), "policy-violation".into())]);
    }
    assert_eq!(kit.send(&says(HAG, "still there")).len(), 3);
}

/// 4.2: in a room that is not moderated "any occupant is allowed to send messages", so visitors are none any more (5.1.3).
#[test]
fn s4_2_visitors_speak_in_a_room_that_is_moderated_no_more() {
    let mut kit = coven();
    configure(&mut kit, &[("muc#roomconfig_moderatedroom", "1")]);
    kit.send(&join(HAG, "thirdwitch"));
    assert_eq!(errors(&kit.send(&says(HAG, "x"))), [(HAG.into(), "forbidden".into())]);
    let told = lines(&configure(&mut kit, &[("muc#roomconfig_moderatedroom", "0")]));
    let shown = told.iter().filter(|line| line.contains("/thirdwitch'") && line.contains("role='participant'"));
    assert_eq!(shown.count(), 2, "both are shown it: {told:?}");
    assert_eq!(kit.send(&says(HAG, "x")).len(), 2);
}

fn disco(to: &str, what: &str, inner: &str) -> String {
    format!(
        "<iq from='{HAG}' id='d' to='{to}' type='get'><query xmlns='http://jabber.org/protocol/disco#{what}'>{inner}</query></iq>"
    )
}

/// 6.2 and 6.3: the service says what it can and which rooms are public, page by page.
#[test]
fn s6_3_public_rooms_are_listed_page_by_page() {
    // XEP-0045 6.3-a, 6.3-b
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
    assert!(!info[0].contains(ns::MAM), "XEP-0313 8: rooms have archives, the service has none");
    for feature in [ns::MUC, ns::DMUC, "http://jabber.org/protocol/muc#stable_id"] {
        assert!(info[0].contains(&format!("<feature var='{feature}'/>")), "{feature} in {info:?}");
    }
}

/// XEP-0307: a name that no room has, as often as it is asked for.
#[test]
fn an_unused_room_name() {
    let mut kit = Kit::new();
    let mut name = || {
        let got = kit.send(
            "<iq from='hag66@shakespeare.lit/pda' id='u' to='chat.shakespeare.lit' type='get'>\
             <unique xmlns='http://jabber.org/protocol/muc#unique'/></iq>",
        );
        got[0].stanza.get_child("unique", "http://jabber.org/protocol/muc#unique").map(xmpp::Element::content)
    };
    let (first, second) = (name().expect("a name"), name().expect("a name"));
    assert!(first.len() == 20 && first != second);
}

/// 6.4: a room says what kind of room it is; who is in it is nobody's to list (6.5).
#[test]
fn s6_4_a_room_says_what_it_is() {
    // XEP-0045 6.4-d, 6.5-a
    let mut kit = coven();
    kit.send(&join(WICCA, "secondwitch"));
    configure(
        &mut kit,
        &[
            ("muc#roomconfig_roomdesc", "The place for all good witches!"),
            ("muc#roominfo_contactjid", "crone1@shakespeare.lit"),
            ("muc#roomconfig_lang", "en"),
        ],
    );
    kit.send(
        "<message from='crone1@shakespeare.lit/desktop' to='coven@chat.shakespeare.lit' type='groupchat'>\
         <subject>Spells</subject></message>",
    );
    let info = lines(&kit.send(&disco("coven@chat.shakespeare.lit", "info", "")));
    for expected in [
        "<identity category='conference' name='coven' type='text'/>",
        "<feature var='muc_semianonymous'/>",
        "<feature var='muc_temporary'/>",
        "<feature var='muc_open'/>",
        "<feature var='urn:xmpp:tmp:dmuc:0'/>",
        "<value>The place for all good witches!</value>",
        "<field var='muc#roominfo_contactjid' type='jid-multi' label='Contact Addresses'><value>crone1@shakespeare.lit</value>",
        "<field var='muc#roominfo_subjectmod' type='boolean' \
         label='The room subject can be modified by participants'><value>0</value>",
        "<field var='muc#roominfo_lang' type='text-single' label='Language of discussion'><value>en</value>",
        "<field var='muc#maxhistoryfetch' type='text-single' \
         label='Maximum Number of History Messages Returned by Room'><value>20</value>",
        "<field var='muc#roominfo_subject' type='text-single' label='Current Discussion Topic'><value>Spells</value>",
        "<field var='muc#roominfo_occupants' type='text-single' label='Number of occupants'><value>2</value>",
    ] {
        assert!(info[0].contains(expected), "{expected} in {info:?}");
    }
    assert!(!lines(&kit.send(&disco("coven@chat.shakespeare.lit", "items", "")))[0].contains("witch"));
    configure(&mut kit, &[("{urn:netjoin:dmuc:0}listoccupants", "1")]);
    assert_eq!(
        lines(&kit.send(&disco("coven@chat.shakespeare.lit", "items", ""))),
        ["<iq type='result' id='d' from='coven@chat.shakespeare.lit' to='hag66@shakespeare.lit/pda'>\
          <query xmlns='http://jabber.org/protocol/disco#items'><item jid='coven@chat.shakespeare.lit/firstwitch'/>\
          <item jid='coven@chat.shakespeare.lit/secondwitch'/></query></iq>"]
    );
    configure(&mut kit, &[("muc#roomconfig_membersonly", "1")]);
    let info = lines(&kit.send(&disco("coven@chat.shakespeare.lit", "info", "")));
    assert!(!info[0].contains("Spells") && !info[0].contains("muc#roominfo_occupants"), "14.4: {info:?}");
    assert!(!lines(&kit.send(&disco("coven@chat.shakespeare.lit", "items", "")))[0].contains("witch"));
    configure(&mut kit, &[("{urn:netjoin:dmuc:0}replicas", "0")]);
    assert!(!lines(&kit.send(&disco("coven@chat.shakespeare.lit", "info", "")))[0].contains(ns::DMUC));
}

/// 10.2: a form that is cancelled changes nothing, whatever stands in it.
#[test]
fn s10_2_cancelling_leaves_the_room_as_it_was() {
    // XEP-0045 10.2-d
    let mut kit = coven();
    configure(&mut kit, &[("muc#roomconfig_roomname", "A Dark Cave")]);
    let cancelled = "<x xmlns='jabber:x:data' type='cancel'><field var='FORM_TYPE'>\
        <value>http://jabber.org/protocol/muc#roomconfig</value></field>\
        <field var='muc#roomconfig_roomname'><value>Heath</value></field></x>";
    assert_eq!(errors(&kit.send(&owner(CRONE, "set", cancelled))), []);
    assert_eq!(kit.service.rooms()[0].name, "A Dark Cave");
}
