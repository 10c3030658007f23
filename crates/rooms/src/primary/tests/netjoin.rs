//! `docs/wire.md`, *Netjoin*, as the primary does it: verdicts, and the log of an island judged against the room as it is.

use super::kit::*;
use super::links::{end_stream, granted};
use super::netsplit::{left, split, wait};
use crate::room::tests::kit::{Disk, Got, errors};
use crate::wire::{Destroyed, HistorySent, Replicate, RosterSent, UpMark, Verdict};
use machine::Born;
use xmpp::{Element, ns};

const BOTH: [(&str, &str); 2] = [(BIG_CHEESE, "BigCheese"), (EFCHEN, "Efchen")];

/// Said on the island: told at the end of the one order, with the time at which it was said, and kept with its base.
#[test]
fn what_an_island_said_goes_to_the_end_with_its_own_time() {
    let mut net = Net::whole();
    split(&mut net);
    let base = net.seq();
    let said_ms = net.kit.now.unix_ms;
    net.says(WIZ, "on the mainland");
    wait(&mut net, 5_000);
    back(&mut net, base, &BOTH);
    let got = net.reports(&message(BIG_CHEESE, "on the island"), island(said_ms, base));
    let told = of(&got, ERIS)[0];
    assert_eq!(delay_of(told), Some(xmpp::stanza::format_ms(said_ms)));
    assert_eq!(marks(&got, ERIS)[0].seq, Some(net.seq()));
    let row = net.kit.rows.last().expect("it is archived");
    assert_eq!(row.born, Some(Born { base, site: "vesa.yeggmaex.irc".into() }));
    assert_eq!(row.stamp_ms, net.kit.now.unix_ms, "the archive has the time of now");
    schema::assert_valid(&net.crossed);
}

/// Stamps are held to what can be: not before the link was last heard, not after now; a base is none that is to come.
#[test]
fn stamps_of_an_island_are_clamped() {
    let mut net = Net::whole();
    let heard_ms = net.kit.now.unix_ms;
    split(&mut net);
    back(&mut net, 0, &BOTH);
    let got = net.reports(&message(BIG_CHEESE, "long ago"), island(0, 0));
    assert_eq!(delay_of(of(&got, ERIS)[0]), Some(xmpp::stanza::format_ms(heard_ms)));
    let got = net.reports(&message(BIG_CHEESE, "in times to come"), island(heard_ms + 86_400_000, u64::MAX));
    assert_eq!(delay_of(of(&got, ERIS)[0]), Some(xmpp::stanza::format_ms(net.kit.now.unix_ms)));
    let born = net.kit.rows.last().and_then(|row| row.born.clone()).expect("it is of an island");
    assert_eq!(born.base, net.seq() - 1);
}

/// An entrant gets it with one delay by the room, and that says when it was said.
#[test]
fn history_says_when_it_was_said_on_the_island() {
    let mut net = Net::whole();
    split(&mut net);
    let said_ms = net.kit.now.unix_ms;
    wait(&mut net, 5_000);
    back(&mut net, 0, &BOTH);
    net.reports(&message(BIG_CHEESE, "on the island"), island(said_ms, 0));
    let join = "<presence from='eve@elsewhere.example/x' to='wallops@channel.avalon.irc/Eve'>\
                <x xmlns='http://jabber.org/protocol/muc'/></presence>";
    let got = net.feed(join);
    let past =
        of(&got, "eve@elsewhere.example/x").into_iter().find(|s| s.has_child("body", ns::CLIENT)).expect("history");
    let delays: Vec<&Element> = past.children().filter(|c| c.is("delay", ns::DELAY)).collect();
    assert_eq!(delays.len(), 1, "{past}");
    assert_eq!(delays[0].get("stamp"), Some(xmpp::stanza::format_ms(said_ms).as_str()));
}

/// A seat lasts until its own reported leave: what was said before it counts.
#[test]
fn who_left_on_the_island_has_said_what_he_said() {
    let mut net = Net::whole();
    split(&mut net);
    let said_ms = net.kit.now.unix_ms;
    let got = back(&mut net, 0, &[(EFCHEN, "Efchen")]);
    assert_eq!(left(&got), [""; 0], "his leave is still to come");
    let got = net.reports(&message(BIG_CHEESE, "last words"), island(said_ms, 0));
    assert_eq!(kinds(&got, ERIS), ["event"]);
    let leave = format!("<presence type='unavailable' from='{BIG_CHEESE}' to='{ROOM}/BigCheese'/>");
    assert_eq!(left(&net.reports(&leave, island(said_ms, 0))), ["BigCheese"]);
    assert_eq!(left(&net.reported(VESA)), [""; 0]);
}

/// XEP-0045 18.1.2: nor is anybody taken out because his client is not reached, while his site may still report what he said, which would be
/// refused then: the site itself says who is there. By a link that is whole he is taken out.
#[test]
fn who_may_be_reported_is_not_taken_out_with_his_client() {
    for condition in ["service-unavailable", "recipient-unavailable"] {
        for state in ["suspect", "split", "begun again"] {
            let mut net = Net::whole();
            match state {
                "suspect" => end_stream(&mut net, "vesa.yeggmaex.irc"),
                _ => split(&mut net),
            };
            let begun_again = state == "begun again";
            if begun_again {
                back(&mut net, 0, &[]);
            }
            let mut got = client_is_gone(&mut net, condition);
            if !begun_again {
                got.extend(back(&mut net, 0, &BOTH));
                got.extend(client_is_gone(&mut net, condition));
            }
            got.extend(net.says(EFCHEN, "before"));
            assert_eq!((left(&got), errors(&got)), (vec![], vec![]), "{state}, {condition}");
            let hers = lines(&got, ERIS).into_iter().filter(|line| line.contains("<body>before</body>"));
            assert_eq!(hers.count(), 1, "{state}, {condition}");

            // The report is over.
            let mut gone = left(&net.reported(VESA));
            gone.extend(left(&client_is_gone(&mut net, condition)));
            gone.sort();
            let unlisted: &[&str] = if begun_again { &["BigCheese", "Efchen"] } else { &["Efchen"] };
            assert_eq!(gone, unlisted, "{state}, {condition}");
            schema::assert_valid(&net.crossed);
        }
        assert_eq!(left(&client_is_gone(&mut Net::whole(), condition)), ["Efchen"], "{condition}: it was never lost");
    }
}

/// Nor is a report over before what it said is heard, where that has to wait for a decision of the room's, or is asked for again.
#[test]
fn a_report_ends_behind_what_it_said() {
    for lost in [false, true] {
        let mut net = Net::whole();
        split(&mut net);
        back(&mut net, 0, &[(EFCHEN, "Efchen")]);
        net.kit.disk(Disk::Hangs);
        net.feed(&format!(
            "<iq from='{WUMPUS}' id='a' type='set' to='{ROOM}'><query xmlns='{}'>\
             <item jid='robey@elsewhere.example' affiliation='member'/></query></iq>",
            ns::MUC_ADMIN
        ));
        let first = net.marked(&message(BIG_CHEESE, "last"));
        let second = net.marked(&message(BIG_CHEESE, "words"));
        let mut got = Vec::new();
        for stanza in [&first, &second].into_iter().skip(usize::from(lost)) {
            got.extend(net.feed(stanza));
        }
        got.extend(net.reported(VESA));
        got.extend(net.kit.disk(Disk::Works));
        if lost {
            got.extend(net.feed(&first));
            got.extend(net.feed(&second));
        }
        assert_eq!(errors(&got), [], "lost: {lost}");
        let heard = of(&got, ERIS).into_iter().filter_map(|stanza| stanza.get_child("body", ns::CLIENT));
        assert_eq!(heard.map(Element::content).collect::<Vec<_>>(), ["last", "words"], "lost: {lost}");
        got.extend(wait(&mut net, 60_000));
        assert_eq!(left(&got), ["BigCheese"], "lost: {lost}");
    }
}

/// Who has left is not in again because his replica missed the LEAVE and still counts him, though another session of his is there;
/// nor when the answer is lost as well, and the replica asks once more.
#[test]
fn who_has_left_is_not_in_again_by_a_census() {
    let mut net = Net::whole();
    let second = "msa@vesa.yeggmaex.irc/skateboard";
    net.joins(second, "Efchen");
    net.leaves(EFCHEN, "Efchen");
    let census = [(BIG_CHEESE, "BigCheese"), (EFCHEN, "Efchen"), (second, "Efchen")];
    for _ in 0..2 {
        let request = net.request_again(VESA, net.seq(), &census);
        let got = net.ask(VESA, &request);
        let verdicts: Vec<bool> = granted(&got).seats.iter().map(|s| s.verdict == Verdict::Kept).collect();
        assert_eq!(verdicts, [true, false, true]);
        assert!(matches!(granted(&got).seats[1].verdict, Verdict::Removed(_)), "{got:?}");
    }
}

/// Whom the census did not name and whose leave does not come goes with 333 when the report is over, or has had its time.
#[test]
fn who_is_not_in_the_census_goes_when_the_report_is_over() {
    let mut net = Net::whole();
    split(&mut net);
    assert_eq!(left(&back(&mut net, 0, &[(EFCHEN, "Efchen")])), [""; 0]);
    assert_eq!(left(&net.reported(VESA)), ["BigCheese"]);

    let mut silent = Net::whole();
    split(&mut silent);
    back(&mut silent, 0, &[(EFCHEN, "Efchen")]);
    assert_eq!(left(&wait(&mut silent, 59_000)), [""; 0]);
    assert_eq!(left(&wait(&mut silent, 2_000)), ["BigCheese"]);
}

/// The same when a split alone had cost him the seat by then: he has it again for as long as he is quoted.
#[test]
fn who_left_on_the_island_is_quoted_after_retention_too() {
    let mut net = Net::whole();
    split(&mut net);
    let said_ms = net.kit.now.unix_ms;
    wait(&mut net, 3_601_000);
    back(&mut net, 0, &[(EFCHEN, "Efchen")]);
    let got = net.reports(&message(BIG_CHEESE, "last words"), island(said_ms, 0));
    assert!(lines(&got, ERIS).iter().any(|line| line.contains("last words")), "{got:?}");
    assert_eq!(delay_of(of(&got, ERIS).last().expect("it is told")), Some(xmpp::stanza::format_ms(said_ms)));
    assert_eq!(left(&net.reported(VESA)), ["BigCheese"]);
}

/// Only a removal other than by retention voids what somebody said.
#[test]
fn what_somebody_said_who_was_kicked_meanwhile_is_refused() {
    let mut net = Net::whole();
    split(&mut net);
    net.kicks(WUMPUS, "BigCheese", "Avaunt!");
    back(&mut net, 0, &BOTH);
    let got = net.reports(&message(BIG_CHEESE, "but I was here"), island(net.kit.now.unix_ms, 0));
    assert_eq!(errors(&got), [(BIG_CHEESE.into(), "not-acceptable".into())]);
    let error = of(&got, BIG_CHEESE)[0];
    assert!(error.to_xml().contains("<up xmlns='urn:netjoin:dmuc:0' outbox='v1' n='3'/>"), "{error}");
}

/// The same where the service has restarted, and the kick comes between the census by which he is in again and what his site has still
/// to say for him.
#[test]
fn who_is_kicked_after_a_restart_is_not_in_again_by_what_he_had_said() {
    let mut net = Net::whole();
    let said_ms = net.kit.now.unix_ms;
    net.kit.restart();
    let request = net.request_again(KILLRC, 0, &[(WUMPUS, "Wumpus")]);
    net.ask(KILLRC, &request);
    back(&mut net, 0, &BOTH);
    net.kicks(WUMPUS, "BigCheese", "Avaunt!");
    let got = net.reports(&message(BIG_CHEESE, "but I was here"), island(said_ms, 0));
    assert_eq!(errors(&got), [(BIG_CHEESE.into(), "not-acceptable".into())]);
    assert_eq!(kinds(&got, KILLRC), [""; 0]);
}

/// Nor is he in by a join that his island accepted without knowing of the kick, of whichever client and under whichever nick. To
/// come again knowing it is another matter.
#[test]
fn who_was_kicked_is_not_in_again_by_a_join_to_the_island() {
    let mut net = Net::whole();
    split(&mut net);
    let base = net.seq();
    net.kicks(WUMPUS, "BigCheese", "Avaunt!");
    let kicked = net.seq();
    back(&mut net, base, &BOTH);
    net.reports(&leave(BIG_CHEESE), island(0, base));
    for (user, nick) in [(BIG_CHEESE, "BigCheese"), ("rubenro@vesa.yeggmaex.irc/anew", "Gouda")] {
        let got = net.reports(&join(user, nick), island(0, base));
        assert_eq!((errors(&got), kinds(&got, KILLRC)), (vec![(user.into(), "not-allowed".into())], vec![]));
    }
    let stranger = net.reports(&join("edam@vesa.yeggmaex.irc/x", "Edam"), island(0, base));
    assert_eq!((errors(&stranger), kinds(&stranger, KILLRC)), (vec![], vec!["event"]));
    let got = net.reports(&join(BIG_CHEESE, "BigCheese"), island(0, kicked));
    assert_eq!((errors(&got), kinds(&got, KILLRC)), (vec![], vec!["event"]));
}

/// No island was there, but the answer to a join and the kick behind it were lost: the join is made again, and does not undo the kick. Who
/// was kicked before what his site has heard knows of it, and so does who asks behind the report.
#[test]
fn who_was_kicked_is_not_in_again_by_a_join_that_is_made_again() {
    for (heard, reported, refused) in [(false, false, true), (true, false, false), (false, true, false)] {
        let mut net = Net::wallops();
        let before = net.seq();
        net.joins(BIG_CHEESE, "BigCheese");
        net.kicks(WUMPUS, "BigCheese", "Avaunt!");
        let request = net.request_again(VESA, if heard { net.seq() } else { before }, &[(EFCHEN, "Efchen")]);
        net.ask(VESA, &request);
        if reported {
            net.reported(VESA);
        }
        let got = net.joins(BIG_CHEESE, "BigCheese");
        let errors: Vec<_> = errors(&got).into_iter().map(|(_, condition)| condition).collect();
        assert_eq!(errors, if refused { vec!["not-allowed"] } else { vec![] }, "heard: {heard}, reported: {reported}");
        assert_eq!(kinds(&got, VESA).contains(&"enter"), !refused, "heard: {heard}, reported: {reported}");
    }
}

/// In the middle of the snapshot the report shows that nobody of the site is there any more, and is over: what happens then is for
/// nobody, though what is still owed goes behind the snapshot, up to the last LEAVE.
#[test]
fn what_happens_behind_the_last_leave_is_for_nobody_once_the_report_is_over() {
    let mut net = Net::whole();
    split(&mut net);
    let base = net.seq();
    ["one", "two", "three"].iter().for_each(|body| drop(net.says(WIZ, body)));
    let request = Replicate { maxstanzas: 1, ..net.request_again(VESA, base, &BOTH) };
    let mut got = net.ask_only(VESA, &request);
    net.says(WIZ, "still for them");
    for (user, nick) in [(BIG_CHEESE, "BigCheese"), (EFCHEN, "Efchen")] {
        let leave = format!("<presence type='unavailable' from='{user}' to='{ROOM}/{nick}'/>");
        assert_eq!(kinds(&net.reports(&leave, island(0, base)), VESA), [""; 0], "held");
    }
    net.says(WIZ, "for who might come back");
    net.reported(VESA);
    net.says(WIZ, "for nobody");
    while let Some(id) = page_behind(&got, VESA) {
        got.extend(net.feed(&format!("<iq type='result' from='{VESA}' to='{ROOM}' id='{id}'/>")));
    }
    let told = kinds(&got, VESA);
    let synced = told.iter().position(|kind| *kind == "synced").expect("the snapshot is whole");
    assert_eq!(told[synced + 1..], ["event", "leave", "event", "leave"]);
}

/// A kick on the island is told as one when who did it may kick the victim as the room is now.
#[test]
fn a_kick_on_the_island_is_judged_by_the_room_as_it_is() {
    let mut net = Net::whole();
    net.affiliate("msa@vesa.yeggmaex.irc", "admin");
    net.leaves(EFCHEN, "Efchen");
    net.joins(EFCHEN, "Efchen");
    split(&mut net);
    back(&mut net, 0, &BOTH);
    let got = net.reports(&leave(BIG_CHEESE), kicked_by("Efchen"));
    let gone = of(&got, ERIS)[0].to_xml();
    assert!(
        gone.contains("<status code='307'/>") && gone.contains("<actor nick='Efchen'/><reason>Hush!</reason>"),
        "{gone}"
    );
    // It is not undone by a census that has him.
    let got = back(&mut net, 0, &BOTH);
    assert!(matches!(&granted(&got).seats[0].verdict, Verdict::Removed(removed) if removed.status.0 == 307));
}

/// Who may not kick, or is of another site, has not kicked: the victim has left.
#[test]
fn a_kick_by_nobody_who_may_is_a_leave() {
    for kicker in ["Efchen", "WiZ", "nobody"] {
        let mut net = Net::whole();
        split(&mut net);
        back(&mut net, 0, &BOTH);
        let got = net.reports(&leave(BIG_CHEESE), kicked_by(kicker));
        assert_eq!(left(&got), ["BigCheese"]);
        assert!(!of(&got, ERIS)[0].to_xml().contains("307"), "by {kicker}");
    }
}

/// Nobody puts an islander out by taking, after retention, all the nicks that he might be given, nor has he one too long for that.
#[test]
fn an_islander_is_given_a_nick_whoever_has_taken_others() {
    for nick in ["BigCheese".to_owned(), "B".repeat(crate::room::NICK_BYTES_MAX)] {
        let like = |suffix: &str| {
            let room = crate::room::NICK_BYTES_MAX - suffix.len();
            format!("{}{suffix}", &nick[..nick.len().min(room)])
        };
        let mut net = Net::wallops();
        net.joins(BIG_CHEESE, &nick);
        split(&mut net);
        wait(&mut net, 3_601_000);
        for (n, suffix) in ["", "_", "_2", "_3", "_4", "_5"].into_iter().enumerate() {
            net.feed(&join(&format!("squatter{n}@elsewhere.example/x"), &like(suffix)));
        }
        let seat = granted(&back(&mut net, 0, &[(BIG_CHEESE, &nick)])).seats[0].clone();
        assert_eq!((seat.nick.as_str(), seat.verdict), (like("_6").as_str(), Verdict::Reenter));
    }
}

/// A nick taken after retention stays with who has it; the islander is given another, and is meant by his old one until his
/// log is over.
#[test]
fn a_nick_that_was_taken_after_retention_is_given_another() {
    let mut net = Net::whole();
    split(&mut net);
    wait(&mut net, 3_601_000);
    net.joins(TROY, "Troy");
    net.feed(
        "<presence from='eve@elsewhere.example/x' to='wallops@channel.avalon.irc/BigCheese'>\
              <x xmlns='http://jabber.org/protocol/muc'/></presence>",
    );
    let got = back(&mut net, 0, &BOTH);
    let seat = granted(&got).seats[0].clone();
    assert_eq!((seat.nick.as_str(), seat.verdict), ("BigCheese_", Verdict::Reenter));
    let entered = of(&got, ERIS).into_iter().filter_map(|s| s.get("from")).any(|from| from.ends_with("/BigCheese_"));
    assert!(entered, "to all others he enters under it");
    let update = format!("<presence from='{BIG_CHEESE}' to='{ROOM}/BigCheese'><show>dnd</show></presence>");
    let got = net.reports(&update, island(0, 0));
    assert_eq!(of(&got, ERIS)[0].get("from"), Some("wallops@channel.avalon.irc/BigCheese_"));
    assert_eq!(errors(&got), []);
}

/// A seat of which a new session is in the census is that seat: no entry, no password.
#[test]
fn a_new_session_of_a_seat_is_no_entry() {
    let mut net = Net::whole();
    split(&mut net);
    net.kit.service.rooms.get_mut(&jid(ROOM)).expect("it is there").config.password = Some("cauldronburn".into());
    let anew = "rubenro@vesa.yeggmaex.irc/anew";
    let got = back(&mut net, 0, &[(anew, "BigCheese"), (EFCHEN, "Efchen")]);
    assert_eq!(granted(&got).seats[0].verdict, Verdict::Reenter);
    let third = "rubenro@vesa.yeggmaex.irc/third";
    let join = format!(
        "<presence from='{third}' to='{ROOM}/BigCheese'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
    );
    let got = net.reports(&join, island(0, 0));
    assert_eq!((errors(&got), kinds(&got, VESA)), (vec![], vec!["enter"]));
    // Of somebody else with that nick it is an entry like any other.
    let stranger = join.replace(third, "mallory@vesa.yeggmaex.irc/x");
    assert_eq!(
        errors(&net.reports(&stranger, island(0, 0))),
        [("mallory@vesa.yeggmaex.irc/x".into(), "not-authorized".into())]
    );
}

/// A site that comes back with nobody to name is told at once what of its outbox has been had.
#[test]
fn where_nobody_is_named_there_are_marks() {
    let mut net = Net::whole();
    net.leaves(BIG_CHEESE, "BigCheese");
    net.leaves(EFCHEN, "Efchen");
    let got = back(&mut net, 0, &[]);
    let granted = granted(&got);
    assert_eq!((granted.roster, granted.history, granted.seats.len()), (RosterSent::None, HistorySent::None, 0));
    assert_eq!(granted.marks.iter().map(|mark| mark.n).collect::<Vec<_>>(), [4]);
}

/// Nobody of the census has a seat or can have one again: verdicts, and no link.
#[test]
fn where_nobody_may_come_back_there_is_no_link() {
    let mut net = Net::whole();
    split(&mut net);
    net.kicks(WUMPUS, "BigCheese", "Avaunt!");
    net.kicks(WUMPUS, "Efchen", "You too!");
    let got = back(&mut net, 0, &BOTH);
    let granted = granted(&got);
    assert_eq!((granted.roster, granted.history), (RosterSent::None, HistorySent::None));
    let statuses = granted.seats.iter().map(|seat| match &seat.verdict {
        Verdict::Removed(removed) => (removed.status.0, removed.reason.as_deref()),
        other => panic!("{other:?}"),
    });
    assert_eq!(statuses.collect::<Vec<_>>(), [(307, Some("Avaunt!")), (307, Some("You too!"))]);
    assert_eq!(kinds(&got, VESA), [""; 0]);
    assert_eq!(kinds(&net.says(WIZ, "among ourselves"), VESA), [""; 0]);
    schema::assert_valid(&net.crossed);
}

/// Another life of the room: nothing of the former is merged into it.
#[test]
fn a_room_made_anew_is_another_room() {
    let mut net = Net::whole();
    split(&mut net);
    let mut request = net.request_again(VESA, 0, &BOTH);
    request.resume.as_mut().expect("it was here before").incarnation = "before".into();
    let got = net.ask(VESA, &request);
    let error = of(&got, VESA)[0].get_child("error", ns::CLIENT).expect("an error");
    let destroyed = Destroyed { incarnation: "before".into(), venue: None, reason: None };
    assert_eq!(Destroyed::find(error), Some(Ok(destroyed)));
    schema::assert_valid(&net.crossed);
}

/// The same bound as for what is read: a page that ends at a row born at the asker's site is continued behind that very row.
#[test]
fn a_page_that_ends_at_a_row_born_here_goes_on_behind_it() {
    let mut net = Net::whole();
    split(&mut net);
    let base = net.seq();
    back(&mut net, base, &BOTH);
    net.reports(&message(BIG_CHEESE, "on the island"), island(net.kit.now.unix_ms, base));
    let id = net.kit.rows.last().expect("a row").id.clone();
    let last = |net: &mut Net, who: &str| {
        let got =
            net.feed(&format!("<iq type='set' id='m1' from='{who}' to='{ROOM}'><query xmlns='urn:xmpp:mam:2'/></iq>"));
        let fin = of(&got, who).into_iter().find_map(|s| s.get_child("fin", ns::MAM)).expect("a page");
        fin.get_child("set", ns::RSM).and_then(|set| set.get_child("last", ns::RSM)).expect("the last id").content()
    };
    assert_eq!(last(&mut net, BIG_CHEESE), format!("{id}~"));
    assert_eq!(last(&mut net, WIZ), id);
}

fn back(net: &mut Net, seq: u64, census: &[(&str, &str)]) -> Vec<Got> {
    let request = net.request_again(VESA, seq, census);
    net.ask(VESA, &request)
}

fn island(said_ms: i64, base: u64) -> UpMark {
    UpMark { said: Some(said_ms), base: Some(base), ..UpMark::default() }
}

fn kicked_by(nick: &str) -> UpMark {
    UpMark { kicker: Some(nick.parse().expect("a nick")), reason: Some("Hush!".into()), ..island(0, 0) }
}

fn message(from: &str, body: &str) -> String {
    format!("<message from='{from}' to='{ROOM}' type='groupchat'><body>{body}</body></message>")
}

/// What the room has sent Efchen comes back from her server, and so does what it asks then.
fn client_is_gone(net: &mut Net, condition: &str) -> Vec<Got> {
    let error = format!("<error type='cancel'><{condition} xmlns='{}'/></error>", ns::STANZA_ERRORS);
    let mut got = net.feed(&format!("<message from='{EFCHEN}' to='{ROOM}/WiZ' type='error'>{error}</message>"));
    let pings = of(&got, EFCHEN).into_iter().filter(|stanza| stanza.has_child("ping", ns::PING));
    let ids: Vec<String> = pings.filter_map(|ping| Some(ping.get("id")?.to_owned())).collect();
    for id in ids {
        got.extend(net.feed(&format!("<iq from='{EFCHEN}' to='{ROOM}' type='error' id='{id}'>{error}</iq>")));
    }
    got
}

fn join(user: &str, nick: &str) -> String {
    format!("<presence from='{user}' to='{ROOM}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
}

fn leave(who: &str) -> String {
    format!("<presence type='unavailable' from='{who}' to='{ROOM}/BigCheese'/>")
}

/// When the room says that it was said.
fn delay_of(stanza: &Element) -> Option<String> {
    let by_room = |c: &&Element| c.is("delay", ns::DELAY) && c.get("from") == Some(ROOM);
    stanza.children().find(by_room)?.get("stamp").map(str::to_owned)
}
