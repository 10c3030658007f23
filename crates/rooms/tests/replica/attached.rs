//! `docs/attach.md`: a replica whose users are another server's, with the test in the place of that server and its module.

use crate::site::{ROOM, SERVICE, Site, TROY, WIZ, config, join};
use machine::Input;
use rooms::ReplicaConfig;
use xmpp::{Element, ns};

const HOST: &str = "eris.dclxvii.irc";
const REPLICA: &str = "netjoin.eris.dclxvii.irc";

fn attachable() -> Site {
    let config = ReplicaConfig { jid: REPLICA.parse().unwrap(), ..config(HOST) };
    Site::with_config(config)
}

fn handed_over(site: &mut Site, stanza: &str) -> Vec<Element> {
    site.feed(Input::Stanza(Element::parse(stanza).unwrap()))
}

/// The module begins, with these in the room; gives what leaves, the answer first.
fn attach(site: &mut Site, version: &str, occupants: &[(&str, &str)]) -> Vec<Element> {
    let occupant = |(jid, nick): &(&str, &str)| format!("<occupant jid='{jid}' in='{ROOM}/{nick}'/>");
    let occupants: String = occupants.iter().map(occupant).collect();
    let attach = format!("<attach xmlns='{}' version='{version}'>{occupants}</attach>", ns::ATTACH);
    handed_over(site, &format!("<iq type='set' id='a' from='{HOST}' to='{REPLICA}'>{attach}</iq>"))
}

fn answer(left: &[Element]) -> &Element {
    left.iter().find(|s| s.get("to") == Some(HOST) && s.get("id") == Some("a")).expect("an answer")
}

fn detach(site: &mut Site) -> Vec<Element> {
    site.feed(Input::StreamEnded(HOST.into()))
}

/// In the room through the replica, which has attached before.
fn wiz_is_in() -> Site {
    let mut site = attachable();
    attach(&mut site, "0", &[]);
    let asked = handed_over(&mut site, &join(WIZ, "WiZ"));
    let left = site.announce(&asked);
    site.grant(&left, 0, false);
    site.snapshot(&[("WiZ", "owner", "moderator")], &[], 800);
    let own = "<presence from='wallops@channel.avalon.irc/WiZ'/>";
    assert!(site.enter(own, WIZ).iter().any(|s| s.get("to") == Some(WIZ)));
    site
}

#[test]
fn the_module_is_told_which_services_to_hand_over() {
    let mut site = attachable();
    assert_eq!(site.replica.attached(), Some(false));
    let left = attach(&mut site, "0", &[]);
    let attached = answer(&left).get_child("attached", ns::ATTACH).expect("taken");
    assert_eq!(attached.get("version"), Some("0"));
    assert_eq!(attached.get_child("service", ns::ATTACH).unwrap().get("jid"), Some("*"));
    assert_eq!(site.replica.attached(), Some(true));
}

#[test]
fn a_module_of_another_version_and_one_that_names_strangers_are_refused() {
    for (version, occupant, condition) in [
        ("1", (WIZ, "WiZ"), "feature-not-implemented"),
        ("", (WIZ, "WiZ"), "feature-not-implemented"),
        ("0", ("rubenro@vesa.yeggmaex.irc/shaver", "BigCheese"), "bad-request"),
        ("0", ("squit@eris.dclxvii.irc", "WiZ"), "bad-request"),
    ] {
        let mut site = attachable();
        let left = attach(&mut site, version, &[occupant]);
        let error = answer(&left).get_child("error", ns::CLIENT).expect("refused");
        assert!(error.has_child(condition, ns::STANZA_ERRORS), "{error}");
        assert_eq!((site.replica.attached(), left.len()), (Some(false), 1));
    }
}

/// Only the server of the users may.
#[test]
fn nobody_else_attaches() {
    for from in ["vesa.yeggmaex.irc", "squit@eris.dclxvii.irc/jupiter", SERVICE] {
        let mut site = attachable();
        let attach = format!("<attach xmlns='{}' version='0'/>", ns::ATTACH);
        handed_over(&mut site, &format!("<iq type='set' id='a' from='{from}' to='{REPLICA}'>{attach}</iq>"));
        assert_eq!(site.replica.attached(), Some(false), "{from}");
    }
    let mut own = Site::new(HOST);
    own.send(&format!("<iq type='set' id='a' from='{HOST}' to='replica@{HOST}'><attach xmlns='{}'/></iq>", ns::ATTACH));
    assert_eq!(own.replica.attached(), None);
}

/// Whom a room serves itself when the module attaches is in the census of a registration that nobody's join has caused.
#[test]
fn users_in_a_distributed_room_are_taken_over() {
    let mut site = attachable();
    let asked = attach(&mut site, "0", &[(WIZ, "WiZ"), (TROY, "Troy")]);
    let left = site.announce(&asked);
    let (_, request) = site.request(&left);
    let census: Vec<String> = request.census.unwrap().1.iter().map(|seat| seat.nick.to_string()).collect();
    assert_eq!(census, ["WiZ", "Troy"]);
    assert_eq!(request.domains.iter().map(|d| d.as_str()).collect::<Vec<_>>(), [HOST]);
    site.grant(&left, 0, false);
    let told = site.snapshot(&[("WiZ", "owner", "moderator"), ("Troy", "none", "participant")], &[], 800);
    assert!(told.iter().all(|s| s.get("to") != Some(WIZ)), "they are told nothing of it: {told:?}");
    let said = "<message type='groupchat' from='wallops@channel.avalon.irc/Troy'><body>o</body></message>";
    let heard = site.event(said, 801);
    assert_eq!(heard.iter().filter_map(|s| s.get("to")).collect::<Vec<_>>(), [WIZ, TROY]);
}

#[test]
fn a_service_that_is_not_distributed_is_left_alone() {
    let mut site = attachable();
    attach(&mut site, "0", &[]);
    let asked = handed_over(&mut site, &join(WIZ, "WiZ"));
    let id = asked.iter().find(|s| s.has_child("query", ns::DISCO_INFO)).and_then(|s| s.get("id")).unwrap();
    let info =
        format!("<iq type='result' id='{id}' from='{SERVICE}' to='{REPLICA}'><query xmlns='{}'/></iq>", ns::DISCO_INFO);
    let left = handed_over(&mut site, &info);
    assert_eq!(left[0].get("from"), Some(WIZ), "what was held goes first");
    let plain = left[1].get_child("plain", ns::ATTACH).expect("then the module is told");
    assert_eq!((plain.get("service"), plain.get("seconds")), (Some(SERVICE), Some("3600")));
    assert_eq!(left[1].get("to"), Some(HOST));
}

/// The end of the stream is a restart: nobody is told anything, nothing is sent before the module attaches again, and then
/// what no room has confirmed is said, once, by whom it finds in the room.
#[test]
fn what_was_said_before_the_stream_ended_is_said_when_it_stands_again() {
    for restarts in [false, true] {
        let mut site = wiz_is_in();
        let said = format!("<message type='groupchat' id='m' from='{WIZ}' to='{ROOM}'><body>o</body></message>");
        let relayed = handed_over(&mut site, &said);
        assert_eq!(relayed.len(), 1);
        assert_eq!(detach(&mut site), []);
        if restarts {
            site.restart();
        }
        assert_eq!(site.pass_ms(3_600_000), []);
        let left = attach(&mut site, "0", &[(WIZ, "WiZ")]);
        let left = [left, site.pass_ms(1)].concat();
        let (_, request) = site.request(&left);
        assert_eq!(request.census.unwrap().1.len(), 1, "he is listed once");
        let left = site.grant(&left, 0, true);
        let bodies: Vec<_> = left.iter().filter(|s| s.has_child("body", ns::CLIENT)).collect();
        assert_eq!(bodies.len(), 1, "restarts: {restarts}: {left:?}");
        assert_eq!((bodies[0].get("from"), bodies[0].get("to")), (Some(WIZ), Some(ROOM)));
        assert!(left.iter().all(|s| s.get("type") != Some("unavailable")), "he does not leave: {left:?}");
    }
}

/// A module that was loaded again lists who is there: the rest has gone.
#[test]
fn whoever_is_not_listed_any_more_leaves() {
    let mut site = wiz_is_in();
    let left = attach(&mut site, "0", &[(WIZ, "WiZ")]);
    assert_eq!(left.len(), 1, "{left:?}");
    let left = attach(&mut site, "0", &[]);
    let leave = left.iter().find(|s| s.get("from") == Some(WIZ)).expect("he leaves");
    assert_eq!((leave.name(), leave.get("type")), ("presence", Some("unavailable")));
}
