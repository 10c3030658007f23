//! Accounts made, removed and changed by the host.

use crate::world::{JULIET, NURSE, ROMEO, World, jid, password};
use accounts::{AccountError, Closed};
use machine::Output;

impl World {
    fn create(&mut self, domain: &str, user: &str) -> Result<(), AccountError> {
        let mut out: Vec<Output> = Vec::new();
        let site = self.sites.get_mut(domain).expect("it is one of the two");
        let made = site.create(user, password("F4ith"), &mut out).map(|_| ());
        self.carry_out(domain, out);
        made
    }

    fn users(&self, domain: &str) -> Vec<String> {
        self.sites[domain].list().map(str::to_owned).collect()
    }
}

#[test]
fn an_account_is_made_under_its_normalised_name_and_kept() {
    let mut w = World::new();
    assert_eq!(w.create("example.com", "Tybalt"), Ok(()));
    w.restart("example.com");
    assert_eq!(w.users("example.com"), ["juliet", "nurse", "tybalt"]);
    assert!(w.sites["example.com"].credentials("TYBALT").is_some_and(|c| c.verify_password("F4ith")));
    assert!(w.sites["example.com"].credentials("paris").is_none());
}

#[test]
fn names_that_are_taken_kept_or_none_are_refused() {
    let mut w = World::new();
    assert_eq!(w.create("example.com", "juliet"), Err(AccountError::Exists));
    assert_eq!(w.create("example.com", "Replica"), Err(AccountError::Reserved));
    assert!(matches!(w.create("example.com", "a b"), Err(AccountError::Name(_))));
    assert!(matches!(w.create("example.com", ""), Err(AccountError::Name(_))));
}

#[test]
fn a_refused_write_leaves_no_account_and_the_old_password() {
    let mut w = World::new();
    w.held = true;
    assert_eq!(w.create("example.com", "tybalt"), Ok(()));
    w.fail();
    assert_eq!(w.users("example.com"), ["juliet", "nurse"]);
    let mut out = Vec::new();
    w.site_of(JULIET).set_credentials("juliet", password("F4ith"), &mut out).unwrap();
    w.carry_out("example.com", out);
    assert!(w.site_of(JULIET).credentials("juliet").is_some_and(|c| c.verify_password("F4ith")));
    w.fail();
    assert!(w.site_of(JULIET).credentials("juliet").is_some_and(|c| c.verify_password("R0m30")));
    let mut out = Vec::new();
    w.site_of(JULIET).delete("juliet", &mut out).unwrap();
    w.carry_out("example.com", out);
    assert_eq!(w.users("example.com"), ["nurse"], "nobody logs in meanwhile");
    w.fail();
    w.held = false;
    assert_eq!(w.create("example.com", "tybalt"), Ok(()));
    assert_eq!(w.users("example.com"), ["juliet", "nurse", "tybalt"], "a later write removes nobody");
}

#[test]
fn a_new_account_inherits_nothing() {
    let mut w = World::new();
    let left = ("roster".to_owned(), "tybalt".to_owned(), "juliet@example.com".to_owned());
    w.stores.get_mut("example.com").unwrap().insert(left, "{\"listed\":true,\"from\":\"yes\"}".into());
    w.restart("example.com");
    assert_eq!(w.create("example.com", "tybalt"), Ok(()));
    w.restart("example.com");
    assert_eq!(w.item("tybalt@example.com", "juliet@example.com"), "");
}

#[test]
fn a_removed_account_leaves_nothing() {
    let mut w = World::lovers();
    w.says(JULIET, "<presence to='verona@rooms.example.org/Juliet'/>");
    w.online(NURSE);
    w.says(NURSE, "<presence to='juliet@example.com' type='subscribe'/>");
    w.forget();
    let mut out = Vec::new();
    w.site_of(JULIET).delete("juliet", &mut out).unwrap();
    w.carry_out("example.com", out);
    assert_eq!(
        w.kinds(ROMEO),
        ["presence unavailable", "presence unsubscribe", "iq set", "presence unsubscribed", "iq set"]
    );
    assert_eq!(w.kinds(NURSE), ["presence unsubscribed", "iq set"], "her request is denied");
    assert_eq!(w.abroad.len(), 1, "the room sees her leave");
    let closed = Closed { jid: jid(JULIET), condition: "not-authorized" };
    assert_eq!(w.closed, [closed]);
    assert!(!w.stores["example.com"].keys().any(|(_, owner, _)| owner == "juliet"));
    assert_eq!(w.create("example.com", "juliet"), Ok(()), "the name is free again");
    assert_eq!(w.item("juliet@example.com", "romeo@example.net"), "");
    assert_eq!(w.site_of(JULIET).delete("mercutio", &mut Vec::new()), Err(AccountError::Unknown));
}

/// Whoever knew the old password is out once the new one is kept, and not before.
#[test]
fn another_password_ends_the_sessions_of_its_account() {
    let mut w = World::lovers();
    w.held = true;
    let mut out = Vec::new();
    w.site_of(JULIET).set_credentials("juliet", password("F4ith"), &mut out).unwrap();
    w.carry_out("example.com", out);
    assert_eq!(w.closed, []);
    w.fail();
    assert_eq!(w.closed, [], "the old password stands");
    w.held = false;
    let mut out = Vec::new();
    w.site_of(JULIET).set_credentials("juliet", password("F4ith"), &mut out).unwrap();
    w.carry_out("example.com", out);
    assert_eq!(w.closed, [Closed { jid: jid(JULIET), condition: "not-authorized" }]);
    assert_eq!(w.kinds(ROMEO).last().map(String::as_str), Some("presence unavailable"));
}
