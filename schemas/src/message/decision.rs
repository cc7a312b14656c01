//! What is to be done, or told, about a finding.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DecisionId, FindingId, ResourceKey, ResourceLabel, Severity, Timestamp};

/// What is to be done, or told, about one transition of one finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// A hash of the finding, the transition and what caused it.
    pub id: DecisionId,
    /// What to do.
    pub action: Action,
    /// The resource.
    pub resource_key: ResourceKey,
    /// Name and tags, for whoever is told.
    #[serde(default)]
    pub resource: ResourceLabel,
    /// How bad.
    pub severity: Severity,
    /// One readable line.
    pub reason: String,
    /// The finding: resource and cause.
    pub finding: FindingId,
    /// Where the finding is in its life.
    pub state: DecisionState,
    /// Ids of the changes or policy results that led here.
    pub caused_by: Vec<String>,
    /// Whether a person must say yes before anything acts on it.
    #[serde(default)]
    pub requires_approval: bool,
    /// Not to be acted on or told before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// An approval that is given later is void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve_by: Option<Timestamp>,
    /// When the input that led here was made.
    pub decided_at: Timestamp,
    /// More about the cause: `cause`, `policy`, `rule`, `suggestion`, `previous_tags`, `current_tags`, …
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Tell.
    Notify,
    /// Tell at once, loudly.
    Alert,
    /// Mark as protected.
    Protect,
    /// Restore what policy demands.
    EnforcePolicy,
    /// Add missing tags.
    AutoTag,
    /// Only keep a record.
    Audit,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 6] =
        [Self::Notify, Self::Alert, Self::Protect, Self::EnforcePolicy, Self::AutoTag, Self::Audit];

    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Alert => "alert",
            Self::Protect => "protect",
            Self::EnforcePolicy => "enforce_policy",
            Self::AutoTag => "auto_tag",
            Self::Audit => "audit",
        }
    }
}

/// Where a finding is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionState {
    /// Just opened.
    New,
    /// Open, and now different: another severity or message.
    Changed,
    /// Still open after the time set for it.
    Reminder,
    /// Open again, soon after it was over.
    Reopened,
    /// Open, and an exception covers it: recorded, told nobody.
    Suppressed,
    /// Open for so long that it counts as how things are; nobody hears of it again.
    Expired,
    /// Over.
    Resolved,
}

impl DecisionState {
    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Reminder => "reminder",
            Self::Reopened => "reopened",
            Self::Suppressed => "suppressed",
            Self::Expired => "expired",
            Self::Resolved => "resolved",
        }
    }
}
