//! Whom to tell of what, when, and in which words.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::channels::{
    EmailChannel, FileChannel, PagerDutyChannel, SlackBotChannel, SlackChannel, StdoutChannel, TeamsChannel,
    WebhookChannel, info,
};
use super::{Duration, OneOrMany};
use crate::{DecisionState, Severity};

/// Channels, and what goes where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Notifications {
    /// The channel `stdout`: standard output.
    pub stdout: StdoutChannel,
    /// The channel `slack`: Slack, through incoming webhooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack: Option<SlackChannel>,
    /// The channel `webhook`: any HTTP endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookChannel>,
    /// Further channels by name; by the name of one above, what else holds for that.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<String, Channel>,
    /// Which decisions go to which channels: the first route that matches. What no route matches goes to all channels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// The tags that may name a resource's owner; the first one found is taken.
    pub owner_tags: Vec<String>,
    /// What belongs together and comes at once is one message.
    pub grouping: Grouping,
}

impl Default for Notifications {
    fn default() -> Self {
        Self {
            stdout: StdoutChannel::default(),
            slack: None,
            webhook: None,
            channels: BTreeMap::new(),
            routes: Vec::new(),
            owner_tags: ["elava:owner", "Owner", "team"].map(str::to_owned).to_vec(),
            grouping: Grouping::default(),
        }
    }
}

/// A channel with a name: one sort of channel, and what holds for any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Whether it is used.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Only decisions at least this severe. The end of a finding is told to whoever was told of it.
    #[serde(default = "info")]
    pub min_severity: Severity,
    /// Slack, through incoming webhooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack: Option<SlackChannel>,
    /// Slack, through an app with a bot token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack_bot: Option<SlackBotChannel>,
    /// Microsoft Teams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teams: Option<TeamsChannel>,
    /// PagerDuty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pagerduty: Option<PagerDutyChannel>,
    /// Email.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailChannel>,
    /// Any HTTP endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookChannel>,
    /// A file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileChannel>,
    /// Its own grouping. Default: the common one; none for a webhook, and where NDJSON is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grouping: Option<Grouping>,
    /// When nobody there is to be disturbed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
    /// Its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub templates: Option<Templates>,
}

fn yes() -> bool {
    true
}

/// Which decisions go where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Which decisions: those that match everything named here.
    #[serde(rename = "match", default)]
    pub matches: RouteMatch,
    /// The channels they go to, by name; none keeps them quiet.
    pub channels: Vec<String>,
    /// Whether the routes below are looked at as well.
    #[serde(rename = "continue", default)]
    pub goes_on: bool,
    /// When nobody on this route is to be disturbed, in place of the channels' own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
}

/// What a decision must be like. Each is one text or a list of them, of which one must fit; `*` stands for any text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RouteMatch {
    /// At least this severe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<OneOrMany<String>>,
    /// The resource type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<OneOrMany<String>>,
    /// The region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<OneOrMany<String>>,
    /// The violated policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<OneOrMany<String>>,
    /// The violated rule of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<OneOrMany<String>>,
    /// What the finding is about, such as `disappeared` or `tag_drift`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<OneOrMany<String>>,
    /// Where the finding is in its life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<OneOrMany<DecisionState>>,
    /// The resource's owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<OneOrMany<String>>,
    /// Tags of the resource.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, OneOrMany<String>>,
}

/// What belongs together (the same channel, owner, cause, policy, rule and state) and comes at once is one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Grouping {
    /// How long is waited for more of the same, anew with each; 0s groups nothing.
    pub window: Duration,
    /// How long is waited at most. For what is critical it is never more than a second.
    pub longest: Duration,
    /// In their place, how long is waited for more of what policies find when they look again at what has not changed,
    /// anew with each; 20 times as long at most.
    pub evaluated: Duration,
    /// Fewer than this are told one by one.
    pub at_least: usize,
}

impl Default for Grouping {
    fn default() -> Self {
        Self {
            window: Duration::millis(300),
            longest: Duration::seconds(5),
            evaluated: Duration::seconds(15),
            at_least: 5,
        }
    }
}

/// When nobody is to be disturbed: what is decided meanwhile comes as one message afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// From when.
    pub from: TimeOfDay,
    /// Until when; the next day, if that is earlier than `from`, and a whole day if it is the same.
    pub to: TimeOfDay,
    /// The time zone, such as `Europe/Helsinki`.
    #[serde(default = "utc")]
    pub timezone: String,
    /// The days on which they begin. Default: every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Weekday>,
    /// What is at least this severe is told all the same.
    #[serde(default = "critical")]
    pub except: Severity,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn critical() -> Severity {
    Severity::Critical
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// A time of the day, written `22:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
}

impl FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |digits: &str| if digits.len() == 2 { digits.parse::<u8>().ok() } else { None };
        let parts = text.split_once(':').and_then(|(hour, minute)| Some((number(hour)?, number(minute)?)));
        match parts {
            Some((hour @ 0..=23, minute @ 0..=59)) => Ok(Self { hour, minute }),
            _ => Err(format!("`{text}` is not a time of the day; write it as \"22:00\"")),
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl JsonSchema for TimeOfDay {
    fn schema_name() -> Cow<'static, str> {
        "TimeOfDay".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A time of the day, such as 22:00.",
            "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$",
        })
    }
}

/// The words of a channel, as Jinja templates over the fields in docs/notifications.md.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Templates {
    /// The first line, or subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}
