//! The real process: its flags, its token, and what it says.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::json;

use super::served::{Client, TOKEN, free_address, local};

/// Starts a detector in a pipe that serves SQL, asks it, ends it; gives what it has logged.
fn run(command: &mut Command, token: impl FnOnce() -> String) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let address = free_address();
    let mut detector = command
        .current_dir(folder.path())
        .args(["--log-format", "json", "--sql-addr", &address.to_string()])
        .env("RUST_LOG", "trace")
        .env_remove("ELAVA_SQL_TOKEN_FILE")
        .env("ELAVA_SQL_EXTENSION", local("duckdb/quack.duckdb_extension"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    let mut log = BufReader::new(detector.stderr.take().expect("piped"));
    let mut text = String::new();
    while !text.contains("live SQL is served") {
        assert_ne!(log.read_line(&mut text).expect("a log"), 0, "{text}");
    }
    let token = token().replace("FOLDER", &folder.path().display().to_string());
    let token = fs::read_to_string(&token).map_or(token, |text| text.trim().to_owned());
    let mut client = Client::start();
    client.attach(&format!("quack:{address}"), &token).expect("attached");
    let line = r#"{"kind":"observation","resource":{"provider":"aws","account":"1","region":"r","type":"ec2:instance","id":"i-1"}}"#;
    let mut input = detector.stdin.take().expect("piped");
    writeln!(input, "{line}").expect("it reads");
    while client.remote("SELECT count(*) FROM resources").expect("a count") != json!([[1]]) {}
    let arguments = fs::read_to_string(format!("/proc/{}/cmdline", detector.id())).unwrap_or_default();
    drop(input);
    assert!(detector.wait().expect("it ends").success());
    log.read_to_string(&mut text).expect("a log");
    assert!(!text.contains(&token) && !arguments.contains(&token), "the token is shown: {text}");
    text
}

#[test]
fn a_token_is_made_and_never_shown() {
    let binary = env!("CARGO_BIN_EXE_elava-detector");
    run(Command::new(binary).env_remove("ELAVA_SQL_TOKEN"), || "FOLDER/history.duckdb.sql-token".to_owned());
    run(Command::new(binary).env("ELAVA_SQL_TOKEN", TOKEN), || TOKEN.to_owned());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    fs::write(&file, "a-token-from-a-file\n").expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("permissions");
    let mut command = Command::new(binary);
    command.env_remove("ELAVA_SQL_TOKEN");
    let log = run(command.arg("--sql-token-file").arg(&file), || file.display().to_string());
    assert!(log.contains("others can read the SQL token"), "{log}");
}

#[test]
fn what_is_missing_is_said_once_and_detection_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_elava-detector"))
        .current_dir(folder.path())
        .args(["--log-format", "json", "--sql-addr", "127.0.0.1:0", "--sql-extension", "/nowhere/quack"])
        .stdin(Stdio::null())
        .output()
        .expect("the binary");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert_eq!(log.matches("\"WARN\"").count(), 1, "{log}");
    assert!(log.contains("no live SQL"), "{log}");
}
