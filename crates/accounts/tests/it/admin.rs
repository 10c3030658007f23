//! Administration of the accounts by ad-hoc commands: XEP-0133, by its sections, with XEP-0050.

use crate::world::{CHAMBER, JULIET, NURSE, ROMEO, World, jid};
use accounts::Closed;

/// Juliet administers the Capulets' server.
fn world() -> World {
    let mut w = World::lovers();
    w.settings = |config| config.admins = vec![jid("juliet@example.com")];
    w.restart("example.com");
    w.online(JULIET);
    w.online(NURSE);
    w.forget();
    w
}

fn command(w: &mut World, who: &str, node: &str, content: &str) -> String {
    let node = if node.contains(':') { node.to_owned() } else { format!("http://jabber.org/protocol/admin#{node}") };
    let command = format!("<command xmlns='http://jabber.org/protocol/commands' node='{node}'>{content}</command>");
    w.says(who, &format!("<iq type='set' id='c1' to='example.com'>{command}</iq>"));
    w.hears(who).into_iter().filter(|xml| xml.contains("id='c1'")).collect()
}

fn form(fields: &[(&str, &[&str])]) -> String {
    let mut all = "<field var='FORM_TYPE'><value>http://jabber.org/protocol/admin</value></field>".to_owned();
    for (var, values) in fields {
        let values: String = values.iter().map(|value| format!("<value>{value}</value>")).collect();
        all.push_str(&format!("<field var='{var}'>{values}</field>"));
    }
    format!("<x xmlns='jabber:x:data' type='submit'>{all}</x>")
}

fn is(answer: &str, condition: &str) {
    assert!(answer.contains(&format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>")), "{answer}");
}

fn done(answer: &str) {
    assert!(answer.contains("status='completed'"), "{answer}");
}

const ALL: [&str; 12] = [
    "add-user",
    "delete-user",
    "end-user-session",
    "change-user-password",
    "get-registered-users-num",
    "get-online-users-num",
    "get-registered-users-list",
    "get-online-users-list",
    "announce",
    "set-motd",
    "edit-motd",
    "delete-motd",
];

#[test]
fn xep_0050_s2_admins_see_the_commands_and_others_none() {
    let mut w = world();
    let items = |w: &mut World, who: &str| {
        let query =
            "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>";
        w.says(who, &format!("<iq type='get' id='c1' to='example.com'>{query}</iq>"));
        w.hears(who).concat()
    };
    let shown = items(&mut w, JULIET);
    for node in ALL {
        assert!(shown.contains(&format!("node='http://jabber.org/protocol/admin#{node}'")), "{node}: {shown}");
    }
    assert!(!items(&mut w, NURSE).contains("<item "));
    let info =
        "<query xmlns='http://jabber.org/protocol/disco#info' node='http://jabber.org/protocol/admin#announce'/>";
    w.says(NURSE, &format!("<iq type='get' id='c1' to='example.com'>{info}</iq>"));
    assert!(w.hears(NURSE).concat().contains("type='command-node'"));
}

#[test]
fn s5_others_are_forbidden_and_what_is_not_there_is_said() {
    let mut w = world();
    for node in ALL {
        for who in [NURSE, ROMEO] {
            is(&command(&mut w, who, node, ""), "forbidden");
            is(&command(&mut w, who, node, &form(&[("motd", &["o"]), ("announcement", &["o"])])), "forbidden");
        }
    }
    is(&command(&mut w, JULIET, "shutdown", ""), "feature-not-implemented");
    is(&command(&mut w, JULIET, "urn:example:other", ""), "item-not-found");
    for node in ["add-user", "delete-user", "end-user-session", "change-user-password", "announce", "set-motd"] {
        let shown = command(&mut w, JULIET, node, "");
        assert!(shown.contains("status='executing'") && shown.contains("<required/>"), "{shown}");
        is(&command(&mut w, JULIET, node, &form(&[])), "bad-request");
    }
}

#[test]
fn s4_1_a_user_is_added_once() {
    let mut w = world();
    let add = |w: &mut World, user: &str, password: &str, again: &str| {
        let fields = form(&[("accountjid", &[user]), ("password", &[password]), ("password-verify", &[again])]);
        command(w, JULIET, "add-user", &fields)
    };
    is(&add(&mut w, "tybalt@example.com", "a", "b"), "not-acceptable");
    is(&add(&mut w, "tybalt@example.com", "", ""), "not-acceptable");
    is(&add(&mut w, "tybalt@example.net", "a", "a"), "item-not-found");
    is(&add(&mut w, "@", "a", "a"), "jid-malformed");
    w.held = true;
    assert_eq!(add(&mut w, "tybalt@example.com", "K1ng0fC4ts", "K1ng0fC4ts"), "");
    w.commit();
    done(&w.hears(JULIET).concat());
    w.held = false;
    is(&add(&mut w, "tybalt@example.com", "a", "a"), "conflict");
    w.restart("example.com");
    assert!(w.site_of(JULIET).credentials("tybalt").is_some_and(|c| c.verify_password("K1ng0fC4ts")));
}

#[test]
fn s4_2_users_are_deleted_all_or_none() {
    let mut w = world();
    let delete = |w: &mut World, users: &[&str]| command(w, JULIET, "delete-user", &form(&[("accountjids", users)]));
    is(&delete(&mut w, &["nurse@example.com", "tybalt@example.com"]), "item-not-found");
    assert_eq!(w.closed, []);
    done(&delete(&mut w, &["nurse@example.com"]));
    assert_eq!(w.closed, [Closed { jid: jid(NURSE), condition: "not-authorized" }]);
    assert!(w.site_of(JULIET).credentials("nurse").is_none());
}

#[test]
fn s4_5_sessions_are_ended_all_or_one() {
    let mut w = world();
    w.online("nurse@example.com/stairs");
    w.online("nurse@example.com/hall");
    w.forget();
    let end = |w: &mut World, jids: &[&str]| command(w, JULIET, "end-user-session", &form(&[("accountjids", jids)]));
    is(&end(&mut w, &["nurse@example.com/attic"]), "item-not-found");
    is(&end(&mut w, &["tybalt@example.com"]), "item-not-found");
    done(&end(&mut w, &["nurse@example.com/stairs"]));
    let ended = |w: &mut World| {
        std::mem::take(&mut w.closed).into_iter().map(|closed| closed.jid.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ended(&mut w), ["nurse@example.com/stairs"]);
    done(&end(&mut w, &["nurse@example.com"]));
    assert_eq!(ended(&mut w), ["nurse@example.com/hall", NURSE]);
}

#[test]
fn s4_7_a_password_is_changed_and_who_knew_the_old_one_is_out() {
    let mut w = world();
    let change = |w: &mut World, user: &str, password: &str| {
        command(w, JULIET, "change-user-password", &form(&[("accountjid", &[user]), ("password", &[password])]))
    };
    is(&change(&mut w, "tybalt@example.com", "a"), "item-not-found");
    done(&change(&mut w, "nurse@example.com", "N3w"));
    assert!(w.site_of(JULIET).credentials("nurse").is_some_and(|c| c.verify_password("N3w")));
    assert_eq!(w.closed.len(), 1);
}

#[test]
fn s4_13_to_s4_20_numbers_and_lists() {
    let mut w = world();
    w.online(CHAMBER);
    w.ends(NURSE);
    w.forget();
    let field = |var: &str, values: &[&str]| {
        let values: String = values.iter().map(|value| format!("<value>{value}</value>")).collect();
        format!("<field var='{var}'>{values}</field>")
    };
    assert!(command(&mut w, JULIET, "get-registered-users-num", "").contains(&field("registeredusersnum", &["2"])));
    assert!(command(&mut w, JULIET, "get-online-users-num", "").contains(&field("onlineusersnum", &["1"])));
    let list = |w: &mut World, node: &str, max: &str| {
        let answer = command(w, JULIET, node, &form(&[("max_items", &[max])]));
        answer.matches("@example.com</value>").count()
    };
    assert_eq!(list(&mut w, "get-registered-users-list", "none"), 2);
    assert_eq!(list(&mut w, "get-registered-users-list", "1"), 1);
    assert_eq!(list(&mut w, "get-online-users-list", "25"), 1);
    is(&command(&mut w, JULIET, "get-online-users-list", &form(&[("max_items", &["many"])])), "not-acceptable");
}

#[test]
fn s4_23_all_who_are_online_are_told() {
    let mut w = world();
    done(&command(&mut w, JULIET, "announce", &form(&[("announcement", &["The watch", "is coming"])])));
    let told = w.hears(NURSE).concat();
    assert!(
        told.starts_with("<message from='example.com'") && told.contains("<body>The watch&#xa;is coming</body>"),
        "{told}"
    );
    let long = "x".repeat(4_001);
    is(&command(&mut w, JULIET, "announce", &form(&[("announcement", &[&long])])), "policy-violation");
}

#[test]
fn s4_24_to_s4_26_everybody_hears_the_message_of_the_day_once() {
    let mut w = world();
    w.ends(NURSE);
    let motd = |w: &mut World, node: &str, text: &str| command(w, JULIET, node, &form(&[("motd", &[text])]));
    w.says(JULIET, "<iq type='set' id='c1' to='example.com'><command xmlns='http://jabber.org/protocol/commands' node='http://jabber.org/protocol/admin#set-motd'><x xmlns='jabber:x:data' type='submit'><field var='motd'><value>Feast tonight</value></field></x></command></iq>");
    let heard = w.hears(JULIET).concat();
    assert!(heard.contains("status='completed'") && heard.contains("<body>Feast tonight</body>"), "{heard}");
    let comes = |w: &mut World| {
        w.bind(NURSE);
        w.says(NURSE, "<presence/>");
        let told = w.hears(NURSE).concat();
        w.ends(NURSE);
        told
    };
    assert!(comes(&mut w).contains("<body>Feast tonight</body>"));
    w.restart("example.com");
    w.online(JULIET);
    assert!(!comes(&mut w).contains("Feast"), "once, also after a restart");
    done(&motd(&mut w, "edit-motd", "Feast at nine"));
    assert!(!comes(&mut w).contains("Feast"), "who has been told is not told again what was corrected");
    assert!(command(&mut w, JULIET, "edit-motd", "").contains("<value>Feast at nine</value>"));
    done(&motd(&mut w, "set-motd", "No feast"));
    assert!(comes(&mut w).contains("<body>No feast</body>"));
    done(&motd(&mut w, "set-motd", "Never mind"));
    done(&command(&mut w, JULIET, "delete-motd", ""));
    assert!(!comes(&mut w).contains("Never"));
    w.held = true;
    assert_eq!(motd(&mut w, "set-motd", "Lost"), "");
    w.fail();
    is(&w.hears(JULIET).concat(), "internal-server-error");
    w.held = false;
    assert!(!comes(&mut w).contains("Lost"));
}
