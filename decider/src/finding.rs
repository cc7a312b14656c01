//! Open findings, and how they are kept between inputs.

use elava_schemas::{Action, FindingId, IdHasher, ResourceKey, Severity, Tags, Timestamp};
use serde::{Deserialize, Serialize};

/// What a finding is about. Part of its fingerprint: the words never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The first look at a scope: recorded, never told, never kept.
    Baseline,
    /// A new resource.
    Appeared,
    /// A new resource without the tags that all should have.
    NewUntagged,
    /// Proven absent.
    Disappeared,
    /// Status, attributes or relations differ.
    Modified,
    /// Tags differ from what they were.
    TagDrift,
    /// The estimated cost rose.
    CostIncrease,
    /// A policy is violated.
    Violation,
}

impl Cause {
    /// As written in metadata and fingerprints.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Appeared => "appeared",
            Self::NewUntagged => "new_untagged",
            Self::Disappeared => "disappeared",
            Self::Modified => "modified",
            Self::TagDrift => "tag_drift",
            Self::CostIncrease => "cost_increase",
            Self::Violation => "violation",
        }
    }
}

/// One open finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Resource, cause, policy and rule.
    pub fingerprint: FindingId,
    /// What it is about.
    pub cause: Cause,
    /// The violated policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The violated rule of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// How bad, as last told.
    pub severity: Severity,
    /// What was last told.
    pub message: String,
    /// What was last decided; the end is told the same way.
    pub action: Action,
    /// When the input that opened it was made.
    pub opened_at: Timestamp,
    /// The input that opened it, or last changed it.
    pub caused_by: String,
    /// How things were before; the finding is over when they are so again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// How things were before a finding opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The tags.
    Tags(Tags),
    /// The estimated cost, US dollars a month.
    MonthlyCostUsd(f64),
}

/// The open findings of one resource that one stream drives: one entry of the decider's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The position of the last input that changed it; 0 in a pipe, where positions begin anew
    /// with every run. Inputs up to here are skipped when they are given again.
    pub sequence: u64,
    /// Empty for one batch after the last was resolved, then the entry is removed.
    pub findings: Vec<Finding>,
}

/// The fingerprint of a finding: the same resource and cause give the same id for ever.
pub(crate) fn fingerprint(key: &ResourceKey, cause: Cause, policy: Option<&str>, rule: Option<&str>) -> FindingId {
    FindingId::of(&[&key.to_string(), cause.as_str(), policy.unwrap_or_default(), rule.unwrap_or_default()])
}

/// Which stream drives the findings of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    Change,
    Policy,
}

/// The key of an entry within the state of its source: `<change|policy>.<32 hexadecimal digits>`.
/// Hashed, since ids of resources hold characters that a NATS key must not, and may be long.
pub(crate) fn state_key(driver: Driver, key: &ResourceKey) -> String {
    let word = match driver {
        Driver::Change => "change",
        Driver::Policy => "policy",
    };
    format!("{word}.{}", IdHasher::new("finding").part(key.to_string()).hex())
}
