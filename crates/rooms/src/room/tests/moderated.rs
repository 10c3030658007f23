//! XEP-0425: a moderator has a message taken back.

use super::kit::{CRONE, HAG, Kit, WICCA, errors, lines, says, three_witches};
use xmpp::ns;

fn moderate(from: &str, id: &str) -> String {
    format!(
        "<iq from='{from}' id='r' to='coven@chat.shakespeare.lit' type='set'>\
         <moderate xmlns='urn:xmpp:message-moderate:1' id='{id}'><retract xmlns='urn:xmpp:message-retract:1'/>\
         <reason>Too much toil</reason></moderate></iq>"
    )
}

fn said(kit: &mut Kit, body: &str) -> String {
    let got = kit.send(&says(HAG, body));
    let id = got[0].stanza.get_child("stanza-id", ns::SID).and_then(|id| id.get("id"));
    id.expect("a stanza-id").to_owned()
}

/// "Success case" and "Tombstones": all are told by whom and why; who enters later does not get the message, and the archive has
/// a tombstone in its place.
#[test]
fn a_moderator_has_a_message_taken_back() {
    let mut kit = three_witches();
    let id = said(&mut kit, "DM me for free magic potions!");
    said(&mut kit, "Harpier cries");
    let got = kit.send(&moderate(CRONE, &id));
    assert!(lines(&got)[0].starts_with("<iq type='result' id='r'"), "{got:?}");
    assert_eq!(got.len(), 4, "the result, and one for each");
    let retract = got[1].stanza.get_child("retract", "urn:xmpp:message-retract:1").expect("a retraction");
    let moderated = retract.get_child("moderated", ns::MODERATE).expect("moderated");
    assert_eq!((got[1].stanza.get("from"), retract.get("id")), (Some("coven@chat.shakespeare.lit"), Some(id.as_str())));
    assert_eq!(moderated.get("by"), Some("coven@chat.shakespeare.lit/firstwitch"));
    assert!(moderated.has_child("occupant-id", ns::OCCUPANT_ID) && retract.to_xml().contains("Too much toil"));
    let row = kit.rows.iter().find(|row| row.id == id).expect("its row");
    assert!(row.stanza.contains("<retracted") && !row.stanza.contains("potions"), "{}", row.stanza);
    assert_eq!((kit.rows.len(), &kit.rows[0].id), (3, &id), "in its place");
    kit.restart();
    let entering = "<presence from='hecate@shakespeare.lit/broom' to='coven@chat.shakespeare.lit/hecate'>\
                    <x xmlns='http://jabber.org/protocol/muc'/></presence>";
    let history = lines(&kit.send(entering)).concat();
    assert!(history.contains("Harpier cries") && !history.contains("potions"), "{history}");
    assert!(!history.contains("<retracted"), "nor a tombstone: {history}");
}

/// "Error case": who is no moderator, no such message, nothing to be done with it.
#[test]
fn what_is_not_taken_back() {
    let mut kit = three_witches();
    let id = said(&mut kit, "Harpier cries");
    assert_eq!(errors(&kit.send(&moderate(WICCA, &id))), [(WICCA.into(), "forbidden".into())]);
    assert_eq!(errors(&kit.send(&moderate(CRONE, "another"))), [(CRONE.into(), "item-not-found".into())]);
    let nothing = moderate(CRONE, &id).replace("<retract xmlns='urn:xmpp:message-retract:1'/>", "");
    assert_eq!(errors(&kit.send(&nothing)), [(CRONE.into(), "feature-not-implemented".into())]);
    assert!(kit.rows.iter().all(|row| row.stanza.contains("Harpier cries")));
}
