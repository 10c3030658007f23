//! Our own format: what is exported and imported is the same.

use crate::world::World;
use machine::{Author, Born, Change, Row};
use rooms::Draft;
use store::{Bulk, Keep, StoreError};
use transfer::{Format, There};
use xmpp::{Element, Jid};

/// A store with a room and an account as they come to be, and what is of the moment beside them.
fn filled(world: &World) {
    store::bulk(&world.path("netjoin.db"), Keep::Yes, |bulk| {
        let mut room = Draft::new(Jid::new("casa@rooms.montague.lit").expect("a room"));
        room.configure("muc#roomconfig_roomname", &["Casa \u{1f319}".to_owned()]).expect("a name");
        room.affiliate("romeo@montague.lit", "owner", Some("Romeo"), Some("it is his")).expect("an owner");
        room.entitle(Some("Romeo"), "A subject".to_owned(), 7);
        for n in 1..=3 {
            let said =
                format!("<message from='x@y/Romeo' type='groupchat'><body>{n} &lt;\u{e9}&gt;\n</body></message>");
            let row = room.say(&Element::parse(&said).expect("XML"), &format!("id-{n}"), n * 1_000 + 1).expect("said");
            let author = (n < 3).then(|| Author {
                bare: "romeo@montague.lit".into(),
                resource: if n == 1 { "orchard".into() } else { String::new() },
                affiliation: "owner".into(),
                role: "moderator".into(),
            });
            let born = (n == 2).then(|| Born { base: 1, site: "verona.lit".into() });
            put(bulk, Change::Append(Row { author, born, ..row }))?;
        }
        room.records([7; 32]).into_iter().try_for_each(|change| put(bulk, change))?;
        let credentials = xmpp::sasl::Credentials::new("pencil", b"0123456789abcdef", 1);
        let mut juliet = accounts::Draft::new("juliet", credentials);
        juliet.block("tybalt@montague.lit").expect("blocked");
        juliet.vcard(&Element::new("vCard", "vcard-temp")).expect("a card");
        juliet.records().into_iter().try_for_each(|change| put(bulk, change))?;
        let seat = Change::Put {
            space: "occupant",
            owner: "casa@rooms.montague.lit".into(),
            key: "romeo@montague.lit/orchard".into(),
            value: "{\"nick\":\"Romeo\"}".into(),
        };
        put(bulk, seat)
    })
    .expect("a store");
}

fn put(bulk: &mut Bulk<'_>, change: Change) -> Result<(), StoreError> {
    bulk.apply(&change).map(drop)
}

#[test]
fn an_export_that_is_imported_is_the_same() {
    let world = World::new();
    filled(&world);
    let written = world.export("netjoin.db", "all.jsonl", Format::Netjoin).expect("exported");
    assert_eq!((written.rooms, written.affiliations, written.messages, written.accounts), (1, 1, 3, 1));
    let read = world.import_as("all.jsonl", "second.db", Keep::Yes, There::Stays).expect("imported");
    assert_eq!((read.rooms, read.messages, read.records), (written.rooms, written.messages, written.records));
    let (mut records, rows) = world.held("netjoin.db");
    records.retain(|record| record.space != "occupant");
    assert_eq!(world.held("second.db"), (records, rows));
    world.export("second.db", "again.jsonl", Format::Netjoin).expect("exported again");
    let text = |name: &str| std::fs::read_to_string(world.path(name)).expect("a file");
    assert_eq!(text("again.jsonl"), text("all.jsonl"));
}

#[test]
fn who_is_there_stays_and_nothing_is_overwritten() {
    let world = World::new();
    filled(&world);
    world.export("netjoin.db", "all.jsonl", Format::Netjoin).expect("exported");
    let again = world.import("all.jsonl").expect("imported");
    assert_eq!(again.there, ["juliet@montague.lit", "casa@rooms.montague.lit"]);
    assert_eq!((again.rooms, again.messages, again.records, again.accounts), (0, 0, 0, 0));
    assert!(world.export("netjoin.db", "all.jsonl", Format::Pie).is_err());
    assert!(!world.path("all.jsonl.partial").exists());
    let told = world.export("netjoin.db", "all.xml", Format::Pie).expect("exported");
    assert_eq!(told.left.iter().map(|left| left.key.as_str()).collect::<Vec<_>>(), ["1 rooms"]);
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(world.path("all.jsonl")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
