//! The channels as configured: each with a name, and what holds for it.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use elava_schemas::config::{Channel as Settings, Grouping, Notifications, QuietHours};
use elava_schemas::{Decision, Severity, Timestamp};
use reqwest::Client;
use tokio::time::Instant;

use crate::channel::Channel;
use crate::channel::email::Email;
use crate::channel::file::File;
use crate::channel::pagerduty::PagerDuty;
use crate::channel::slack::Slack;
use crate::channel::slack_bot::SlackBot;
use crate::channel::stdout::{Stdout, Style};
use crate::channel::teams::Teams;
use crate::channel::webhook::Webhook;
use crate::notice::{NAMED, Notice};
use crate::quiet::Quiet;
use crate::template::Words;
use crate::{Clock, Patience, http, retry};

/// Where channels are configured.
const PLACE: &str = "actions.notifications";
/// The channels that have a place of their own there.
const OWN: [&str; 3] = ["stdout", "slack", "webhook"];

/// A channel, and what holds for it.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) name: String,
    pub(crate) channel: Channel,
    pub(crate) min_severity: Severity,
    /// `None`: each decision is told by itself, at once.
    pub(crate) grouping: Option<Grouping>,
    pub(crate) quiet: Option<Quiet>,
    pub(crate) words: Option<Words>,
    trouble: Mutex<Trouble>,
}

/// How long a channel has not taken anything.
#[derive(Clone, Copy, Debug, Default)]
struct Trouble {
    failures: u32,
    until: Option<Instant>,
}

/// What is wrong with the configuration. Shows no URL and no secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigProblem {
    /// A setting.
    #[error("{place}: {problem}")]
    Wrong {
        /// Which.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// TLS or proxies of this machine.
    #[error("cannot set up HTTP")]
    Http(#[source] reqwest::Error),
}

impl ConfigProblem {
    fn at(place: &str, problem: impl ToString) -> Self {
        Self::Wrong { place: format!("{PLACE}.{place}"), problem: problem.to_string() }
    }
}

impl Desk {
    /// How many decisions of one message are kept in full.
    pub(crate) fn full(&self) -> usize {
        match self.grouping {
            Some(grouping) => grouping.at_least.max(NAMED),
            None => usize::MAX,
        }
    }

    /// When it can be tried again, if it did not take something lately.
    pub(crate) fn rests(&self) -> Option<Duration> {
        self.trouble().until.map(|until| until.saturating_duration_since(Instant::now())).filter(|rest| !rest.is_zero())
    }

    /// How often it has been tried in vain.
    pub(crate) fn failures(&self) -> u32 {
        self.trouble().failures
    }

    /// It took something.
    pub(crate) fn took(&self) {
        *self.trouble() = Trouble::default();
    }

    /// It did not; returns how long it is left alone. Several sources may find out at once: that counts as one.
    pub(crate) fn refused(&self, patience: &Patience, asked: Option<Duration>) -> Duration {
        let mut trouble = self.trouble();
        let now = Instant::now();
        if trouble.until.is_none_or(|until| until <= now) {
            trouble.failures += 1;
        }
        let pause = retry::pause(patience, trouble.failures, asked, fastrand::f64());
        trouble.until = trouble.until.max(Some(now + pause));
        pause
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What channels are made with.
pub(crate) struct Means {
    pub(crate) style: Style,
    pub(crate) writer: Box<dyn Write + Send>,
    pub(crate) timeout: Duration,
    pub(crate) clock: Clock,
    /// What templates are tried on.
    pub(crate) example: Decision,
}

/// The channels that are switched on.
pub(crate) fn desks(config: &Notifications, means: Means) -> Result<Vec<Desk>, ConfigProblem> {
    let client = http::client(means.timeout).map_err(ConfigProblem::Http)?;
    let clock = means.clock;
    let mut desks = Vec::new();
    if config.stdout.enabled {
        let channel = Channel::Stdout(Stdout::new(means.style, means.writer));
        desks.push(("stdout".to_owned(), channel, config.stdout.min_severity));
    }
    if let Some(slack) = config.slack.as_ref().filter(|slack| slack.enabled == Some(true)) {
        let channel = slack_channel("slack", slack, slack.min_severity, &client, clock)?;
        desks.push(("slack".to_owned(), channel, slack.min_severity));
    }
    if let Some(webhook) = config.webhook.as_ref().filter(|webhook| webhook.enabled == Some(true)) {
        desks.push(("webhook".to_owned(), webhook_channel("webhook", webhook, &client, clock)?, webhook.min_severity));
    }
    for (name, settings) in &config.channels {
        let named = named(name, settings, &client, means.timeout, clock)?;
        desks.extend(named.map(|(channel, min_severity)| (name.clone(), channel, min_severity)));
    }
    desks
        .into_iter()
        .filter(|(name, ..)| config.channels.get(name).is_none_or(|settings| settings.enabled))
        .map(|(name, channel, min_severity)| desk(config, &means.example, name, channel, min_severity))
        .collect()
}

fn desk(
    config: &Notifications,
    example: &Decision,
    name: String,
    channel: Channel,
    min_severity: Severity,
) -> Result<Desk, ConfigProblem> {
    let settings = config.channels.get(&name);
    let place = format!("channels.{name}");
    let own = settings.and_then(|settings| settings.grouping);
    let grouping = own.or_else(|| channel.groups().then_some(config.grouping));
    let words = settings.and_then(|settings| settings.templates.as_ref());
    let words = words.map(|words| Words::new(words, &Notice::of(example))).transpose();
    Ok(Desk {
        channel,
        min_severity: settings.map_or(min_severity, |settings| settings.min_severity.max(min_severity)),
        grouping: grouping.filter(|grouping| !grouping.window.get().is_zero()),
        quiet: quiet(&place, settings.and_then(|settings| settings.quiet_hours.as_ref()))?,
        words: words.map_err(|error| ConfigProblem::at(&place, error))?,
        trouble: Mutex::default(),
        name,
    })
}

/// Quiet hours of a route or a channel.
pub(crate) fn quiet(place: &str, config: Option<&QuietHours>) -> Result<Option<Quiet>, ConfigProblem> {
    let quiet = config.map(Quiet::new).transpose();
    quiet.map_err(|error| ConfigProblem::at(&format!("{place}.quiet_hours.timezone"), error))
}

/// The routes' own quiet hours; every channel they name must be there.
pub(crate) fn routes(config: &Notifications) -> Result<Vec<Option<Quiet>>, ConfigProblem> {
    let mut known: Vec<&str> = config.channels.keys().map(String::as_str).collect();
    known.push("stdout");
    known.extend(config.slack.as_ref().map(|_| "slack"));
    known.extend(config.webhook.as_ref().map(|_| "webhook"));
    known.sort_unstable();
    known.dedup();
    let check = |(index, route): (usize, &elava_schemas::config::Route)| {
        let place = format!("routes[{index}]");
        if let Some(name) = route.channels.iter().find(|name| !known.contains(&name.as_str())) {
            let problem = format!("there is no channel `{name}`; there are {}", known.join(", "));
            return Err(ConfigProblem::at(&format!("{place}.channels"), problem));
        }
        quiet(&place, route.quiet_hours.as_ref())
    };
    config.routes.iter().enumerate().map(check).collect()
}

fn slack_channel(
    place: &str,
    slack: &elava_schemas::config::SlackChannel,
    min_severity: Severity,
    client: &Client,
    clock: Clock,
) -> Result<Channel, ConfigProblem> {
    let made = Slack::new(slack, min_severity, client.clone(), clock);
    made.map(Channel::Slack).map_err(|(severity, error)| {
        ConfigProblem::at(place, format!("no usable webhook for severity {}: {error}", severity.as_str()))
    })
}

fn webhook_channel(
    place: &str,
    webhook: &elava_schemas::config::WebhookChannel,
    client: &Client,
    clock: Clock,
) -> Result<Channel, ConfigProblem> {
    let made = Webhook::new(webhook, client.clone(), clock);
    made.map(Channel::Webhook).map_err(|error| ConfigProblem::at(place, format!("`url` is unusable: {error}")))
}

/// A channel with a name of its own, and its sort's own limit of severity; `None` where it is switched off.
fn named(
    name: &str,
    settings: &Settings,
    client: &Client,
    timeout: Duration,
    clock: Clock,
) -> Result<Option<(Channel, Severity)>, ConfigProblem> {
    let place = format!("channels.{name}");
    let Settings { slack, slack_bot, teams, pagerduty, email, webhook, file, .. } = settings;
    let sorts = [
        slack.is_some(),
        slack_bot.is_some(),
        teams.is_some(),
        pagerduty.is_some(),
        email.is_some(),
        webhook.is_some(),
        file.is_some(),
    ];
    let sorts = sorts.into_iter().filter(|is_there| *is_there).count();
    match (OWN.contains(&name), sorts) {
        (true, 0) => return Ok(None),
        (true, _) => {
            let problem = format!("this name is taken by {PLACE}.{name}; here stands only what else holds for it");
            return Err(ConfigProblem::at(&place, problem));
        }
        (false, 1) => {}
        (false, _) => {
            let problem = "write exactly one of slack, slack_bot, teams, pagerduty, email, webhook, file";
            return Err(ConfigProblem::at(&place, problem));
        }
    }
    let is_off = |enabled: Option<bool>| enabled == Some(false);
    if !settings.enabled
        || slack.as_ref().is_some_and(|slack| is_off(slack.enabled))
        || webhook.as_ref().is_some_and(|webhook| is_off(webhook.enabled))
    {
        return Ok(None);
    }
    let wrong = |sort: &str, error: &dyn std::error::Error| ConfigProblem::at(&format!("{place}.{sort}"), error);
    let (client, info) = (client.clone(), Severity::Info);
    let channel = if let Some(slack) = slack {
        let min_severity = settings.min_severity.max(slack.min_severity);
        return Ok(Some((
            slack_channel(&format!("{place}.slack"), slack, min_severity, &client, clock)?,
            min_severity,
        )));
    } else if let Some(webhook) = webhook {
        let channel = webhook_channel(&format!("{place}.webhook"), webhook, &client, clock)?;
        return Ok(Some((channel, webhook.min_severity)));
    } else if let Some(bot) = slack_bot {
        Channel::SlackBot(SlackBot::new(bot, client, clock).map_err(|error| wrong("slack_bot", &error))?)
    } else if let Some(teams) = teams {
        let unusable = |error| ConfigProblem::at(&format!("{place}.teams"), format!("`webhook` is unusable: {error}"));
        Channel::Teams(Teams::new(teams, client, clock).map_err(unusable)?)
    } else if let Some(pagerduty) = pagerduty {
        Channel::PagerDuty(PagerDuty::new(pagerduty, client, clock).map_err(|error| wrong("pagerduty", &error))?)
    } else if let Some(email) = email {
        Channel::Email(Box::new(Email::new(email, timeout, clock).map_err(|error| wrong("email", &error))?))
    } else if let Some(file) = file {
        Channel::File(File::new(file))
    } else {
        return Ok(None);
    };
    Ok(Some((channel, info)))
}

/// When something is due that is told at `at`, if its channel must be left alone until then.
pub(crate) fn not_before_rest(desk: &Desk, at: Timestamp, now: Timestamp) -> Timestamp {
    desk.rests().map_or(at, |rest| at.max(now + rest))
}
