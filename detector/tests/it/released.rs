//! Histories that earlier versions wrote. `tests/released/` has one for every migration that was ever the last of
//! a release, told the same story: it opens, holds the same rows, and goes on.

use std::path::Path;
use std::process::{Command, Stdio};

use elava_detector::History;
use serde_json::json;
use tempfile::TempDir;

use crate::cookbook;
use crate::harness::{Bench, rows, seen};
use crate::story::{Story, told};
use crate::types;

/// What a release wrote, unpacked beside `path`.
pub(crate) fn unpack(packed: &Path, path: &Path) {
    let file = std::fs::File::create(path).expect("a file");
    let status = Command::new("gzip").arg("-dc").arg(packed).stdout(Stdio::from(file)).status().expect("gzip");
    assert!(status.success(), "{}", packed.display());
}

const CONTENTS: &[&str] = &[
    "SELECT * FROM keys ORDER BY ALL",
    "SELECT * FROM versions ORDER BY ALL",
    "SELECT * FROM change_log ORDER BY ALL",
    "SELECT * FROM violation_log ORDER BY ALL",
    "SELECT * FROM scans ORDER BY ALL",
    "SELECT * FROM policy_errors ORDER BY ALL",
    "SELECT * FROM decisions ORDER BY ALL",
    "SELECT * FROM approvals ORDER BY ALL",
    "SELECT * FROM executions ORDER BY ALL",
    "SELECT * FROM deliveries ORDER BY ALL",
];

/// What is left of a history whose process is killed now: the file, and DuckDB's log.
fn copy_with_log(path: &Path) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (from, to) in [(path.to_owned(), "history.duckdb"), (path.with_extension("duckdb.wal"), "history.duckdb.wal")] {
        std::fs::copy(&from, folder.path().join(to)).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    }
    folder
}

fn contents(path: &Path) -> Vec<String> {
    CONTENTS.iter().map(|sql| rows(path, sql)).collect()
}

#[test]
fn every_released_history_opens_and_goes_on() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/released");
    let mut fresh = told();
    fresh.stop();
    let expected = contents(&fresh.path);
    let mut found = 0;
    for packed in std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()) {
        let name = packed.file_name().expect("a file").to_string_lossy().into_owned();
        let mut bench = Bench::new();
        bench.stop();
        unpack(&packed, &bench.path);
        let opened = History::open(&bench.path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let killed = copy_with_log(&bench.path);
        drop(opened);
        assert_eq!(contents(&bench.path), expected, "{name}");
        let killed = killed.path().join("history.duckdb");
        drop(History::open(&killed).unwrap_or_else(|error| panic!("{name}, killed once it was open: {error}")));
        assert_eq!(contents(&killed), expected, "{name}, killed once it was open");
        cookbook::check(&Story::over(&bench.path));
        types::check(&bench.path);

        bench.restart();
        let known = bench.sql("SELECT count(*) FROM versions WHERE id = 'i-new'");
        bench.send(&[seen(None, "i-new", json!({"status": "running"}))]);
        bench.send(&[seen(None, "i-new", json!({"status": "stopped"}))]);
        assert_eq!((known.trim(), bench.sql("SELECT count(*) FROM history('i-new')").trim()), ("0", "2"), "{name}");
        bench.stop();
        types::check(&bench.path);
        found += 1;
    }
    assert!(found > 0);
}
