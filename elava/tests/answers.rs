//! What `elava` says when an answer is cut, when there is none, and when there is nothing to ask: the real process, over
//! a history that has been told a story.

mod told;

use std::path::Path;
use std::process::{Command, Stdio};

const STORY: &str = include_str!("../../detector/tests/story.ndjson");
/// What it is then.
const NOW: &str = "2026-11-16T12:00:00Z";

/// Exit code, lines on standard output, standard error.
fn elava(folder: &Path, arguments: &[&str]) -> (Option<i32>, usize, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_elava"))
        .current_dir(folder)
        .args(arguments)
        .args(["--db", "history.duckdb"])
        .env_remove("ELAVA_CONFIG")
        .stdin(Stdio::null())
        .output()
        .expect("the binary");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout).lines().count(), text(&output.stderr))
}

#[test]
fn answers_say_what_they_leave_out() {
    let folder = tempfile::tempdir().expect("a folder");
    told::tell(&folder.path().join("history.duckdb"), STORY, NOW);
    let (_, resources, _) = elava(folder.path(), &["resources"]);
    let all = resources.to_string();
    let exceptions = "elava: no exceptions are configured: there is no elava.yaml here (--config, --file)\n";
    for (arguments, code, rows, said) in [
        (&["resources", "--limit", &all][..], 0, resources, ""),
        (&["resources", "--limit", "2"], 0, 2, "elava: the first 2 only; --limit N gives more\n"),
        (
            &["changes", "--since", "2026-01-01", "--limit", "3", "--csv"],
            0,
            4,
            "elava: the first 3 only; --limit N gives more\n",
        ),
        (&["changes", "--since", "1h", "--until", "24h"], 1, 0, "elava: --until must not be before --since\n"),
        (&["history", "nope"], 1, 0, "elava: nothing is known of a resource `nope`\n"),
        (&["audit", "\u{1b}[2J", "--table"], 1, 0, "elava: nothing is known of a resource `␛[2J`\n"),
        (&["exceptions"], 0, 0, exceptions),
        (
            &["diff", "now", "24h"],
            1,
            0,
            "elava: cannot read history.duckdb: cannot ask the history: cannot query the history: Invalid Input Error: the first time must not be after the second one\n",
        ),
    ] {
        assert_eq!(elava(folder.path(), arguments), (Some(code), rows, said.to_owned()), "{arguments:?}");
    }
}
