//! What was done to the cloud because of a decision.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{DecisionId, ExecutionId, ResourceKey, Timestamp};

/// One step in carrying out a decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Execution {
    /// A hash of decision and outcome.
    pub id: ExecutionId,
    /// The decision.
    pub decision_id: DecisionId,
    /// The resource.
    pub resource_key: ResourceKey,
    /// How far it got.
    pub outcome: ExecutionOutcome,
    /// What was there before the write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What was there after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Why it failed or was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// How far an execution got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionOutcome {
    /// Recorded before the write.
    Executing,
    /// Written and read back.
    Executed,
    /// The cloud refused.
    Failed,
    /// Not written: reality had moved on, denied, not approved in time, or dry run.
    Skipped,
    /// What had been written was taken back.
    Undone,
}

impl ExecutionOutcome {
    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Executing => "executing",
            Self::Executed => "executed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Undone => "undone",
        }
    }
}
