//! The notifier's tests: what people read, and what a real HTTP server receives.

mod channels;
mod config;
mod email;
mod gathering;
mod grouping;
mod http;
mod quiet;
mod render;
mod routing;
mod server;
mod smtp;
mod stage;

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use elava_bus::{Batch, Failure, Output, Page, Source, Stage, StateChange, Stream};
use elava_notifier::{Clock, Notifier, Patience};
use elava_schemas::config::Notifications;
use elava_schemas::{
    Action, Decision, DecisionId, DecisionState, FindingId, Message, ResourceLabel, Severity, Timestamp,
};
use serde_json::json;

/// A time that stands still: 2026-01-02 03:04:05 UTC.
fn clock() -> Timestamp {
    Timestamp::from_timestamp(1_767_323_045, 0).expect("a time")
}

/// Short pauses, so that tests need not wait for long ones.
const HASTE: Patience = Patience {
    timeout: Duration::from_secs(30),
    first_pause: Duration::from_millis(1),
    longest_pause: Duration::from_millis(5),
    attempts: 4,
};

fn decision(name: &str, action: Action, severity: Severity, state: DecisionState) -> Decision {
    let metadata = json!({
        "cause": "violation", "policy": "day2.security", "rule": "public", "suggestion": "Close port 22 & 3389",
    });
    let serde_json::Value::Object(metadata) = metadata else { unreachable!("written as an object above") };
    Decision {
        id: DecisionId::of(&[name]),
        action,
        resource_key: "aws/123456789012/us-east-1/ec2:security-group/sg-0abc".parse().expect("a key"),
        resource: ResourceLabel { name: Some("web".into()), tags: None },
        severity,
        reason: "Open to <the world>: security group web (ec2:security-group, us-east-1)".into(),
        finding: FindingId::of(&[name]),
        state,
        caused_by: vec!["res_1".into()],
        requires_approval: false,
        not_before: None,
        approve_by: None,
        decided_at: clock(),
        metadata,
    }
}

fn alert(name: &str) -> Decision {
    decision(name, Action::Alert, Severity::Critical, DecisionState::New)
}

const PARTITION: Source = Source::Partition { stream: Stream::Decision, partition: 5 };

/// Positions of pages: each comes after the one before.
static NEXT: AtomicU64 = AtomicU64::new(7);

/// A receipt is so much later than the tick that told it, at most.
const LATER: chrono::TimeDelta = chrono::TimeDelta::milliseconds(1);

/// What came of time passing.
#[derive(Default)]
struct Passed {
    messages: Vec<Message>,
    state: Vec<StateChange>,
}

/// Gives a batch to the notifier, and lets time pass until `until`.
async fn given(notifier: &Notifier, batch: &Batch, until: Timestamp) -> Result<Passed, Failure> {
    let Output { messages, state, .. } = notifier.handle(batch).await?;
    let mut passed = pass(notifier, &batch.source, until).await?;
    passed.messages.splice(0..0, messages.iter().map(|emit| emit.message().expect("a message")));
    passed.state.splice(0..0, state);
    Ok(passed)
}

/// Lets time pass until `until`, as the bus does. The notifier's clock stands still meanwhile, except where a channel
/// must be left alone.
async fn pass(notifier: &Notifier, source: &Source, until: Timestamp) -> Result<Passed, Failure> {
    let mut passed = Passed::default();
    let began = std::time::Instant::now();
    while let Some(at) = notifier.due(source).filter(|at| *at <= until + LATER) {
        let Output { messages, state, .. } = notifier.tick(source, at).await?;
        assert!(began.elapsed() < Duration::from_secs(20), "it is never told");
        if messages.is_empty() && state.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        passed.messages.extend(messages.iter().map(|emit| emit.message().expect("a message")));
        passed.state.extend(state);
    }
    Ok(passed)
}

/// Another account's.
const fn partition(partition: u16) -> Source {
    Source::Partition { stream: Stream::Decision, partition }
}

/// Lets time pass for several sources, as the bus does.
async fn pass_all(notifier: &Notifier, sources: &[Source], until: Timestamp) -> Vec<Passed> {
    let mut all: Vec<Passed> = sources.iter().map(|_| Passed::default()).collect();
    while sources.iter().any(|source| notifier.due(source).is_some_and(|at| at <= until + LATER)) {
        for (source, passed) in sources.iter().zip(&mut all) {
            let more = pass(notifier, source, until).await.expect("told");
            passed.messages.extend(more.messages);
            passed.state.extend(more.state);
        }
    }
    all
}

/// What the bus would give back after these changes.
fn stored(changes: &[StateChange]) -> Vec<(String, Bytes)> {
    let mut entries = std::collections::BTreeMap::new();
    for StateChange { key, value } in changes {
        match value {
            Some(value) => entries.insert(key.clone(), value.clone()),
            None => entries.remove(key),
        };
    }
    entries.into_iter().collect()
}

/// The notifications of a configuration, from what stands below `notifications`.
fn notifications(yaml: &str) -> Notifications {
    let indented: String = yaml.lines().map(|line| format!("    {line}\n")).collect();
    let text = format!("version: \"2.0\"\nactions:\n  notifications:\n{indented}");
    let config = elava_schemas::config::parse("elava.yaml", &text, &|_| Ok(None));
    config.unwrap_or_else(|error| panic!("{error}")).actions.notifications
}

/// A notifier with these settings, in haste.
fn notifier_of(yaml: &str, clock: Clock) -> Notifier {
    Notifier::with(&notifications(yaml), Box::new(std::io::sink()), HASTE, clock)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// A decision on a resource of its own, with an owner.
fn owned(name: &str, owner: &str, severity: Severity, state: DecisionState) -> Decision {
    let mut decision = decision(name, Action::Notify, severity, state);
    decision.id = DecisionId::of(&[name, state.as_str(), severity.as_str()]);
    decision.resource_key.id = name.to_owned();
    decision.resource.tags = Some(elava_schemas::Tags::from([("Owner".to_owned(), owner.to_owned())]));
    decision.reason = format!("Open to the world: {name}");
    decision
}

fn messages(decisions: &[Decision]) -> Vec<Message> {
    decisions.iter().cloned().map(Message::from).collect()
}

/// A moment later: what waits a little for more of the same is told by then.
fn soon() -> Timestamp {
    clock() + chrono::TimeDelta::minutes(1)
}

fn batch(source: Source, messages: &[Message]) -> Batch {
    let body: Vec<u8> = messages.iter().flat_map(|message| [message.to_line(), b"\n".to_vec()].concat()).collect();
    let subject = "elava.decision.5.alert.critical.aws.123456789012".to_owned();
    let page = Page {
        sequence: NEXT.fetch_add(1, Ordering::Relaxed),
        subject,
        first_line: 1,
        received_at: clock(),
        body: Bytes::from(body),
    };
    Batch { source, pages: vec![page] }
}

/// Standard output, to be read afterwards.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no test panics here").clone()).expect("UTF-8")
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panics here").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
