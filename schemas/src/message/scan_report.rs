//! How one scan of one scope ended: the only message that can prove an absence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ScanId, Scope, Timestamp};

/// How one scan of one scope ended. Sent after the last of its observations, on the same subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScanReport {
    /// The scan.
    pub scan_id: ScanId,
    /// What it listed.
    pub scope: Scope,
    /// Before its first API call.
    pub started_at: Timestamp,
    /// After its last API call.
    pub finished_at: Timestamp,
    /// Whether the listing reached its end.
    pub outcome: ScanOutcome,
    /// How many observations were sent. Fewer received means that absence is unknown.
    pub observed: u64,
    /// How many API requests it took, retries included.
    #[serde(default)]
    pub api_calls: u64,
    /// What went wrong, also when a retry mended it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ScanError>,
}

/// Whether a listing reached its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScanOutcome {
    /// Every page was read.
    Complete,
    /// Some pages were read; what is missing is unknown.
    Partial,
    /// Nothing was read.
    Failed,
}

impl ScanOutcome {
    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// One error met while scanning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScanError {
    /// The API call, such as `ec2:DescribeInstances`.
    pub operation: String,
    /// The cloud's error code, or `timeout`, `dispatch` and the like where there was no answer.
    pub code: String,
    /// The cloud's words.
    pub message: String,
}
