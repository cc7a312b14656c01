//! What follows from the time alone is stored once, whenever the process ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use elava_bus::{Batch, Failure, Output, Position, Resume, Source, Stage, StageSpec, StateChange, Stream};
use elava_schemas::{Message, ResourceKey, Timestamp};

use crate::copier::{Copier, change, observation};
use crate::{Server, changes, jetstream, publish, run, server, until};

/// How long it waits before it says what it has seen.
const WAIT: TimeDelta = TimeDelta::milliseconds(300);
/// What says that a resource is over.
const OVER: &str = "-over";

/// Says of every resource that it was seen, some time later, unless it is over by then: that it says at once.
#[derive(Clone, Default)]
struct Ponderer {
    held: Arc<Mutex<BTreeMap<Source, BTreeMap<String, Timestamp>>>>,
    /// Whether there is something to say of each source when it is given back.
    has_more: bool,
}

impl Ponderer {
    fn with<T>(&self, source: &Source, work: impl FnOnce(&mut BTreeMap<String, Timestamp>) -> T) -> T {
        work(self.held.lock().expect("no panic").entry(source.clone()).or_default())
    }
}

fn key(id: &str) -> ResourceKey {
    format!("aws/000000000000/us-east-1/ec2:instance/{id}").parse().expect("a key")
}

impl Stage for Ponderer {
    const SPEC: StageSpec = StageSpec {
        name: "detector",
        inputs: &[Stream::Observation],
        output: Some(Stream::Change),
        consumes: <Copier as Stage>::SPEC.consumes,
        position: Position::Checkpoint,
        batch_pages: 8,
        in_flight: 16,
        health_port: 0,
    };

    async fn handle(&self, batch: &Batch) -> Result<Output, Failure> {
        let mut output = Output::default();
        for (page, _, message) in batch.messages(&Self::SPEC, &mut Vec::new()) {
            let Message::Observation(observation) = message else { unreachable!("only observations are consumed") };
            let (id, due) = (observation.resource.key.id.clone(), page.received_at + WAIT);
            if let Some(id) = id.strip_suffix(OVER) {
                self.with(&batch.source, |held| held.remove(id));
                output.emit(page.sequence, change(&observation.resource.key, page.received_at, ""));
                output.state.push(StateChange { key: id.to_owned(), value: None });
                continue;
            }
            self.with(&batch.source, |held| held.insert(id.clone(), due));
            output.state.push(StateChange { key: id, value: Some(due.to_rfc3339().into()) });
        }
        Ok(output)
    }

    fn due(&self, source: &Source) -> Option<Timestamp> {
        self.with(source, |held| held.values().min().copied())
    }

    async fn tick(&self, source: &Source, now: Timestamp) -> Result<Output, Failure> {
        let mut output = Output::default();
        let due = self.with(source, |held| held.extract_if(.., |_, due| *due <= now).collect::<Vec<_>>());
        for (id, at) in due {
            output.emit(0, change(&key(&id), at, ""));
            output.state.push(StateChange { key: id, value: None });
        }
        Ok(output)
    }

    async fn parting(&self, source: &Source) -> Vec<StateChange> {
        let Source::Partition { partition, .. } = source else { unreachable!("there is no pipe") };
        // later than every tick before
        let more = StateChange { key: format!("i-of-{partition}"), value: Some(Utc::now().to_rfc3339().into()) };
        self.has_more.then_some(more).into_iter().collect()
    }

    async fn resume(&self, source: &Source, _: Option<u64>, state: Vec<(String, Bytes)>) -> Result<Resume, Failure> {
        let text = |value: &Bytes| String::from_utf8_lossy(value).into_owned();
        let position = state.iter().find(|(key, _)| key == "position");
        let from = position.map_or(1, |(_, value)| text(value).parse::<u64>().expect("a number") + 1);
        let held = state.iter().filter(|(key, _)| key != "position");
        let held = held.map(|(id, value)| (id.clone(), text(value).parse().expect("a time"))).collect();
        self.with(source, |known| *known = held);
        Ok(Resume { from, pending: Vec::new(), rejected: Vec::new() })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_is_told_once() {
    let server = server();
    let task = run(&server, &Ponderer::default());
    publish(&server, vec![observation(0, "i-1"), observation(0, "i-2")]).await;
    until("what was due", async || changes(&server).await.len() == 2).await;
    until("its state", async || state_key(&server, "ticked").await.is_some()).await;
    task.abort();

    // As if it had been killed after its outputs were stored, and before its state was.
    for key in ["i-1", "ticked"] {
        set_state(&server, key, "2026-01-01T00:00:00Z").await;
    }
    let task = run(&server, &Ponderer::default());
    publish(&server, vec![observation(0, "i-3")]).await;
    until("the next one", async || changes(&server).await.len() > 2).await;
    task.abort();
    assert_eq!(changes(&server).await, ["chg_i-1", "chg_i-2", "chg_i-3"]);
}

/// What was noted after a tick is not lost with a repetition of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_is_not_repeated() {
    let server = server();
    let task = run(&server, &Ponderer::default());
    publish(&server, vec![observation(0, "i-1")]).await;
    until("what was due", async || changes(&server).await.len() == 1).await;
    until("its state", async || state_key(&server, "ticked").await.is_some()).await;
    task.abort();

    // As if a later tick, without outputs, had noted it.
    set_state(&server, "i-1", "2026-01-01T00:00:00Z").await;
    let task = run(&server, &Ponderer::default());
    until("what was noted", async || changes(&server).await.len() == 2).await;
    task.abort();
}

/// What is due by a state that is behind may be over by inputs whose outputs are stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_time_passes_before_the_state_has_caught_up() {
    let server = behind().await;
    let task = run(&server, &Ponderer::default());
    publish(&server, vec![observation(0, "i-2")]).await;
    until("the next one", async || changes(&server).await.len() > 1).await;
    task.abort();
    assert_eq!(changes(&server).await, ["chg_i-1-over", "chg_i-2"]);
}

/// Where the stream has these inputs no more, nothing is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_passes_where_inputs_are_gone() {
    let server = behind().await;
    let stream = jetstream(&server).await.get_stream(Stream::Observation.name()).await.expect("the stream");
    stream.purge().await.expect("purges");
    let task = run(&server, &Ponderer::default());
    until("what was due", async || changes(&server).await.len() > 1).await;
    task.abort();
    assert_eq!(changes(&server).await, ["chg_i-1-over", "chg_i-1"]);
}

/// What a stage leaves that is killed after its outputs were stored, and before its state was.
async fn behind() -> Server {
    let server = server();
    let task = run(&server, &Ponderer::default());
    publish(&server, vec![observation(0, "i-1-over")]).await;
    until("that it is over", async || state_key(&server, "i-1").await.is_some()).await;
    task.abort();
    assert_eq!(changes(&server).await, ["chg_i-1-over"]);
    set_state(&server, "i-1", "2026-01-01T00:00:00Z").await;
    set_state(&server, "position", "0").await;
    server
}

/// The subject of a key of the state.
async fn state_key(server: &Server, key: &str) -> Option<String> {
    let stream = jetstream(server).await.get_stream("KV_elava_state").await.expect("the bucket");
    let mut keys = stream.info_with_subjects("$KV.elava_state.detector.>").await.expect("the subjects");
    while let Some((subject, _)) = futures::TryStreamExt::try_next(&mut keys).await.expect("a subject") {
        if subject.ends_with(&format!(".{key}")) {
            return Some(subject);
        }
    }
    None
}

async fn set_state(server: &Server, key: &str, value: &'static str) {
    let subject = state_key(server, key).await.expect("it is kept");
    let js = jetstream(server).await;
    js.publish(subject, value.into()).await.expect("sends").await.expect("is stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_outlives_the_process() {
    let server = server();
    for number in 1..=3 {
        let task = run(&server, &Ponderer::default());
        publish(&server, vec![observation(0, &format!("i-{number}"))]).await;
        if number == 2 {
            until("what was held", async || changes(&server).await.len() == 2).await;
        }
        task.abort();
    }
    let task = run(&server, &Ponderer::default());
    until("all of it", async || changes(&server).await.len() == 3).await;
    task.abort();
    assert_eq!(changes(&server).await, ["chg_i-1", "chg_i-2", "chg_i-3"]);
}

/// Whoever takes a source over finds what was noted last of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_is_given_back_with_its_state() {
    let server = server();
    let first = run(&server, &Ponderer { has_more: true, ..Ponderer::default() });
    publish(&server, vec![observation(0, "i-1")]).await;
    until("one at work", async || changes(&server).await.len() == 1).await;
    let second = run(&server, &Ponderer::default());
    until("half of the sources", async || changes(&server).await.len() == 9).await;
    first.abort();
    second.abort();
    let mut found = changes(&server).await;
    found.dedup();
    assert!(found.len() == 9 && found[1..].iter().all(|id| id.starts_with("chg_i-of-")), "{found:?}");
}
