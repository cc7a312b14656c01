//! The one configuration file, `elava.yaml`: the original design's structure, checked strictly.
//!
//! Every stage reads the same file and takes only its part. Durations are written as `15m`, `24h`
//! or `7d`. `${NAME}` is replaced by the environment variable, or by the content of the file that
//! `NAME_FILE` names, `${NAME:-default}` where it may be missing; neither is touched in comments.

mod actions;
mod behavior;
mod channels;
mod duration;
mod expand;
mod history;
mod load;
mod notifications;
mod one_or_many;
mod scanning;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use actions::{Actions, Protection, TagRule, Tagging, Writing};
pub use behavior::{AccountBreaker, Behavior, Breaker, Flapping, Never, Remind, Reminders};
pub use channels::{
    EmailChannel, EmailTls, FileChannel, FileFormat, PagerDutyChannel, PagerDutySeverity, SlackBotChannel,
    SlackChannel, StdoutChannel, StdoutFormat, TeamsChannel, WebhookChannel,
};
pub use duration::Duration;
pub use history::{HistorySettings, RetentionRule};
pub(crate) use load::read_yaml;
pub use load::{ConfigError, load, parse};
pub use notifications::{
    Channel, Grouping, Notifications, QuietHours, Route, RouteMatch, Templates, TimeOfDay, Weekday,
};
pub use one_or_many::OneOrMany;
pub use scanning::{ScanTarget, Scanning, Tier, TierPattern};

use crate::{Action, Provider, Severity};

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The version of this structure.
    pub version: ConfigVersion,
    /// The cloud to watch.
    #[serde(default = "aws")]
    pub provider: Provider,
    /// The region to watch. Short for a list of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The regions to watch. Default: `region`, else the one of the AWS profile or environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// What is looked at, and how often.
    #[serde(default)]
    pub scanning: Scanning,
    /// What counts as a change.
    #[serde(default)]
    pub change_detection: ChangeDetection,
    /// What the history keeps.
    #[serde(default)]
    pub history: HistorySettings,
    /// Which policies hold, and what follows from a violation.
    #[serde(default)]
    pub policies: Policies,
    /// Whom to tell and what to do.
    #[serde(default)]
    pub actions: Actions,
    /// Manners.
    #[serde(default)]
    pub behavior: Behavior,
}

fn aws() -> Provider {
    Provider::Aws
}

impl Default for Config {
    fn default() -> Self {
        Self {
            version: ConfigVersion::V2,
            provider: aws(),
            region: None,
            regions: Vec::new(),
            scanning: Scanning::default(),
            change_detection: ChangeDetection::default(),
            history: HistorySettings::default(),
            policies: Policies::default(),
            actions: Actions::default(),
            behavior: Behavior::default(),
        }
    }
}

impl Config {
    /// `regions`, else `region` as a list, else nothing.
    #[must_use]
    pub fn all_regions(&self) -> Vec<String> {
        match &self.region {
            Some(region) if self.regions.is_empty() => vec![region.clone()],
            _ => self.regions.clone(),
        }
    }
}

/// The version of the configuration's structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConfigVersion {
    /// The only one there is.
    #[serde(rename = "2.0")]
    V2,
}

/// What counts as a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChangeDetection {
    /// Whether changes are detected at all; history is kept either way.
    pub enabled: bool,
    /// Without effect: changes are found as scans arrive, and an unfinished scan ends with the next of its scope.
    #[serde(deserialize_with = "duration::interval")]
    #[schemars(with = "Duration")]
    pub check_interval: Duration,
    /// Without effect: each question says how far back it looks.
    pub lookback_window: Duration,
    /// Which sorts of change are reported.
    pub track: Vec<Track>,
    /// How severe each event is.
    pub alert_on: AlertOn,
    /// A rise of the estimated monthly cost below this share of the old cost is not reported.
    pub cost_increase_percent: f64,
    /// A price table to use instead of the built-in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prices: Option<String>,
}

impl Default for ChangeDetection {
    fn default() -> Self {
        Self {
            enabled: true,
            check_interval: Duration::minutes(5),
            lookback_window: Duration::hours(24),
            track: Track::ALL.to_vec(),
            alert_on: AlertOn::default(),
            cost_increase_percent: 10.0,
            prices: None,
        }
    }
}

/// A sort of change that can be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Track {
    /// Appeared and disappeared.
    ResourceLifecycle,
    /// Tags.
    TagChanges,
    /// The cloud's status word.
    StatusChanges,
    /// Estimated monthly cost.
    CostChanges,
    /// Every other attribute.
    ConfigurationDrift,
}

impl Track {
    /// Every sort.
    pub const ALL: [Self; 5] =
        [Self::ResourceLifecycle, Self::TagChanges, Self::StatusChanges, Self::CostChanges, Self::ConfigurationDrift];
}

/// How severe each event is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertOn {
    /// A blessed resource is gone.
    pub disappeared_blessed: EventSeverity,
    /// A managed resource is gone.
    pub disappeared_managed: EventSeverity,
    /// Any other resource is gone.
    pub disappeared: EventSeverity,
    /// A new resource lacks required tags.
    pub new_untagged: EventSeverity,
    /// A new resource has its tags.
    pub appeared: EventSeverity,
    /// Status, attributes or relations differ.
    pub modified: EventSeverity,
    /// Tags differ.
    pub tag_drift: EventSeverity,
    /// The estimated monthly cost rose.
    pub cost_increase: EventSeverity,
    /// A policy is violated. `severity_based`: as the policy says.
    pub policy_violation: EventSeverity,
}

impl Default for AlertOn {
    fn default() -> Self {
        Self {
            disappeared_blessed: EventSeverity::Critical,
            disappeared_managed: EventSeverity::Warning,
            disappeared: EventSeverity::Info,
            new_untagged: EventSeverity::Info,
            appeared: EventSeverity::Off,
            modified: EventSeverity::Off,
            tag_drift: EventSeverity::Warning,
            cost_increase: EventSeverity::Warning,
            policy_violation: EventSeverity::SeverityBased,
        }
    }
}

/// How severe an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventSeverity {
    /// Must be looked at now.
    Critical,
    /// Should be mended.
    Warning,
    /// Good to know.
    Info,
    /// As the policy says; elsewhere the event's default.
    SeverityBased,
    /// Recorded, never told.
    Off,
}

/// Which policies hold, and what follows from a violation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policies {
    /// Folder of `.rego` files with the `data.json` and `data.yaml` files beside them.
    pub path: String,
    /// Whether anything may be changed in the cloud.
    pub enforcement_mode: EnforcementMode,
    /// What may be mended without being asked each time.
    pub auto_remediate: AutoRemediate,
    /// What follows from a violation of each severity.
    pub severity_actions: BTreeMap<Severity, Action>,
    /// The tag that names a resource's environment, for `input.context.environment`.
    pub environment_tags: Vec<String>,
    /// File of the exceptions: findings that are accepted for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exceptions: Option<String>,
    /// How often all current resources are evaluated again where policies read the time.
    #[serde(deserialize_with = "duration::interval")]
    #[schemars(with = "Duration")]
    pub evaluate_every: Duration,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            path: "./policies".to_owned(),
            enforcement_mode: EnforcementMode::Notify,
            auto_remediate: AutoRemediate::default(),
            severity_actions: BTreeMap::from([
                (Severity::Critical, Action::Alert),
                (Severity::Warning, Action::Notify),
                (Severity::Info, Action::Audit),
            ]),
            environment_tags: ["environment", "Environment", "env", "Env"].map(str::to_owned).to_vec(),
            exceptions: None,
            evaluate_every: Duration::hours(24),
        }
    }
}

/// Whether anything may be changed in the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnforcementMode {
    /// Only tell.
    Notify,
    /// Act on approved decisions.
    Enforce,
    /// Say what would be done.
    DryRun,
}

/// What may be mended without being asked each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AutoRemediate {
    /// Restore drifted tags.
    pub tag_violations: bool,
    /// Protect what remains of blessed resources.
    pub blessed_protection: bool,
}

impl Default for AutoRemediate {
    fn default() -> Self {
        Self { tag_violations: false, blessed_protection: true }
    }
}
