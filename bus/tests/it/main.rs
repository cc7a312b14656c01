//! The stage contract, held against a real nats-server: nothing lost, nothing twice, bad rows aside.

mod server;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream;
use bytes::Bytes;
use clap::Parser;
use elava_bus::cli::{Finished, StageArgs};
use elava_bus::{
    Batch, BusError, Consumes, Failure, Output, Position, Rejection, Resume, Sink, Source, Stage, StageSpec,
    StateChange, Stream,
};
use elava_schemas::{Approval, ApprovalId, DeadLetter, DecisionId, Kind, Message, Observation, Resource, Verdict};
use futures::StreamExt;
use server::Server;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    bus: StageArgs,
}

fn args(server: &Server) -> StageArgs {
    Args::parse_from(["test", "--nats", &server.url(), "--health-addr", "off"]).bus
}

/// Turns every observation into an approval of that name, keeps a count as state, and panics or
/// fails where the resource's id says so.
#[derive(Clone, Default)]
struct Copier {
    handled: Arc<AtomicU64>,
}

const SPEC: StageSpec = StageSpec {
    name: "detector",
    inputs: &[Stream::Observation],
    output: Some(Stream::Change),
    consumes: |kind| if kind == Kind::Observation { Consumes::Takes } else { Consumes::Passes },
    position: Position::Checkpoint,
    batch_pages: 8,
    health_port: 0,
};

impl Stage for Copier {
    const SPEC: StageSpec = SPEC;

    async fn handle(&self, batch: &Batch) -> Result<Output, Failure> {
        let mut output = Output::default();
        let mut rejected: Vec<Rejection> = Vec::new();
        for (page, _, message) in batch.messages(&SPEC, &mut rejected) {
            let Message::Observation(observation) = message else { unreachable!("only observations are consumed") };
            let key = &observation.resource.key;
            assert!(!key.id.starts_with("panic"), "told to");
            if key.id.starts_with("flaky") && self.handled.fetch_add(1, Ordering::Relaxed) < 3 {
                return Err(Failure::Unavailable("told to".into()));
            }
            self.handled.fetch_add(1, Ordering::Relaxed);
            let change = serde_json::json!({
                "id": format!("chg_{}", key.id), "type": "appeared", "resource_key": key, "version": "v",
                "previous": null, "current": null, "detected_at": page.received_at, "details": ""
            });
            let change: elava_schemas::Change = serde_json::from_value(change).expect("a change");
            output.emit(page.sequence, change);
            output.state.push(StateChange { key: key.id.clone(), value: Some(Bytes::from_static(b"seen")) });
        }
        output.rejected = rejected;
        Ok(output)
    }

    async fn resume(
        &self,
        _: &Source,
        checkpoint: Option<u64>,
        state: Vec<(String, Bytes)>,
    ) -> Result<Resume, Failure> {
        let position = state.iter().find(|(key, _)| key == "position");
        let position: u64 = position.map_or(0, |(_, text)| String::from_utf8_lossy(text).parse().expect("a number"));
        assert!(position <= checkpoint.unwrap_or(0), "state is stored after the outputs");
        Ok(Resume { from: position + 1, pending: Vec::new() })
    }
}

fn observation(scope: usize, id: &str) -> Message {
    let key = format!("aws/{scope:012}/us-east-1/ec2:instance/{id}").parse().expect("a key");
    Observation { scan_id: None, observed_at: None, resource: Resource::new(key) }.into()
}

async fn publish(server: &Server, scopes: usize, count: usize) {
    let sink = Sink::open("test", &args(server)).await.expect("opens");
    for scope in 0..scopes {
        let rows = (0..count).map(|row| observation(scope, &format!("i-{scope}-{row:05}"))).collect();
        sink.send(rows).await.expect("sends");
    }
    sink.flush().await.expect("stores");
}

/// Every change id stored so far, in stream order.
async fn changes(server: &Server) -> Vec<String> {
    let rows = stored(server, "CHANGE", "elava.change.>").await;
    rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
}

async fn stored(server: &Server, stream: &str, filter: &str) -> Vec<serde_json::Value> {
    let client = async_nats::connect(server.url()).await.expect("connects");
    let js = jetstream::new(client);
    let stream = js.get_stream(stream).await.expect("the stream is there");
    let consumer = stream
        .create_consumer(jetstream::consumer::pull::OrderedConfig {
            filter_subject: filter.to_owned(),
            ..Default::default()
        })
        .await
        .expect("a consumer");
    let mut left = consumer.cached_info().num_pending;
    let mut rows = Vec::new();
    let mut messages = consumer.messages().await.expect("messages");
    while left > 0 {
        let message = messages.next().await.expect("another").expect("message");
        left = message.info().expect("info").pending;
        for line in message.payload.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            rows.push(serde_json::from_slice(line).expect("JSON"));
        }
    }
    rows
}

async fn until<F: AsyncFn() -> bool>(what: &str, done: F) {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

fn run(server: &Server, stage: &Copier) -> tokio::task::JoinHandle<Result<Finished, BusError>> {
    let (args, stage) = (args(server), stage.clone());
    tokio::spawn(async move { elava_bus::run(&args, stage).await })
}

fn expected(scopes: usize, count: usize) -> BTreeSet<String> {
    let rows = |scope| (0..count).map(move |row| format!("chg_i-{scope}-{row:05}"));
    (0..scopes).flat_map(rows).collect()
}

/// All of `expected`, each once, and each scope in order.
fn assert_exact(found: &[String], expected: &BTreeSet<String>) {
    let distinct: BTreeSet<String> = found.iter().cloned().collect();
    assert_eq!(found.len(), distinct.len(), "nothing twice");
    assert_eq!(&distinct, expected, "nothing lost");
    let scope = |id: &String| id.split('-').nth(1).expect("a scope").to_owned();
    for one in found.iter().map(scope).collect::<BTreeSet<_>>() {
        let rows: Vec<_> = found.iter().filter(|id| scope(id) == one).collect();
        assert!(rows.is_sorted(), "scope {one} is in order");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_once_and_in_order_over_stage_and_server_crashes() {
    let mut server = Server::start();
    let stage = Copier::default();
    publish(&server, 20, 1500).await;
    let expected = expected(20, 1500);
    for round in 0..6 {
        let task = run(&server, &stage);
        let before = stage.handled.load(Ordering::Relaxed);
        until("progress", async || stage.handled.load(Ordering::Relaxed) > before + 1000 || round == 5).await;
        if round % 2 == 1 {
            server.restart();
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        if round == 5 {
            until("the end", async || changes(&server).await.len() >= expected.len()).await;
        }
        // Aborted wherever it is, as by SIGKILL; the runtime's other tasks of this stage go on for a moment.
        task.abort();
    }
    assert_exact(&changes(&server).await, &expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_rows_become_dead_letters_and_the_rest_goes_on() {
    let server = Server::start();
    let stage = Copier::default();
    let task = run(&server, &stage);
    publish(&server, 1, 1).await;
    let client = async_nats::connect(server.url()).await.expect("connects");
    let subject = "elava.observation.aws.000000000000.us-east-1.ec2:instance";
    let good = |id| String::from_utf8(observation(0, id).to_line()).expect("UTF-8");
    let bodies: [Vec<u8>; 6] = [
        b"not json".to_vec(),
        br#"{"kind":"observation","v":1}"#.to_vec(),
        br#"{"kind":"surprise"}"#.to_vec(),
        [b"{\"kind\":\"observation\",\"x\":\"\xff\"}\n".as_slice(), good("i-0-00001").as_bytes()].concat(),
        good("panic-1").into_bytes(),
        [good("flaky-1"), good("i-0-00002")].join("\n").into_bytes(),
    ];
    for body in bodies {
        client.publish(subject, body.into()).await.expect("publishes");
    }
    client.flush().await.expect("flushes");
    until("the last row", async || changes(&server).await.iter().any(|id| id == "chg_i-0-00002")).await;
    let letters = stored(&server, "DEAD", "elava.dead.detector").await;
    let letters: Vec<DeadLetter> =
        letters.into_iter().map(|letter| serde_json::from_value(letter).expect("a dead letter")).collect();
    let reasons: Vec<&str> = letters.iter().map(|letter| letter.reason.as_str()).collect();
    expect_test::expect![[r#"
        [
            "not a message: expected a JSON object",
            "bad observation: missing field `resource` at line 1 column 28",
            "unknown kind `surprise`; known: observation, scan_report, change, policy_result, decision, approval, execution, delivery, dead_letter, scan_request, evaluation_request",
            "not UTF-8 at byte 27",
            "failed 5 times: cannot handle the input: panicked: told to",
        ]
    "#]].assert_debug_eq(&reasons);
    assert!(letters.iter().all(|letter| letter.subject.ends_with("ec2:instance") && letter.sequence.is_some()));
    assert!(letters[3].body_hex.is_some(), "bytes that are not UTF-8 are kept");
    task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_instance_cannot_write_twice() {
    let server = Server::start();
    let (one, two) = (Copier::default(), Copier::default());
    let first = run(&server, &one);
    let second = run(&server, &two);
    publish(&server, 20, 300).await;
    let expected = expected(20, 300);
    until("everything", async || changes(&server).await.len() >= expected.len()).await;
    assert_exact(&changes(&server).await, &expected);
    first.abort();
    second.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_sees_progress_and_publishes() {
    let server = Server::start();
    let stage = Copier::default();
    let task = run(&server, &stage);
    publish(&server, 2, 10).await;
    until("changes", async || changes(&server).await.len() == 20).await;
    let options = args(&server).nats_options().expect("a server");
    let client = elava_bus::Client::connect(&options).await.expect("connects");
    until("no lag", async || {
        let progress = client.progress().await.expect("progress");
        progress.len() == 16 && progress.iter().all(|one| one.stage == "detector" && one.pending == 0 && one.reading)
    })
    .await;
    let decision_id = DecisionId::of(&["d"]);
    let at = elava_schemas::Timestamp::default();
    let id = ApprovalId::of(&["d", "me"]);
    let approval = Approval { id, decision_id, by: "me".into(), verdict: Verdict::Approved, reason: None, at };
    client.publish(&approval.into()).await.expect("stored");
    assert_eq!(stored(&server, "EXECUTION", "elava.approval").await.len(), 1);
    let nobody = client.request("elava.nobody", Bytes::new()).await.expect_err("nobody listens");
    assert_eq!(nobody.to_string(), "nobody answers elava.nobody; is the stage running?");
    task.abort();
}
