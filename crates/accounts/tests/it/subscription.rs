//! RFC 6121 section 3: subscriptions between two servers, and between two users of one.

use crate::world::{CHAMBER, JULIET, NURSE, ROMEO, World};

#[test]
fn s3_1_2_a_request_is_routed_from_the_bare_address_and_pushed_as_asked() {
    let mut w = World::new();
    w.online(ROMEO);
    w.online(JULIET);
    w.says(ROMEO, "<presence id='xk3h1v69' to='juliet@example.com' type='subscribe'/>");
    assert_eq!(
        w.hears(JULIET),
        ["<presence id='xk3h1v69' type='subscribe' from='romeo@example.net' to='juliet@example.com/balcony'/>"]
    );
    assert_eq!(
        w.hears(ROMEO),
        ["<iq from='romeo@example.net' id='push1' type='set' to='romeo@example.net/orchard'>\
          <query xmlns='jabber:iq:roster'>\
          <item ask='subscribe' jid='juliet@example.com' subscription='none'/></query></iq>"]
    );
}

#[test]
fn s3_1_3_a_request_is_kept_whole_for_a_user_who_is_away_until_it_is_answered() {
    let mut w = World::new();
    w.online(ROMEO);
    w.says(ROMEO, "<presence to='juliet@example.com' type='subscribe'><status>It is the east</status></presence>");
    w.restart("example.com");
    w.bind(JULIET);
    w.says(JULIET, "<presence/>");
    let request = "<presence type='subscribe' from='romeo@example.net' to='juliet@example.com/balcony'>\
                   <status>It is the east</status></presence>";
    assert_eq!(w.hears(JULIET).last().map(String::as_str), Some(request));
    assert_eq!(w.item("juliet@example.com", "romeo@example.net"), "", "a request alone is in no roster");
    w.says(JULIET, "<presence to='romeo@example.net' type='unsubscribed'/>");
    w.ends(JULIET);
    w.bind(JULIET);
    w.says(JULIET, "<presence/>");
    assert_eq!(w.kinds(JULIET), ["presence"], "her own presence and no request");
    assert!(!w.stores["example.com"].keys().any(|(space, ..)| space == "roster"));
}

#[test]
fn s3_1_3_a_request_longer_than_the_limit_is_kept_without_its_words() {
    let mut w = World::new();
    w.online(ROMEO);
    let words = "x".repeat(accounts::config::REQUEST_BYTES_MAX);
    w.says(ROMEO, &format!("<presence to='juliet@example.com' type='subscribe'><status>{words}</status></presence>"));
    w.bind(JULIET);
    w.says(JULIET, "<presence/>");
    let request = "<presence from='romeo@example.net' type='subscribe' to='juliet@example.com/balcony'/>";
    assert!(w.hears(JULIET).contains(&request.to_owned()));
}

#[test]
fn s3_1_3_a_request_goes_to_all_available_resources_and_no_other() {
    let mut w = World::new();
    w.online(ROMEO);
    w.bind(JULIET);
    w.says(JULIET, "<presence/>"); // available, and never asked for the roster
    w.bind(CHAMBER);
    w.says(CHAMBER, "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>");
    w.forget();
    w.says(ROMEO, "<presence to='juliet@example.com' type='subscribe'/>");
    assert_eq!((w.kinds(JULIET), w.kinds(CHAMBER)), (vec!["presence subscribe".into()], vec![]));
}

#[test]
fn s3_1_3_a_second_request_is_not_shown_again() {
    let mut w = World::new();
    w.online(ROMEO);
    w.online(JULIET);
    w.says(ROMEO, "<presence to='juliet@example.com' type='subscribe'/>");
    w.says(ROMEO, "<presence to='juliet@example.com' type='subscribe'/>");
    assert_eq!(w.kinds(JULIET), ["presence subscribe"]);
    assert_eq!(w.kinds(ROMEO), ["iq set"], "the second changes nothing");
}

#[test]
fn s3_1_3_who_is_subscribed_is_answered_without_asking() {
    let mut w = World::lovers();
    w.says(ROMEO, "<presence to='juliet@example.com' type='subscribe'/>");
    assert_eq!(w.kinds(JULIET), [""; 0]);
    // 3.1.6 / A.3.3: he knows already, so nothing reaches his client.
    assert_eq!(w.kinds(ROMEO), [""; 0]);
}

#[test]
fn s3_1_3_nobody_is_asked_in_silence() {
    let mut w = World::new();
    w.online(ROMEO);
    w.says(ROMEO, "<presence to='tybalt@example.com' type='subscribe'/>");
    assert_eq!(w.kinds(ROMEO), ["iq set"], "the push of his own item alone");
}

#[test]
fn s3_1_5_a_granted_request_is_pushed_on_both_sides_and_presence_follows() {
    let mut w = World::new();
    w.online(ROMEO);
    w.online(JULIET);
    w.bind(CHAMBER); // connected, and neither interested nor available
    w.says(ROMEO, "<presence to='juliet@example.com' type='subscribe'/>");
    w.forget();
    w.says(JULIET, "<presence id='h4v1c4kj' to='romeo@example.net' type='subscribed'/>");
    assert_eq!(
        w.hears(JULIET),
        ["<iq from='juliet@example.com' id='push1' type='set' to='juliet@example.com/balcony'>\
          <query xmlns='jabber:iq:roster'><item jid='romeo@example.net' subscription='from'/></query></iq>"]
    );
    assert_eq!(
        w.hears(ROMEO),
        [
            "<presence id='h4v1c4kj' type='subscribed' from='juliet@example.com' to='romeo@example.net/orchard'/>",
            "<iq from='romeo@example.net' id='push2' type='set' to='romeo@example.net/orchard'>\
             <query xmlns='jabber:iq:roster'><item jid='juliet@example.com' subscription='to'/></query></iq>",
            "<presence from='juliet@example.com/balcony' to='romeo@example.net/orchard'/>",
        ]
    );
    assert_eq!(w.kinds(CHAMBER), [""; 0]);
}

#[test]
fn s3_1_mutual_subscription_makes_both() {
    let mut w = World::lovers();
    let both = |jid| format!("<item xmlns='jabber:iq:roster' jid='{jid}' subscription='both'/>");
    assert_eq!(w.item("romeo@example.net", "juliet@example.com"), both("juliet@example.com"));
    assert_eq!(w.item("juliet@example.com", "romeo@example.net"), both("romeo@example.net"));
    w.restart("example.com");
    assert_eq!(w.item("juliet@example.com", "romeo@example.net"), both("romeo@example.net"));
}

#[test]
fn s3_2_1_presence_is_taken_back_before_the_subscription_is() {
    let mut w = World::lovers();
    w.says(JULIET, "<presence to='romeo@example.net' type='unsubscribed'/>");
    assert_eq!(w.kinds(JULIET), ["iq set"]);
    assert_eq!(w.kinds(ROMEO), ["presence unavailable", "presence unsubscribed", "iq set"]);
    assert!(w.item("juliet@example.com", "romeo@example.net").contains("subscription='to'"));
    assert!(w.item("romeo@example.net", "juliet@example.com").contains("subscription='from'"));
}

#[test]
fn s3_3_1_who_unsubscribes_sees_the_contact_leave() {
    let mut w = World::lovers();
    w.says(JULIET, "<presence to='romeo@example.net' type='unsubscribe'/>");
    assert_eq!(w.kinds(JULIET), ["iq set", "presence unavailable"]);
    assert_eq!(w.kinds(ROMEO), ["presence unsubscribe", "iq set"]);
    assert!(w.item("juliet@example.com", "romeo@example.net").contains("subscription='from'"));
    assert!(w.item("romeo@example.net", "juliet@example.com").contains("subscription='to'"));
}

#[test]
fn s3_4_a_pre_approved_request_is_granted_without_asking() {
    let mut w = World::new();
    w.online(ROMEO);
    w.online(JULIET);
    w.says(JULIET, "<presence to='romeo@example.net' type='subscribed'/>");
    assert_eq!(w.kinds(ROMEO), [""; 0], "a pre-approval is not routed");
    assert!(w.hears(JULIET)[0].contains("<item approved='true' jid='romeo@example.net' subscription='none'/>"));
    w.says(ROMEO, "<presence to='juliet@example.com' type='subscribe'/>");
    assert_eq!(w.kinds(JULIET), ["iq set"]);
    assert_eq!(w.kinds(ROMEO), ["iq set", "presence subscribed", "iq set", "presence"]);
}

#[test]
fn s3_4_2_a_pre_approval_can_be_taken_back() {
    let mut w = World::new();
    w.online(ROMEO);
    w.online(JULIET);
    w.says(JULIET, "<presence to='romeo@example.net' type='subscribed'/>");
    w.says(JULIET, "<presence to='romeo@example.net' type='unsubscribed'/>");
    w.forget();
    w.says(ROMEO, "<presence to='juliet@example.com' type='subscribe'/>");
    assert_eq!(w.kinds(JULIET), ["presence subscribe"]);
}

#[test]
fn s3_two_users_of_one_server_subscribe_as_two_servers_do() {
    let mut w = World::new();
    w.online(JULIET);
    w.online(NURSE);
    w.says(NURSE, "<presence to='juliet@example.com' type='subscribe'/>");
    assert_eq!((w.kinds(NURSE), w.kinds(JULIET)), (vec!["iq set".into()], vec!["presence subscribe".into()]));
    w.says(JULIET, "<presence to='nurse@example.com' type='subscribed'/>");
    assert_eq!(w.kinds(NURSE), ["presence subscribed", "iq set", "presence"]);
    assert_eq!(w.kinds(JULIET), ["iq set"]);
}

#[test]
fn s3_nobody_hears_of_a_subscription_before_it_is_durable() {
    let mut w = World::new();
    w.online(ROMEO);
    w.online(JULIET);
    w.held = true;
    w.says(ROMEO, "<presence to='juliet@example.com' type='subscribe'/>");
    assert_eq!((w.kinds(ROMEO), w.kinds(JULIET)), (vec![], vec![]));
    w.says(ROMEO, "<presence><show>away</show></presence>");
    assert_eq!(w.kinds(ROMEO), ["presence"], "presence waits for no disk");
    w.commit();
    assert_eq!((w.kinds(ROMEO), w.kinds(JULIET)), (vec!["iq set".into()], vec![]));
    w.commit();
    assert_eq!(w.kinds(JULIET), ["presence subscribe"]);
}

#[test]
fn s3_a_refused_write_is_told_and_undone() {
    let mut w = World::new();
    w.online(ROMEO);
    w.held = true;
    w.says(ROMEO, "<presence id='1' to='juliet@example.com' type='subscribe'/>");
    w.fail();
    assert_eq!(
        w.hears(ROMEO),
        ["<presence id='1' type='error' from='juliet@example.com' to='romeo@example.net/orchard'>\
          <error type='cancel'><internal-server-error xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"]
    );
    w.held = false;
    assert_eq!(w.item("romeo@example.net", "juliet@example.com"), "");
}

#[test]
fn s3_strangers_fill_no_more_than_their_list() {
    let mut w = World::new();
    w.online(JULIET);
    for n in 0..accounts::config::REQUESTS_PENDING_MAX + 5 {
        w.arrives(&format!("<presence from='capulet{n}@verona.lit' to='juliet@example.com' type='subscribe'/>"));
    }
    assert_eq!(w.hears(JULIET).len(), accounts::config::REQUESTS_PENDING_MAX);
    let kept = w.stores["example.com"].keys().filter(|(space, ..)| space == "roster").count();
    assert_eq!(kept, accounts::config::REQUESTS_PENDING_MAX);
    assert_eq!(w.abroad, [""; 0], "who is over it learns nothing");
}

#[test]
fn s3_nobody_subscribes_to_himself() {
    let mut w = World::new();
    w.online(ROMEO);
    w.says(ROMEO, "<presence to='romeo@example.net' type='subscribe'/>");
    assert_eq!(w.kinds(ROMEO), ["presence error"]);
}
