//! Exports: the same answers as the history itself, nothing twice, nothing half.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use elava_bus::Stage;
use elava_detector::export::{Export, ExportError, ExportFormat};
use elava_detector::{History, Shard};
use serde_json::{Value, json};

use crate::cookbook;
use crate::harness::{Bench, report, seen};
use crate::released::unpack;
use crate::story::{Story, told};

/// What Parquet holds.
const TABLES: [&str; 13] = [
    "about",
    "keys",
    "current",
    "closed",
    "changes",
    "scans",
    "violations",
    "thinned",
    "policy_errors",
    "decisions",
    "approvals",
    "executions",
    "deliveries",
];

/// A row for every table, view, column and macro, with what it is and means; but for the views of types, which Parquet
/// has not.
const SCHEMA: &str = "FROM (
        SELECT 'column' AS kind, table_name AS name, column_name || ' ' || data_type AS what, comment
        FROM duckdb_columns() WHERE NOT internal AND schema_name = 'main'
        UNION ALL SELECT 'table', table_name, NULL, comment FROM duckdb_tables() WHERE schema_name = 'main'
        UNION ALL SELECT 'table', view_name, NULL, comment FROM duckdb_views() WHERE NOT internal
        UNION ALL SELECT 'macro', function_name, coalesce(macro_definition, ''), comment FROM duckdb_functions() WHERE NOT internal
    )
    WHERE NOT regexp_matches(name, '^(ec2|rds)_')";

fn export(history: &Path, to: &Path) -> Result<u64, ExportError> {
    let history = History::open_to_export(history)?;
    let written = Export { to: to.to_owned(), format: ExportFormat::of(to), shard: Shard::WHOLE }.run(&history)?;
    Ok(written.last().expect("a total").rows)
}

/// The bytes of every file, by its path within the folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                open.push(entry);
            } else {
                let name = entry.strip_prefix(folder).expect("it is inside").to_owned();
                found.insert(name, fs::read(&entry).expect("a file"));
            }
        }
    }
    found
}

/// Every row of an export.
fn contents(folder: &Path) -> Vec<String> {
    let story = Story::over_folder(folder);
    TABLES.iter().map(|table| story.lines(&format!("SELECT * FROM {table} ORDER BY ALL"))).collect()
}

/// Every row of a history.
fn contents_of_file(path: &Path) -> Vec<String> {
    let story = Story::over(path);
    TABLES.iter().map(|table| story.lines(&format!("SELECT * FROM {table} ORDER BY ALL"))).collect()
}

/// A day on which one instance changes, one comes and one goes.
fn day(bench: &mut Bench, number: u64) {
    bench.sequence = number * 24 * 60;
    let scan = format!("scan-{number}");
    let minute = i64::try_from(bench.sequence).expect("small");
    bench.send(&[
        seen(Some(&scan), "i-1", json!({"status": format!("status-{number}"), "tags": {"Day": number.to_string()}})),
        seen(Some(&scan), &format!("i-day-{number}"), json!({})),
        report(&scan, minute, "complete", 2),
    ]);
}

#[test]
fn both_formats_answer_the_cookbook() {
    let mut bench = told();
    let written = bench.export("copy.duckdb").expect("a copy");
    let total = |written: &[Value]| written.last().expect("a total").clone();
    assert_eq!(total(&written)["path"], json!(bench.exported("copy.duckdb")));
    let written = bench.export("lake").expect("a folder");
    assert_eq!(total(&written)["path"], json!(bench.exported("lake")));
    let elsewhere = bench.path.with_file_name("elsewhere");
    bench.stop();
    export(&bench.path, &elsewhere.join("copy.duckdb")).expect("a copy of a file");
    export(&bench.path, &elsewhere.join("lake")).expect("a folder of a file");

    for folder in [bench.exported(""), elsewhere] {
        cookbook::check(&Story::over(&folder.join("copy.duckdb")));
        cookbook::check(&Story::over_folder(&folder.join("lake")));
        assert_eq!(contents_of_file(&folder.join("copy.duckdb")), contents_of_file(&bench.path));
        assert_eq!(contents(&folder.join("lake")), contents_of_file(&bench.path));
        let names: Vec<_> = fs::read_dir(&folder).expect("it").map(|entry| entry.expect("one").file_name()).collect();
        assert_eq!(names.len(), 2, "nothing else is left: {names:?}");
    }
}

#[test]
fn the_schema_is_the_same_and_explained() {
    let mut bench = told();
    bench.export("copy.duckdb").expect("a copy");
    bench.export("lake").expect("a folder");
    bench.stop();
    let all = format!("FROM ({SCHEMA}) ORDER BY ALL");
    let original = Story::over(&bench.path);
    assert_eq!(Story::over(&bench.exported("copy.duckdb")).lines(&all), original.lines(&all));

    // but for what the detector keeps to itself, what is of one file or read elsewhere in one, and what the script itself
    // needs
    let all = format!(
        "FROM ({SCHEMA})
        WHERE name NOT IN ('positions', 'outbox', 'rejections', 'commits', 'migrations', 'storage', 'history')
        ORDER BY ALL"
    );
    let lake = Story::over_folder(&bench.exported("lake"));
    assert_eq!(lake.lines(&all), original.lines(&all));
    // and a copy is a history: a detector goes on with it
    drop(
        elava_detector::Detector::open(&bench.exported("copy.duckdb"), Shard::WHOLE, &Default::default())
            .expect("a history"),
    );
}

#[test]
fn a_later_export_appends_what_is_new() {
    let mut bench = Bench::new();
    (1..4).for_each(|number| day(&mut bench, number));
    bench.export("lake").expect("a folder");
    let lake = bench.exported("lake");
    let first = files(&lake);

    // the third day goes on, and there are two more
    bench.send(&[seen(None, "i-1", json!({"status": "late", "tags": {}}))]);
    (4..6).for_each(|number| day(&mut bench, number));
    let written = bench.export("lake").expect("what is new");
    let second = files(&lake);
    let appended = ["closed", "changes", "scans"];
    let is_appended = |file: &Path| appended.iter().any(|table| file.starts_with(table));
    for (file, bytes) in first.iter().filter(|(file, _)| is_appended(file)) {
        assert!(second.get(file) == Some(bytes), "{} was rewritten", file.display());
    }
    let new: Vec<String> = second
        .keys()
        .filter(|file| is_appended(file) && !first.contains_key(*file))
        .map(|file| file.parent().expect("a day").display().to_string())
        .collect();
    let expected = ["changes/day=2026-01-04", "changes/day=2026-01-05", "changes/day=2026-01-06"]
        .into_iter()
        .chain(["closed/day=2026-01-04", "closed/day=2026-01-05", "closed/day=2026-01-06"])
        .chain(["scans/day=2026-01-05", "scans/day=2026-01-06"]);
    assert_eq!(new, expected.collect::<Vec<_>>());
    let of = |table: &str| written.iter().find(|row| row["table"] == table).expect("a row")["rows"].clone();
    assert_eq!((of("closed"), of("scans")), (json!(5), json!(2)));

    bench.export("fresh").expect("all of it");
    assert_eq!(contents(&lake), contents(&bench.exported("fresh")));

    let again = bench.export("lake").expect("nothing new");
    assert!(again.iter().all(|row| row["rows"] == json!(0)), "{again:?}");
    assert_eq!(files(&lake).keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    assert!(files(&lake) == second, "nothing was rewritten");
    bench.stop();
    assert_eq!(contents(&lake), contents_of_file(&bench.path));
}

#[test]
fn an_empty_history_is_exported_too() {
    let bench = Bench::new();
    bench.export("lake").expect("a folder");
    assert_eq!(Story::over_folder(&bench.exported("lake")).lines("SELECT count(*) FROM versions"), "0\n");
}

#[test]
fn a_folder_that_missed_what_retention_took_is_not_gone_on_with() {
    let mut bench = Bench::new();
    day(&mut bench, 1);
    day(&mut bench, 2);
    bench.export("lake").expect("a folder");
    day(&mut bench, 3);
    day(&mut bench, 4);
    bench.stop();
    let thin = |touched: &str| {
        let connection = duckdb::Connection::open(&bench.path).expect("nobody else has it open");
        let row = format!(
            "INSERT INTO thinned SELECT '*', DATE '2026-01-04', now(), (SELECT number + 1 FROM commits), 1, 1, {touched};
            UPDATE commits SET number = number + 1"
        );
        connection.execute_batch(&row).expect("a row");
    };
    let lake = bench.exported("lake");
    // what the folder has is gone from the history: the folder keeps it
    thin("1");
    export(&bench.path, &lake).expect("what went is in the folder");
    thin("1 + (SELECT max(closed_in) FROM closed)");
    let error = export(&bench.path, &lake).expect_err("it would have a gap");
    assert!(error.to_string().contains("thinned"), "{error}");
    export(&bench.path, &lake.with_file_name("anew")).expect("a folder of its own");
}

#[test]
fn what_a_crash_has_left_is_ignored_and_removed() {
    let mut bench = Bench::new();
    day(&mut bench, 1);
    day(&mut bench, 2);
    bench.export("lake").expect("a folder");
    let lake = bench.exported("lake");
    let before = (contents(&lake), files(&lake));
    let whole = fs::read(lake.join("closed/day=2026-01-03/000000000004.parquet")).expect("a file");
    let leftovers = [
        ("closed/day=2026-01-03/000000000009.parquet", &whole[..]),
        ("closed/day=2026-01-09/000000000009.parquet", &whole[..20]),
        ("current/000000000009.parquet", b"x"),
        (".partial/closed/day=2026-01-09/000000000009.parquet", b"x"),
        (".partial/export.json", b"{"),
    ];
    for (name, bytes) in leftovers {
        let path = lake.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    fs::write(lake.join("closed/mine.txt"), "not ours").expect("a file");
    // a copy that was begun
    fs::create_dir_all(bench.exported(".copy.duckdb.partial")).expect("a folder");
    fs::write(bench.exported(".copy.duckdb.partial/copy.duckdb"), "half").expect("a file");

    assert_eq!(contents(&lake), before.0, "it is ignored");
    bench.export("lake").expect("nothing new");
    bench.export("copy.duckdb").expect("a copy");
    let mut after = files(&lake);
    assert!(after.remove(Path::new("closed/mine.txt")).is_some(), "what is not ours stays");
    assert!(after == before.1, "{:?}", after.keys());
    assert!(!bench.exported(".copy.duckdb.partial").exists());
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let (mut bench, other) = (Bench::new(), Bench::new());
    day(&mut bench, 1);
    bench.export("early.duckdb").expect("a copy");
    day(&mut bench, 2);
    bench.export("lake").expect("a folder");
    let lake = bench.exported("lake");
    let before = files(&bench.exported(""));

    for name in ["../lake", "/tmp/elava-lake", "a/../../b", ".partial", ""] {
        let error = bench.export(name).expect_err(name);
        assert!(error.contains("no name below the export folder"), "{error}");
    }
    let error = bench.export("early.duckdb").expect_err("it is there");
    assert!(error.ends_with("early.duckdb exists already: a copy is made as a new file"), "{error}");
    let mut copy = other;
    copy.stop();
    let error = export(&copy.path, &lake).expect_err("another history");
    assert!(matches!(error, ExportError::OtherHistory { .. }), "{error}");
    let error = export(&bench.exported("early.duckdb"), &lake).expect_err("an older copy");
    assert!(matches!(error, ExportError::Ahead { found: 4, ours: 3, .. }), "{error}");
    let lock = fs::File::open(&lake).expect("the folder");
    lock.lock().expect("nobody else has it");
    let error = bench.export("lake").expect_err("another process writes");
    assert!(error.contains("another export writes into"), "{error}");
    drop(lock);
    assert!(files(&bench.exported("")) == before, "nothing has changed");

    let manifest = fs::read_to_string(lake.join("export.json")).expect("a manifest");
    fs::write(lake.join("export.json"), manifest.replace("\"format\": 1", "\"format\": 2")).expect("written");
    let error = bench.export("lake").expect_err("a later format");
    assert!(error.ends_with("it is of format 2, this build writes 1"), "{error}");
}

#[test]
fn the_second_of_two_at_once_is_refused() {
    let mut bench = Bench::new();
    day(&mut bench, 1);
    let ask = |to: &str| bench.stage().answer("elava.history.export", json!({ "to": to }).to_string().into());
    let (first, second) = bench.block(async { tokio::join!(ask("a"), ask("b")) });
    first.expect("an export");
    assert_eq!(second.expect_err("refused"), "an export is being made already; try again when it has ended");
    bench.export("b").expect("its turn");
}

#[test]
fn a_history_of_an_earlier_version() {
    let mut bench = Bench::new();
    bench.stop();
    unpack(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/released/0001_init.duckdb.gz"), &bench.path);
    let error = export(&bench.path, &bench.exported("lake")).expect_err("it has no id");
    assert!(error.to_string().contains("cannot export"), "{error}");
    bench.restart();
    bench.export("lake").expect("migrated, all of it");
    bench.send(&[seen(None, "i-new", json!({"status": "running"}))]);
    bench.send(&[seen(None, "i-new", json!({"status": "stopped"}))]);
    let written = bench.export("lake").expect("what is new");
    let closed = written.iter().find(|row| row["table"] == "closed").expect("a row");
    assert_eq!(closed["rows"], json!(1));
    bench.stop();
    assert_eq!(contents(&bench.exported("lake")), contents_of_file(&bench.path));
}

#[test]
fn python_reads_it_from_anywhere() {
    let bench = told();
    bench.export("lake").expect("a folder");
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.local/venv/bin/python");
    let script = "import duckdb, pathlib, sys\n\
        folder = pathlib.Path(sys.argv[1])\n\
        history = duckdb.connect()\n\
        history.execute('SET VARIABLE history = ?', [str(folder)])\n\
        history.execute((folder / 'history.sql').read_text())\n\
        print(*history.sql('SELECT count(*), count(DISTINCT key), typeof(any_value(tags)) FROM versions').fetchone())\n\
        print(history.sql(f\"SELECT count(*) FROM '{folder}/closed/*/*.parquet' WHERE day < '2026-11-14'\").fetchone()[0] > 0)";
    let output = Command::new(if python.exists() { python } else { "python3".into() })
        .args(["-c", script])
        .arg(bench.exported("lake"))
        .current_dir("/")
        .output()
        .expect("python, with duckdb: make setup");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let expected = Story::over_folder(&bench.exported("lake"))
        .lines("SELECT concat_ws(' ', count(*), count(DISTINCT key), typeof(any_value(tags))) FROM versions");
    assert_eq!(said, expected + "True\n", "{}", String::from_utf8_lossy(&output.stderr));
}
