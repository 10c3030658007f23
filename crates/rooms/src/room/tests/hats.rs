//! XEP-0317: what `transcripts/hats.txt` does not show.

use super::kit::{CRONE, HAG, Kit, WICCA, errors, lines, set_affiliation, three_witches};

fn command(from: &str, node: &str, fields: &[(&str, &str)]) -> String {
    let fields: String =
        fields.iter().map(|(var, value)| format!("<field var='{var}'><value>{value}</value></field>")).collect();
    format!(
        "<iq from='{from}' id='c' to='coven@chat.shakespeare.lit' type='set'>\
         <command xmlns='http://jabber.org/protocol/commands' node='urn:xmpp:hats:commands:{node}'>\
         <x xmlns='jabber:x:data' type='submit'>{fields}</x></command></iq>"
    )
}

fn brewer() -> Kit {
    let mut kit = three_witches();
    kit.send(&command(CRONE, "create", &[("hats#title", "Brewer"), ("hats#uri", "urn:coven:brewer")]));
    kit.send(&command(CRONE, "assign", &[("hats#jid", "hag66@shakespeare.lit"), ("hats#uri", "urn:coven:brewer")]));
    kit
}

#[test]
fn hats_survive_a_restart_and_cannot_be_forged() {
    let mut kit = brewer();
    kit.restart();
    let forging = |from: &str, nick: &str| {
        format!(
            "<presence from='{from}' to='coven@chat.shakespeare.lit/{nick}'><x xmlns='http://jabber.org/protocol/muc'/>\
             <hats xmlns='urn:xmpp:hats:0'><hat title='Queen' uri='urn:coven:queen'/></hats></presence>"
        )
    };
    let wicca = lines(&kit.send(&forging(WICCA, "secondwitch"))).concat();
    assert!(!wicca.contains("hats"), "{wicca}");
    let hag = lines(&kit.send(&forging(HAG, "thirdwitch"))).concat();
    assert!(hag.contains("<hats xmlns='urn:xmpp:hats:0'><hat title='Brewer' uri='urn:coven:brewer'/></hats>"), "{hag}");
    assert!(!hag.contains("Queen"));
}

/// 3.2 to 3.6: only admins, only hats that there are, only angles.
#[test]
fn what_is_not_done() {
    let mut kit = brewer();
    set_affiliation(&mut kit, "wiccarocks@shakespeare.lit", "member");
    let mut refusal = |from: &str, node: &str, fields: &[(&str, &str)]| {
        errors(&kit.send(&command(from, node, fields))).pop().map(|(_, condition)| condition).unwrap_or_default()
    };
    let hat = [("hats#title", "Queen"), ("hats#uri", "urn:coven:queen")];
    assert_eq!(refusal(WICCA, "create", &hat), "forbidden");
    assert_eq!(refusal(CRONE, "create", &hat[..1]), "bad-request");
    assert_eq!(refusal(CRONE, "create", &[hat[0], ("hats#uri", "queen")]), "not-acceptable");
    assert_eq!(refusal(CRONE, "create", &[hat[0], hat[1], ("hats#hue", "400")]), "not-acceptable");
    assert_eq!(refusal(CRONE, "destroy", &hat[1..]), "item-not-found");
    assert_eq!(refusal(CRONE, "assign", &[hat[1], ("hats#jid", "hag66@shakespeare.lit")]), "item-not-found");
    let brewer = ("hats#uri", "urn:coven:brewer");
    assert_eq!(refusal(CRONE, "assign", &[brewer, ("hats#jid", "shakespeare.lit")]), "jid-malformed");
    assert_eq!(refusal(CRONE, "unassign", &[brewer, ("hats#jid", "macbeth@shakespeare.lit")]), "item-not-found");
    assert_eq!(refusal(WICCA, "list-assigned", &[]), "forbidden");
    assert_eq!(refusal(CRONE, "wish", &[]), "item-not-found");
    // XEP-0068: the form is another.
    let other = [brewer, ("FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig")];
    assert_eq!(refusal(CRONE, "destroy", &other), "bad-request");
}
