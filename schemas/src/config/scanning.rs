//! What is looked at, and how often.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, duration};

/// What is looked at, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scanning {
    /// Whether anything is scanned.
    pub enabled: bool,
    /// Scan at half the interval in working hours (07:00 to 19:00 UTC, Monday to Friday), at double at night.
    pub adaptive_hours: bool,
    /// Resource types to list, such as `ec2:instance`. Default: every type Elava knows.
    pub types: Vec<String>,
    /// The interval of whatever no tier matches.
    #[serde(deserialize_with = "duration::interval")]
    #[schemars(with = "Duration")]
    pub interval: Duration,
    /// How often things are scanned; a scope takes the shortest interval of the tiers that match its type.
    pub tiers: BTreeMap<String, Tier>,
    /// Further accounts, each reached by assuming a role.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<ScanTarget>,
}

impl Default for Scanning {
    fn default() -> Self {
        Self {
            enabled: true,
            adaptive_hours: false,
            types: Vec::new(),
            interval: Duration::minutes(15),
            tiers: BTreeMap::new(),
            accounts: Vec::new(),
        }
    }
}

/// One tier of importance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// How often what matches is scanned.
    #[serde(deserialize_with = "duration::interval")]
    #[schemars(with = "Duration")]
    pub scan_interval: Duration,
    /// A resource matches if any pattern does.
    #[serde(default)]
    pub patterns: Vec<TierPattern>,
}

/// Matches when everything it names matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TierPattern {
    /// A type (`rds:db`), or the service alone (`rds`) for all its types.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Tags that it must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Its status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Its region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Its account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// A further account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanTarget {
    /// The role to assume.
    pub role_arn: String,
    /// The role that `elava-executor` assumes to write there. Without it nothing is written in that account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_role_arn: Option<String>,
    /// The external id the roles ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Its regions, where they differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
}
