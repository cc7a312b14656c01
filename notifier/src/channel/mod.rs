//! The channels: one file each, and what they have in common.

pub(crate) mod slack;
pub(crate) mod stdout;
pub(crate) mod text;
pub(crate) mod webhook;

use std::io;
use std::time::Duration;

use elava_schemas::{Decision, Severity};

/// Somewhere to tell people.
#[derive(Debug)]
pub(crate) enum Channel {
    Stdout(stdout::Stdout),
    Slack(slack::Slack),
    Webhook(webhook::Webhook),
}

/// Why a channel did not take a decision.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Not now.
    Later {
        /// The pause it asked for.
        after: Option<Duration>,
        /// For a person; without secrets.
        error: String,
    },
    /// Not ever.
    Never {
        /// For a person; without secrets.
        error: String,
    },
    /// Standard output cannot be written any more.
    Closed(io::Error),
}

impl Channel {
    /// The name in deliveries, with the route where there are several.
    pub(crate) fn name(&self, severity: Severity) -> String {
        match self {
            Self::Stdout(_) => "stdout".to_owned(),
            Self::Slack(slack) => slack.name(severity),
            Self::Webhook(_) => "webhook".to_owned(),
        }
    }

    /// Only decisions at least this severe.
    pub(crate) fn min_severity(&self) -> Severity {
        match self {
            Self::Stdout(stdout) => stdout.min_severity,
            Self::Slack(slack) => slack.min_severity,
            Self::Webhook(webhook) => webhook.min_severity,
        }
    }

    /// Tells one decision, once.
    pub(crate) async fn tell(&self, decision: &Decision) -> Result<(), Refusal> {
        match self {
            Self::Stdout(stdout) => stdout.tell(decision),
            Self::Slack(slack) => slack.tell(decision).await,
            Self::Webhook(webhook) => webhook.tell(decision).await,
        }
    }
}
