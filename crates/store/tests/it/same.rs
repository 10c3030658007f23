//! The simulator's disk and the store give the same answers.

use crate::support::{Bench, place};
use machine::{ArchiveQuery, Author, Between, Born, By, Change, Row};
use proptest::prelude::*;
use store::Options;
use store::disk::SimDisk;

const ARCHIVES: [&str; 2] = ["wallops@channel.avalon.irc", "mirror:wallops@channel.avalon.irc"];
const SPACES: [&str; 2] = ["room", "affiliation"];
const RECENT_ROWS: usize = 3;

/// Few names, so that everything meets everything.
fn change() -> impl Strategy<Value = Change> {
    let archive = || prop::sample::select(ARCHIVES.as_slice()).prop_map(str::to_owned);
    let space = || prop::sample::select(SPACES.as_slice());
    let name = || "[ab]";
    prop_oneof![
        12 => (archive(), 0..24u64, 0..32u64, 0..3u8, born()).prop_map(|(archive, seq, id, who, born)| Change::Append(Row { born, ..row(archive, seq, id, who) })),
        6 => (archive(), 0..24u64, 0..32u64, 0..26u64, born()).prop_map(|(archive, seq, id, above, born)| {
            Change::Settle { row: Row { born, ..row(archive, seq, id, 0) }, above, aside: "refused".to_owned() }
        }),
        3 => (space(), name(), name(), 0..9u8).prop_map(|(space, owner, key, n)| Change::Put { space, owner, key, value: n.to_string() }),
        1 => (space(), name(), name()).prop_map(|(space, owner, key)| Change::Delete { space, owner, key }),
        1 => (space(), name()).prop_map(|(space, owner)| Change::DeleteAll { space, owner }),
        1 => (archive(), 0..32u64).prop_map(|(archive, id)| Change::DeleteRow { archive, id: format!("id{id}") }),
        1 => (archive(), prop::collection::vec(0..32u64, 1..4), 0..24u64).prop_map(|(archive, ids, base)| {
            Change::Born { archive, ids: ids.into_iter().map(|id| format!("id{id}")).collect(), base }
        }),
        1 => archive().prop_map(|archive| Change::DeleteArchive { archive }),
        1 => (archive(), 0..24u64, 0..24u64).prop_map(|(archive, above, below)| {
            Change::MoveRows { archive, above, below, to: "refused".to_owned(), shift: 7 }
        }),
        1 => (archive(), 0..9_000i64).prop_map(|(archive, before_ms)| Change::TrimArchive { archive, before_ms }),
    ]
}

/// Stamps never fall with rising places, and often are the same.
fn row(archive: String, seq: u64, id: u64, who: u8) -> Row {
    let stamp_ms = (seq / 3 * 1_000) as i64;
    Row {
        archive,
        seq,
        id: format!("id{id}"),
        stamp_ms,
        with: format!("who{who}"),
        stanza: format!("<m id='{id}'/>"),
        author: (who > 0).then(|| Author {
            bare: format!("who{who}@vesa.yeggmaex.irc"),
            resource: format!("r{}", seq % 2),
            affiliation: "none".into(),
            role: "participant".into(),
        }),
        born: None,
    }
}

/// Mostly nowhere; else any place, its own and those behind it too.
fn born() -> impl Strategy<Value = Option<Born>> {
    let site = prop::sample::select(["vesa", "eris", ""].as_slice());
    prop::option::weighted(0.4, (0..24u64, site).prop_map(|(base, site)| Born { base, site: site.to_owned() }))
}

fn query() -> impl Strategy<Value = ArchiveQuery> {
    let id = || (0..32u64).prop_map(|id| format!("id{id}"));
    let ids = prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(id(), 1..3)];
    let archive = prop::sample::select(ARCHIVES.as_slice()).prop_map(str::to_owned);
    let time = || prop::option::weighted(0.3, -500..9_000i64);
    let named = || prop::option::weighted(0.3, id());
    let place = prop::option::weighted(0.2, prop_oneof![0..24u64, Just(u64::MAX)]);
    let resource = prop::option::of((0..3u8).prop_map(|r| format!("r{r}")));
    let by = prop_oneof![
        (0..3u8).prop_map(|who| By::Occupant(format!("who{who}"))),
        (0..3u8, resource)
            .prop_map(|(who, resource)| By::Author { bare: format!("who{who}@vesa.yeggmaex.irc"), resource }),
    ];
    let with = prop::option::weighted(0.3, by);
    let filters = (archive, time(), time(), with, ids);
    let after =
        prop::option::weighted(0.5, (id(), any::<bool>()).prop_map(|(id, row)| if row { id + "~" } else { id }));
    let site = prop::option::of(prop::sample::select(["vesa", "eris"].as_slice()).prop_map(str::to_owned));
    let between = prop::option::weighted(0.3, (named(), named()));
    let paging = ((after, site), (named(), between), place, any::<bool>(), 0..9usize, any::<bool>());
    (filters, paging).prop_map(|((archive, start_ms, end_ms, with, ids), paging)| {
        let ((after_id, site), (before_id, between), after_seq, backwards, max, count) = paging;
        let between = between.map(|(after_id, before_id)| Box::new(Between { after_id, before_id }));
        ArchiveQuery {
            archive,
            start_ms,
            end_ms,
            with,
            ids,
            after_id,
            site,
            before_id,
            between,
            after_seq,
            backwards,
            max,
            count,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_simulated_disk_answers_as_the_store_does(
        steps in prop::collection::vec((prop::collection::vec(change(), 1..12), prop::collection::vec(query(), 1..12)), 1..12)
    ) {
        let (_directory, path) = place();
        let options = || Options { recent_rows: RECENT_ROWS, ..Options::default() };
        let bench = Bench::open(&path, options()).expect("a new file");
        let mut disk = SimDisk::new();
        for (changes, queries) in steps {
            prop_assert_eq!(disk.persist(changes.clone()).is_ok(), bench.keeps(changes));
            for query in queries {
                prop_assert_eq!(disk.query(&query), bench.reads(query.clone()), "{:?}", query);
            }
        }
        drop(bench);
        prop_assert_eq!(disk.load(RECENT_ROWS), Bench::open(&path, options()).expect("the same file").loaded);
    }
}
