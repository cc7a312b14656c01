//! The notifier's tests: what people read, and what a real HTTP server receives.

mod http;
mod render;
mod server;
mod stage;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use elava_bus::{Batch, Page, Source, Stream};
use elava_notifier::Patience;
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
    timeout: Duration::from_millis(500),
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

fn batch(source: Source, messages: &[Message]) -> Batch {
    let body: Vec<u8> = messages.iter().flat_map(|message| [message.to_line(), b"\n".to_vec()].concat()).collect();
    let subject = "elava.decision.5.alert.critical.aws.123456789012".to_owned();
    let page = Page { sequence: 7, subject, first_line: 1, received_at: clock(), body: Bytes::from(body) };
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
