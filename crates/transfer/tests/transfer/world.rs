//! A folder with what others kept, and a store.

use machine::{Record, Row};
use std::path::PathBuf;
use store::{Held, Keep, StoreError};
use tempfile::TempDir;
use transfer::{Format, How, Report, Target, There, TransferError};
use xmpp::Jid;

pub struct World {
    folder: TempDir,
}

impl World {
    pub fn new() -> World {
        World { folder: tempfile::tempdir().expect("a folder") }
    }

    /// Writes a file, its folders too.
    pub fn with(self, name: &str, text: impl AsRef<[u8]>) -> World {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn import(&self, from: &str) -> Result<Report, TransferError> {
        self.import_as(from, "netjoin.db", Keep::Yes, There::Stays)
    }

    pub fn import_as(&self, from: &str, to: &str, keep: Keep, there: There) -> Result<Report, TransferError> {
        let how = How { keep, there };
        transfer::import(&self.path(from), &self.path(to), &target(), how, &mut |_| {})
    }

    pub fn export(&self, from: &str, to: &str, format: Format) -> Result<Report, TransferError> {
        transfer::export(&self.path(from), &self.path(to), &target(), format, &mut |_| {})
    }

    /// All that a store holds; records with the members of their JSON in the order of their names.
    pub fn held(&self, store: &str) -> (Vec<Record>, Vec<Row>) {
        let (mut records, mut rows) = (Vec::new(), Vec::new());
        store::walk(&self.path(store), &mut |_| {}, &mut |held| {
            match held {
                Held::Record(record) => {
                    let value: serde_json::Value = serde_json::from_str(&record.value).expect("JSON");
                    records.push(Record { value: value.to_string(), ..record });
                }
                Held::Row(row) => rows.push(row),
            }
            Ok::<(), StoreError>(())
        })
        .expect("a store");
        (records, rows)
    }

    /// The value of a record.
    pub fn value(&self, space: &str, owner: &str, key: &str) -> Option<serde_json::Value> {
        let (records, _) = self.held("netjoin.db");
        let record =
            records.into_iter().find(|r| (r.space.as_str(), r.owner.as_str(), r.key.as_str()) == (space, owner, key));
        record.map(|record| serde_json::from_str(&record.value).expect("JSON"))
    }
}

/// What is left, as `of, key: why`.
pub fn left(report: &Report) -> Vec<String> {
    report.left.iter().map(|left| format!("{}, {}: {}", left.of, left.key, left.why)).collect()
}

fn target() -> Target {
    let jid = |text: &str| Some(Jid::new(text).expect("a domain"));
    Target { domain: jid("montague.lit"), rooms: jid("rooms.montague.lit"), reserved: vec!["replica".to_owned()] }
}
