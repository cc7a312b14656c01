//! Who was told of a decision.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DecisionId, DeliveryId, Timestamp};

/// One decision handed to one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// A hash of decision and channel.
    pub id: DeliveryId,
    /// The decision.
    pub decision_id: DecisionId,
    /// `stdout`, `slack`, `webhook`, …; with a route where there are several: `slack:#alerts-critical`.
    pub channel: String,
    /// How it went.
    pub outcome: DeliveryOutcome,
    /// How many times it was tried.
    pub attempts: u32,
    /// When the channel took it, or was given up.
    pub at: Timestamp,
    /// The last error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a delivery went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryOutcome {
    /// The channel took it.
    Delivered,
    /// The channel refused it for good.
    Failed,
}

impl DeliveryOutcome {
    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}
