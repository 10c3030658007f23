//! A link's life: who gets one, how it is doubted, lost, taken up again, and ended.

use super::kit::*;
use crate::room::tests::kit::{Disk, Got, errors};
use crate::wire::{Granted, Kind, Replicate, Verdict};
use machine::{Input, Row};
use xmpp::ns;

/// 4.2: a request waits for a user to be admitted; one that is refused leaves no replica.
#[test]
fn s4_2_nobody_admitted_means_no_replica() {
    let mut net = Net::wallops();
    net.leaves(EFCHEN, "Efchen");
    net.affiliate("rubenro@vesa.yeggmaex.irc", "outcast");
    assert_eq!(net.register(VESA), []);
    let got = net.joins(BIG_CHEESE, "BigCheese");
    assert_eq!(errors(&got), [(BIG_CHEESE.into(), "forbidden".into()), (VESA.into(), "forbidden".into())]);
}

/// 4.2: whoever comes right behind is let in by the room itself, at once: his replica will not come to be, and another request does not
/// stand for him.
#[test]
fn s4_2_who_comes_behind_somebody_who_is_not_admitted_is_let_in_plainly() {
    for asks_anew in [false, true] {
        let mut net = Net::wallops();
        net.leaves(EFCHEN, "Efchen");
        net.affiliate("rubenro@vesa.yeggmaex.irc", "outcast");
        let asks = |net: &mut Net, name: &str| {
            let request = net.request_by(VESA, name);
            net.ask_only(VESA, &request)
        };
        let joins = |net: &mut Net, user: &str, nick: &str, n: u64| {
            net.feed(&format!(
                "<presence from='{user}' to='{ROOM}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/>\
                 <x xmlns='urn:xmpp:tmp:dmuc:0'><up xmlns='urn:netjoin:dmuc:0' outbox='first' n='{n}'/></x></presence>"
            ))
        };
        asks(&mut net, "first");
        let got = joins(&mut net, BIG_CHEESE, "BigCheese", 1);
        assert_eq!(errors(&got), [(BIG_CHEESE.into(), "forbidden".into()), (VESA.into(), "forbidden".into())]);
        if asks_anew {
            asks(&mut net, "second");
        }
        let got = joins(&mut net, EFCHEN, "Efchen", 2);
        let own = |s: &xmpp::Element| s.to_xml().contains("<status code='110'/>");
        assert!(of(&got, EFCHEN).iter().any(|s| own(s)), "{asks_anew}: {got:?}");
    }
}

/// 4.2: nobody comes, and there is no room either.
#[test]
fn s4_2_a_request_waits_ten_seconds() {
    let mut net = Net::new();
    assert_eq!(net.register(VESA), []);
    assert_eq!(net.pass_ms(9_999), []);
    assert_eq!(errors(&net.pass_ms(1)), [(VESA.into(), "item-not-found".into())]);
    assert!(net.kit.service.rooms.is_empty());
}

/// 4.2: the join may come before the request; both orders end the same.
#[test]
fn s4_2_a_join_waits_for_its_request() {
    let mut net = Net::wallops();
    net.leaves(EFCHEN, "Efchen");
    // Learnt from another stream: the replica is asking, so it has no epoch.
    let request = net.request_by(VESA, "first");
    assert_eq!(net.feed(&join_behind_request(BIG_CHEESE, "BigCheese", "first", 1)), []);
    let got = net.ask(VESA, &request);
    assert_eq!(kinds(&got, VESA).last(), Some(&"enter"));
}

/// 4.2: the answer is lost and a replica asks anew, with another outbox, while the room waits for its disk: the join of the first request
/// is answered by the second, and by nothing else later.
#[test]
fn s4_2_a_join_of_a_request_that_was_replaced_while_the_room_was_busy() {
    let mut net = Net::wallops();
    net.leaves(EFCHEN, "Efchen");
    net.kit.disk(Disk::Hangs);
    net.feed(&format!(
        "<iq from='{WUMPUS}' id='o2' to='{ROOM}' type='set'><query xmlns='http://jabber.org/protocol/muc#owner'>\
         <x xmlns='jabber:x:data' type='submit'/></query></iq>"
    ));
    for outbox in ["first", "second"] {
        let request = net.request_by(VESA, outbox);
        net.ask_only(VESA, &request);
        net.feed(&format!(
            "<presence from='{BIG_CHEESE}' to='{ROOM}/BigCheese'><x xmlns='http://jabber.org/protocol/muc'/>\
             <x xmlns='urn:xmpp:tmp:dmuc:0'><up xmlns='urn:netjoin:dmuc:0' outbox='{outbox}' n='1'/></x></presence>"
        ));
    }
    let got = net.kit.disk(Disk::Works);
    assert_eq!(kinds(&got, VESA).iter().filter(|kind| **kind == "enter").count(), 1);
    let later = net.pass_ms(15_000);
    assert_eq!((of(&later, BIG_CHEESE).len(), kinds(&later, VESA).len()), (0, 0), "{later:?}");
}

/// A join as a replica relays it behind a request that has not been answered yet.
fn join_behind_request(user: &str, nick: &str, outbox: &str, n: u64) -> String {
    format!(
        "<presence from='{user}' to='{ROOM}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/>\
         <x xmlns='urn:xmpp:tmp:dmuc:0'><up xmlns='urn:netjoin:dmuc:0' outbox='{outbox}' n='{n}'/></x></presence>"
    )
}

/// 4.2: a request is lost with the room that it was sent to, and its site withdraws it. Who was relayed behind it, and asks the room
/// itself then, is not let in again when he has left; by the end of the request, or by his own word where that comes another way.
#[test]
fn s4_2_what_waits_for_a_request_is_over_with_it() {
    for withdrawn in [true, false] {
        let mut net = Net::wallops();
        net.leaves(EFCHEN, "Efchen");
        assert_eq!(net.feed(&join_behind_request(BIG_CHEESE, "BigCheese", "lost", 2)), []);
        if withdrawn {
            let mut said = join_behind_request(BIG_CHEESE, "BigCheese", "lost", 3).replace("presence", "message");
            said = said
                .replace("/BigCheese'", "' type='groupchat'")
                .replace("<x xmlns='http", "<body>never</body><x xmlns='http");
            assert_eq!(net.feed(&said), []);
            net.feed(&format!(
                "<iq type='set' from='{VESA}' to='{ROOM}' id='w1'><withdraw xmlns='urn:netjoin:dmuc:0'/></iq>"
            ));
        } else {
            let plain = format!(
                "<presence from='{BIG_CHEESE}' to='{ROOM}/BigCheese'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
            );
            assert!(of(&net.feed(&plain), BIG_CHEESE).len() > 3);
            net.feed(&format!("<presence type='unavailable' from='{BIG_CHEESE}' to='{ROOM}/BigCheese'/>"));
        }
        assert_eq!(net.pass_ms(15_000), [], "withdrawn: {withdrawn}");
    }
}

/// 4.6: the last of a site leaves, and behind that somebody joins who was relayed when the link was not known to be over. His site asks
/// anew for him, so he is not let in for this, ten seconds later.
#[test]
fn s4_6_who_is_relayed_behind_the_last_seat_comes_with_another_request() {
    let mut net = Net::wallops();
    net.leaves(EFCHEN, "Efchen");
    let request = net.request_by(VESA, "first");
    net.ask_only(VESA, &request);
    net.feed(&join_behind_request(BIG_CHEESE, "BigCheese", "first", 1));
    let leaves =
        join_behind_request(BIG_CHEESE, "BigCheese", "first", 2).replace("<presence", "<presence type='unavailable'");
    let leaves = leaves.replace("<x xmlns='http://jabber.org/protocol/muc'/>", "");
    assert_eq!(kinds(&net.feed(&leaves), VESA), ["leave"]);
    assert_eq!(net.feed(&join_behind_request(EFCHEN, "Efchen", "first", 3)), []);
    assert_eq!(net.pass_ms(15_000), []);
}

/// 4.2: a request waits for somebody to be admitted when the room is destroyed: it is answered, and so is who was relayed ahead of his.
#[test]
fn s4_2_requests_to_a_room_that_ends_are_answered() {
    let mut net = Net::wallops();
    net.leaves(EFCHEN, "Efchen");
    let request = net.request_by(VESA, "first");
    assert_eq!(net.ask_only(VESA, &request), []);
    assert_eq!(net.feed(&join_behind_request("eve@elsewhere.example/x", "Eve", "other", 1)), []);
    let got = net.feed(&format!(
        "<iq from='{WUMPUS}' id='end' type='set' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query></iq>"
    ));
    let refused = |to: &str| (to.to_owned(), "item-not-found".to_owned());
    assert_eq!(errors(&got), [refused(VESA), refused("eve@elsewhere.example/x")]);
    assert!(net.kit.service.rooms.is_empty());
}

/// 4.2: another live replica of a domain is refused, and so is one that the service does not list.
#[test]
fn s4_2_one_replica_per_domain_and_only_those_listed() {
    let mut net = Net::whole();
    let request = net.request(VESA);
    let got = net
        .feed(&format!("<iq type='set' from='other@vesa.yeggmaex.irc' to='{ROOM}' id='r1'>{}</iq>", request.element()));
    assert_eq!(errors(&got), [("other@vesa.yeggmaex.irc".into(), "conflict".into())]);
}

/// 4.6: the LEAVE of a site's last seat is the last thing that goes there.
#[test]
fn s4_6_nothing_goes_to_a_site_without_a_seat() {
    let mut net = Net::wallops();
    let got = net.leaves(EFCHEN, "Efchen");
    assert_eq!(kinds(&got, VESA), ["leave"]);
    assert_eq!(marks(&got, VESA)[0].ack.as_ref().map(|ack| ack.n), Some(2));
    assert_eq!(kinds(&got, ERIS), ["event"]);
    assert!(of(&net.says(WIZ, "they are gone"), VESA).is_empty());
}

/// The same where it was held for a sign of life, and the site has registered anew before there was one: it is told that nobody of it is
/// in, and nothing more.
#[test]
fn s4_6_nothing_goes_to_a_site_that_was_told_that_nobody_is_in() {
    let mut net = Net::wallops();
    end_stream(&mut net, "vesa.yeggmaex.irc");
    assert!(kinds(&net.says(WIZ, "held"), VESA).is_empty());
    assert!(kinds(&net.kicks(WUMPUS, "Efchen", "away"), VESA).is_empty());
    let request = net.request_again(VESA, 1, &[(EFCHEN, "Efchen")]);
    let got = net.ask_only(VESA, &request);
    let [seat] = &granted(&got).seats[..] else { panic!("{got:?}") };
    assert!(matches!(seat.verdict, Verdict::Removed(_)), "{seat:?}");
    let alive = format!("<message from='{VESA}' to='{ROOM}'/>");
    assert_eq!(kinds(&net.feed(&alive), VESA), [""; 0]);
    assert!(of(&net.says(WIZ, "they are gone"), VESA).is_empty());
}

/// 4.5: an ENTER that is refused: the session is removed, and everybody hears of it.
#[test]
fn s4_5_a_refused_enter_removes_the_session() {
    let mut net = Net::whole();
    let epoch = net.epoch(VESA);
    let got = net.feed(&format!(
        "<presence type='error' from='{VESA}' to='{ROOM}/BigCheese'><x xmlns='urn:xmpp:tmp:dmuc:0'>\
         <enter jid='{BIG_CHEESE}'/><refused xmlns='urn:netjoin:dmuc:0' epoch='{epoch}'/></x><error type='cancel'>\
         <not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"
    ));
    assert_eq!(kinds(&got, VESA), ["leave", "event"]);
    assert!(of(&got, ERIS)[0].to_xml().contains("<status code='333'/>"));
}

/// 4.5: a direct occupant whom a refused ENTER was to hand over stays direct: the room answers his join itself, with what was
/// said since and nothing that he has been sent.
#[test]
fn s4_5_a_refused_enter_leaves_a_direct_occupant_direct() {
    let mut net = Net::whole();
    net.leaves(TROY, "Troy");
    let join =
        format!("<presence from='{TROY}' to='{ROOM}/Troy'><x xmlns='http://jabber.org/protocol/muc'/></presence>");
    net.feed(&join);
    let bodies = |got: &[Got]| -> Vec<String> {
        of(got, TROY).iter().filter_map(|s| Some(s.get_child("body", ns::CLIENT)?.content())).collect()
    };
    assert_eq!(bodies(&net.says(WIZ, "before")), ["before"]);
    net.kit.now.unix_ms += 1_000;
    assert_eq!(kinds(&net.joins(TROY, "Troy"), ERIS), ["enter"]);
    assert_eq!(bodies(&net.says(WIZ, "between")), [""; 0]);
    let epoch = net.epoch(ERIS);
    let got = net.feed(&format!(
        "<presence type='error' from='{ERIS}' to='{ROOM}/Troy'><x xmlns='urn:xmpp:tmp:dmuc:0'>\
         <enter jid='{TROY}'/><refused xmlns='urn:netjoin:dmuc:0' epoch='{epoch}'/></x><error type='cancel'>\
         <not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"
    ));
    assert_eq!(bodies(&got), ["between"]);
    assert!(of(&got, TROY).iter().any(|s| s.to_xml().contains("<status code='110'/>")));
    assert_eq!(kinds(&got, ERIS), [""; 0], "nobody else hears of it");
    assert_eq!(bodies(&net.says(WIZ, "after")), ["after"]);
}

/// 4.11: a stream that ends is doubted, told nobody, and forgotten when the replica answers; what happened meanwhile follows.
#[test]
fn s4_11_a_doubted_link_holds_and_goes_on() {
    let mut net = Net::whole();
    let got = end_stream(&mut net, "vesa.yeggmaex.irc");
    assert_eq!(of(&got, VESA)[0].get("type"), Some("get"), "it is asked at once");
    let id = of(&got, VESA)[0].get("id").unwrap().to_owned();
    let got = end_stream(&mut net, "vesa.yeggmaex.irc");
    assert_eq!(of(&got, VESA).len(), 0, "a network that refuses every stream is not asked without end");
    let got = net.says(WIZ, "anybody there?");
    assert_eq!(kinds(&got, VESA), [""; 0]);
    let got = net.feed(&pong(VESA, &id));
    assert_eq!(kinds(&got, VESA), ["event"]);
    schema::assert_valid(&net.crossed);
}

/// Who was kicked while his replica was away is told so; who has left unseen is removed.
#[test]
fn a_census_is_judged_seat_by_seat() {
    let mut net = Net::whole();
    end_stream(&mut net, "vesa.yeggmaex.irc");
    net.feed(&format!(
        "<iq from='{WUMPUS}' id='kick1' to='{ROOM}' type='set'><query xmlns='http://jabber.org/protocol/muc#admin'>\
         <item nick='BigCheese' role='none'><reason>Avaunt!</reason></item></query></iq>"
    ));
    let request = net.request_again(VESA, 0, &[(BIG_CHEESE, "BigCheese")]);
    let got = net.ask(VESA, &request);
    let granted = granted(&got);
    let Verdict::Removed(removed) = &granted.seats[0].verdict else { panic!("{granted:?}") };
    assert_eq!((removed.status.0, removed.reason.as_deref()), (307, Some("Avaunt!")));
    // Efchen is not in the census, so she is not in the room: when the report is over she is told, and that is the end of
    // the link.
    assert_eq!(kinds(&got, VESA).last(), Some(&"synced"));
    let got = net.reported(VESA);
    assert_eq!(kinds(&got, VESA).last(), Some(&"leave"));
    assert!(net.kit.service.rooms[&jid(ROOM)].links.replicas().iter().all(|replica| replica.as_str() != VESA));
}

/// `docs/wire.md`, *Asking again*: under an epoch that is over nothing counts.
#[test]
fn another_epoch_is_stale() {
    let mut net = Net::whole();
    let message =
        net.marked(&format!("<message from='{BIG_CHEESE}' to='{ROOM}' type='groupchat'><body>x</body></message>"));
    let epoch = net.epoch(VESA);
    let got = net.feed(&message.replace(&epoch, "e8"));
    assert_eq!(got.len(), 1);
    assert!(got[0].stanza.to_xml().contains("<stale xmlns='urn:netjoin:dmuc:0' epoch='e8'/>"));
    schema::assert_valid(&net.crossed);
}

/// 4.10: silence is asked about; heads that are ahead of what has come are a loss.
#[test]
fn s4_10_heads_show_what_was_lost() {
    // XEP-0282 4.10-a
    let mut net = Net::whole();
    let last = marks(&net.says(WIZ, "one"), VESA)[0].d;
    let got = pass(&mut net, 60_000);
    let ping = of(&got, VESA)[0].clone();
    assert_eq!((ping.get("from"), ping.get("type")), (Some("channel.avalon.irc"), Some("get")));
    let epoch = net.epoch(VESA);
    assert!(
        ping.to_xml().contains(&format!("<head room='{ROOM}' epoch='{epoch}' d='{last}' ack='2' outbox='v1'/>")),
        "{ping}"
    );
    let id = ping.get("id").unwrap();
    let pong = format!(
        "<iq type='result' from='{VESA}' to='channel.avalon.irc' id='{id}'><heads xmlns='urn:netjoin:dmuc:0'>\
         <sent room='{ROOM}' epoch='{epoch}' outbox='v1' n='3'/></heads></iq>"
    );
    assert_eq!(kinds(&net.feed(&pong), VESA), ["resend"]);
    schema::assert_valid(&net.crossed);
}

/// Heads of a room that is no more are answered once, however many outboxes are named.
#[test]
fn s4_10_the_end_of_a_room_is_said_once() {
    let mut net = Net::whole();
    let sent = |outbox: &str| format!("<sent room='gone@channel.avalon.irc' epoch='e1' outbox='{outbox}' n='3'/>");
    let heads = format!("<heads xmlns='urn:netjoin:dmuc:0'>{}{}</heads>", sent("v1"), sent("v0"));
    let got = net.feed(&format!(
        "<iq type='get' from='{VESA}' to='channel.avalon.irc' id='k9'><ping xmlns='urn:xmpp:ping'>{heads}</ping></iq>"
    ));
    assert_eq!(got.iter().filter(|got| got.stanza.to_xml().contains("<stale ")).count(), 1, "{got:?}");
}

/// `docs/wire.md`, *End*: whoever remains is direct from then on.
#[test]
fn withdrawal_makes_the_rest_direct() {
    let mut net = Net::whole();
    let epoch = net.epoch(VESA);
    let got = net.feed(&format!(
        "<iq type='set' from='{VESA}' to='{ROOM}' id='w1'><withdraw xmlns='urn:netjoin:dmuc:0' epoch='{epoch}'/></iq>"
    ));
    assert!(of(&got, VESA)[0].has_child("withdrawn", ns::NETJOIN));
    let got = net.says(WIZ, "hello");
    assert_eq!(kinds(&got, VESA), [""; 0]);
    assert_eq!(lines(&got, BIG_CHEESE).len(), 1);
    assert_eq!(lines(&got, EFCHEN).len(), 1);
    schema::assert_valid(&net.crossed);
}

/// 4.4: what was missed is paged out of the archive, none of it left out, and numbered before what happens meanwhile.
#[test]
fn s4_4_everything_missed_is_read_page_by_page() {
    let mut net = Net::whole();
    net.says(WIZ, "known");
    let known = net.kit.rows.last().expect("an archived message").clone();
    end_stream(&mut net, "vesa.yeggmaex.irc");
    pass(&mut net, 11_000);
    for n in 0..7 {
        net.says(WIZ, &n.to_string());
    }
    net.kit.restart();
    let mut request = net.request_again(VESA, known.seq, &[(BIG_CHEESE, "BigCheese"), (EFCHEN, "Efchen")]);
    request.maxstanzas = 2;
    let resume = request.resume.as_mut().expect("it was here before");
    (resume.archive, resume.term) = (Some(known.id), "an-older-one".into());
    let got = net.ask(VESA, &request);
    let missed = of(&got, VESA).into_iter().filter_map(|s| Some(s.get_child("body", ns::CLIENT)?.content()));
    assert_eq!(missed.collect::<Vec<_>>(), ["0", "1", "2", "3", "4", "5", "6"]);
    let numbers: Vec<u64> = marks(&got, VESA).iter().map(|at| at.d).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    schema::assert_valid(&net.crossed);
}

/// The rooms' server has started again, and a replica has missed five messages, which it takes two at a time.
fn five_missed() -> (Net, Replicate) {
    let mut net = Net::whole();
    net.says(WIZ, "known");
    let archive = net.kit.rows.last().expect("an archived message").id.clone();
    (0..5).for_each(|n| drop(net.says(WIZ, &n.to_string())));
    net.kit.restart();
    let mut request = net.request_again(VESA, 0, &[(BIG_CHEESE, "BigCheese"), (EFCHEN, "Efchen")]);
    request.maxstanzas = 2;
    let resume = request.resume.as_mut().expect("it was here before");
    (resume.archive, resume.term) = (Some(archive), "an-older-one".into());
    (net, request)
}

/// A page of what was missed goes when the replica has the one before, so that other rooms' events do not wait behind all of it; a
/// bounce is none.
#[test]
fn s4_4_a_page_waits_until_the_one_before_has_come() {
    let (mut net, request) = five_missed();
    let missed = |got: &[Got]| kinds(got, VESA).into_iter().filter(|kind| *kind == "missed").count();
    let got = net.ask_only(VESA, &request);
    assert_eq!(missed(&got), 2);
    let id = page_behind(&got, VESA).expect("it is asked whether it has come");
    assert_eq!(missed(&net.feed(&pong(VESA, "another").replace("to='channel", "to='wallops@channel"))), 0);
    let got = net.feed(&pong(VESA, &id).replace("to='channel", "to='wallops@channel"));
    assert_eq!(missed(&got), 2);
    let id = page_behind(&got, VESA).expect("and again");
    let bounce = format!(
        "<iq type='error' from='{VESA}' to='{ROOM}' id='{id}'><error type='wait'>\
         <remote-server-timeout xmlns='{}'/></error></iq>",
        ns::STANZA_ERRORS
    );
    assert_eq!(missed(&net.feed(&bounce)), 0);
    pass(&mut net, 11_000);
    assert!(net.is_split(VESA), "it was taken for what it is");
}

/// What has come up while a snapshot is read is told behind it, and acknowledged no sooner: what is left of the snapshot goes past it.
#[test]
fn a_snapshot_acknowledges_nothing_that_is_told_behind_it() {
    let (mut net, request) = five_missed();
    let mut got = net.ask_only(VESA, &request);
    let id = page_behind(&got, VESA).expect("it is asked whether it has come");
    net.leaves(BIG_CHEESE, "BigCheese");
    got = net.feed(&pong(VESA, &id).replace("to='channel", "to='wallops@channel"));
    while let Some(id) = page_behind(&got, VESA) {
        got.extend(net.feed(&pong(VESA, &id).replace("to='channel", "to='wallops@channel")));
    }
    got.extend(net.says(EFCHEN, "next"));
    let marks = marks(&got, VESA);
    let acked = marks.iter().position(|at| at.ack.is_some()).expect("it is acknowledged");
    let left = marks.iter().position(|at| at.kind == Kind::Leave).expect("its outcome");
    assert!(acked >= left, "{marks:?}");
}

/// Of more than may be sent the last are, and `synced` says that there is a gap; as many as may be are no gap.
#[test]
fn s4_4_what_is_missed_has_a_bound() {
    for (missed, gap) in [(10_000, false), (10_042, true)] {
        let mut net = Net::whole();
        net.says(WIZ, "known");
        let known = net.kit.rows.last().expect("an archived message").clone();
        let numbered = |n: u64| Row { seq: known.seq + n, id: format!("m{n}"), ..known.clone() };
        net.kit.rows.extend((1..=missed).map(numbered));
        // The room has started again since.
        let room = net.kit.service.rooms.get_mut(&jid(ROOM)).expect("the room is there");
        (room.order.seq, room.order.reserved) = (known.seq + missed, known.seq + missed + 1_000);
        room.order.begun = room.order.seq;
        room.history.clear();
        end_stream(&mut net, "vesa.yeggmaex.irc");
        pass(&mut net, 11_000);
        let mut request = net.request_again(VESA, known.seq, &[(BIG_CHEESE, "BigCheese"), (EFCHEN, "Efchen")]);
        let resume = request.resume.as_mut().expect("it was here before");
        (resume.archive, resume.term) = (Some(known.id.clone()), "an-older-one".into());
        let got = net.ask(VESA, &request);
        let sent: Vec<u64> =
            marks(&got, VESA).iter().filter(|at| at.kind.as_str() == "missed").filter_map(|at| at.seq).collect();
        assert_eq!(
            (sent.len(), sent.first(), sent.last()),
            (10_000, Some(&(known.seq + missed - 9_999)), Some(&(known.seq + missed)))
        );
        let synced =
            of(&got, VESA).into_iter().find(|s| s.to_xml().contains("<synced ")).expect("it is whole").to_xml();
        assert_eq!(synced.contains("gap='true'"), gap, "{missed}");
    }
}

/// A resume point that the archive does not know: all behind its number in its place, and `synced` says that there is a gap.
#[test]
fn s4_4_an_unknown_resume_point_is_said_to_be_one() {
    let mut net = Net::whole();
    net.says(WIZ, "recent");
    let mut request = net.request_again(VESA, 0, &[(BIG_CHEESE, "BigCheese"), (EFCHEN, "Efchen")]);
    let resume = request.resume.as_mut().expect("it was here before");
    (resume.archive, resume.term) = (Some("of-another-disk".into()), "an-older-one".into());
    let got = net.ask(VESA, &request);
    let ends = ["roster", "roster", "missed", "subject", "synced"];
    assert_eq!(kinds(&got, VESA)[kinds(&got, VESA).len() - 5..], ends);
    assert!(
        of(&got, VESA).last().expect("synced").to_xml().contains("<synced xmlns='urn:netjoin:dmuc:0' gap='true'/>")
    );
    schema::assert_valid(&net.crossed);
}

/// What waits for a decision on its way to the disk is judged when its turn comes: the link that it came by has ended with its
/// last seat by then, and the replica registers anew for whoever joins behind that.
#[test]
fn s4_8_what_waits_behind_the_end_of_its_link_is_of_no_link() {
    let mut net = Net::wallops();
    net.kit.disk(Disk::Hangs);
    net.feed(&format!(
        "<iq from='{WUMPUS}' id='a1' to='{ROOM}' type='set'><query xmlns='http://jabber.org/protocol/muc#admin'>\
         <item jid='troy@eris.dclxvii.irc' affiliation='member'/></query></iq>"
    ));
    net.leaves(EFCHEN, "Efchen");
    net.joins(BIG_CHEESE, "BigCheese");
    let got = net.kit.disk(Disk::Works);
    assert_eq!(kinds(&got, VESA), ["event", "leave"]);
    assert_eq!(of(&got, BIG_CHEESE), [] as [&xmpp::Element; 0], "he is not in, by no way");
    assert!(of(&got, VESA).last().expect("the last").to_xml().contains("<stale "), "{got:?}");
    assert_eq!(net.marked_of(VESA, "v1"), 2, "his join is had neither");
}

pub(super) fn end_stream(net: &mut Net, domain: &str) -> Vec<Got> {
    let got = net.kit.feed(Input::StreamEnded(domain.into()));
    net.note(got)
}

/// Lets time pass in steps of a second.
fn pass(net: &mut Net, ms: u64) -> Vec<Got> {
    (0..ms / 1_000).flat_map(|_| net.pass_ms(1_000)).collect()
}

pub(super) fn pong(replica: &str, id: &str) -> String {
    format!("<iq type='result' from='{replica}' to='channel.avalon.irc' id='{id}'/>")
}

pub(super) fn granted(got: &[Got]) -> Granted {
    let granted = got.iter().find_map(|got| got.stanza.get_child("granted", ns::NETJOIN));
    Granted::parse(granted.expect("a grant")).expect("one that can be read")
}

/// 4.2: a join that comes behind a request waits for nothing when its site has asked anew by then, and has said it again with that.
#[test]
fn s4_2_a_join_of_a_request_that_was_replaced_is_none() {
    let mut net = Net::wallops();
    let join = |name: &str| {
        let up = crate::wire::UpMark { outbox: name.into(), n: 1, ..Default::default() };
        let x = "<x xmlns='http://jabber.org/protocol/muc'/>";
        format!("<presence from='{BIG_CHEESE}' to='{ROOM}/BigCheese'>{x}{}</presence>", up.x())
    };
    // Of the site, which has lost its disk, Efchen was in, and the link ends with him.
    let (first, second) = (net.request_by(VESA, "v2"), net.request_by(VESA, "v3"));
    assert_eq!(kinds(&net.ask(VESA, &first), VESA).last(), Some(&"leave"));
    net.ask(VESA, &second);
    let mut late = net.feed(&join("v2"));
    assert_eq!(kinds(&net.feed(&join("v3")), VESA).last(), Some(&"enter"));
    late.extend(net.pass_ms(10_000));
    assert_eq!((kinds(&late, VESA), lines(&late, BIG_CHEESE)), (Vec::new(), Vec::new()));
}
