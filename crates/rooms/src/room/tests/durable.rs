//! What must be on disk before anybody sees it, and what happens when it cannot be.

use super::kit::{CRONE, Disk, HAG, Kit, WICCA, admin, configure, coven, errors, join, lines, says, three_witches};
use machine::Output;

#[test]
fn a_message_is_seen_when_it_is_on_disk_and_presence_behind_it_waits() {
    let mut kit = three_witches();
    kit.disk(Disk::Hangs);
    assert_eq!(kit.send(&says(HAG, "Harpier cries")), []);
    let update = "<presence from='hag66@shakespeare.lit/pda' to='coven@chat.shakespeare.lit/thirdwitch'><show>xa</show></presence>";
    assert_eq!(kit.send(update), [], "it must not overtake the message");
    let got = kit.disk(Disk::Works);
    assert_eq!(got.len(), 6);
    assert!(got[..3].iter().all(|got| got.stanza.name() == "message"));
}

#[test]
fn a_message_that_cannot_be_kept_is_an_error_to_its_author_alone() {
    let mut kit = three_witches();
    kit.disk(Disk::Fails);
    assert_eq!(errors(&kit.send(&says(HAG, "lost"))), [(HAG.into(), "internal-server-error".into())]);
    kit.disk(Disk::Works);
    assert_eq!(kit.send(&says(HAG, "kept")).len(), 3);
    let got = kit.send(
        "<presence from='macbeth@shakespeare.lit/x' to='coven@chat.shakespeare.lit/macbeth'>\
         <x xmlns='http://jabber.org/protocol/muc'/></presence>",
    );
    let history: Vec<String> = lines(&got).into_iter().filter(|line| line.contains("<body>")).collect();
    assert!(history.len() == 1 && history[0].contains("kept"), "{history:?}");
}

/// 7.2.13: history shows what was said; a message on its way to the disk is shown to an entrant when it is there, and never
/// if it cannot be.
#[test]
fn s7_2_13_an_entrant_sees_nothing_of_a_message_that_cannot_be_kept() {
    for (disk, seen) in [(Disk::Works, 1), (Disk::Fails, 0)] {
        let mut kit = three_witches();
        kit.disk(Disk::Hangs);
        kit.send(&says(HAG, "Harpier cries"));
        let enters = "<presence from='macbeth@shakespeare.lit/x' to='coven@chat.shakespeare.lit/macbeth'>\
             <x xmlns='http://jabber.org/protocol/muc'/></presence>";
        assert_eq!(kit.send(enters), [], "behind the message");
        let got = kit.disk(disk);
        let heard = got.iter().filter(|got| got.to == "macbeth@shakespeare.lit/x" && got.stanza.name() == "message");
        let bodies = heard.filter(|got| got.stanza.has_child("body", xmpp::ns::CLIENT)).count();
        assert_eq!(bodies, seen, "{disk:?}");
    }
}

/// 7.2.16: every entrant is sent a subject: where its change is on its way to the disk and does not get there, the one before.
#[test]
fn s7_2_16_an_entrant_is_sent_the_subject_that_stays() {
    for (disk, seen) in [(Disk::Works, "Fire burn"), (Disk::Fails, "Cauldron bubble")] {
        let mut kit = three_witches();
        let subject = |text| {
            format!(
                "<message from='{CRONE}' to='coven@chat.shakespeare.lit' type='groupchat'><subject>{text}</subject></message>"
            )
        };
        kit.send(&subject("Cauldron bubble"));
        kit.disk(Disk::Hangs);
        kit.send(&subject("Fire burn"));
        kit.send(
            "<presence from='macbeth@shakespeare.lit/x' to='coven@chat.shakespeare.lit/macbeth'>\
             <x xmlns='http://jabber.org/protocol/muc'/></presence>",
        );
        let got = kit.disk(disk);
        let told = got.iter().filter(|got| got.to == "macbeth@shakespeare.lit/x" && got.stanza.name() == "message");
        let subjects: Vec<_> = told.filter_map(|got| got.stanza.get_child("subject", xmpp::ns::CLIENT)).collect();
        assert_eq!(subjects.iter().map(|s| s.content()).collect::<Vec<_>>(), [seen], "{disk:?}");
    }
}

#[test]
fn a_decision_that_cannot_be_kept_changes_nothing() {
    let mut kit = three_witches();
    kit.disk(Disk::Fails);
    let ban = admin(CRONE, "<item affiliation='outcast' jid='hag66@shakespeare.lit'/>");
    assert_eq!(errors(&kit.send(&ban)), [(CRONE.into(), "internal-server-error".into())]);
    assert_eq!(errors(&configure(&mut kit, &[("muc#roomconfig_roomname", "x")]))[0].1, "internal-server-error");
    kit.disk(Disk::Works);
    assert_eq!(kit.service.rooms()[0].occupants, 3);
    assert_eq!(kit.service.rooms()[0].name, "");
}

#[test]
fn a_room_that_cannot_be_kept_does_not_come_to_be() {
    let mut kit = Kit::new();
    kit.disk(Disk::Fails);
    assert_eq!(errors(&kit.send(&join(CRONE, "firstwitch"))), [(CRONE.into(), "internal-server-error".into())]);
    assert_eq!(kit.service.rooms(), []);
    kit.disk(Disk::Works);
    assert_eq!(errors(&kit.send(&join(HAG, "thirdwitch"))), []);
}

#[test]
fn what_comes_while_a_decision_is_written_waits_in_order() {
    let mut kit = three_witches();
    kit.disk(Disk::Hangs);
    kit.send(&admin(CRONE, "<item affiliation='outcast' jid='hag66@shakespeare.lit'/>"));
    assert_eq!(kit.send(&says(WICCA, "before")), []);
    assert_eq!(kit.send(&says(HAG, "too late")), []);
    let got = kit.disk(Disk::Works);
    let said: Vec<String> = lines(&got).into_iter().filter(|line| line.contains("<body>")).collect();
    assert_eq!(said.iter().filter(|line| line.contains("before")).count(), 2, "{said:?}");
    assert_eq!(errors(&got), [(HAG.into(), "not-acceptable".into())]);
}

/// 8.2: a kick is told when it is on disk; one that cannot be kept is refused, and has not been.
#[test]
fn s8_2_a_kick_is_told_when_it_is_on_disk() {
    let mut kit = three_witches();
    let kick = admin(CRONE, "<item nick='thirdwitch' role='none'/>");
    kit.disk(Disk::Hangs);
    assert_eq!(kit.send(&kick), []);
    let got = kit.disk(Disk::Works);
    assert_eq!(lines(&got).iter().filter(|line| line.contains("<status code='307'/>")).count(), 3, "{got:?}");
    assert!(!kit.records.keys().any(|(space, _, key)| space == "occupant" && key == HAG), "{:?}", kit.records);

    kit.send(&join(HAG, "thirdwitch"));
    kit.disk(Disk::Fails);
    assert_eq!(errors(&kit.send(&kick)), [(CRONE.into(), "internal-server-error".into())]);
    kit.disk(Disk::Works);
    assert_eq!(kit.send(&says(HAG, "still here")).len(), 3);
}

/// 11.1: after a restart direct occupants are told 333, so that they come back.
#[test]
fn s11_1_after_a_restart_occupants_are_told_333_and_come_back() {
    let mut kit = three_witches();
    kit.send(&says(HAG, "Harpier cries"));
    kit.restart();
    let got = kit.pass_ms(1);
    let mut told: Vec<(String, bool)> = got
        .iter()
        .map(|got| (got.to.clone(), lines(std::slice::from_ref(got))[0].contains("<status code='333'/>")))
        .collect();
    told.sort();
    assert_eq!(told, [(CRONE.into(), true), (HAG.into(), true), (WICCA.into(), true)]);
    // A temporary room waits for them, so that it is not another's meanwhile.
    let got = kit.send(
        "<presence from='hag66@shakespeare.lit/pda' to='coven@chat.shakespeare.lit/thirdwitch'>\
         <x xmlns='http://jabber.org/protocol/muc'/></presence>",
    );
    let got = lines(&got).join("\n");
    assert!(got.contains("affiliation='none' role='participant'") && !got.contains("code='201'"), "{got}");
    assert!(got.contains("Harpier cries"), "history is read again: {got}");
}

#[test]
fn a_temporary_room_nobody_comes_back_to_ends_in_time() {
    let mut kit = coven();
    kit.restart();
    kit.pass_ms(1);
    assert_eq!(kit.service.rooms().len(), 1);
    kit.pass_ms(11 * 60 * 1_000);
    assert_eq!((kit.service.rooms().len(), kit.records.len()), (0, 0));
}

#[test]
fn numbers_of_the_order_never_come_twice() {
    let mut kit = coven();
    kit.send(&says(CRONE, "one"));
    kit.restart();
    kit.pass_ms(1);
    kit.send(&join(CRONE, "firstwitch"));
    kit.send(&says(CRONE, "two"));
    assert!(kit.rows[1].seq > kit.rows[0].seq && kit.rows[1].id != kit.rows[0].id, "{:?}", kit.rows);
}

/// XEP-0359 3.1: a room that comes back from a backup gives numbers anew, and no id.
#[test]
fn ids_are_given_once_whatever_a_room_comes_back_with() {
    let mut kit = coven();
    let backup = (kit.records.clone(), kit.rows.clone());
    let says_after_a_restart = |kit: &mut Kit| {
        kit.restart();
        kit.pass_ms(1);
        kit.send(&join(CRONE, "firstwitch"));
        kit.send(&says(CRONE, "again"));
        kit.rows.last().cloned().expect("it is kept")
    };
    let lost = says_after_a_restart(&mut kit);
    (kit.records, kit.rows) = backup;
    let kept = says_after_a_restart(&mut kit);
    assert_eq!(lost.seq, kept.seq);
    assert_ne!(lost.id, kept.id);
}

/// Numbers that a disk did not let reserve are reserved as soon as it works again, not half a block later.
#[test]
fn numbers_that_could_not_be_reserved_are_asked_for_again() {
    let mut kit = coven();
    kit.restart();
    kit.pass_ms(1);
    kit.disk(Disk::Fails);
    kit.send(&join(CRONE, "firstwitch"));
    kit.disk(Disk::Works);
    kit.send(&says(CRONE, "one"));
    let meta = ("room".to_owned(), "coven@chat.shakespeare.lit".to_owned(), "meta".to_owned());
    let reserved = kit.records[&meta].split("\"reserved\":").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
    assert!(reserved.parse::<u64>().unwrap() > kit.rows[0].seq, "{reserved} {:?}", kit.rows);
}

#[test]
fn a_record_that_cannot_be_read_is_logged_and_costs_only_itself() {
    let mut kit = coven();
    let key = ("room".to_owned(), "heath@chat.shakespeare.lit".to_owned(), "meta".to_owned());
    kit.records.insert(key, "{".into());
    kit.restart();
    kit.pass_ms(1);
    assert!(kit.logs.iter().any(|line| line.contains("heath@chat.shakespeare.lit")), "{:?}", kit.logs);
    assert_eq!(kit.service.rooms().len(), 1);
}

/// One broadcast is one effect, whatever the number of occupants; its bytes are shared.
#[test]
fn a_message_to_many_is_one_broadcast() {
    let mut kit = coven();
    for n in 0..50 {
        kit.send(&join(&format!("w{n}@shakespeare.lit/x"), &format!("w{n}")));
    }
    kit.outputs.clear();
    assert_eq!(kit.send(&says(CRONE, "one for all")).len(), 51);
    let sent = kit.outputs.iter().filter(|o| matches!(o, Output::Send { .. })).count();
    let broadcasts: Vec<_> = kit
        .outputs
        .iter()
        .filter_map(|o| match o {
            Output::Broadcast { plain: Some(plain), jids: Some(jids), .. } => Some(plain.same(jids)),
            _ => None,
        })
        .collect();
    assert_eq!((sent, broadcasts), (0, vec![true]));
}

/// 8.1: a subject that could not be kept gives way to the one before, a later one stays.
#[test]
fn s8_1_a_subject_that_cannot_be_kept_was_never_set() {
    let mut kit = coven();
    let subject = |text: &str| {
        format!(
            "<message from='{CRONE}' to='coven@chat.shakespeare.lit' type='groupchat'><subject>{text}</subject></message>"
        )
    };
    kit.send(&subject("first"));
    kit.disk(Disk::Fails);
    kit.send(&subject("second"));
    kit.disk(Disk::Works);
    let last = |kit: &mut Kit| lines(&kit.send(&join(HAG, "thirdwitch"))).pop().unwrap_or_default();
    assert!(last(&mut kit).contains("<subject>first</subject>"));
    kit.disk(Disk::Hangs);
    kit.send(&subject("third"));
    kit.send(&subject("fourth"));
    kit.disk(Disk::Works);
    assert!(last(&mut kit).contains("<subject>fourth</subject>"));
}

/// A server hands over all that it keeps: accounts and mirrors are nobody's rooms, and no cause for a complaint.
#[test]
fn what_belongs_to_others_is_no_room() {
    let mut kit = three_witches();
    for (space, owner, key) in [("account", "crone1", "credentials"), ("mirror", "wallops@channel.avalon.irc", "meta")]
    {
        kit.records.insert((space.to_owned(), owner.to_owned(), key.to_owned()), "{}".to_owned());
    }
    kit.logs.clear();
    kit.restart();
    kit.pass_ms(0);
    kit.send(&join(CRONE, "firstwitch"));
    assert_eq!(kit.service.rooms().len(), 1);
    assert!(!kit.logs.iter().any(|log| log.contains("no main record")), "{:?}", kit.logs);
}
