//! Sections 7.10, 7.12 and 9.9: registering with the room, the nick that is reserved by it, and an admin's approval.

use super::kit::{
    CRONE, Disk, HAG, Kit, WICCA, admin, configure, coven, errors, join, leaves, lines, set_affiliation, three_witches,
};
use xmpp::ns;
use xmpp::stanza::form::Form;

fn register(from: &str, kind: &str, inner: &str) -> String {
    format!(
        "<iq from='{from}' id='r' to='coven@chat.shakespeare.lit' type='{kind}'>\
         <query xmlns='jabber:iq:register'>{inner}</query></iq>"
    )
}

fn form(nick: &str) -> String {
    format!(
        "<x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>\
         <field var='muc#register_first'><value>Brunhilde</value></field>\
         <field var='muc#register_roomnick'><value>{nick}</value></field></x>"
    )
}

fn reserved(kit: &mut Kit, from: &str) -> String {
    lines(&kit.send(&format!(
        "<iq from='{from}' id='n' to='coven@chat.shakespeare.lit' type='get'>\
         <query xmlns='http://jabber.org/protocol/disco#info' node='x-roomuser-item'/></iq>"
    )))[0]
        .clone()
}

fn result(to: &str) -> String {
    format!("<iq type='result' id='r' from='coven@chat.shakespeare.lit' to='{to}'/>")
}

/// 7.10: the form, its submission, the presence of the new member, and what is answered from then on.
#[test]
fn s7_10_registering_makes_a_member_with_a_nick() {
    // XEP-0045 7.10-d, 7.10-e, 7.10-f, 7.10-k, 7.10-l
    let mut kit = three_witches();
    let asked = kit.send(&register(HAG, "get", ""));
    let query = asked[0].stanza.get_child("query", ns::REGISTER).cloned().expect("a query");
    let shown = Form::find(&query).expect("a form");
    assert_eq!(shown.form_type(), Some("http://jabber.org/protocol/muc#register"));
    let vars: Vec<&str> = shown.fields.iter().filter(|f| f.required).map(|f| f.var.as_str()).collect();
    assert_eq!((shown.fields.len(), vars), (7, vec!["muc#register_roomnick"]));
    let got = lines(&kit.send(&register(HAG, "set", &form("thirdwitch"))));
    assert_eq!(got[0], result(HAG));
    assert_eq!(
        got[1],
        "<presence from='coven@chat.shakespeare.lit/thirdwitch' to='crone1@shakespeare.lit/desktop'>\
         <x xmlns='http://jabber.org/protocol/muc#user'>\
         <item affiliation='member' role='participant' jid='hag66@shakespeare.lit/pda'/></x></presence>"
    );
    assert_eq!(
        lines(&kit.send(&register(HAG, "get", ""))),
        ["<iq type='result' id='r' from='coven@chat.shakespeare.lit' to='hag66@shakespeare.lit/pda'>\
          <query xmlns='jabber:iq:register'><registered/><username>thirdwitch</username></query></iq>"]
    );
    kit.send(&register(HAG, "set", "<remove/>"));
    assert!(lines(&kit.send(&register(HAG, "get", "")))[0].contains("muc#register_roomnick"));
}

/// 7.10: no room, not allowed, no form, a nick that is taken.
#[test]
fn s7_10_what_is_refused() {
    // XEP-0045 7.10-b, 7.10-c, 7.10-h, 7.10-j
    let mut kit = Kit::new();
    let refused = |kit: &mut Kit, stanza: &str| errors(&kit.send(stanza)).pop().map(|(_, condition)| condition);
    assert_eq!(refused(&mut kit, &register(HAG, "get", "")).as_deref(), Some("item-not-found"));
    let mut kit = three_witches();
    for wrong in
        ["", "<username>thirdwitch</username>", "<x xmlns='jabber:x:data' type='submit'/>", &form(" "), &form("")]
    {
        assert_eq!(refused(&mut kit, &register(HAG, "set", wrong)).as_deref(), Some("bad-request"), "{wrong}");
    }
    assert_eq!(refused(&mut kit, &register(HAG, "set", &form("secondwitch"))).as_deref(), Some("conflict"), "in use");
    kit.send(&register(WICCA, "set", &form("oldhag")));
    assert_eq!(refused(&mut kit, &register(HAG, "set", &form("oldhag"))).as_deref(), Some("conflict"), "reserved");
    configure(&mut kit, &[("{urn:netjoin:dmuc:0}registration", "closed")]);
    assert_eq!(refused(&mut kit, &register(HAG, "get", "")).as_deref(), Some("not-allowed"));
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "outcast");
    assert_eq!(refused(&mut kit, &register(HAG, "set", &form("thirdwitch"))).as_deref(), Some("not-allowed"));
}

/// 7.12: a reserved nick is discovered, from within and from outside, and kept from others on entering and on changing nicks.
#[test]
fn s7_12_a_reserved_nick() {
    // XEP-0045 7.2.8-a, 7.6-c, 7.12-c, 7.12-e, 7.12-f, 7.12-i
    let mut kit = coven();
    kit.send(&register(HAG, "set", &form("thirdwitch")));
    assert_eq!(
        reserved(&mut kit, HAG),
        "<iq type='result' id='n' from='coven@chat.shakespeare.lit' to='hag66@shakespeare.lit/pda'>\
         <query xmlns='http://jabber.org/protocol/disco#info' node='x-roomuser-item'>\
         <identity category='conference' name='thirdwitch' type='text'/></query></iq>"
    );
    assert_eq!(
        reserved(&mut kit, WICCA),
        "<iq type='result' id='n' from='coven@chat.shakespeare.lit' to='wiccarocks@shakespeare.lit/laptop'>\
         <query xmlns='http://jabber.org/protocol/disco#info' node='x-roomuser-item'/></iq>"
    );
    assert_eq!(errors(&kit.send(&join(WICCA, "thirdwitch"))), [(WICCA.into(), "conflict".into())]);
    kit.send(&join(WICCA, "secondwitch"));
    let renamed = "<presence from='wiccarocks@shakespeare.lit/laptop' to='coven@chat.shakespeare.lit/thirdwitch'/>";
    assert_eq!(errors(&kit.send(renamed)), [(WICCA.into(), "conflict".into())]);
    assert_eq!(errors(&kit.send(&join(HAG, "oldhag"))), [], "she may use another");
    kit.send(&leaves(HAG, "oldhag"));
    kit.restart();
    assert!(reserved(&mut kit, HAG).contains("name='thirdwitch'"));
}

/// 9.3 and 9.5: an admin reserves a nick with a membership and takes it back with an empty one; 9.1: a ban takes it.
#[test]
fn s9_5_nicks_given_by_admins() {
    // XEP-0045 9.1-d, 9.2-f, 17.4-l
    let mut kit = three_witches();
    kit.send(&admin(CRONE, "<item affiliation='member' jid='hag66@shakespeare.lit' nick='oldhag'/>"));
    assert!(reserved(&mut kit, HAG).contains("name='oldhag'"));
    let taken = "<item affiliation='member' jid='hecate@shakespeare.lit'/>\
                 <item affiliation='member' jid='wiccarocks@shakespeare.lit' nick='oldhag'/>";
    assert_eq!(errors(&kit.send(&admin(CRONE, taken))), [(CRONE.into(), "conflict".into())]);
    assert!(!kit.records.keys().any(|key| key.2 == "hecate@shakespeare.lit"), "nothing half done");
    kit.send(&admin(CRONE, "<item affiliation='admin' jid='hag66@shakespeare.lit'/>"));
    assert!(reserved(&mut kit, HAG).contains("name='oldhag'"), "it stays with another affiliation");
    kit.send(&admin(CRONE, "<item affiliation='member' jid='hag66@shakespeare.lit' nick=''/>"));
    assert!(!reserved(&mut kit, HAG).contains("identity"));
    kit.send(&admin(CRONE, "<item affiliation='member' jid='hag66@shakespeare.lit' nick='oldhag'/>"));
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "outcast");
    assert!(!reserved(&mut kit, HAG).contains("identity"));
    assert_eq!(errors(&kit.send(&join(WICCA, "oldhag"))), [], "9.1: it is free again");
}

/// What an admin submits about hecate (9.9).
fn submit(from: &str, allow: &str) -> String {
    format!(
        "<message from='{from}' id='a' to='coven@chat.shakespeare.lit'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>\
         <field var='muc#jid'><value>hecate@shakespeare.lit</value></field>\
         <field var='muc#register_roomnick'><value>hecate</value></field>\
         <field var='muc#register_allow'><value>{allow}</value></field></x></message>"
    )
}

/// 9.9: where membership opens the door, an admin is asked; his answer makes a member, who hears of it.
#[test]
fn s9_9_an_admin_approves() {
    // XEP-0045 9.9-a
    let mut kit = three_witches();
    configure(&mut kit, &[("muc#roomconfig_moderatedroom", "1")]);
    let stranger = "hecate@shakespeare.lit/broom";
    let got = kit.send(&register(stranger, "set", &form("hecate")));
    assert_eq!(got.iter().map(|got| got.to.as_str()).collect::<Vec<_>>(), [CRONE, stranger]);
    let asked = Form::find(&got[0].stanza).expect("a form");
    assert_eq!(asked.form_type(), Some("http://jabber.org/protocol/muc#register"));
    assert_eq!(
        (asked.get("muc#register_first"), asked.get("muc#register_roomnick")),
        (Some("Brunhilde"), Some("hecate"))
    );
    assert_eq!(
        (asked.boolean("muc#register_allow"), asked.get("muc#jid")),
        (Some(false), Some("hecate@shakespeare.lit"))
    );
    assert_eq!(kit.send(&register(stranger, "set", &form("hecate"))).len(), 1, "nobody is asked twice");
    assert_eq!(errors(&kit.send(&submit(HAG, "1"))), [(HAG.into(), "forbidden".into())]);
    assert_eq!(errors(&kit.send(&submit(CRONE, "perhaps"))), [(CRONE.into(), "bad-request".into())]);
    let got = lines(&kit.send(&submit(CRONE, "1")));
    assert!(
        got.len() == 1 && got[0].contains("to='hecate@shakespeare.lit'") && got[0].contains("code='101'"),
        "{got:?}"
    );
    assert!(reserved(&mut kit, stranger).contains("name='hecate'"));
    assert_eq!(errors(&kit.send(&submit(CRONE, "1"))), [(CRONE.into(), "item-not-found".into())], "once");
    kit.send(&register(HAG, "set", &form("thirdwitch")));
    kit.send(&submit(CRONE, "0").replace("hecate", "hag66"));
    assert!(!reserved(&mut kit, HAG).contains("identity"));
}

/// 9.9: the form as it is recommended there, which does not say whose request it is but by the nick.
#[test]
fn s9_9_the_recommended_form_is_enough() {
    let mut kit = three_witches();
    configure(&mut kit, &[("muc#roomconfig_membersonly", "1")]);
    let recommended =
        submit(CRONE, "true").replace("<field var='muc#jid'><value>hecate@shakespeare.lit</value></field>", "");
    kit.send(&register("hecate@shakespeare.lit/broom", "set", &form("hecate")));
    kit.send(&register("macbeth@shakespeare.lit/x", "set", &form("hecate")));
    assert_eq!(errors(&kit.send(&recommended)), [(CRONE.into(), "item-not-found".into())], "which of the two?");
    assert_eq!(
        lines(&kit.send(&register("macbeth@shakespeare.lit/x", "set", "<remove/>")))[0],
        result("macbeth@shakespeare.lit/x")
    );
    assert_eq!(errors(&kit.send(&recommended)), []);
    assert!(reserved(&mut kit, "hecate@shakespeare.lit/broom").contains("name='hecate'"));
    assert!(!kit.records.keys().any(|(space, ..)| space == "applicant"));
}

/// XEP-0077 3.2: how a registration is not undone.
#[test]
fn s7_10_what_is_no_removal() {
    let mut kit = three_witches();
    let mut refused =
        |inner: &str| errors(&kit.send(&register(HAG, "set", inner))).pop().map(|(_, condition)| condition);
    assert_eq!(refused("<remove/>").as_deref(), Some("registration-required"), "there is none");
    assert_eq!(refused("<remove/><username/>").as_deref(), Some("bad-request"));
}

/// 9.9: who skips a request cancels its form, and is not told that he has done something wrong.
#[test]
fn s9_9_a_request_is_skipped() {
    let mut kit = three_witches();
    let cancel = |from: &str| {
        format!(
            "<message from='{from}' id='a' to='coven@chat.shakespeare.lit'>\
             <x xmlns='jabber:x:data' type='cancel'/></message>"
        )
    };
    assert_eq!(kit.send(&cancel(CRONE)), []);
    assert_eq!(errors(&kit.send(&cancel("macbeth@shakespeare.lit/x"))).len(), 1, "nobody has asked him");
    let unfinished = submit(CRONE, "1").replace("'submit'", "'form'");
    assert_eq!(errors(&kit.send(&unfinished)), [(CRONE.into(), "bad-request".into())]);
}

/// 7.10 and 9.9: a request that was received is there after a crash; an admin who was away is asked when he enters.
#[test]
fn s9_9_a_request_outlives_a_crash() {
    let mut kit = coven();
    configure(&mut kit, &[("muc#roomconfig_membersonly", "1"), ("muc#roomconfig_persistentroom", "1")]);
    kit.send(&leaves(CRONE, "firstwitch"));
    let stranger = "hecate@shakespeare.lit/broom";
    let got = kit.send(&register(stranger, "set", &form("hecate")));
    assert_eq!(got.iter().map(|got| got.to.as_str()).collect::<Vec<_>>(), ["crone1@shakespeare.lit", stranger]);
    kit.restart();
    let got = kit.send(&join(CRONE, "firstwitch"));
    let asked = Form::find(&got.last().expect("something").stanza).expect("a form behind everything else");
    assert_eq!(
        (asked.get("muc#register_first"), asked.get("muc#register_roomnick"), asked.get("muc#jid")),
        (Some("Brunhilde"), Some("hecate"), Some("hecate@shakespeare.lit"))
    );
    let got = lines(&kit.send(&submit(CRONE, "1")));
    assert!(got[0].contains("to='hecate@shakespeare.lit'") && got[0].contains("<invite from="), "{got:?}");
    assert_eq!(errors(&kit.send(&join(stranger, "hecate"))), []);
    assert_eq!(kit.send(&join(CRONE, "firstwitch")).len(), 3, "who is in, himself, the subject: it is settled");
    assert!(!kit.records.keys().any(|(space, ..)| space == "applicant"), "{:?}", kit.records.keys());
}

/// 9.9: a request that cannot be kept was not received, and one that is denied is forgotten.
#[test]
fn s9_9_a_request_is_kept_or_refused() {
    let mut kit = three_witches();
    configure(&mut kit, &[("muc#roomconfig_membersonly", "1")]);
    let stranger = "hecate@shakespeare.lit/broom";
    kit.disk(Disk::Fails);
    let got = kit.send(&register(stranger, "set", &form("hecate")));
    assert_eq!(errors(&got), [(stranger.into(), "internal-server-error".into())]);
    assert_eq!(got.len(), 1, "nobody is asked");
    kit.disk(Disk::Works);
    kit.send(&register(stranger, "set", &form("hecate")));
    kit.send(&submit(CRONE, "0"));
    kit.restart();
    kit.send(&join(CRONE, "firstwitch"));
    assert_eq!(errors(&kit.send(&submit(CRONE, "1"))), [(CRONE.into(), "item-not-found".into())]);
}
