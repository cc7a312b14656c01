//! A person's word on a decision.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ApprovalId, DecisionId, Timestamp};

/// A person's word on a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// A hash of decision, person and verdict.
    pub id: ApprovalId,
    /// The decision.
    pub decision_id: DecisionId,
    /// Who.
    pub by: String,
    /// What they say.
    pub verdict: Verdict,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What a person says of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Go ahead. Of a breaker's decision: tell what it holds back.
    Approved,
    /// Do not.
    Denied,
    /// Take back what was done because of it.
    Undo,
}

impl Verdict {
    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Undo => "undo",
        }
    }
}
