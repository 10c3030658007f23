//! XEP-0437: what `transcripts/activity.txt` does not show.

use super::kit::{CRONE, HAG, Kit, coven, join, leaves, says, set_affiliation};

const PHONE: &str = "hag66@shakespeare.lit/phone";

/// What the phone of the third witch is told when it subscribes.
fn subscribes(kit: &mut Kit) -> Vec<String> {
    let got = kit
        .send(&format!("<presence from='{PHONE}' to='chat.shakespeare.lit'><rai xmlns='urn:xmpp:rai:0'/></presence>"));
    got.iter().map(|got| got.stanza.to_xml()).collect()
}

fn unsubscribes(kit: &mut Kit) {
    kit.send(&format!("<presence from='{PHONE}' to='chat.shakespeare.lit' type='unavailable'/>"));
}

fn heard(kit: &mut Kit, stanza: &str) -> usize {
    kit.send(stanza).iter().filter(|got| got.to == PHONE).count()
}

/// 5: of what was said since one was here last, also over a restart; never of rooms one may not enter, nor after one has gone.
#[test]
fn s5_since_one_was_here_last() {
    let mut kit = coven();
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "member");
    kit.send(&says(CRONE, "one"));
    kit.send(&join(HAG, "thirdwitch"));
    kit.send(&leaves(HAG, "thirdwitch"));
    assert!(subscribes(&mut kit).is_empty(), "she was here when it was said");
    unsubscribes(&mut kit);
    kit.send(&says(CRONE, "two"));
    kit.restart();
    let told = subscribes(&mut kit);
    assert!(told.len() == 1 && told[0].contains("<activity>coven@chat.shakespeare.lit</activity>"), "{told:?}");
    assert!(subscribes(&mut kit).is_empty(), "once");
    kit.send(&join(CRONE, "firstwitch"));
    assert_eq!(heard(&mut kit, &says(CRONE, "three")), 0, "she has been told");
}

#[test]
fn s5_only_where_one_may_enter() {
    let mut kit = coven();
    subscribes(&mut kit);
    assert_eq!(heard(&mut kit, &says(CRONE, "one")), 0, "she is on no list");
    unsubscribes(&mut kit);
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "member");
    // What was said before is news to her; she hears of no more of it until she has been here.
    assert_eq!(subscribes(&mut kit).len(), 1);
    kit.send(&join(HAG, "thirdwitch"));
    assert_eq!(heard(&mut kit, &says(CRONE, "two")), 0, "her other client hears it");
    kit.send(&leaves(HAG, "thirdwitch"));
    assert_eq!(heard(&mut kit, &says(CRONE, "three")), 1);
    kit.send(&join(HAG, "thirdwitch"));
    kit.send(&leaves(HAG, "thirdwitch"));
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "outcast");
    assert_eq!(heard(&mut kit, &says(CRONE, "four")), 0, "she is banned");
}

/// Who is gone costs nothing more: an error ends it as unavailable presence does.
#[test]
fn s4_2_an_error_ends_it() {
    let mut kit = coven();
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "member");
    subscribes(&mut kit);
    kit.send(&format!("<message from='{PHONE}' to='chat.shakespeare.lit' type='error'/>"));
    assert_eq!(heard(&mut kit, &says(CRONE, "one")), 0);
}
