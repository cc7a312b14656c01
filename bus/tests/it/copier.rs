//! A stage for tests: what it does with a resource, the resource's id says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use elava_bus::{
    Batch, Consumes, Failure, Output, Position, Rejection, Resume, Source, Stage, StageSpec, StateChange, Stream,
};
use elava_schemas::{Change, Kind, Message, Observation, Resource, ResourceKey, Timestamp};

/// Turns every observation into a change of that name, and keeps its name as state. Ids that begin
/// with these words are special:
///
/// - `panic`: panics
/// - `flaky`: is unavailable three times
/// - `quiet`: leads to nothing
/// - `huge`: a change of more than 1 MiB
/// - `burst`: 2,500 changes, no two neighbours of one subject
#[derive(Clone, Default)]
pub(crate) struct Copier {
    pub(crate) handled: Arc<AtomicU64>,
}

const SPEC: StageSpec = StageSpec {
    name: "detector",
    inputs: &[Stream::Observation],
    output: Some(Stream::Change),
    consumes: |kind| if kind == Kind::Observation { Consumes::Takes } else { Consumes::Passes },
    position: Position::Checkpoint,
    batch_pages: 8,
    in_flight: 16,
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
            let word = key.id.split('-').next().unwrap_or_default();
            assert!(word != "panic", "told to");
            if word == "flaky" && self.handled.fetch_add(1, Ordering::Relaxed) < 3 {
                return Err(Failure::Unavailable("told to".into()));
            }
            self.handled.fetch_add(1, Ordering::Relaxed);
            match word {
                "quiet" => continue,
                "huge" => output.emit(page.sequence, change(key, page.received_at, &"x".repeat(1024 * 1024))),
                "burst" => (0..2500).for_each(|number| {
                    let account = format!("{:012}", number % 2);
                    let key = ResourceKey { account, id: format!("{}-{number:04}", key.id), ..key.clone() };
                    output.emit(page.sequence, change(&key, page.received_at, ""));
                }),
                _ => output.emit(page.sequence, change(key, page.received_at, "")),
            }
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
        Ok(Resume { from: position + 1, pending: Vec::new(), rejected: Vec::new() })
    }
}

pub(crate) fn change(key: &ResourceKey, detected_at: Timestamp, details: &str) -> Change {
    let change = serde_json::json!({
        "id": format!("chg_{}", key.id), "type": "appeared", "resource_key": key, "version": "v",
        "previous": null, "current": null, "detected_at": detected_at, "details": details
    });
    serde_json::from_value(change).expect("a change")
}

pub(crate) fn observation(scope: usize, id: &str) -> Message {
    let key = format!("aws/{scope:012}/us-east-1/ec2:instance/{id}").parse().expect("a key");
    Observation { scan_id: None, observed_at: None, resource: Resource::new(key) }.into()
}
