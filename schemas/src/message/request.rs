//! What one asks of a stage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Provider, ResourceKey, Timestamp};

/// Asks observers to scan now what matches. An absent field matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScanRequest {
    /// Which cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// Account or project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Resource type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// Asks enforcers to evaluate current resources again now. They do so by themselves when policies change, and daily.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvaluationRequest {
    /// Only this resource; all current ones when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_key: Option<ResourceKey>,
}

/// Asks the detector that has a partition for its current resources, as policies are given them. A request alone, no
/// message of a stream.
///
/// The answer begins with a [`CurrentHead`]; then comes a line a resource, as the history's question `replay` gives
/// versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurrentRequest {
    /// The partition of the changes.
    pub partition: u16,
    /// Which of its resources; when absent, the answer only says where the first part ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Only this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_key: Option<ResourceKey>,
    /// What time it is, from which recent changes are counted back.
    pub at: Timestamp,
    /// Whether the version before each is wanted too.
    #[serde(default)]
    pub previous: bool,
}

/// A part of all resources of a partition, in an order of theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// From this place on; from the first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Place>,
    /// Until before this place; to the last when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Place>,
}

/// A place in the order of resources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The scope, as it begins the keys of its resources.
    pub scope: String,
    /// The number of a resource within it.
    pub resource_id: u64,
}

/// What the answer to a [`CurrentRequest`] begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentHead {
    /// Where the part after the one that was asked for ends; none where it is the last.
    pub next: Option<Place>,
}
