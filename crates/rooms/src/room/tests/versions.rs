//! XEP-0463: what `transcripts/versions.txt` does not show.

use super::kit::{Got, HAG, Kit, coven, leaves, set_affiliation};
use xmpp::{Element, ns};

fn enters(kit: &mut Kit, from: &str, nick: &str, since: Option<&str>) -> Vec<Got> {
    let since = since.map(|since| format!(" since='{since}'")).unwrap_or_default();
    let got = kit.send(&format!(
        "<presence from='{from}' id='j' to='coven@chat.shakespeare.lit/{nick}'><x xmlns='http://jabber.org/protocol/muc'>\
         <mav xmlns='urn:xmpp:muc:affiliations:0'{since}/></x></presence>"
    ));
    got.into_iter().filter(|got| got.to == from).collect()
}

fn mav(stanza: &Element) -> Option<(Option<String>, Option<String>, Vec<String>)> {
    let x = stanza.get_child("x", ns::MUC_USER)?;
    let mav = x.get_child("mav", "urn:xmpp:muc:affiliations:0")?;
    let said = |item: &Element| {
        format!("{} {}", item.get("jid").unwrap_or_default(), item.get("affiliation").unwrap_or_default())
    };
    let items = x.children().filter(|c| c.name() == "item").map(said).collect();
    Some((mav.get("since").map(str::to_owned), mav.get("until").map(str::to_owned), items))
}

/// The version that an own presence names.
fn until(got: &[Got]) -> String {
    let own = got.iter().map(|got| &got.stanza).filter(|stanza| stanza.name() == "presence").find_map(mav);
    own.and_then(|(_, until, _)| until).expect("a version")
}

/// 5.2.1: everything the first time, what has changed the next, nothing where nothing has, everything where the version is unknown.
#[test]
fn s5_2_1_what_has_changed() {
    let mut kit = coven();
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "admin");
    set_affiliation(&mut kit, "macbeth@shakespeare.lit", "outcast");
    let got = enters(&mut kit, HAG, "thirdwitch", None);
    let (since, now, items) = mav(&got[0].stanza).expect("before any presence");
    assert_eq!((since, now), (None, Some(until(&got))));
    assert_eq!(items, ["macbeth@shakespeare.lit outcast"], "an admin reads the bans and the members, not who leads");
    let version = until(&got);
    kit.send(&leaves(HAG, "thirdwitch"));
    let got = enters(&mut kit, HAG, "thirdwitch", Some(&version));
    assert_eq!(got[0].stanza.name(), "presence", "nothing has changed: {:?}", got[0]);
    kit.send(&leaves(HAG, "thirdwitch"));
    set_affiliation(&mut kit, "macbeth@shakespeare.lit", "none");
    let got = enters(&mut kit, HAG, "thirdwitch", Some(&version));
    let (since, _, items) = mav(&got[0].stanza).expect("a difference");
    assert_eq!((since, items), (Some(version), vec!["macbeth@shakespeare.lit none".to_owned()]));
    kit.send(&leaves(HAG, "thirdwitch"));
    let got = enters(&mut kit, HAG, "thirdwitch", Some("nonesuch"));
    assert_eq!(mav(&got[0].stanza).expect("everything").0, None);
}

/// 5.2.3 and 6: who may read no list is refused, and told of no change; he enters all the same.
#[test]
fn s5_2_3_who_may_read_no_list() {
    let mut kit = coven();
    let got = enters(&mut kit, HAG, "thirdwitch", None);
    let error = got[0].stanza.get_child("error", ns::CLIENT).expect("an error first");
    assert_eq!((got[0].stanza.name(), got[0].stanza.get("id")), ("message", Some("j")));
    assert!(error.has_child("forbidden", ns::STANZA_ERRORS) && error.get("by") == Some("coven@chat.shakespeare.lit"));
    assert!(got.len() > 1, "and she is in");
    let told = set_affiliation(&mut kit, "macbeth@shakespeare.lit", "member");
    assert!(told.iter().filter(|got| got.to == HAG).all(|got| mav(&got.stanza).is_none()), "{told:?}");
}
