//! What one asks of a stage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Provider, ResourceKey};

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

/// Asks for current resources to be evaluated again, after a new policy bundle for example.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvaluationRequest {
    /// Only this resource; all current ones when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_key: Option<ResourceKey>,
}
