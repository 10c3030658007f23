//! XEP-0486: the avatar of a room.

use super::kit::{CRONE, HAG, errors, lines, three_witches};

fn vcard(from: &str, kind: &str, inner: &str) -> String {
    format!(
        "<iq from='{from}' id='v' to='coven@chat.shakespeare.lit' type='{kind}'><vCard xmlns='vcard-temp'>{inner}</vCard></iq>"
    )
}

/// "Owner of the Room Publishes Avatar" to "User Retrieves the vCard": published, announced with 104, discovered by its hash,
/// fetched, there after a restart, and taken away by an empty one.
#[test]
fn an_owner_publishes_the_avatar_of_a_room() {
    let mut kit = three_witches();
    // A line break within is none of the picture's.
    let photo = "<PHOTO><TYPE>text/plain</TYPE><BINVAL>YWJj&#xa;ZA==</BINVAL></PHOTO>";
    let answer = "<iq type='result' id='v' from='coven@chat.shakespeare.lit' to='hag66@shakespeare.lit/pda'>";
    assert_eq!(lines(&kit.send(&vcard(HAG, "get", ""))), [format!("{answer}<vCard xmlns='vcard-temp'/></iq>")]);
    assert_eq!(errors(&kit.send(&vcard(HAG, "set", photo))), [(HAG.into(), "forbidden".into())]);
    let got = lines(&kit.send(&vcard(CRONE, "set", photo)));
    assert!(got.len() == 4 && got[0].starts_with("<iq type='result'"), "{got:?}");
    assert!(got[1..].iter().all(|line| line.contains("<status code='104'/>")), "{got:?}");
    kit.restart();
    let info = "<iq from='hag66@shakespeare.lit/pda' id='d' to='coven@chat.shakespeare.lit' type='get'>\
                <query xmlns='http://jabber.org/protocol/disco#info'/></iq>";
    // The SHA-1 of "abcd".
    let hash = "<field var='muc#roominfo_avatarhash' type='text-multi' label='Avatar hash'>\
                <value>81fe8bfe87576c3ecb22426f8e57847382917acf</value></field>";
    assert!(lines(&kit.send(info))[0].contains(hash));
    assert_eq!(
        lines(&kit.send(&vcard(HAG, "get", ""))),
        [format!("{answer}<vCard xmlns='vcard-temp'>{photo}</vCard></iq>")]
    );
    // XEP-0153 4.3: no picture, though there is a place for one.
    kit.send(&vcard(CRONE, "set", "<FN>The coven</FN><PHOTO><TYPE>image/png</TYPE><BINVAL/></PHOTO>"));
    assert!(!lines(&kit.send(info))[0].contains("avatarhash"));
    kit.send(&vcard(CRONE, "set", ""));
    assert!(!lines(&kit.send(info))[0].contains("avatarhash"));
    kit.restart();
    assert_eq!(lines(&kit.send(&vcard(HAG, "get", ""))), [format!("{answer}<vCard xmlns='vcard-temp'/></iq>")]);
}

/// A picture that is none, and one that is too large.
#[test]
fn what_is_no_avatar() {
    let mut kit = three_witches();
    let picture = |data: &str| vcard(CRONE, "set", &format!("<PHOTO><BINVAL>{data}</BINVAL></PHOTO>"));
    assert_eq!(errors(&kit.send(&picture("*"))), [(CRONE.into(), "bad-request".into())]);
    assert_eq!(errors(&kit.send(&picture(&"A".repeat(200_000)))), [(CRONE.into(), "policy-violation".into())]);
    assert!(!kit.records.keys().any(|key| key.2 == "vcard"));
}
