//! XEP-0463: what `transcripts/versions.txt` does not show.

use super::kit::{CRONE, Got, HAG, Kit, WICCA, coven, join, leaves, set_affiliation, three_witches};
use xmpp::{Element, ns};

fn enters(kit: &mut Kit, from: &str, nick: &str, since: Option<&str>) -> Vec<Got> {
    let since = since.map(|since| format!(" since='{since}'")).unwrap_or_default();
    let got = kit.send(&format!(
        "<presence from='{from}' id='j' to='coven@chat.shakespeare.lit/{nick}'><x xmlns='http://jabber.org/protocol/muc'>\
         <mav xmlns='urn:xmpp:muc:affiliations:1'{since}/></x></presence>"
    ));
    got.into_iter().filter(|got| got.to == from).collect()
}

fn mav(stanza: &Element) -> Option<(Option<String>, Option<String>, Vec<String>)> {
    let x = stanza.get_child("x", ns::MUC_USER)?;
    let mav = x.get_child("mav", "urn:xmpp:muc:affiliations:1")?;
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

/// 5.2.1: whoever enters learns which version there is; 5.2.2: presence that shows a change says so to everybody, and who has asked is
/// told of it once.
#[test]
fn s5_2_2_presence_that_shows_a_change_bears_the_versions() {
    let mut kit = coven();
    let own = kit.send(&join(WICCA, "secondwitch"));
    let before = until(&own.into_iter().filter(|got| got.to == WICCA).collect::<Vec<_>>());
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "admin");
    let hag = until(&enters(&mut kit, HAG, "thirdwitch", None));
    assert_ne!(before, hag, "an admin more");
    let got = set_affiliation(&mut kit, "wiccarocks@shakespeare.lit", "member");
    let mut told: Vec<_> = got.iter().filter_map(|got| Some((got.to.as_str(), mav(&got.stanza)?))).collect();
    told.sort();
    assert_eq!(told.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [CRONE, HAG, WICCA], "each once: {got:?}");
    assert!(told.iter().all(|(_, (since, ..))| *since == Some(hag.clone())), "{told:?}");
    let next = told[0].1.1.clone();
    assert!(next.is_some() && told.iter().all(|(_, (_, until, _))| *until == next), "{told:?}");
    let away =
        kit.send("<presence from='wiccarocks@shakespeare.lit/laptop' to='coven@chat.shakespeare.lit/secondwitch'/>");
    assert!(away.iter().all(|got| mav(&got.stanza).is_none()), "no change: {away:?}");
    let banned = set_affiliation(&mut kit, "wiccarocks@shakespeare.lit", "outcast");
    let since: Vec<_> = banned.iter().filter_map(|got| mav(&got.stanza)?.0).collect();
    assert_eq!(
        since,
        vec![next.unwrap_or_default(); 3],
        "a ban too, to whom it is about and to the others: {banned:?}"
    );
}

/// 5.2.2: where presence does not name whose affiliation it is, who has asked and may know is told besides.
#[test]
fn s5_2_2_of_whom_nobody_is_shown() {
    let mut kit = three_witches();
    set_affiliation(&mut kit, "hecate@shakespeare.lit", "owner");
    let hecate = "hecate@shakespeare.lit/broom";
    enters(&mut kit, hecate, "hecate", None);
    let told = |got: Vec<Got>| -> Vec<_> {
        let to_her = got.into_iter().filter(|got| got.to == hecate && got.stanza.name() == "message");
        to_her.filter_map(|got| Some(mav(&got.stanza)?.2)).collect()
    };
    assert_eq!(told(set_affiliation(&mut kit, "hag66@shakespeare.lit", "member")), [[""; 0]; 0]);
    let domain = told(set_affiliation(&mut kit, "shakespeare.lit", "member"));
    assert_eq!(domain, [["shakespeare.lit member"]], "no presence has that address");
    assert_eq!(told(set_affiliation(&mut kit, "macbeth@scotland.lit", "member")), [["macbeth@scotland.lit member"]]);
}
