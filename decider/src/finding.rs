//! Open findings, and how they are kept between inputs.

use elava_schemas::{Action, FindingId, IdHasher, ResourceKey, ResourceLabel, ScanId, Severity, Tags, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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
    /// A production resource could be deleted by mistake.
    Unprotected,
    /// What was decided could not be done.
    ExecutionFailed,
    /// Another finding comes and goes.
    Flapping,
    /// One scan, or an account, shows more than can be true.
    Breaker,
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
            Self::Unprotected => "unprotected",
            Self::ExecutionFailed => "execution_failed",
            Self::Flapping => "flapping",
            Self::Breaker => "breaker",
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
    /// When that input was made; absent in what an older version has stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Timestamp>,
    /// How things were before; the finding is over when they are so again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Whether people were told; then they are told of its end.
    #[serde(default = "yes")]
    pub told: bool,
    /// Why nobody is told for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Quiet>,
    /// Whether it was open before, not long ago.
    #[serde(default)]
    pub reopened: bool,
    /// Until when it may be over by itself before anybody is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_until: Option<Timestamp>,
    /// Whether it counts for no breaker of an account any more: one has held it and let it go, or a person has released
    /// what is like it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
    /// The scan that opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<ScanId>,
    /// When people are reminded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_at: Option<Timestamp>,
    /// How often they were.
    #[serde(default)]
    pub reminders: u32,
    /// How often an exception has begun to cover it.
    #[serde(default)]
    pub suppressions: u32,
    /// When it counts as how things are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What every decision about it says.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

fn yes() -> bool {
    true
}

/// Why nobody is told of a finding for now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quiet {
    /// What has disappeared may be back.
    Grace {
        /// Until then.
        until: Timestamp,
    },
    /// More of the same scan may come, and be too much.
    Settling {
        /// Until then.
        until: Timestamp,
        /// How many resources the scan's scope had.
        resources: Option<u64>,
    },
    /// One of too many that one scan, or an account, showed.
    Held {
        /// The finding of the breaker.
        breaker: FindingId,
    },
    /// One of too many that one scan, or an account, showed, and a person has said that nobody is to be told.
    Denied {
        /// The finding of the breaker.
        breaker: FindingId,
        /// Who.
        by: String,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// An exception covers it.
    Suppressed {
        /// Which.
        exception: String,
        /// When it ends.
        until: Timestamp,
        /// When people are told that it is about to.
        warn_at: Option<Timestamp>,
    },
    /// It comes and goes.
    Flapping,
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

/// The findings of one resource that one stream drives: one entry of the decider's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The position of the last input that changed it; 0 in a pipe, where positions begin anew
    /// with every run. Inputs up to here are skipped when they are given again.
    pub sequence: u64,
    /// The id of that input: should it be published a second time, it says nothing new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// What they are about; absent in what an older version has stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
    /// Empty for one batch after the last was resolved, then the entry is removed.
    pub findings: Vec<Finding>,
    /// Findings that were over not long ago.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<Past>,
}

/// What findings are about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The resource.
    pub key: ResourceKey,
    /// Its name and tags, as last seen.
    pub label: ResourceLabel,
}

/// A finding that was over not long ago, and may come and go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// Which.
    pub fingerprint: FindingId,
    /// When it opened and ended; the last ones.
    pub transitions: Vec<Timestamp>,
    /// Told as a finding of its own since, so severe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flapping: Option<Severity>,
}

impl Entry {
    /// Whether there is nothing left to be kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.past.is_empty()
    }
}

/// The fingerprint of a finding: the same resource and cause give the same id for ever.
pub(crate) fn fingerprint(key: &ResourceKey, cause: Cause, policy: Option<&str>, rule: Option<&str>) -> FindingId {
    FindingId::of(&[&key.to_string(), cause.as_str(), policy.unwrap_or_default(), rule.unwrap_or_default()])
}

/// The finding that another one comes and goes.
pub(crate) fn flapping_of(finding: &FindingId) -> FindingId {
    FindingId::of(&[Cause::Flapping.as_str(), finding.as_str()])
}

/// Which stream drives the findings of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    Change,
    Policy,
    Execution,
}

/// The key of an entry within the state of its source: `<change|policy|execution>.<32 hexadecimal digits>`.
/// Hashed, since ids of resources hold characters that a NATS key must not, and may be long.
pub(crate) fn state_key(driver: Driver, key: &ResourceKey) -> String {
    let word = match driver {
        Driver::Change => "change",
        Driver::Policy => "policy",
        Driver::Execution => "execution",
    };
    format!("{word}.{}", IdHasher::new("finding").part(key.to_string()).hex())
}
