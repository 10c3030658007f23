//! Section 7.2, entering, and 7.14, leaving.

use super::kit::{CRONE, HAG, INSTANT, Kit, WICCA, coven, errors, join, lines, says, three_witches};

/// 10.1.1 and 10.1.2: who enters where there is no room creates it, locked until its owner takes it as it is.
#[test]
fn s10_1_1_a_room_is_created_locked_and_opened_by_its_owner() {
    let mut kit = Kit::new();
    let got = kit.send(
        "<presence from='crone1@shakespeare.lit/desktop' id='n1' to='coven@chat.shakespeare.lit/firstwitch'>\
         <x xmlns='http://jabber.org/protocol/muc'/></presence>",
    );
    assert_eq!(
        lines(&got),
        [
            "<presence from='coven@chat.shakespeare.lit/firstwitch' id='n1' to='crone1@shakespeare.lit/desktop'>\
             <x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='owner' role='moderator' jid='crone1@shakespeare.lit/desktop'/>\
             <status code='110'/><status code='170'/><status code='201'/></x></presence>",
            "<message from='coven@chat.shakespeare.lit' type='groupchat' to='crone1@shakespeare.lit/desktop'>\
             <subject/></message>",
        ]
    );
    assert_eq!(errors(&kit.send(&join(HAG, "thirdwitch"))), [(HAG.into(), "item-not-found".into())]);
    assert_eq!(
        lines(&kit.send(INSTANT)),
        ["<iq type='result' id='create1' from='coven@chat.shakespeare.lit' to='crone1@shakespeare.lit/desktop'/>"]
    );
    assert_eq!(errors(&kit.send(&join(HAG, "thirdwitch"))), []);
}

/// 7.2.2: the entrant gets the others, then himself with 110; the others get the entrant. Only moderators see JIDs (7.2.4).
#[test]
fn s7_2_2_presence_is_broadcast_and_the_entrants_own_comes_last() {
    let mut kit = coven();
    kit.send(&join(WICCA, "secondwitch"));
    let got = kit.send(
        "<presence from='hag66@shakespeare.lit/pda' id='n13mt3l' to='coven@chat.shakespeare.lit/thirdwitch'>\
         <show>chat</show><x xmlns='http://jabber.org/protocol/muc'/></presence>",
    );
    assert_eq!(
        lines(&got),
        [
            "<presence from='coven@chat.shakespeare.lit/thirdwitch' to='crone1@shakespeare.lit/desktop'>\
             <show>chat</show><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='participant' jid='hag66@shakespeare.lit/pda'/></x></presence>",
            "<presence from='coven@chat.shakespeare.lit/thirdwitch' to='wiccarocks@shakespeare.lit/laptop'>\
             <show>chat</show><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='participant'/></x></presence>",
            "<presence from='coven@chat.shakespeare.lit/firstwitch' to='hag66@shakespeare.lit/pda'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='owner' role='moderator'/></x></presence>",
            "<presence from='coven@chat.shakespeare.lit/secondwitch' to='hag66@shakespeare.lit/pda'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='participant'/></x></presence>",
            "<presence from='coven@chat.shakespeare.lit/thirdwitch' id='n13mt3l' to='hag66@shakespeare.lit/pda'>\
             <show>chat</show><x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='participant'/>\
             <status code='110'/><status code='170'/></x></presence>",
            "<message from='coven@chat.shakespeare.lit' type='groupchat' to='hag66@shakespeare.lit/pda'><subject/></message>",
        ]
    );
}

/// 7.4: a message reaches everybody, the sender too, with its id.
#[test]
fn s7_4_a_message_is_reflected_to_all() {
    let mut kit = three_witches();
    let got = kit.send(&says(HAG, "Harpier cries"));
    let to: Vec<&str> = got.iter().map(|got| got.to.as_str()).collect();
    assert_eq!(to, [CRONE, HAG, WICCA]);
    assert_eq!(
        lines(&got[..1]),
        ["<message from='coven@chat.shakespeare.lit/thirdwitch' id='m' type='groupchat' \
          to='crone1@shakespeare.lit/desktop'><body>Harpier cries</body></message>"]
    );
}

/// 7.14: the leaver is told with 110, then the others; the last to leave ends a temporary room.
#[test]
fn s7_14_leaving_is_told_and_the_last_one_ends_the_room() {
    let mut kit = coven();
    kit.send(&join(HAG, "thirdwitch"));
    let got = kit.send(
        "<presence from='hag66@shakespeare.lit/pda' to='coven@chat.shakespeare.lit/thirdwitch' type='unavailable'>\
         <status>gone where the goblins go</status></presence>",
    );
    assert_eq!(
        lines(&got),
        [
            "<presence from='coven@chat.shakespeare.lit/thirdwitch' type='unavailable' to='hag66@shakespeare.lit/pda'>\
             <status>gone where the goblins go</status><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='none'/><status code='110'/></x></presence>",
            "<presence from='coven@chat.shakespeare.lit/thirdwitch' type='unavailable' to='crone1@shakespeare.lit/desktop'>\
             <status>gone where the goblins go</status><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='none' jid='hag66@shakespeare.lit/pda'/></x></presence>",
        ]
    );
    kit.send(
        "<presence from='crone1@shakespeare.lit/desktop' to='coven@chat.shakespeare.lit/firstwitch' type='unavailable'/>",
    );
    assert_eq!(kit.service.rooms(), []);
    assert!(kit.records.is_empty(), "a temporary room leaves nothing: {:?}", kit.records);
}
