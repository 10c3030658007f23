//! Files that are not what they should be: one clear error, and nothing half done.

use crate::world::World;
use proptest::prelude::*;
use transfer::TransferError;

const ROOM: &str = "return { [\"jid\"] = \"a@rooms.montague.lit\"; [\"_data\"] = { [\"persistent\"] = true; }; };";

#[track_caller]
fn refused(world: &World, from: &str) -> String {
    let error = world.import(from).expect_err("it was imported");
    assert!(!world.path("netjoin.db").exists() || world.held("netjoin.db").0.is_empty(), "something is there");
    let said = error.to_string();
    said.replace(&format!("{}/", world.path("").display()).replace("//", "/"), "")
}

#[test]
fn a_broken_file_is_named_with_its_place() {
    let config = "data/rooms%2emontague%2elit/config";
    let world = World::new()
        .with(&format!("{config}/a.dat"), ROOM)
        .with(&format!("{config}/b.dat"), "return {\n\t[\"jid\"] = os.exit();\n};\n");
    assert_eq!(refused(&world, "data"), format!("{config}/b.dat:2:12: \"os\" is no value"));
    let world = World::new()
        .with(&format!("{config}/a.dat"), ROOM)
        .with("data/rooms%2emontague%2elit/muc_log/a.list", "item({\n\t[\"key\"] = \"k\"; [\"when\"] = 1;\n");
    assert_eq!(refused(&world, "data"), "data/rooms%2emontague%2elit/muc_log/a.list:3:1: a value is missing");
}

#[test]
fn what_nobody_wrote_is_refused() {
    let world = World::new().with("x", "hello").with("db", "SQLite format 3\0but none").with("empty/a", "");
    assert!(matches!(world.import("x"), Err(TransferError::Unknown(_))));
    assert!(matches!(world.import("empty"), Err(TransferError::Unknown(_))));
    assert!(refused(&world, "db").starts_with("db: is no database of Prosody that can be read"));
    assert!(matches!(world.import("absent"), Err(TransferError::Io { .. })));
}

#[test]
fn an_export_that_was_cut_or_changed_is_known_by_it() {
    let head = "{\"netjoin\":1,\"domain\":\"montague.lit\",\"rooms\":\"rooms.montague.lit\"}\n";
    let blocked = "{\"space\":\"blocked\",\"owner\":\"romeo\",\"key\":\"paris@verona.lit\",\"value\":{}}\n";
    for (rest, wrong) in [
        ("", "x:2:1: the file was cut short: its end is missing"),
        ("{\"end\":{\"records\":1,\"messages\":0}}\n", "x:2:1: the file is not whole: lines are missing"),
        (
            "{\"space\":\"mark\",\"owner\":\"a\",\"key\":\"b\",\"value\":{}}\n",
            "x:2:1: \"mark\" is no kind of record that is carried over",
        ),
        (
            "{\"space\":\"room\",\"owner\":\"a\",\"key\":\"meta\",\"value\":{}}\n",
            "x:2:1: record room of a: missing field `config`",
        ),
        (
            "{\"space\":\"blocked\",\"owner\":\"romeo\",\"key\":\"@\",\"value\":{}}\n",
            "x:2:1: record blocked of romeo, \"@\", is none",
        ),
    ] {
        assert!(refused(&World::new().with("x", format!("{head}{rest}")), "x").starts_with(wrong), "{wrong}");
    }
    let whole = format!("{head}{blocked}{{\"end\":{{\"records\":1,\"messages\":0}}}}\n");
    assert_eq!(World::new().with("x", whole).import("x").expect("whole").records, 1);
    assert!(refused(&World::new().with("x", head.replace('1', "2")), "x").starts_with("x:1:1: version 2 is not known"));
}

#[test]
fn an_included_file_lies_beside_what_includes_it() {
    for href in ["/etc/passwd", "../x", "", "a/../../x"] {
        let text = format!(
            "<server-data xmlns='urn:xmpp:pie:0' xmlns:xi='http://www.w3.org/2001/XInclude'><xi:include href='{href}'/></server-data>"
        );
        assert!(refused(&World::new().with("x.xml", text), "x.xml").contains("which is no file beside it"), "{href}");
    }
    let itself = "<server-data xmlns='urn:xmpp:pie:0' xmlns:xi='http://www.w3.org/2001/XInclude'><host jid='montague.lit'>\
        <xi:include href='x.xml'/></host></server-data>";
    let report = World::new().with("x.xml", itself).import("x.xml").expect("it ends");
    assert_eq!(report.accounts, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// A byte that is changed anywhere gives an error or another import, never a panic.
    #[test]
    fn a_changed_byte_never_panics(at in 0usize..600, byte in any::<u8>()) {
        let mut text = ROOM.as_bytes().to_vec();
        let at = at % text.len();
        text[at] = byte;
        let _ = World::new().with("data/rooms%2emontague%2elit/config/a.dat", text).import("data");
    }
}
