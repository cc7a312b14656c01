//! Manners: when people hear of something, how often, and what waits for them.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Duration;
use super::duration::interval;
use crate::Severity;

/// Manners.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Behavior {
    /// How long what has disappeared must stay away before people are told; blessed resources are told of at once.
    pub grace_period: Duration,
    /// Exists to be refused: Elava has no delete.
    pub auto_delete: Never,
    /// Whether a person must say yes before anything is changed.
    pub require_approval: bool,
    /// How long after a decision it can be approved.
    #[serde(deserialize_with = "interval")]
    #[schemars(with = "Duration")]
    pub approval_expires: Duration,
    /// How long people are left alone with an open finding before they are reminded, again and again.
    pub remind_after: Reminders,
    /// After how long a difference that stays (drifted tags, a higher cost) counts as how things are.
    #[serde(deserialize_with = "interval")]
    #[schemars(with = "Duration")]
    pub expire_after: Duration,
    /// What comes and goes too often.
    pub flapping: Flapping,
    /// What is too much to be true.
    pub breaker: Breaker,
}

impl Default for Behavior {
    fn default() -> Self {
        Self {
            grace_period: Duration::hours(24),
            auto_delete: Never,
            require_approval: true,
            approval_expires: Duration::hours(24),
            remind_after: Reminders::default(),
            expire_after: Duration::hours(30 * 24),
            flapping: Flapping::default(),
            breaker: Breaker::default(),
        }
    }
}

/// After how long people are reminded, by severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reminders {
    /// Of critical findings.
    pub critical: Remind,
    /// Of warnings.
    pub warning: Remind,
    /// Of what is good to know.
    pub info: Remind,
}

impl Reminders {
    /// Of findings of this severity.
    #[must_use]
    pub fn of(self, severity: Severity) -> Option<Duration> {
        let remind = match severity {
            Severity::Critical => self.critical,
            Severity::Warning => self.warning,
            Severity::Info => self.info,
        };
        match remind {
            Remind::After(duration) => Some(duration),
            Remind::Off => None,
        }
    }
}

impl Default for Reminders {
    fn default() -> Self {
        Self {
            critical: Remind::After(Duration::hours(4)),
            warning: Remind::After(Duration::hours(7 * 24)),
            info: Remind::Off,
        }
    }
}

/// After how long people are reminded, if at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Remind {
    /// After so long.
    After(Duration),
    /// Never; written `off`.
    Off,
}

impl TryFrom<String> for Remind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "off" => Ok(Self::Off),
            text => match text.parse::<Duration>()? {
                duration if duration.get().is_zero() => Err(format!("`{text}` is not an interval; write `off`")),
                duration => Ok(Self::After(duration)),
            },
        }
    }
}

impl From<Remind> for String {
    fn from(remind: Remind) -> Self {
        match remind {
            Remind::After(duration) => duration.to_string(),
            Remind::Off => "off".to_owned(),
        }
    }
}

impl JsonSchema for Remind {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Remind".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let duration = generator.subschema_for::<Duration>();
        json_schema!({"description": "After how long people are reminded, or `off`.", "anyOf": [{"const": "off"}, duration]})
    }
}

/// A finding that opens and ends again and again becomes one finding of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Flapping {
    /// More openings and endings than this are too many.
    pub transitions: u32,
    /// Within this time. It is over when as much time has passed without any.
    #[serde(deserialize_with = "interval")]
    #[schemars(with = "Duration")]
    pub within: Duration,
}

impl Default for Flapping {
    fn default() -> Self {
        Self { transitions: 6, within: Duration::hours(24) }
    }
}

/// When one scan would open very many findings of one sort, one alert is sent for all of them, and they are held until
/// a person releases them or they are over.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// Whether anything is held.
    pub enabled: bool,
    /// So many findings of one sort from one scan are too many.
    pub findings: u32,
    /// So many percent of what the scan's scope holds are too many, unless they are fewer than `at_least`.
    pub percent: f64,
    /// Fewer than this are never too many.
    pub at_least: u32,
    /// How long is waited for more of the same scan before anything of it is told.
    pub settle: Duration,
    /// The same for an account, whichever of its scopes they are in.
    pub account: AccountBreaker,
}

/// When the scans of an account would open very many findings of one sort together, though none of them too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccountBreaker {
    /// So many findings of one sort in one account are too many.
    pub findings: u32,
    /// Counted are those that opened within this time.
    pub within: Duration,
}

impl Default for AccountBreaker {
    fn default() -> Self {
        Self { findings: 500, within: Duration::minutes(10) }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            enabled: true,
            findings: 200,
            percent: 50.0,
            at_least: 20,
            settle: Duration::millis(500),
            account: AccountBreaker::default(),
        }
    }
}

/// A setting that can only be `false`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "bool", into = "bool")]
#[schemars(with = "bool", extend("const" = false))]
pub struct Never;

impl TryFrom<bool> for Never {
    type Error = &'static str;

    fn try_from(value: bool) -> Result<Self, Self::Error> {
        if value { Err("Elava never deletes; the only allowed value is false") } else { Ok(Self) }
    }
}

impl From<Never> for bool {
    fn from(Never: Never) -> Self {
        false
    }
}
