//! XEP-0050 and XEP-0133: what admins of the service do to rooms from outside.

use super::kit::{CRONE, Got, HAG, Kit, config, errors, join, lines, says};
use crate::service::PrimaryConfig;
use xmpp::Element;

const ADMIN: &str = "bard@shakespeare.lit/globe";

fn kit() -> Kit {
    Kit::with(PrimaryConfig { admins: vec!["bard@shakespeare.lit".parse().expect("an address")], ..config() })
}

fn command(from: &str, node: &str, form: &str) -> String {
    format!(
        "<iq from='{from}' id='c' to='chat.shakespeare.lit' type='set'>\
         <command xmlns='http://jabber.org/protocol/commands' node='{node}'>{form}</command></iq>"
    )
}

fn form(fields: &[(&str, &str)]) -> String {
    let fields: String =
        fields.iter().map(|(var, value)| format!("<field var='{var}'><value>{value}</value></field>")).collect();
    format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>")
}

fn create(kit: &mut Kit, room: &str, owner: &str) -> Vec<Got> {
    kit.send(&command(ADMIN, "urn:netjoin:rooms:0#create", &form(&[("room", room), ("owners", owner)])))
}

fn is_done(got: &Got) -> bool {
    let command = got.stanza.get_child("command", xmpp::ns::COMMANDS);
    got.to == ADMIN && command.and_then(|command| command.get("status")) == Some("completed")
}

/// XEP-0050 2.2 and 2.3: admins are shown which there are, and each as what it is; others none.
#[test]
fn s2_2_commands_are_found() {
    let mut kit = kit();
    let mut ask = |from: &str, what: &str, node: &str| {
        let iq = format!(
            "<iq from='{from}' id='d' to='chat.shakespeare.lit' type='get'>\
             <query xmlns='http://jabber.org/protocol/disco#{what}' node='{node}'/></iq>"
        );
        lines(&kit.send(&iq)).remove(0)
    };
    let all = ask(ADMIN, "items", "http://jabber.org/protocol/commands");
    assert!(all.contains("node='urn:netjoin:rooms:0#create'") && all.contains("admin#announce"), "{all}");
    assert!(!ask(HAG, "items", "http://jabber.org/protocol/commands").contains("<item"));
    assert!(ask(ADMIN, "info", "urn:netjoin:rooms:0#list").contains("type='command-node'"));
    assert!(ask(ADMIN, "info", "urn:nothing").contains("item-not-found"));
}

/// XEP-0133 5: of its commands, one that is not here.
#[test]
fn s5_a_command_that_is_not_here() {
    let mut kit = kit();
    let got = kit.send(&command(ADMIN, "http://jabber.org/protocol/admin#add-user", ""));
    assert_eq!(errors(&got), [(ADMIN.into(), "feature-not-implemented".into())]);
}

/// XEP-0133 by its flow: the form is asked for, filled in, and done.
#[test]
fn a_room_is_made_for_somebody_and_kept() {
    let mut kit = kit();
    let got = kit.send(&command(ADMIN, "urn:netjoin:rooms:0#create", ""));
    let shown = lines(&got).concat();
    assert!(shown.contains("status='executing'") && shown.contains("var='owners'"), "{shown}");
    let got = create(&mut kit, "coven", "crone1@shakespeare.lit");
    assert!(got.len() == 1 && is_done(&got[0]), "{got:?}");
    kit.restart();
    let got = lines(&kit.send(&join(CRONE, "firstwitch"))).concat();
    assert!(got.contains("affiliation='owner'") && !got.contains("code='201'"), "it was there: {got}");
    assert_eq!(errors(&create(&mut kit, "coven", "hag66@shakespeare.lit")), [(ADMIN.into(), "conflict".into())]);
}

#[test]
fn what_is_asked_badly_is_refused() {
    let mut kit = kit();
    create(&mut kit, "coven@chat.shakespeare.lit", "crone1@shakespeare.lit");
    let mut refusal = |from: &str, node: &str, fields: &[(&str, &str)]| {
        let node = format!("urn:netjoin:rooms:0#{node}");
        errors(&kit.send(&command(from, &node, &form(fields))))
            .pop()
            .map(|(_, condition)| condition)
            .unwrap_or_default()
    };
    assert_eq!(refusal(HAG, "create", &[("room", "heath"), ("owners", "hag66@shakespeare.lit")]), "forbidden");
    assert_eq!(refusal(ADMIN, "wish", &[]), "item-not-found");
    let other = [("room", "coven"), ("FORM_TYPE", "http://jabber.org/protocol/admin")];
    assert_eq!(refusal(ADMIN, "destroy", &other), "bad-request", "XEP-0068: the form is another");
    assert_eq!(refusal(ADMIN, "create", &[("owners", "hag66@shakespeare.lit")]), "bad-request");
    assert_eq!(refusal(ADMIN, "create", &[("room", "heath")]), "bad-request");
    assert_eq!(refusal(ADMIN, "create", &[("room", "heath"), ("owners", "shakespeare.lit")]), "jid-malformed");
    assert_eq!(refusal(ADMIN, "create", &[("room", "a@elsewhere.lit"), ("owners", "a@b")]), "jid-malformed");
    assert_eq!(refusal(ADMIN, "destroy", &[("room", "heath")]), "item-not-found");
    let member = [("room", "coven"), ("jid", "hag66@shakespeare.lit"), ("affiliation", "friend")];
    assert_eq!(refusal(ADMIN, "affiliation", &member), "not-acceptable");
    // 10.4: a room keeps an owner, whoever asks.
    let last = [("room", "coven"), ("jid", "crone1@shakespeare.lit"), ("affiliation", "none")];
    assert_eq!(refusal(ADMIN, "affiliation", &last), "conflict");
}

#[test]
fn rooms_are_listed_changed_and_destroyed() {
    let mut kit = kit();
    for room in ["coven", "heath"] {
        create(&mut kit, room, "crone1@shakespeare.lit");
    }
    kit.send(&join(HAG, "thirdwitch"));
    let list = lines(&kit.send(&command(ADMIN, "urn:netjoin:rooms:0#list", ""))).concat();
    assert!(list.contains("<value>coven@chat.shakespeare.lit</value>"), "{list}");
    let behind = form(&[("after", "coven@chat.shakespeare.lit")]);
    let list = lines(&kit.send(&command(ADMIN, "urn:netjoin:rooms:0#list", &behind))).concat();
    assert!(!list.contains("coven@") && list.contains("heath@"), "{list}");

    let ban =
        form(&[("room", "coven"), ("jid", "hag66@shakespeare.lit"), ("affiliation", "outcast"), ("reason", "Toil")]);
    let got = kit.send(&command(ADMIN, "urn:netjoin:rooms:0#affiliation", &ban));
    assert!(got.iter().any(is_done), "{got:?}");
    let told = lines(&got).concat();
    assert!(told.contains("<status code='301'/>") && told.contains("<reason>Toil</reason>"), "{told}");

    kit.send(&join(CRONE, "firstwitch"));
    let destroy = form(&[("room", "coven"), ("reason", "Macbeth doth come"), ("venue", "heath@chat.shakespeare.lit")]);
    let got = kit.send(&command(ADMIN, "urn:netjoin:rooms:0#destroy", &destroy));
    assert!(got.iter().any(is_done), "{got:?}");
    assert!(
        lines(&got).concat().contains("<destroy jid='heath@chat.shakespeare.lit'><reason>Macbeth doth come</reason>")
    );
    assert_eq!(errors(&kit.send(&says(CRONE, "anybody?"))), [(CRONE.into(), "item-not-found".into())]);
}

/// XEP-0133 4.23: all occupants are told, and nobody who enters later.
#[test]
fn s4_23_an_announcement() {
    let mut kit = kit();
    create(&mut kit, "coven", "crone1@shakespeare.lit");
    kit.send(&join(CRONE, "firstwitch"));
    let form = form(&[("announcement", "The service is down at midnight.")]);
    let got = kit.send(&command(ADMIN, "http://jabber.org/protocol/admin#announce", &form));
    let told: Vec<&Element> = got.iter().map(|got| &got.stanza).filter(|stanza| stanza.name() == "message").collect();
    assert_eq!(told.len(), 1);
    assert!(got.iter().any(is_done) && told[0].to_xml().contains("down at midnight"), "{got:?}");
    assert!(kit.rows.is_empty());
    let history = "<presence from='hag66@shakespeare.lit/pda' to='coven@chat.shakespeare.lit/thirdwitch'>\
                   <x xmlns='http://jabber.org/protocol/muc'/></presence>";
    assert!(!lines(&kit.send(history)).concat().contains("midnight"));
}
