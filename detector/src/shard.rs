//! One history in several files: each holds a share of the scopes, whole.

use std::path::{Path, PathBuf};

use elava_bus::group_of_scope;
use elava_schemas::ResourceKey;

/// In how many files a history can be.
pub(crate) const COUNTS: [u16; 5] = [1, 2, 4, 8, 16];

/// Which of how many files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    pub index: u16,
    /// 1 where the history is one file.
    pub of: u16,
}

/// The files that are there do not fit.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} is of a history in {found} shards, not in {wanted}: `elava-detector reshard` changes the number, with all detectors stopped",
    file.display()
)]
pub struct OtherShards {
    file: PathBuf,
    found: u16,
    wanted: u16,
}

impl Shard {
    /// The only one.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// All of so many.
    pub fn all(of: u16) -> impl Iterator<Item = Self> {
        (0..of).map(move |index| Self { index, of })
    }

    /// Its file, of the history that `db` names: `history.duckdb` itself, or `history-2-of-4.duckdb` beside it.
    #[must_use]
    pub fn file(self, db: &Path) -> PathBuf {
        if self.of == 1 { db.to_owned() } else { db.with_file_name(self.name(db)) }
    }

    fn name(self, db: &Path) -> String {
        let (stem, end) = (db.file_stem().unwrap_or_default(), db.extension());
        let end = end.map(|end| format!(".{}", end.to_string_lossy())).unwrap_or_default();
        format!("{}-{self}{end}", stem.to_string_lossy())
    }

    /// Whether a resource belongs here.
    pub(crate) fn owns(self, key: &ResourceKey) -> bool {
        self.of == 1 || group_of_scope(key.into(), self.of) == self.index
    }
}

impl std::fmt::Display for Shard {
    /// `2-of-4`, from 1.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-of-{}", self.index + 1, self.of)
    }
}

/// In how many files the history that `db` names is; `None` where there is none.
#[must_use]
pub fn shards_of(db: &Path) -> Option<u16> {
    let is_there = |of: &u16| Shard::all(*of).any(|shard| shard.file(db).exists());
    COUNTS.into_iter().find(is_there)
}

/// For a flag.
pub(crate) fn parse(text: &str) -> Result<u16, String> {
    let number = text.parse().ok().filter(|number| COUNTS.contains(number));
    number.ok_or_else(|| format!("`{text}` is not 1, 2, 4, 8 or 16"))
}

/// Refuses to begin another history beside one that is there in another number of files.
pub(crate) fn check(db: &Path, of: u16) -> Result<(), OtherShards> {
    let others = COUNTS.into_iter().filter(|count| *count != of).flat_map(Shard::all);
    let found = others.map(|shard| (shard.file(db), shard.of)).find(|(file, _)| file.exists());
    found.map_or(Ok(()), |(file, found)| Err(OtherShards { file, found, wanted: of }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files() {
        for (db, index, of, expected) in [
            ("history.duckdb", 0, 1, "history.duckdb"),
            ("data/history.duckdb", 1, 4, "data/history-2-of-4.duckdb"),
            ("/data/h", 15, 16, "/data/h-16-of-16"),
        ] {
            assert_eq!(Shard { index, of }.file(Path::new(db)), Path::new(expected));
        }
    }

    #[test]
    fn another_number_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = folder.path().join("history.duckdb");
        assert_eq!(shards_of(&db), None);
        for of in COUNTS {
            check(&db, of).expect("nothing is there");
        }
        std::fs::write(Shard { index: 2, of: 4 }.file(&db), "").expect("a file");
        assert_eq!(shards_of(&db), Some(4));
        check(&db, 4).expect("it is one of them");
        let error = check(&db, 1).expect_err("a second history").to_string();
        assert!(error.contains("history-3-of-4.duckdb is of a history in 4 shards, not in 1"), "{error}");
    }
}
