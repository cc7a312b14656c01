//! A detector that serves its history, and clients of it.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use elava_detector::live::{Extension, LiveOptions, Token, TokenSource};
use serde_json::{Value, json};

use crate::harness::{Bench, report, seen};

pub(super) const TOKEN: &str = "a-token-that-nobody-guesses";

/// What `make setup` has fetched.
pub(super) fn local(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.local").join(name)
}

pub(super) fn extension() -> Extension {
    Extension { file: Some(local("duckdb/quack.duckdb_extension")), install: false }
}

pub(super) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address")
}

pub(super) struct Served {
    pub(super) bench: Bench,
    pub(super) address: SocketAddr,
}

impl Served {
    /// Two instances in the history; a statement may run for `limit`.
    pub(super) fn new(limit: Duration) -> Self {
        let mut bench = Bench::new();
        bench.send(&[
            seen(Some("s1"), "i-1", json!({"tags": {"Owner": "a"}, "attributes": {"State": {"Name": "on"}}})),
            seen(Some("s1"), "i-2", json!({"status": "running"})),
            report("s1", 0, "complete", 2),
        ]);
        let address = free_address();
        bench.serve(&LiveOptions {
            address,
            token: TokenSource::Environment(Token::parse(TOKEN, "the test").expect("a token")),
            extension: extension(),
            timeout: limit,
            memory: 64 << 20,
        });
        Self { bench, address }
    }

    pub(super) fn uri(&self) -> String {
        format!("quack:{}", self.address)
    }

    /// A client in Python, attached.
    pub(super) fn client(&self) -> Client {
        let mut client = Client::start();
        assert_eq!(client.attach(&self.uri(), TOKEN), Ok(json!([])));
        client
    }
}

pub(super) struct Client {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Client {
    pub(super) fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/live/client.py");
        let ours = local("venv/bin/python");
        let mut process = Command::new(if ours.exists() { ours } else { "python3".into() })
            .args([script.into(), local("duckdb")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python, with duckdb: make setup");
        let requests = process.stdin.take().expect("piped");
        let answers = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, requests, answers }
    }

    pub(super) fn attach(&mut self, uri: &str, token: &str) -> Result<Value, String> {
        self.ask(&json!({"attach": uri, "token": token}))
    }

    /// Runs a statement in the client, where the history is attached as `elava`.
    pub(super) fn sql(&mut self, sql: &str) -> Result<Value, String> {
        self.ask(&json!({"sql": sql}))
    }

    /// Has the server run a statement.
    pub(super) fn remote(&mut self, sql: &str) -> Result<Value, String> {
        self.ask(&json!({"remote": sql}))
    }

    /// Asks and waits for no answer.
    pub(super) fn begin_remote(&mut self, sql: &str) {
        writeln!(self.requests, "{}", json!({"remote": sql})).expect("the client runs");
    }

    pub(super) fn answer(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the client runs");
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        answer["error"].as_str().map_or_else(|| Ok(answer["rows"].clone()), |error| Err(error.to_owned()))
    }

    fn ask(&mut self, request: &Value) -> Result<Value, String> {
        writeln!(self.requests, "{request}").expect("the client runs");
        self.answer()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.process.kill().and_then(|()| self.process.wait()).expect("the client ran");
    }
}
