//! Whom to tell and what to do.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Notifications;

/// Whom to tell and what to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Actions {
    /// Channels.
    pub notifications: Notifications,
    /// What is protected.
    pub protection: Protection,
    /// Tags.
    pub tagging: Tagging,
    /// What the executor may write.
    pub writing: Writing,
}

/// What the executor may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Writing {
    /// Resources of one account that are changed in one hour at most.
    pub max_per_hour: u32,
}

impl Default for Writing {
    fn default() -> Self {
        Self { max_per_hour: 60 }
    }
}

/// What is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Protection {
    /// Blessed resources are never written to, and alerted on at once when they disappear.
    pub respect_blessed: bool,
    /// Ask for protection of production resources that have none.
    pub auto_protect_prod: bool,
}

impl Default for Protection {
    fn default() -> Self {
        Self { respect_blessed: true, auto_protect_prod: true }
    }
}

/// Tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tagging {
    /// Whether missing tags are added.
    pub auto_tag_untagged: bool,
    /// Tags every resource should have.
    pub required_tags: Vec<String>,
    /// Where the value of a missing tag comes from, by the tag. One without a rule is not added.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, TagRule>,
}

/// Where the value of a missing tag comes from: the first of these that there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TagRule {
    /// Other tags of the resource, such as `Owner` for `elava:owner`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from_tags: Vec<String>,
    /// The same tag of the VPC that the resource is in.
    pub from_vpc: bool,
    /// This value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Default for Tagging {
    fn default() -> Self {
        Self {
            auto_tag_untagged: false,
            required_tags: ["elava:managed", "elava:owner", "environment"].map(str::to_owned).to_vec(),
            rules: BTreeMap::new(),
        }
    }
}
