//! The channels: one file each, and what they have in common.

pub(crate) mod email;
pub(crate) mod file;
pub(crate) mod pagerduty;
pub(crate) mod slack;
pub(crate) mod slack_bot;
pub(crate) mod stdout;
pub(crate) mod teams;
pub(crate) mod text;
pub(crate) mod webhook;

use std::io;
use std::time::Duration;

use elava_schemas::Severity;

use crate::notice::Notice;

/// Somewhere to tell people.
#[derive(Debug)]
pub(crate) enum Channel {
    Stdout(stdout::Stdout),
    Slack(slack::Slack),
    SlackBot(slack_bot::SlackBot),
    Teams(teams::Teams),
    PagerDuty(pagerduty::PagerDuty),
    Email(Box<email::Email>),
    Webhook(webhook::Webhook),
    File(file::File),
}

/// A message was taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    /// Under which name later messages of the same finding find the first one.
    pub(crate) thread: Option<String>,
    /// What the channel answered, for a person; without secrets.
    pub(crate) answer: String,
}

impl Taken {
    pub(crate) fn saying(answer: impl Into<String>) -> Self {
        Self { thread: None, answer: answer.into() }
    }
}

/// Why a channel did not take a message.
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

/// What was told of the finding before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    /// The thread of the first message.
    pub(crate) thread: Option<String>,
    /// Whether other findings of the same first message are still open.
    pub(crate) others_open: bool,
}

impl Channel {
    /// The name in deliveries, with the place where there are several.
    pub(crate) fn place(&self, name: &str, severity: Severity) -> String {
        let place = match self {
            Self::Slack(slack) => slack.place(severity),
            Self::SlackBot(bot) => bot.place(severity),
            _ => None,
        };
        place.map_or_else(|| name.to_owned(), |place| format!("{name}:{place}"))
    }

    /// Whether several decisions can be one message there: not where a program reads.
    pub(crate) fn groups(&self) -> bool {
        match self {
            Self::Stdout(stdout) => stdout.style != stdout::Style::Ndjson,
            Self::File(file) => file.groups(),
            Self::Webhook(_) => false,
            _ => true,
        }
    }

    /// Whether each finding has a life of its own there: then its end is told by itself, and nothing is digested.
    pub(crate) fn tracks_findings(&self) -> bool {
        matches!(self, Self::PagerDuty(_))
    }

    /// Tells something, once.
    pub(crate) async fn tell(&self, notice: &Notice<'_>, context: &Context) -> Result<Taken, Refusal> {
        match self {
            Self::Stdout(stdout) => stdout.tell(notice),
            Self::Slack(slack) => slack.tell(notice).await,
            Self::SlackBot(bot) => bot.tell(notice, context).await,
            Self::Teams(teams) => teams.tell(notice).await,
            Self::PagerDuty(pagerduty) => pagerduty.tell(notice, context).await,
            Self::Email(email) => email.tell(notice, context).await,
            Self::Webhook(webhook) => webhook.tell(notice).await,
            Self::File(file) => file.tell(notice).await,
        }
    }
}
