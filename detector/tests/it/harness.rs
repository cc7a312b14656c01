//! Feeds NDJSON to a detector and prints compactly what comes of it.

use std::fmt::Write as _;
use std::path::PathBuf;

use bytes::Bytes;
use elava_bus::{Batch, Emit, Output, Page, Source, Stage, Stream};
use elava_detector::live::{LiveError, LiveOptions};
use elava_detector::{Detector, History, Query, Shard, query};
use elava_schemas::config::{Config, RetentionRule};
use elava_schemas::{Change, Message, Timestamp};
use serde_json::{Value, json};

/// A detector with a history of its own, and its place in partition 3.
pub(crate) struct Bench {
    _folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
    config: Config,
    detector: Option<Detector>,
    pub(crate) sequence: u64,
    runtime: tokio::runtime::Runtime,
}

pub(crate) const SOURCE: Source = Source::Partition { stream: Stream::Observation, partition: 3 };
pub(crate) const SUBJECT: &str = "elava.observation.3.aws.1.r.ec2:instance";

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.duckdb");
        let detector = Some(Detector::open(&path, Shard::WHOLE, &config).expect("a new history"));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        Self { _folder: folder, path, config, detector, sequence: 0, runtime }
    }

    pub(crate) fn stage(&self) -> &Detector {
        self.detector.as_ref().expect("the detector runs")
    }

    /// Serves its history.
    pub(crate) fn serve(&mut self, options: &LiveOptions) {
        self.try_serve(options).expect("the history is served");
    }

    pub(crate) fn try_serve(&mut self, options: &LiveOptions) -> Result<(), LiveError> {
        self.detector.as_mut().expect("the detector runs").serve_sql(options, elava_bus::Peers::default())
    }

    /// Has it thin its old versions from now on.
    pub(crate) fn thin_daily(&mut self, policy: &[RetentionRule], clock: fn() -> Timestamp) {
        self.detector.as_mut().expect("the detector runs").thin_daily(policy, clock).expect("a thread");
    }

    /// Ends it as a crash would and starts another on the same file.
    pub(crate) fn restart(&mut self) {
        self.detector = None;
        self.detector = Some(Detector::open(&self.path, Shard::WHOLE, &self.config).expect("the same history"));
    }

    /// Ends it, so that others can open its file.
    pub(crate) fn stop(&mut self) {
        self.detector = None;
    }

    pub(crate) fn block<T>(&self, future: impl Future<Output = T>) -> T {
        // block_in_place needs a worker
        self.runtime.block_on(future)
    }

    pub(crate) fn page(&mut self, rows: &[Value]) -> Page {
        self.sequence += 1;
        page(self.sequence, rows)
    }

    /// Gives it a batch, after which nothing comes for a while.
    pub(crate) fn handle(&self, batch: &Batch) -> Output {
        let output = self.block(self.stage().handle(batch)).expect("the history takes it");
        self.block(self.stage().settle(&batch.source)).expect("the history takes it");
        output
    }

    /// One page a batch.
    pub(crate) fn send(&mut self, rows: &[Value]) -> Output {
        let pages = vec![self.page(rows)];
        self.handle(&Batch { source: SOURCE, pages })
    }

    /// Says what came of a batch, one line each.
    pub(crate) fn say(&mut self, rows: &[Value]) -> String {
        told(&self.send(rows))
    }

    /// Answers a question as the running detector does.
    pub(crate) fn ask(&self, body: &Value) -> Vec<Value> {
        self.try_ask(body).expect("an answer")
    }

    /// Answers a question, or says why not.
    pub(crate) fn try_ask(&self, body: &Value) -> Result<Vec<Value>, String> {
        let body = Bytes::from(body.to_string());
        let lines = self.block(self.stage().answer("elava.history.query", body))?;
        Ok(lines.iter().map(|line| serde_json::from_slice(line).expect("JSON")).collect())
    }

    /// Has the running detector make an export; gives what was written of each table, as the person sees it.
    pub(crate) fn export(&self, to: &str) -> Result<Vec<Value>, String> {
        let body = Bytes::from(json!({ "to": to }).to_string());
        let lines = self.block(self.stage().answer("elava.history.export", body))?;
        Ok(lines.iter().map(|line| serde_json::from_slice(line).expect("JSON")).collect())
    }

    /// Where its exports lie.
    pub(crate) fn exported(&self, name: &str) -> PathBuf {
        self.path.with_file_name("export").join(name)
    }

    /// Closes the history, runs SQL on it and gives its rows as texts; then starts again.
    pub(crate) fn sql(&mut self, sql: &str) -> String {
        self.detector = None;
        let text = rows(&self.path, sql);
        self.detector = Some(Detector::open(&self.path, Shard::WHOLE, &self.config).expect("the same history"));
        text
    }

    /// Closes the history and asks it read-only; then starts again.
    pub(crate) fn ask_file(&mut self, query: &Query) -> Vec<serde_json::Map<String, Value>> {
        self.detector = None;
        let history = History::open_read_only(&self.path).expect("nobody writes it");
        let rows = query::run(&history, query).expect("an answer");
        drop(history);
        self.detector = Some(Detector::open(&self.path, Shard::WHOLE, &self.config).expect("the same history"));
        rows
    }
}

/// An hour into the test, for SQL: relative times are seen from there.
const NOW: &str = "SET TimeZone = 'UTC'; SET VARIABLE now = TIMESTAMPTZ '2026-01-01 01:00:00+00'";

/// Rows of a query, columns joined by ` | `.
pub(crate) fn rows(path: &std::path::Path, sql: &str) -> String {
    let connection = duckdb::Connection::open(path).expect("nobody else has it open");
    connection.execute_batch(NOW).expect("settings");
    let mut statement =
        connection.prepare(&format!("SELECT concat_ws(' | ', COLUMNS(*)::VARCHAR) FROM ({sql})")).expect(sql);
    let mut text = String::new();
    let mut rows = statement.query([]).expect(sql);
    while let Some(row) = rows.next().expect(sql) {
        let columns = row.as_ref().column_count();
        let cells: Vec<String> = (0..columns)
            .map(|column| row.get::<_, Option<String>>(column).expect("a text").unwrap_or_default())
            .collect();
        writeln!(text, "{}", cells.join(" | ")).expect("a string");
    }
    text
}

pub(crate) fn page(sequence: u64, rows: &[Value]) -> Page {
    let body: Vec<String> =
        rows.iter().map(|row| row.as_str().map_or_else(|| row.to_string(), str::to_owned)).collect();
    Page {
        sequence,
        subject: SUBJECT.to_owned(),
        first_line: 1,
        // a page a minute
        received_at: time(i64::try_from(sequence).expect("small")),
        body: body.join("\n").into(),
    }
}

/// So many minutes into the test.
pub(crate) fn time(minute: i64) -> Timestamp {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    start + chrono::TimeDelta::minutes(minute)
}

/// An observation of an instance; `fields` are added to the resource.
pub(crate) fn seen(scan: Option<&str>, id: &str, fields: Value) -> Value {
    let mut resource = json!({
        "key": {"provider": "aws", "account": "1", "region": "r", "type": "ec2:instance", "id": id},
        "tags": {},
        "attributes": {},
    });
    resource.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    // as our own stages write it: key first
    let line =
        format!(r#"{{"kind":"observation","v":1,"scan_id":{},"resource":{}}}"#, json!(scan), key_first(&resource));
    Value::String(line)
}

fn key_first(resource: &Value) -> String {
    let rest: Vec<String> = resource
        .as_object()
        .expect("an object")
        .iter()
        .filter(|(name, _)| *name != "key")
        .map(|(name, value)| format!("{}:{value}", json!(name)))
        .collect();
    format!(r#"{{"key":{},{}}}"#, resource["key"], rest.join(","))
}

/// A report of a scan that began at `minute`.
pub(crate) fn report(scan: &str, minute: i64, outcome: &str, observed: u64) -> Value {
    json!({
        "kind": "scan_report", "v": 1, "scan_id": scan, "outcome": outcome, "observed": observed,
        "scope": {"provider": "aws", "account": "1", "region": "r", "type": "ec2:instance"},
        "started_at": time(minute), "finished_at": time(minute) + chrono::TimeDelta::seconds(50),
    })
}

/// Changes and rejections, one line each.
pub(crate) fn told(output: &Output) -> String {
    let mut text = String::new();
    for change in changes(&output.messages) {
        let baseline = if change.baseline.into() { " baseline" } else { "" };
        writeln!(text, "{}{baseline}: {}", change.change_type.as_str(), change.details).expect("a string");
    }
    for rejection in &output.rejected {
        writeln!(text, "rejected line {}: {}", rejection.line, rejection.reason).expect("a string");
    }
    text
}

pub(crate) fn changes(messages: &[Emit]) -> Vec<Change> {
    messages
        .iter()
        .filter_map(|emit| match emit.message().expect("a message") {
            Message::Change(change) => Some(*change),
            _ => None,
        })
        .collect()
}
