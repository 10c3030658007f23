//! XEP-0077 for those who are logged in.

use crate::world::{JULIET, NURSE, ROMEO, World, jid};
use accounts::BindError;
use accounts::config::PASSWORD_CHANGE_INTERVAL_MS;

fn register(kind: &str, contents: &str) -> String {
    format!("<iq type='{kind}' id='c1' to='example.com'><query xmlns='jabber:iq:register'>{contents}</query></iq>")
}

fn knows(w: &World, password: &str) -> bool {
    w.sites["example.com"].credentials("juliet").is_some_and(|c| c.verify_password(password))
}

#[test]
fn s3_1_a_registered_user_is_told_so() {
    let mut w = World::new();
    w.online(JULIET);
    w.says(JULIET, &register("get", ""));
    assert!(w.hears(JULIET)[0].contains("<registered/><username>juliet</username><password/>"));
}

#[test]
fn s3_3_a_password_is_changed_once_it_is_durable() {
    let mut w = World::new();
    w.online(JULIET);
    w.held = true;
    w.says(JULIET, &register("set", "<username>juliet</username><password>n3w</password>"));
    assert_eq!(w.hears(JULIET), [""; 0]);
    w.commit();
    assert_eq!(w.hears(JULIET), [format!("<iq type='result' id='c1' from='example.com' to='{JULIET}'/>")]);
    w.restart("example.com");
    assert!(knows(&w, "n3w") && !knows(&w, "R0m30"));
}

#[test]
fn s3_3_what_is_wrong_with_a_change_is_said() {
    let mut w = World::new();
    w.online(JULIET);
    let long = "x".repeat(accounts::config::PASSWORD_BYTES_MAX + 1);
    for (contents, condition) in [
        ("", "bad-request"),
        ("<username>juliet</username>", "bad-request"),
        ("<remove/><username>juliet</username>", "bad-request"),
        ("<username>nurse</username><password>n3w</password>", "not-allowed"),
        ("<username>@</username><password>n3w</password>", "not-allowed"),
        ("<username>juliet</username><password/>", "not-acceptable"),
        (&format!("<username>juliet</username><password>{long}</password>"), "not-acceptable"),
    ] {
        w.says(JULIET, &register("set", contents));
        let heard = w.hears(JULIET);
        assert!(heard[0].contains(&format!("<{condition} ")), "{contents}: {}", heard[0]);
    }
    assert!(knows(&w, "R0m30"));
}

#[test]
fn s3_3_passwords_are_not_changed_all_the_time() {
    let mut w = World::new();
    w.online(JULIET);
    let change = |n| register("set", &format!("<username>juliet</username><password>{n}</password>"));
    w.says(JULIET, &change(1));
    w.says(JULIET, &change(2));
    assert_eq!(w.kinds(JULIET), ["iq result", "iq error"]);
    w.mono_ms += PASSWORD_CHANGE_INTERVAL_MS;
    w.says(JULIET, &change(3));
    assert_eq!(w.kinds(JULIET), ["iq result"]);
    assert!(knows(&w, "3"));
}

#[test]
fn s3_2_an_account_is_removed_by_its_user() {
    let mut w = World::lovers();
    w.online(NURSE);
    w.says(JULIET, &register("set", "<remove/>"));
    assert_eq!(w.hears(ROMEO).len(), 5);
    assert_eq!(w.closed.len(), 1);
    let mut out = Vec::new();
    assert_eq!(w.site_of(JULIET).bind(&jid(JULIET), &mut out), Err(BindError::NoAccount));
    w.says(NURSE, "<message id='1' to='juliet@example.com'><body>Madam!</body></message>");
    assert_eq!(w.kinds(NURSE), ["message error"]);
}

#[test]
fn s3_2_while_it_is_being_removed_nothing_is_added_to_it() {
    let mut w = World::lovers();
    w.held = true;
    w.says(JULIET, &register("set", "<remove/>"));
    w.says(JULIET, "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='a@b.lit'/></query></iq>");
    assert!(w.hears(JULIET)[0].contains("<not-allowed "));
    w.says(JULIET, "<presence to='nurse@example.com' type='subscribe'/>");
    w.arrives("<presence from='paris@verona.lit' to='juliet@example.com' type='subscribe'/>");
    while !w.waiting.is_empty() {
        w.commit();
    }
    assert!(w.hears(JULIET)[0].starts_with("<iq type='result' id='c1'"), "she is told before her stream ends");
    assert!(!w.stores["example.com"].keys().any(|(_, owner, _)| owner == "juliet"));
}

#[test]
fn s3_1_users_of_other_servers_have_no_account_here() {
    let mut w = World::new();
    w.online(ROMEO);
    w.says(ROMEO, &register("set", "<remove/>"));
    assert!(w.hears(ROMEO)[0].contains("<not-allowed "));
}
