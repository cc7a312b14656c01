//! One resource as seen once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Resource, ScanId, Timestamp};

/// One resource as seen once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// The scan it belongs to; absent when somebody published it by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan_id: Option<ScanId>,
    /// When the cloud was asked; when absent, the time the message was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    /// What was seen.
    pub resource: Resource,
}
