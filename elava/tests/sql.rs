//! `elava sql`, the real process, over a served history and over a file.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use elava_detector::live::{Extension, LiveOptions, TokenSource};
use elava_detector::{Detector, Shard};
use elava_schemas::config::Config;

/// A folder with a history in it, as `elava-detector` leaves it there.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn history(&self) -> PathBuf {
        self.0.path().join("history.duckdb")
    }

    fn elava(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_elava"));
        command.arg("sql").args(arguments).stdin(Stdio::null());
        self.within(command)
    }

    /// A process whose environment is the test's.
    fn within(&self, mut command: Command) -> Command {
        command
            .current_dir(self.0.path())
            .env_remove("ELAVA_DB")
            .env_remove("ELAVA_SQL_TOKEN")
            .env_remove("COLUMNS")
            .env("ELAVA_SQL_EXTENSION", extension());
        command
    }
}

fn extension() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.local/duckdb/quack.duckdb_extension")
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// What is typed to interrupt a statement.
const CTRL_C: &str = r"\x03";

/// What the screen shows, and what is typed then.
fn at_the_prompt(folder: &Folder, arguments: &[&str], keys: &[(&str, &str)]) {
    let keys: String = keys.iter().map(|(shown, typed)| format!("{}\t{typed}\n", shown.escape_default())).collect();
    let input = folder.0.path().join("keys");
    fs::write(&input, keys).expect("a file");
    let mut python = Command::new("python3");
    python
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/prompt.py"))
        .args([env!("CARGO_BIN_EXE_elava"), "sql"])
        .args(arguments)
        .env("TERM", "xterm")
        .env("XDG_STATE_HOME", folder.0.path())
        .stdin(fs::File::open(input).expect("a file"));
    let output = folder.within(python).output().expect("python");
    assert!(output.status.success(), "{:?}", said(&output));
}

/// Statements that are no `SELECT`, and what is shown of them, wherever they run.
fn explains_itself(ask: impl Fn(&[&str]) -> Output) {
    for (arguments, expected) in [
        (&["--table", "EXPLAIN SELECT count(*) FROM changes"][..], "│    UNGROUPED_AGGREGATE    │\n"),
        (&["--table", "/* why */ explain analyze -- how\nFROM resources;"], "Total Time"),
        (&["--json", "EXPLAIN FROM changes"], "{\"explain_key\":\"physical_plan\",\"explain_value\":\"┌"),
        (&["--csv", "DESCRIBE thinned"], "\nday,DATE,NO,"),
        (&["--csv", "SHOW TABLES"], "\nthinned\n"),
        (&["--json", "SUMMARIZE commits;"], "{\"column_name\":\"number\",\"column_type\":\"UBIGINT\""),
    ] {
        let (out, err) = said(&ask(arguments));
        assert_eq!(err, "", "{arguments:?}");
        assert!(out.contains(expected), "{arguments:?}: {out}");
    }
}

#[test]
fn over_the_running_detector() {
    let folder = Folder::new();
    let mut detector = Detector::open(&folder.history(), Shard::WHOLE, &Config::default()).expect("a history");
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let options = LiveOptions {
        address,
        token: TokenSource::Made(elava_detector::live::token_file(&folder.history())),
        extension: Extension { file: Some(extension()), install: false },
        timeout: Duration::from_secs(20),
        memory: 64 << 20,
    };
    detector.serve_sql(&options, elava_bus::Peers::default()).expect("served");
    let address = address.to_string();
    let ask = |arguments: &[&str]| folder.elava(&[&["--sql-addr", &address], arguments].concat());
    for (arguments, expected) in [
        (
            &["SELECT 1 AS one, NULL AS none, MAP {'k': 'it''s'} AS tags; "][..],
            "{\"one\":1,\"none\":null,\"tags\":{\"k\":\"it's\"}}\n",
        ),
        (&["FROM changes_since(now() - INTERVAL 24 HOUR)"], ""),
        (&["--csv", "SELECT 'a,b' AS x, 2 AS y -- all"], "x,y\n\"a,b\",2\n"),
        (&["--table", "FROM resources"], "no rows\n"),
        (&["SELECT 1.10::DECIMAL(38, 2) AS d, 'nan'::DOUBLE AS n"], "{\"d\":1.10,\"n\":\"nan\"}\n"),
        (&["SELECT 1 AS a; -- one\n; SELECT ';' AS b"], "{\"a\":1}\n{\"b\":\";\"}\n"),
        (&[";"], ""),
    ] {
        let (out, err) = said(&ask(arguments));
        assert_eq!((out.as_str(), err.as_str()), (expected, ""), "{arguments:?}");
    }
    for (arguments, expected) in [
        (&["DROP TABLE changes"][..], "elava: only reading statements are served\n"),
        (&["SELECT wrong FROM resources"], "\n\nLINE 1: SELECT wrong FROM resources\n               ^\n"),
        (&["EXPLAIN SELECT wrong"], "\n\nLINE 1: EXPLAIN SELECT wrong\n"),
        (&["SELEC 1"], "elava: syntax error at or near \"SELEC\"\n"),
        (&["SELECT error('hu')"], "elava: Invalid Input Error: hu\n"),
        (&["FROM changes_snce('24h')"], "\nDid you mean \"changes_since\"?\n"),
        (&["FROM glob('*')"], "macros are\n"),
        (
            &["SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range = -1"],
            "ended after 20 s",
        ),
    ] {
        let output = ask(arguments);
        let (out, err) = said(&output);
        assert_eq!((output.status.code(), out.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
    explains_itself(ask);
    let file = folder.0.path().join("other");
    fs::write(&file, "another-token-another-token").expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("permissions");
    let (out, err) = said(&ask(&["--sql-token-file", "other", "SELECT 1"]));
    assert_eq!(out, "");
    assert!(err.contains("the token is wrong") && !err.contains("another-token"), "{err}");
    at_the_prompt(
        &folder,
        &["--sql-addr", &address],
        &[
            ("elava> ", r".json\n"),
            ("elava> ", r"SELECT sum(range) FROM range(1000000000000);\n"),
            (");", CTRL_C),
            ("interrupted", r"SELECT 40 + 2 AS answer;\n"),
            ("{\"answer\":42}", r".quit\n"),
        ],
    );
}

#[test]
fn over_a_file() {
    let folder = Folder::new();
    let history = folder.history();
    let history = history.to_str().expect("a path");
    let detector = Detector::open(&folder.history(), Shard::WHOLE, &Config::default()).expect("a history");
    let (_, err) = said(&folder.elava(&["--db", history, "SELECT 1"]));
    assert!(err.contains("leave out --db"), "{err}");
    drop(detector);
    let (out, err) = said(&folder.elava(&["--db", history, "SELECT count(*) AS n FROM resources"]));
    assert_eq!((out.as_str(), err.as_str()), ("{\"n\":0}\n", ""));
    explains_itself(|arguments| folder.elava(&[&["--db", history], arguments].concat()));
    let (_, err) = said(&folder.elava(&["SELECT 1"]));
    assert!(err.contains("no token"), "{err}");
    let output = folder.elava(&["--db", history, "SELECT 1 AS a; DROP TABLE keys; SELECT 2 AS b"]);
    let (out, err) = said(&output);
    assert_eq!((out.as_str(), err.as_str()), ("{\"a\":1}\n", "elava: only reading statements are served\n"));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn statements_come_from_standard_input() {
    let folder = Folder::new();
    drop(Detector::open(&folder.history(), Shard::WHOLE, &Config::default()).expect("a history"));
    let file = folder.0.path().join("statements.sql");
    fs::write(&file, "SELECT 1 AS a; -- ;\nSELECT ';' AS b\n;").expect("a file");
    let output = folder
        .command(&["--csv", "--db", folder.history().to_str().expect("a path")])
        .stdin(fs::File::open(file).expect("a file"))
        .output()
        .expect("the binary");
    assert_eq!(said(&output), ("a\n1\nb\n;\n".to_owned(), String::new()));
}

#[test]
fn wide_rows_are_below_one_another() {
    let folder = Folder::new();
    drop(Detector::open(&folder.history(), Shard::WHOLE, &Config::default()).expect("a history"));
    let history = folder.history();
    let table = |columns: &str| {
        let arguments =
            ["--table", "--db", history.to_str().expect("a path"), "SELECT 1 AS limit_bytes, 'a\u{1b}' AS b"];
        said(&folder.command(&arguments).env("COLUMNS", columns).output().expect("the binary")).0
    };
    assert_eq!(table("10"), "limit_bytes: 1\nb: a␛\n");
    assert!(table("80").starts_with(" limit_bytes  b"), "{}", table("80"));
}

#[test]
fn at_a_prompt() {
    let folder = Folder::new();
    drop(Detector::open(&folder.history(), Shard::WHOLE, &Config::default()).expect("a history"));
    let keys = [
        ("elava> ", r".json\n"),
        ("elava> ", r"SELECT 40 +\n"),
        ("+", r"2 AS answer;\n"),
        ("{\"answer\":42}", r"FROM changes_si\t"),
        ("changes_since(", r"now());\n"),
        ("elava> ", r".csv\n"),
        ("elava> ", r"SELECT 'x' AS y;\n"),
        ("y\r\nx", r"SELECT wrong;\n"),
        ("Binder Error", r"SELECT sum(range) FROM range(1000000000000);\n"),
        (");", CTRL_C),
        ("interrupted", r"SELECT 'on'; SELECT wrong; SELECT 'never';\n"),
        ("on\r\nBinder Error", r".quit\n"),
    ];
    at_the_prompt(&folder, &["--db", folder.history().to_str().expect("a path")], &keys);
    let kept = fs::read_to_string(folder.0.path().join("elava/sql_history")).expect("what was typed");
    assert!(kept.contains("SELECT 40"), "{kept}");
}
