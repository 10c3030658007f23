//! Section 17.4: iqs between occupants, which the room passes on; what they may not show, and what they may cost.

use super::kit::{CRONE, HAG, Kit, WICCA, errors, iq, lines, three_witches};

const SECOND: &str = "coven@chat.shakespeare.lit/secondwitch";
const THIRD: &str = "coven@chat.shakespeare.lit/thirdwitch";

/// The witch in the second place is asked by the third: to whom that goes, and under which id.
fn asked(kit: &mut Kit, payload: &str) -> (String, String) {
    let got = kit.send(&iq(HAG, SECOND, "get", "v1", payload));
    assert_eq!(got.len(), 1, "{got:?}");
    (got[0].to.clone(), got[0].stanza.get("id").unwrap_or_default().to_owned())
}

/// 17.4: the service must not reveal the recipient's real address, nor may an error that answers for him.
#[test]
fn s17_4_an_error_shows_no_real_address() {
    // XEP-0045 17.4-c
    let mut kit = three_witches();
    let errors = [
        "<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:wiccarocks@shakespeare.lit</gone>",
        "<redirect xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:wiccarocks@elsewhere.lit</redirect>",
        "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>",
    ];
    for error in errors {
        let (_, id) = asked(&mut kit, "<query xmlns='jabber:iq:version'/>");
        let error = format!("<error by='wiccarocks@shakespeare.lit' type='cancel'>{error}</error>");
        let got = lines(&kit.send(&iq(WICCA, THIRD, "error", &id, &error)));
        assert!(got.len() == 1 && got[0].contains("<error type='cancel'>"), "{got:?}");
        assert!(!got[0].contains("wiccarocks"), "{got:?}");
    }
}

/// The same of an error that answers a private message.
#[test]
fn s7_5_an_error_shows_no_real_address() {
    let mut kit = three_witches();
    kit.send(&format!("<message from='{HAG}' to='{SECOND}' id='p' type='chat'><body>Where?</body></message>"));
    let got = lines(&kit.send(&format!(
        "<message from='{WICCA}' to='{THIRD}' id='p' type='error'><error by='wiccarocks@shakespeare.lit' type='cancel'>\
         <not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    )));
    assert!(got.len() == 1 && got[0].contains("<not-acceptable") && !got[0].contains("wiccarocks"), "{got:?}");
}

/// What the account keeps is asked of the account, everything else of the client (XEP-0054, XEP-0163).
#[test]
fn s17_4_what_the_account_keeps_is_asked_of_it() {
    let mut kit = three_witches();
    assert_eq!(asked(&mut kit, "<vCard xmlns='vcard-temp'/>").0, "wiccarocks@shakespeare.lit");
    let avatar = "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:data'/></pubsub>";
    assert_eq!(asked(&mut kit, avatar).0, "wiccarocks@shakespeare.lit");
    assert_eq!(asked(&mut kit, "<query xmlns='jabber:iq:version'/>").0, WICCA);
}

/// Who asks without end those who do not answer is in nobody else's way.
#[test]
fn s17_4_requests_without_end_cost_nobody_else() {
    let mut kit = three_witches();
    let version = "<query xmlns='jabber:iq:version'/>";
    let refused = (0..1_000).filter(|_| !errors(&kit.send(&iq(HAG, SECOND, "get", "v", version))).is_empty()).count();
    assert_eq!(refused, 950);
    assert_eq!(kit.send(&iq(CRONE, SECOND, "get", "v", version))[0].to, WICCA);
    let long = "v".repeat(2_000);
    let got = kit.send(&iq(CRONE, SECOND, "get", &long, version));
    assert_eq!(errors(&got), [(CRONE.into(), "policy-violation".into())]);
}

/// 17.1: an address whose resource is nothing but spaces is that of no occupant, and not the room's.
#[test]
fn s17_1_a_nick_of_spaces_is_nobodys() {
    let mut kit = three_witches();
    let nobody = "coven@chat.shakespeare.lit/ ";
    let said = format!("<message from='{HAG}' to='{nobody}' id='m' type='groupchat'><body>x</body></message>");
    assert_eq!(errors(&kit.send(&said)), [(HAG.into(), "item-not-found".into())]);
    let disco = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    assert_eq!(errors(&kit.send(&iq(HAG, nobody, "get", "d", disco))), [(HAG.into(), "item-not-found".into())]);
}
