//! A dump of ejabberd.

use crate::world::{World, left};

const DUMP: &str = r#"{tables,[{passwd,[{record_name,passwd},{attributes,[us,password]}]}]}.
{passwd,{<<"romeo">>,<<"montague.lit">>},<<"pencil">>}.
{passwd,{<<"paris">>,<<"verona.lit">>},<<"pencil">>}.
{passwd,{<<"juliet">>,<<"montague.lit">>},{scram,<<"c3RvcmVk">>,<<"c2VydmVy">>,<<"c2FsdA==">>,sha,4096}}.
{passwd,{<<"nurse">>,<<"montague.lit">>},{scram,<<"c3RvcmVk">>,<<"c2VydmVy">>,<<"c2FsdA==">>,sha256,4096}}.
{vcard,{<<"romeo">>,<<"montague.lit">>},{xmlel,<<"vCard">>,[{<<"xmlns">>,<<"vcard-temp">>}],[]}}.
{muc_registered,{{<<"romeo">>,<<"montague.lit">>},<<"rooms.montague.lit">>},<<"Montague">>}.
{archive_msg,{<<"casa">>,<<"rooms.montague.lit">>},<<"1700000002000000">>,{1700,2,5},
             {<<"casa">>,<<"rooms.montague.lit">>,<<"Romeo">>},{<<"casa">>,<<"rooms.montague.lit">>,<<>>},
             {xmlel,<<"message">>,[{<<"xml:lang">>,<<"en">>},{<<"from">>,<<"romeo@montague.lit/orchard">>},
                    {<<"type">>,<<"groupchat">>},{<<"xmlns">>,<<"jabber:client">>}],
                    [{xmlel,<<"body">>,[],[{xmlcdata,<<"second ",226,128,148,
                        " & last">>}]}]},
             <<"Romeo">>,groupchat}.
{archive_msg,{<<"casa">>,<<"rooms.montague.lit">>},<<"1700000001000000">>,{1700,1,0},
             {<<"casa">>,<<"rooms.montague.lit">>,<<"Romeo">>},{<<"casa">>,<<"rooms.montague.lit">>,<<>>},
             {xmlel,<<"message">>,[{<<"from">>,<<"romeo@montague.lit/orchard">>},{<<"type">>,<<"groupchat">>}],
                    [{xmlel,<<"body">>,[],[{xmlcdata,<<"first">>}]}]},
             <<"Romeo">>,groupchat}.
{muc_room,{<<"casa">>,<<"rooms.montague.lit">>},
          [{title,<<"Casa">>},{persistent,true},{moderated,true},{members_by_default,false},{anonymous,false},{mam,true},
           {max_users,200},{public,false},{password_protected,false},{password,<<"old">>},{allow_private_messages,false},
           {presence_broadcast,[moderator,participant]},{allow_voice_requests,false},{subscribers,[]},{logging,true},
           {vcard,<<"<vCard xmlns='vcard-temp'><PHOTO><BINVAL>cGljdHVyZQ==</BINVAL></PHOTO></vCard>">>},
           {affiliations,[{{<<"romeo">>,<<"montague.lit">>,<<>>},{owner,<<>>}},
                          {{<<>>,<<"verona.lit">>,<<>>},{outcast,<<"fights">>}},
                          {{<<"juliet">>,<<"montague.lit">>,<<>>},member}]},
           {subject,[{text,<<>>,<<"What's in a name?">>}]},{subject_author,{<<"Romeo">>,undefined}}]}.
{muc_room,{<<"passing">>,<<"rooms.montague.lit">>},[{persistent,false}]}.
{roster,{<<"romeo">>,<<"montague.lit">>,{<<"juliet">>,<<"montague.lit">>,<<>>}},{<<"romeo">>,<<"montague.lit">>},
        {<<"juliet">>,<<"montague.lit">>,<<>>},<<"Giulietta">>,to,in,[<<"Casa">>],<<"let me">>,[]}.
{roster,{<<"romeo">>,<<"montague.lit">>,{<<"paris">>,<<"verona.lit">>,<<>>}},{<<"romeo">>,<<"montague.lit">>},
        {<<"paris">>,<<"verona.lit">>,<<>>},<<>>,none,in,[],<<>>,[]}.
{sr_group,{<<"x">>,<<"montague.lit">>},[]}.
"#;

#[test]
fn rooms_archives_and_accounts() {
    let world = World::new().with("dump", DUMP);
    let report = world.import("dump").expect("imported");
    assert_eq!((report.rooms, report.affiliations, report.messages), (1, 3, 2));
    assert_eq!((report.accounts, report.contacts), (2, 2));
    let config = &world.value("room", "casa@rooms.montague.lit", "meta").expect("its record")["config"];
    for (field, value) in [
        ("name", "\"Casa\""),
        ("public", "false"),
        ("moderated", "true"),
        ("whois", "\"anyone\""),
        ("password", "null"),
        ("private_messages", "\"none\""),
        ("max_users", "200"),
        ("logging", "true"),
        ("presence_broadcast", "[\"participant\",\"moderator\"]"),
    ] {
        assert_eq!(config[field].to_string(), value, "{field}");
    }
    let of = |key: &str| world.value("affiliation", "casa@rooms.montague.lit", key).expect(key).to_string();
    assert_eq!(of("romeo@montague.lit"), r#"{"affiliation":"owner","nick":"Montague"}"#);
    assert_eq!(of("verona.lit"), r#"{"affiliation":"outcast","reason":"fights"}"#);
    let (_, rows) = world.held("netjoin.db");
    let seen: Vec<_> = rows.iter().map(|row| (row.seq, row.id.as_str(), row.stamp_ms)).collect();
    assert_eq!(seen, [(1, "1700000001000000", 1_700_000_001_000), (2, "1700000002000000", 1_700_000_002_000)]);
    // Who that is to the rest of the world stays out.
    assert!(
        rows.iter().all(|row| row.with == "casa@rooms.montague.lit/Romeo" && !row.stanza.contains("orchard")),
        "{rows:?}"
    );
    assert!(rows[1].stanza.contains("<body>second \u{2014} &amp; last</body>"), "{}", rows[1].stanza);
    let subject = world.value("room", "casa@rooms.montague.lit", "subject").expect("the subject");
    assert!(
        subject["stanza"]
            .as_str()
            .is_some_and(|s| s.starts_with("<message type='groupchat' from='casa@rooms.montague.lit/Romeo'>"))
    );
    let vcard = world.value("room", "casa@rooms.montague.lit", "vcard").expect("its avatar");
    assert_eq!(vcard, "<vCard xmlns='vcard-temp'><PHOTO><BINVAL>cGljdHVyZQ==</BINVAL></PHOTO></vCard>");
    let credentials = world.value("account", "juliet", "credentials").expect("juliet's");
    assert_eq!((credentials["sha1"]["iterations"].as_u64(), credentials.get("sha256")), (Some(4096), None));
    let juliet = world.value("roster", "romeo", "juliet@montague.lit").expect("juliet");
    assert_eq!(
        (juliet["to"].as_str(), juliet["from"].as_str(), juliet["listed"].as_bool()),
        (Some("yes"), Some("pending"), Some(true))
    );
    let paris = world.value("roster", "romeo", "paris@verona.lit").expect("paris");
    assert_eq!((paris["from"].as_str(), paris["listed"].as_bool()), (Some("pending"), Some(false)));
    assert!(world.value("vcard", "romeo", "").is_some_and(|card| card == "<vCard xmlns='vcard-temp'/>"));
}

#[test]
fn what_has_no_words_here_is_told() {
    let report = World::new().with("dump", DUMP).import("dump").expect("imported");
    assert_eq!(
        left(&report),
        [
            "montague.lit, sr_group, 1 records: nothing is read from this table of ejabberd",
            "casa@rooms.montague.lit, allow_voice_requests: there is no such option",
            "casa@rooms.montague.lit, logging: there is no such option",
            "passing@rooms.montague.lit, persistent: the room is temporary: it ends with its last occupant",
            "rooms.montague.lit, nick Montague of romeo@montague.lit: nicks are reserved in rooms, not in all of a service: this one is where the user is on a list",
            "nurse@montague.lit, password: without a password or keys for SCRAM-SHA-1 it could not log in here; make it anew",
            "paris@verona.lit, passwd: no domain of this configuration, neither of accounts nor of rooms",
        ]
    );
}

#[test]
fn a_broken_dump_is_refused_where_it_is_broken() {
    for (text, wrong) in [
        ("{tables,[]}.\n{muc_room,{<<\"a\">>},[]}.\n", "2:25: the record of muc_room that ends here is none"),
        ("{tables,[]}.\nok.\n", "2:4: the term that ends here is no record"),
        ("{tables,[]}.\n{muc_room,", "2:11: a term is missing"),
    ] {
        let error = World::new().with("dump", text).import("dump").expect_err("imported").to_string();
        assert!(error.ends_with(wrong), "{error}");
    }
}
