//! Prosody's folder of data.

use crate::world::{World, left};
use store::Keep;
use transfer::There;

const CONFIG: &str = r#"return {
	["_affiliation_data"] = {
		["juliet@montague.lit"] = {
			["reserved_nickname"] = "Giulietta";
		};
		["tybalt@montague.lit"] = {
			["reason"] = "fights";
		};
	};
	["_affiliations"] = {
		["juliet@montague.lit"] = "member";
		["romeo@montague.lit"] = "owner";
		["tybalt@montague.lit"] = "outcast";
		["verona.lit"] = "outcast";
	};
	["_data"] = {
		["allow_member_invites"] = true;
		["archiving"] = true;
		["color"] = "red";
		["hidden"] = true;
		["history_length"] = 1000;
		["members_only"] = true;
		["name"] = "Casa";
		["password"] = "secret";
		["persistent"] = true;
		["presence_broadcast"] = {
			["moderator"] = true;
			["none"] = true;
			["visitor"] = false;
		};
		["subject"] = "What's in a name?";
		["subject_from"] = "casa@rooms.montague.lit/Romeo";
		["subject_time"] = 1700000000;
	};
	["jid"] = "casa@rooms.montague.lit";
};
"#;

/// The same room as the newer format has it.
const NEWER: &str = r#"return {
	["_affiliation_data"] = {};
	["_data"] = { ["persistent"] = true; };
	["_jid"] = "cas@rooms.montague.lit";
	["romeo@montague.lit"] = "owner";
};
"#;

fn said(key: &str, when: &str, from: &str, body: &str) -> String {
    format!(
        "item({{\n\t{{\n\t\t\"{body}\";\n\t\t[\"attr\"] = {{}};\n\t\t[\"name\"] = \"body\";\n\t}};\n\t{{\n\t\t[\"attr\"] = \
         {{ [\"xmlns\"] = \"urn:xmpp:occupant-id:0\"; [\"id\"] = \"x\"; }};\n\t\t[\"name\"] = \"occupant-id\";\n\t}};\n\t[\"attr\"] = {{ \
         [\"from\"] = \"{from}\"; [\"id\"] = \"i\"; [\"to\"] = \"casa@rooms.montague.lit\"; [\"type\"] = \"groupchat\"; [\"stamp\"] = \"s\"; \
         [\"xml:lang\"] = \"it\"; }};\n\t[\"key\"] = \"{key}\";\n\t[\"name\"] = \"message\";\n\t[\"when\"] = {when};\n\t[\"with\"] = \
         \"message<groupchat\";\n}});\n"
    )
}

fn world() -> World {
    let romeo = "casa@rooms.montague.lit/Romeo";
    let log = said("k1", "1700000001", romeo, "a \\195\\188 <b>")
        + &said("k2", "1699999999.5", romeo, "earlier")
        + &said("k2", "1700000002", romeo, "the same id")
        + &said("k3", "1700000003", "casa@rooms.montague.lit", "the room");
    World::new()
        .with("data/rooms%2emontague%2elit/config/casa.dat", CONFIG)
        .with("data/rooms%2emontague%2elit/config/cas.dat", NEWER)
        .with("data/rooms%2emontague%2elit/config/gone.dat", "return { [\"jid\"] = \"gone@rooms.montague.lit\"; _data = {} };")
        .with("data/rooms%2emontague%2elit/muc_log/casa.list", log)
        .with(
            "data/rooms%2emontague%2elit/vcard_muc/casa.dat",
            "return { [\"name\"] = \"vCard\"; [\"attr\"] = { [\"xmlns\"] = \"vcard-temp\"; };
             { [\"name\"] = \"FN\"; [\"attr\"] = { [\"xmlns\"] = \"vcard-temp\"; }; \"Casa\"; }; };",
        )
        .with(
            "data/rooms%2emontague%2elit/vcard_muc/cas.dat",
            "return { [\"name\"] = \"vcard\"; [\"attr\"] = { [\"xmlns\"] = \"vcard-temp\"; }; };",
        )
        .with("data/rooms%2emontague%2elit/pubsub_nodes/casa.dat", "return {};")
        .with("data/verona%2elit/accounts/x.dat", "return {};")
        .with("data/montague%2elit/accounts/romeo.dat", "return { [\"password\"] = \"pencil\" };")
        .with("data/montague%2elit/accounts/replica.dat", "return { [\"password\"] = \"pencil\" };")
        .with(
            "data/montague%2elit/roster/romeo.dat",
            "return { [false] = { [\"version\"] = 2; [\"pending\"] = { [\"paris@verona.lit\"] = true; }; };
             [\"juliet@montague.lit\"] = { [\"subscription\"] = \"both\"; [\"name\"] = \"Giulietta\"; [\"groups\"] = { [\"Casa\"] = true; }; }; };",
        )
}

#[test]
fn a_room_with_all_that_has_words_here() {
    let world = world();
    let report = world.import("data").expect("imported");
    assert_eq!((report.rooms, report.affiliations, report.messages), (2, 5, 2));
    let config = &world.value("room", "casa@rooms.montague.lit", "meta").expect("its record")["config"];
    for (field, value) in [
        ("name", "\"Casa\""),
        ("public", "false"),
        ("members_only", "true"),
        ("password", "\"secret\""),
        ("allow_invites", "true"),
        ("logging", "true"),
        ("persistent", "true"),
        ("presence_broadcast", "[\"moderator\"]"),
        ("history_stanzas", "20"),
    ] {
        assert_eq!(config[field].to_string(), value, "{field}");
    }
    let juliet = world.value("affiliation", "casa@rooms.montague.lit", "juliet@montague.lit").expect("juliet");
    assert_eq!(juliet.to_string(), r#"{"affiliation":"member","nick":"Giulietta"}"#);
    let tybalt = world.value("affiliation", "casa@rooms.montague.lit", "tybalt@montague.lit").expect("tybalt");
    assert_eq!(tybalt.to_string(), r#"{"affiliation":"outcast","reason":"fights"}"#);
    let vcard = world.value("room", "casa@rooms.montague.lit", "vcard").expect("its vCard");
    assert_eq!(vcard, "<vCard xmlns='vcard-temp'><FN>Casa</FN></vCard>");
    // Behind all messages; the one whose id was another's had a place too.
    let subject = world.value("room", "casa@rooms.montague.lit", "subject").expect("the subject");
    assert_eq!((subject["stamp_ms"].as_i64(), subject["seq"].as_u64()), (Some(1_700_000_000_000), Some(4)));
    assert!(
        subject["stanza"].as_str().is_some_and(|s| s.contains("<subject>What&apos;s in a name?</subject>")),
        "{subject}"
    );
}

#[test]
fn an_archive_with_ids_and_stamps_and_nothing_else_of_the_server() {
    let world = world();
    world.import("data").expect("imported");
    let (_, rows) = world.held("netjoin.db");
    let seen: Vec<_> = rows.iter().map(|row| (row.seq, row.id.as_str(), row.stamp_ms, row.with.as_str())).collect();
    let romeo = "casa@rooms.montague.lit/Romeo";
    // A clock that was set back does not bring the archive out of order.
    assert_eq!(seen, [(1, "k1", 1_700_000_001_000, romeo), (2, "k2", 1_700_000_001_000, romeo)]);
    assert_eq!(
        rows[0].stanza,
        "<message from='casa@rooms.montague.lit/Romeo' id='i' type='groupchat' xml:lang='it'><body>a ü &lt;b&gt;</body>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='casa@rooms.montague.lit' id='k1'/></message>"
    );
}

#[test]
fn what_has_no_words_here_is_told_by_room_and_key() {
    let report = world().import("data").expect("imported");
    assert_eq!(
        left(&report),
        [
            "replica@montague.lit, : this name is kept for a service of the domain",
            "rooms.montague.lit, pubsub_nodes: nothing is read from this store of Prosody",
            "cas@rooms.montague.lit, vcard_muc: is no vCard that can be sent",
            "casa@rooms.montague.lit, color: there is no such option",
            "casa@rooms.montague.lit, history_length: The field muc#roomconfig_historylength cannot have this value.",
            "casa@rooms.montague.lit, muc_log, 1 of it: has the id of another",
            "casa@rooms.montague.lit, muc_log, 1 of it: is from no occupant",
            "gone@rooms.montague.lit, persistent: the room is temporary: it ends with its last occupant",
            "verona.lit, : no domain of this configuration, neither of accounts nor of rooms",
        ]
    );
}

#[test]
fn an_account_with_contacts_and_who_has_asked() {
    let world = world();
    let report = world.import("data").expect("imported");
    assert_eq!((report.accounts, report.contacts), (1, 2));
    let juliet = world.value("roster", "romeo", "juliet@montague.lit").expect("juliet");
    assert_eq!(
        juliet.to_string(),
        r#"{"approved":false,"from":"yes","groups":["Casa"],"listed":true,"name":"Giulietta","to":"yes"}"#
    );
    let paris = world.value("roster", "romeo", "paris@verona.lit").expect("paris");
    assert_eq!((paris["from"].as_str(), paris["listed"].as_bool()), (Some("pending"), Some(false)));
}

#[test]
fn a_second_import_changes_nothing_and_a_replacing_one_does() {
    let world = world();
    let tried = world.import_as("data", "netjoin.db", Keep::No, There::Stays).expect("tried");
    assert!(!world.path("netjoin.db").exists());
    assert_eq!(world.import("data").expect("imported"), tried);
    let before = world.held("netjoin.db");
    let again = world.import("data").expect("again");
    assert_eq!((again.rooms, again.messages, again.accounts), (0, 0, 0));
    assert_eq!(again.there, ["romeo@montague.lit", "cas@rooms.montague.lit", "casa@rooms.montague.lit"]);
    assert_eq!(world.held("netjoin.db"), before);

    let world = world.with(
        "data/rooms%2emontague%2elit/muc_log/casa.list",
        said("k9", "1700000009", "casa@rooms.montague.lit/R", "x"),
    );
    let replaced = world.import_as("data", "netjoin.db", Keep::Yes, There::Replaced).expect("replaced");
    assert_eq!((replaced.rooms, replaced.messages, replaced.there.len()), (2, 1, 0));
    assert_eq!(world.held("netjoin.db").1.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["k9"]);
}
