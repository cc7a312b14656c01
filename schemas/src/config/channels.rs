//! What each sort of channel needs to reach people.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OneOrMany;
use crate::Severity;

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
    /// Whether it is used. Default: not, unless it has a name of its own below `channels`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
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
    /// Whether it is used. Default: not, unless it has a name of its own below `channels`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
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

pub(super) fn info() -> Severity {
    Severity::Info
}

/// Slack, through an app with a bot token: what follows on a finding is a reply to its first message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackBotChannel {
    /// The bot's token, `xoxb-…`. A secret: write `${SLACK_TOKEN}`.
    pub token: String,
    /// The channel, as `#name` or by its id, for every severity that has none of its own.
    pub channel: String,
    /// Channels by severity.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<Severity, String>,
    /// Where Slack's API is.
    #[serde(default = "slack_api")]
    pub url: String,
}

fn slack_api() -> String {
    "https://slack.com/api".to_owned()
}

/// Microsoft Teams, through a webhook of a workflow, as Adaptive Cards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamsChannel {
    /// The webhook. A secret: write `${TEAMS_WEBHOOK}`.
    pub webhook: String,
}

/// PagerDuty, through Events API v2: a finding is an incident, and ends it when it is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagerDutyChannel {
    /// The integration key of the service. A secret: write `${PAGERDUTY_KEY}`.
    pub routing_key: String,
    /// What PagerDuty calls each severity; what is not named has the same name there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub severities: BTreeMap<Severity, PagerDutySeverity>,
    /// Where the API is; `https://events.eu.pagerduty.com` in the European region.
    #[serde(default = "pagerduty_api")]
    pub url: String,
}

fn pagerduty_api() -> String {
    "https://events.pagerduty.com".to_owned()
}

/// The severities that PagerDuty has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PagerDutySeverity {
    /// The worst.
    Critical,
    /// Bad.
    Error,
    /// May become bad.
    Warning,
    /// Good to know.
    Info,
}

/// Email over SMTP: what is said of one finding is one thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailChannel {
    /// The SMTP server.
    pub host: String,
    /// Its port. Default: 587 with `starttls`, 465 with `tls`, 25 with `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the connection is kept private.
    #[serde(default)]
    pub tls: EmailTls,
    /// File of the certificates (PEM) that vouch for the server. Default: those of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// Who logs in, if anybody has to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// A secret: write `${SMTP_PASSWORD}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Who writes: `elava@example.com`, or `Elava <elava@example.com>`.
    pub from: String,
    /// Who reads: one address, or several.
    pub to: OneOrMany<String>,
}

/// How a connection to an SMTP server is kept private.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmailTls {
    /// It begins in the open and is then encrypted; nothing is sent if it cannot be.
    #[default]
    Starttls,
    /// It is encrypted from the start.
    Tls,
    /// It is not, which is for a server on the same machine. No password is sent over it to any other.
    None,
}

/// A file that is appended to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileChannel {
    /// Which.
    pub path: String,
    /// How it is written.
    #[serde(default)]
    pub format: FileFormat,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// One decision a line.
    #[default]
    Ndjson,
    /// Readable.
    Text,
}
