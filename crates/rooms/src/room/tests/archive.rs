//! XEP-0313: the room's archive.

use super::kit::{CRONE, Got, HAG, Kit, WICCA, admin, configure, coven, errors, join, lines, says, set_affiliation};
use xmpp::ns;

fn query(from: &str, inner: &str) -> String {
    format!(
        "<iq from='{from}' id='q' to='coven@chat.shakespeare.lit' type='set'>\
         <query xmlns='urn:xmpp:mam:2' queryid='f27'>{inner}</query></iq>"
    )
}

fn form(fields: &[(&str, &str)]) -> String {
    let fields: String =
        fields.iter().map(|(var, value)| format!("<field var='{var}'><value>{value}</value></field>")).collect();
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>{fields}</x>"
    )
}

fn bodies(got: &[Got]) -> Vec<String> {
    let body = |got: &Got| {
        let forwarded = got.stanza.get_child("result", ns::MAM)?.get_child("forwarded", ns::FORWARD)?;
        Some(forwarded.get_child("message", ns::CLIENT)?.get_child("body", ns::CLIENT)?.content())
    };
    got.iter().filter_map(body).collect()
}

fn five_lines() -> Kit {
    let mut kit = coven();
    kit.send(&join(HAG, "thirdwitch"));
    for (from, line) in [(CRONE, "one"), (HAG, "two"), (CRONE, "three"), (HAG, "four"), (CRONE, "five")] {
        kit.send(&says(from, line));
        kit.pass_ms(1_000);
    }
    kit
}

/// 4.2 and 4.3: a page of results, each forwarded with its stamp, then the end with its ends.
#[test]
fn s4_3_a_page_of_the_archive() {
    let mut kit = five_lines();
    let max = "<set xmlns='http://jabber.org/protocol/rsm'><max>2</max></set>";
    let got = kit.send(&query(HAG, max));
    let ids: Vec<String> = kit.rows.iter().map(|row| row.id.clone()).collect();
    assert_eq!(
        lines(&got[..1]),
        [format!(
            "<message from='coven@chat.shakespeare.lit' to='hag66@shakespeare.lit/pda'>\
             <result xmlns='urn:xmpp:mam:2' queryid='f27' id='{}'><forwarded xmlns='urn:xmpp:forward:0'>\
             <delay xmlns='urn:xmpp:delay' stamp='2002-10-13T23:58:37Z'/>{}</forwarded></result></message>",
            ids[0],
            kit.rows[0].stanza.replace("<message ", "<message xmlns='jabber:client' ")
        )]
    );
    assert_eq!(
        lines(&got[2..]),
        [format!(
            "<iq type='result' id='q' from='coven@chat.shakespeare.lit' to='hag66@shakespeare.lit/pda'>\
             <fin xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><first>{}</first><last>{}</last>\
             <count>5</count></set></fin></iq>",
            ids[0], ids[1]
        )]
    );
    let after = format!("<set xmlns='http://jabber.org/protocol/rsm'><max>9</max><after>{}</after></set>", ids[1]);
    let got = kit.send(&query(HAG, &after));
    assert_eq!(bodies(&got), ["three", "four", "five"]);
    assert!(lines(&got)[3].contains("complete='true'"));
    let last = "<set xmlns='http://jabber.org/protocol/rsm'><max>2</max><before/></set>";
    assert_eq!(bodies(&kit.send(&query(HAG, last))), ["four", "five"]);
    assert_eq!(bodies(&kit.send(&query(HAG, &format!("{last}<flip-page/>")))), ["five", "four"]);
}

/// 4.1: filters by occupant, time and id; an unknown id or filter is an error.
#[test]
fn s4_1_filters() {
    let mut kit = five_lines();
    let mut found = |fields: &[(&str, &str)]| bodies(&kit.send(&query(HAG, &form(fields))));
    assert_eq!(found(&[("with", "coven@chat.shakespeare.lit/thirdwitch")]), ["two", "four"]);
    assert_eq!(found(&[("start", "2002-10-13T23:58:40Z")]), ["four", "five"]);
    assert_eq!(found(&[("end", "2002-10-13T23:58:37Z")]), ["one"]);
    let id = kit.rows[3].id.clone();
    assert_eq!(bodies(&kit.send(&query(HAG, &form(&[("after-id", &id)])))), ["five"]);
    assert_eq!(bodies(&kit.send(&query(HAG, &form(&[("ids", &id)])))), ["four"]);
    let refused = |kit: &mut Kit, fields: &[(&str, &str)]| errors(&kit.send(&query(HAG, &form(fields))));
    assert_eq!(refused(&mut kit, &[("after-id", "nonesuch")]), [(HAG.into(), "item-not-found".into())]);
    assert_eq!(refused(&mut kit, &[("colour", "red")]), [(HAG.into(), "feature-not-implemented".into())]);
    assert_eq!(refused(&mut kit, &[("start", "yesterday")]), [(HAG.into(), "bad-request".into())]);
}

/// 4.1.3, `urn:xmpp:mam:2#extended`: `after-id` and `before-id` are filters, which the page's count heeds; `after` and `before`
/// of the result set are a place in what they leave (XEP-0059).
#[test]
fn s4_1_3_filters_by_id_narrow_the_count() {
    let mut kit = five_lines();
    let ids: Vec<String> = kit.rows.iter().map(|row| row.id.clone()).collect();
    let set = |inner: &str| format!("<set xmlns='http://jabber.org/protocol/rsm'><max>2</max>{inner}</set>");
    let mut found = |fields: &[(&str, &str)], page: &str| {
        let got = kit.send(&query(HAG, &(form(fields) + &set(page))));
        let fin = got.iter().find_map(|got| got.stanza.get_child("fin", ns::MAM)).expect("a page");
        let count = fin.get_child("set", ns::RSM).and_then(|set| set.get_child("count", ns::RSM)).expect("a count");
        (bodies(&got).join(" "), count.content())
    };
    let is = |bodies: &str, count: &str| (bodies.to_owned(), count.to_owned());
    assert_eq!(found(&[("after-id", &ids[1])], ""), is("three four", "3"));
    assert_eq!(found(&[("before-id", &ids[1])], ""), is("one", "1"));
    assert_eq!(found(&[("after-id", &ids[0]), ("before-id", &ids[4])], "<before/>"), is("three four", "3"));
    let on = format!("<after>{}</after>", ids[2]);
    assert_eq!(found(&[("after-id", &ids[1])], &on), is("four five", "3"));
    let back = format!("<before>{}</before>", ids[3]);
    assert_eq!(found(&[("after-id", &ids[1])], &back), is("three", "3"));
}

/// 4.1.1: an address without a resource is that of everybody in the room.
#[test]
fn s4_1_1_a_bare_address_is_that_of_all_occupants() {
    let mut kit = five_lines();
    let mut found = |with: &str| bodies(&kit.send(&query(HAG, &form(&[("with", with)])))).len();
    assert_eq!((found("coven@chat.shakespeare.lit"), found("heath@chat.shakespeare.lit")), (5, 0));
}

/// 4.1.5: all fields, none of them required, and any id for the last (XEP-0122).
#[test]
fn s4_1_5_the_form_of_the_filters() {
    let mut kit = coven();
    let get = query(HAG, "").replace("type='set'", "type='get'");
    let form = lines(&kit.send(&get)).remove(0);
    for field in ["jid-single' var='with", "start", "end", "before-id", "after-id", "ids"] {
        let (kind, var) = field.split_once("' var='").unwrap_or(("text-single", field));
        let kind = if var == "ids" { "list-multi" } else { kind };
        assert!(form.contains(&format!("<field var='{var}' type='{kind}'")), "{var} in {form}");
    }
    let validate =
        "<validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'><open/></validate>";
    assert!(form.contains(validate), "{form}");
}

/// 5: from which message to which the archive reaches, for those who may read it.
#[test]
fn s5_metadata() {
    let mut kit = coven();
    let asks = |from: &str| {
        format!(
            "<iq from='{from}' id='m' to='coven@chat.shakespeare.lit' type='get'><metadata xmlns='urn:xmpp:mam:2'/></iq>"
        )
    };
    let answer =
        |inner: &str| format!("<iq type='result' id='m' from='coven@chat.shakespeare.lit' to='{HAG}'>{inner}</iq>");
    assert_eq!(lines(&kit.send(&asks(HAG))), [answer("<metadata xmlns='urn:xmpp:mam:2'/>")]);
    let mut kit = five_lines();
    let (first, last) = (kit.rows[0].id.clone(), kit.rows[4].id.clone());
    let ends = format!(
        "<metadata xmlns='urn:xmpp:mam:2'><start id='{first}' timestamp='2002-10-13T23:58:37Z'/>\
         <end id='{last}' timestamp='2002-10-13T23:58:41Z'/></metadata>"
    );
    assert_eq!(lines(&kit.send(&asks(HAG))), [answer(&ends)]);
    set_affiliation(&mut kit, "hag66@shakespeare.lit", "outcast");
    assert_eq!(errors(&kit.send(&asks(HAG))), [(HAG.into(), "forbidden".into())]);
}

/// Who may enter may read.
#[test]
fn s6_who_may_read() {
    let mut kit = five_lines();
    let stranger = "macbeth@shakespeare.lit/x";
    assert_eq!(bodies(&kit.send(&query(stranger, ""))).len(), 5);
    configure(&mut kit, &[("muc#roomconfig_passwordprotectedroom", "1"), ("muc#roomconfig_roomsecret", "s")]);
    assert_eq!(errors(&kit.send(&query(stranger, ""))), [(stranger.into(), "forbidden".into())]);
    set_affiliation(&mut kit, "macbeth@shakespeare.lit", "member");
    assert_eq!(bodies(&kit.send(&query(stranger, ""))).len(), 5);
    set_affiliation(&mut kit, "macbeth@shakespeare.lit", "outcast");
    assert_eq!(errors(&kit.send(&query(stranger, ""))), [(stranger.into(), "forbidden".into())]);
}

/// What is said in passing is passed on and not kept; a room that is not logged keeps nothing.
#[test]
fn what_is_kept_and_what_is_not() {
    let mut kit = coven();
    let say = |inner: &str| {
        format!("<message from='{CRONE}' to='coven@chat.shakespeare.lit' type='groupchat'>{inner}</message>")
    };
    assert_eq!(kit.send(&say("<composing xmlns='http://jabber.org/protocol/chatstates'/>")).len(), 1);
    assert_eq!(kit.send(&say("<body>psst</body><no-store xmlns='urn:xmpp:hints'/>")).len(), 1);
    assert_eq!(kit.rows.len(), 0);
    kit.send(&say("<reactions xmlns='urn:xmpp:reactions:0' id='x'><reaction>👍</reaction></reactions>"));
    assert_eq!(kit.rows.len(), 1);
    configure(&mut kit, &[("muc#roomconfig_enablelogging", "0")]);
    kit.send(&says(CRONE, "off the record"));
    assert_eq!(kit.rows.len(), 1);
}

/// Who the items of results say has said each.
fn authors(got: &[Got]) -> Vec<Option<String>> {
    let author = |got: &Got| {
        let forwarded = got.stanza.get_child("result", ns::MAM)?.get_child("forwarded", ns::FORWARD)?;
        let item = forwarded.get_child("message", ns::CLIENT)?.get_child("x", ns::MUC_USER);
        let item = item.and_then(|x| x.get_child("item", ns::MUC_USER));
        Some(item.map(|item| {
            let said = |name| item.get(name).unwrap_or_default();
            format!("{} {} {}", said("jid"), said("affiliation"), said("role"))
        }))
    };
    got.iter().filter_map(author).collect()
}

/// MUC Archives (6.1.2): whoever may see real addresses at the time of the query finds them, and nobody else.
#[test]
fn s6_1_2_real_addresses_for_those_who_may_see_them() {
    let mut kit = five_lines();
    kit.send(&join(WICCA, "secondwitch"));
    let crone = Some(format!("{CRONE} owner moderator"));
    let hag = Some(format!("{HAG} none participant"));
    let all = vec![crone.clone(), hag.clone(), crone.clone(), hag.clone(), crone.clone()];
    let stranger = "macbeth@shakespeare.lit/x";
    assert_eq!(authors(&kit.send(&query(CRONE, ""))), all);
    for nobody in [HAG, WICCA, stranger] {
        assert_eq!(authors(&kit.send(&query(nobody, ""))), vec![None; 5], "{nobody}");
    }
    kit.send(&admin(CRONE, "<item nick='secondwitch' role='moderator'/>"));
    assert_eq!(authors(&kit.send(&query(WICCA, ""))), all, "a moderator");
    kit.send(&admin(CRONE, "<item nick='secondwitch' role='participant'/>"));
    assert_eq!(authors(&kit.send(&query(WICCA, ""))), vec![None; 5], "no moderator any more");
    set_affiliation(&mut kit, "macbeth@shakespeare.lit", "admin");
    assert_eq!(authors(&kit.send(&query(stranger, ""))), all, "an admin who is not here");
    configure(&mut kit, &[("muc#roomconfig_whois", "anyone")]);
    assert_eq!(authors(&kit.send(&query(HAG, ""))), all, "all see them now");
    kit.restart();
    assert_eq!(authors(&kit.send(&query(HAG, ""))), all, "after a restart too");
}

/// 4.1.1: `with` finds a real address, bare or full, for those alone who may know it, and one's own.
#[test]
fn s4_1_1_with_a_real_address() {
    let mut kit = five_lines();
    kit.send(&join(WICCA, "secondwitch"));
    let mut found = |from: &str, with: &str| bodies(&kit.send(&query(from, &form(&[("with", with)])))).join(" ");
    assert_eq!(found(CRONE, "hag66@shakespeare.lit"), "two four");
    assert_eq!(found(CRONE, HAG), "two four");
    assert_eq!(found(CRONE, "hag66@shakespeare.lit/broom"), "");
    assert_eq!(found(HAG, "hag66@shakespeare.lit"), "two four", "her own");
    assert_eq!(found(HAG, "crone1@shakespeare.lit"), "");
    assert_eq!(found(WICCA, HAG), "");
}

/// 6.1.2: what a user says of addresses himself is taken away, and what the room has taken back keeps its author.
#[test]
fn s6_1_2_nobody_says_who_he_is() {
    let mut kit = coven();
    kit.send(&join(HAG, "thirdwitch"));
    let forged = "<x xmlns='http://jabber.org/protocol/muc#user'><item jid='crone1@shakespeare.lit'/></x>";
    let got = kit.send(&says(HAG, "Harpier cries").replace("</body>", &format!("</body>{forged}")));
    let id = got[0].stanza.get_child("stanza-id", ns::SID).and_then(|id| id.get("id")).expect("its id").to_owned();
    let hag = vec![Some(format!("{HAG} none participant"))];
    assert_eq!(authors(&kit.send(&query(CRONE, ""))), hag);
    kit.send(&format!(
        "<iq from='{CRONE}' id='r' to='coven@chat.shakespeare.lit' type='set'>\
         <moderate xmlns='urn:xmpp:message-moderate:1' id='{id}'><retract xmlns='urn:xmpp:message-retract:1'/></moderate></iq>"
    ));
    assert_eq!(authors(&kit.send(&query(CRONE, "")))[..1], hag[..]);
}
