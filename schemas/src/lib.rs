//! The contract between the stages: messages, ids, resource keys and configuration.
//!
//! Values only: no clock, no I/O, no NATS, no cloud SDK, no database. Every message is one JSON
//! object that names itself (`{"kind":"observation","v":1,…}`), so that a line in a pipe and a
//! body on a subject are the same bytes.

pub mod config;
pub mod exceptions;
mod id;
mod key;
mod message;
mod resource;

pub use id::{ApprovalId, ChangeId, DecisionId, DeliveryId, ExecutionId, FindingId, IdHasher, ResultId, ScanId};
pub use key::{KeyError, Provider, ResourceKey, Scope, percent_encoded};
pub use message::approval::{Approval, Verdict};
pub use message::change::{Actor, Baseline, Change, ChangeHistory, ChangeType, EarlierLife, FieldDiff, field_diffs};
pub use message::dead_letter::DeadLetter;
pub use message::decision::{Action, Decision, DecisionState};
pub use message::delivery::{Delivery, DeliveryOutcome};
pub use message::execution::{Execution, ExecutionOutcome};
pub use message::observation::Observation;
pub use message::policy_result::{PolicyError, PolicyResult, Severity, Subject, Trigger, Violation};
pub use message::request::{CurrentHead, CurrentRequest, EvaluationRequest, Part, Place, ScanRequest};
pub use message::scan_report::{ScanError, ScanOutcome, ScanReport};
pub use message::{CURRENT_VERSION, Kind, Message, ParseError, ScopeRef, peek_kind, to_line};
pub use resource::{Attributes, Relation, Resource, ResourceLabel, Tags, blessed, managed};

/// An instant in UTC. Written as RFC 3339; whole microseconds, the resolution of the history.
pub type Timestamp = chrono::DateTime<chrono::Utc>;

/// Cuts an instant to whole microseconds, so that it survives the history unchanged.
#[must_use]
pub fn micros(at: Timestamp) -> Timestamp {
    chrono::DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}
