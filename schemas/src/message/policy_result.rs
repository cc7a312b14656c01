//! What the policies say of one resource version.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Baseline, ChangeId, ResourceKey, ResourceLabel, ResultId, ScanId, Timestamp};

/// What one policy bundle says of one version of one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyResult {
    /// A hash of resource, version, bundle and what asked for it.
    pub id: ResultId,
    /// The resource.
    pub resource_key: ResourceKey,
    /// Hash of the version that was evaluated.
    pub version: String,
    /// Whether there was still something to evaluate.
    pub subject: Subject,
    /// Name and tags, for whoever is told.
    #[serde(default)]
    pub resource: ResourceLabel,
    /// True only if every policy could be evaluated and none was violated.
    pub compliant: bool,
    /// What was violated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
    /// Policies that could not be evaluated. An error is never a pass: findings stay as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<PolicyError>,
    /// Hash of the policies and their data.
    pub bundle: String,
    /// When.
    pub evaluated_at: Timestamp,
    /// The change that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caused_by: Option<ChangeId>,
    /// The scan that showed the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan_id: Option<ScanId>,
    /// How many resources of its scope were known then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_resources: Option<u64>,
    /// Whether the change's scope was being seen for the first time.
    #[serde(default, skip_serializing_if = "Baseline::is_no")]
    pub baseline: Baseline,
    /// Why it was evaluated.
    #[serde(default, skip_serializing_if = "Trigger::is_change")]
    pub trigger: Trigger,
}

/// Why policies were evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The resource changed.
    #[default]
    Change,
    /// The policies changed.
    Policies,
    /// Time has passed, and policies read it.
    Time,
    /// Somebody asked for it.
    Request,
}

impl Trigger {
    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Policies => "policies",
            Self::Time => "time",
            Self::Request => "request",
        }
    }

    fn is_change(&self) -> bool {
        *self == Self::Change
    }
}

/// Whether the resource was there when its policies were evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// It was evaluated as it is.
    #[default]
    Present,
    /// It has disappeared: no policy applies to it any more.
    Gone,
}

/// One violated rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Violation {
    /// The Rego package, such as `day2.tags`.
    pub policy: String,
    /// The rule within the policy; unique within one result.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// For a person.
    pub message: String,
    /// How to mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

/// How bad. Ordered: `info < warning < critical`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Should be mended.
    Warning,
    /// Must be looked at now.
    Critical,
}

impl Severity {
    /// Every severity, mildest first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// A policy that could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyError {
    /// The Rego package.
    pub policy: String,
    /// What the engine said, with file and line where it names them.
    pub message: String,
}
