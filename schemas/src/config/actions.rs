//! Whom to tell and what to do.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Severity;

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

/// Channels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Notifications {
    /// Standard output.
    pub stdout: StdoutChannel,
    /// Slack, through incoming webhooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack: Option<SlackChannel>,
    /// Any HTTP endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookChannel>,
}

/// Standard output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StdoutChannel {
    /// Whether it is written.
    pub enabled: bool,
    /// How.
    pub format: StdoutFormat,
    /// Only decisions at least this severe.
    pub min_severity: Severity,
}

impl Default for StdoutChannel {
    fn default() -> Self {
        Self { enabled: true, format: StdoutFormat::Auto, min_severity: Severity::Info }
    }
}

/// How standard output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StdoutFormat {
    /// Readable on a terminal, NDJSON otherwise.
    Auto,
    /// Readable, with colour where the terminal has it.
    Text,
    /// One decision a line.
    Ndjson,
}

/// Slack, through incoming webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackChannel {
    /// Whether it is used.
    #[serde(default)]
    pub enabled: bool,
    /// The webhook for every severity that has none of its own. A secret: write `${SLACK_WEBHOOK}`.
    #[serde(default)]
    pub webhook: String,
    /// Webhooks by severity, since an incoming webhook is bound to one channel.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub webhooks: BTreeMap<Severity, String>,
    /// The channel asked for, by severity; Slack honours it for legacy webhooks only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<Severity, String>,
    /// Only decisions at least this severe.
    #[serde(default = "info")]
    pub min_severity: Severity,
}

/// Any HTTP endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookChannel {
    /// Whether it is used.
    #[serde(default)]
    pub enabled: bool,
    /// Where to POST. May hold a secret: write `${WEBHOOK_URL}`.
    pub url: String,
    /// URLs by severity, where they differ.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub urls: BTreeMap<Severity, String>,
    /// Signs the body with HMAC-SHA256 when set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Only decisions at least this severe.
    #[serde(default = "info")]
    pub min_severity: Severity,
}

fn info() -> Severity {
    Severity::Info
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
