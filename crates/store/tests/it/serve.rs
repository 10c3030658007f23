//! Opening, persisting, reading and loading again.

use crate::support::{Bench, WALLOPS, listener, message, place, put, seqs, whole};
use machine::{ArchiveQuery, Born, Change, QueryId, Record, Row, Token};
use store::{Completion, Options, Store, StoreError};

#[test]
fn what_was_kept_is_loaded_in_order() {
    let (_directory, path) = place();
    let bench = Bench::open(&path, Options::default()).expect("a new file");
    assert_eq!(bench.loaded, store::Loaded::default());
    assert!(bench.keeps(vec![
        put("room", WALLOPS, "config", "{}"),
        put("affiliation", WALLOPS, "rubenro@vesa.yeggmaex.irc", "\"owner\""),
        put("affiliation", WALLOPS, "joker@eris.dclxvii.irc", "\"outcast\""),
        put("room", WALLOPS, "config", "{\"name\":\"!\"}"),
        Change::Delete { space: "affiliation", owner: WALLOPS.into(), key: "joker@eris.dclxvii.irc".into() },
        put("account", "a", "1", "1"),
        put("account", "a", "2", "2"),
        put("account", "b", "1", "3"),
        Change::DeleteAll { space: "account", owner: "a".into() },
    ]));
    assert!(bench.keeps((1..=150).map(|seq| Change::Append(message(seq, "WiZ"))).collect()));
    drop(bench);

    let bench = Bench::open(&path, Options::default()).expect("the same file");
    let record = |space: &str, owner: &str, key: &str, value: &str| Record {
        space: space.into(),
        owner: owner.into(),
        key: key.into(),
        value: value.into(),
    };
    assert_eq!(
        bench.loaded.records,
        [
            record("account", "b", "1", "3"),
            record("affiliation", WALLOPS, "rubenro@vesa.yeggmaex.irc", "\"owner\""),
            record("room", WALLOPS, "config", "{\"name\":\"!\"}"),
        ]
    );
    assert_eq!(bench.loaded.recent, (51..=150).map(|seq| message(seq, "WiZ")).collect::<Vec<_>>());
}

#[test]
fn an_id_that_is_there_is_left_as_it_is() {
    let (_directory, path) = place();
    let bench = Bench::open(&path, Options::default()).expect("a new file");
    assert!(bench.keeps(vec![Change::Append(message(1, "WiZ"))]));
    let mut again = message(2, "BigCheese");
    again.id = message(1, "WiZ").id;
    assert!(bench.keeps(vec![Change::Append(again), Change::Append(message(1, "BigCheese"))]));
    assert_eq!(bench.reads(whole()).rows, [message(1, "WiZ")]);
}

/// All or nothing; and the machine's mistake is not the disk's, so health stays green.
#[test]
fn a_place_that_is_taken_fails_the_whole_persist() {
    let (_directory, path) = place();
    let bench = Bench::open(&path, Options::default()).expect("a new file");
    assert!(bench.keeps(vec![Change::Append(message(1, "WiZ"))]));
    let mut taken = message(1, "BigCheese");
    taken.id = "another".into();
    assert!(!bench.keeps(vec![Change::Append(message(2, "WiZ")), Change::Append(taken)]));
    let mut beyond = message(3, "WiZ");
    beyond.seq = u64::MAX;
    assert!(!bench.keeps(vec![Change::Append(beyond)]));
    assert_eq!(bench.store.health(), Ok(()));
    assert_eq!(seqs(&bench.reads(whole())), [1]);
}

#[test]
fn rows_and_archives_are_removed() {
    let (_directory, path) = place();
    let bench = Bench::open(&path, Options::default()).expect("a new file");
    assert!(bench.keeps((1..=9).map(|seq| Change::Append(message(seq, "WiZ"))).collect()));
    assert!(bench.keeps(vec![
        Change::DeleteRow { archive: WALLOPS.into(), id: "id-5".into() },
        Change::TrimArchive { archive: WALLOPS.into(), before_ms: 3_000 },
    ]));
    assert_eq!(seqs(&bench.reads(whole())), [3, 4, 6, 7, 8, 9]);
    assert!(bench.keeps(vec![
        Change::DeleteArchive { archive: WALLOPS.into() },
        Change::DeleteArchive { archive: "never@channel.avalon.irc".into() },
        Change::Append(message(20, "WiZ")),
    ]));
    assert_eq!(seqs(&bench.reads(whole())), [20]);
}

/// However many persists are under way, a query sees its machine's.
#[test]
fn a_query_sees_every_change_its_machine_persisted_before_it() {
    let (_directory, path) = place();
    let (tell, said) = listener();
    let (store, _) = Store::open(&path, Options::default(), tell).expect("a new file");
    for n in 1..=200 {
        store.persist(7, Token(n), vec![Change::Append(message(n, "WiZ"))]);
        store.query(7, QueryId(n), ArchiveQuery { backwards: true, max: 1, ..whole() });
    }
    drop(store);
    let mut answered = 0;
    for completion in said {
        if let Completion::Rows { id, page, .. } = completion {
            let last = seqs(&page.expect("a page"));
            assert!(last >= vec![id.0], "{id:?} saw only {last:?}");
            answered += 1;
        }
    }
    assert_eq!(answered, 200);
}

#[test]
fn a_machine_hears_of_its_persists_in_their_order() {
    let (_directory, path) = place();
    let (tell, said) = listener();
    let (store, _) = Store::open(&path, Options::default(), tell).expect("a new file");
    for n in 1..=300 {
        for machine in 0..3 {
            store.persist(machine, Token(n), vec![put("room", &machine.to_string(), &n.to_string(), "{}")]);
        }
    }
    drop(store);
    let mut heard = [0; 3];
    for completion in said {
        let Completion::Done { machine, token, ok: true } = completion else { panic!("{completion:?}") };
        heard[usize::from(machine)] += 1;
        assert_eq!(token.0, heard[usize::from(machine)]);
    }
    assert_eq!(heard, [300; 3]);
}

#[test]
fn only_one_serves_a_file() {
    let (_directory, path) = place();
    let bench = Bench::open(&path, Options::default()).expect("a new file");
    let error = Bench::open(&path, Options::default()).err().expect("the file is served");
    assert!(matches!(&error, StoreError::Served { .. }), "{error}");
    assert!(error.to_string().contains(&format!("(process {})", std::process::id())), "{error}");
    drop(bench);
    Bench::open(&path, Options::default()).expect("served no more");
}

/// Whoever was on the island has not seen what the room had meanwhile: `after` a row born there begins behind its base.
#[test]
fn behind_a_row_born_on_an_island_its_site_gets_what_the_island_did_not_have() {
    let (_directory, path) = place();
    let bench = Bench::open(&path, Options::default()).expect("a new file");
    let born = Some(Born { base: 2, site: "vesa.yeggmaex.irc".into() });
    let mut rows: Vec<Row> = (1..=6).map(|seq| message(seq, "WiZ")).collect();
    rows[4].born = born.clone();
    assert!(bench.keeps(rows.into_iter().map(Change::Append).collect()));
    let after = |id: &str, site: Option<&str>| {
        let query = ArchiveQuery { after_id: Some(id.into()), site: site.map(str::to_owned), ..whole() };
        bench.reads(query)
    };
    assert_eq!(seqs(&after("id-5", Some("vesa.yeggmaex.irc"))), [3, 4, 5, 6]);
    assert_eq!(seqs(&after("id-5~", Some("vesa.yeggmaex.irc"))), [6]);
    assert_eq!(seqs(&after("id-5", Some("eris.dclxvii.irc"))), [6]);
    assert_eq!(seqs(&after("id-5", None)), [6]);
    assert_eq!(seqs(&after("id-4~", Some("vesa.yeggmaex.irc"))), [5, 6]);
    assert!(after("id-9~", Some("vesa.yeggmaex.irc")).unknown_id);
    assert_eq!(after("id-4", None).rows[0].born, born);
}
