//! The notifier: tells people what was decided, once per decision and channel, and says so.
//!
//! A channel that is down delays its decisions and drops none; the other channels do not wait for
//! it. Decisions with the action `audit` are recorded by their stream and told nobody.
//! Secrets (webhook URLs, tokens, passwords, signing keys) never reach a log, an error or a delivery: an endpoint shows
//! its scheme and host only.
//!
//! Adding a channel: one file in `channel/`, one variant of its enum `Channel`, its settings in `schemas`.

mod channel;
mod desk;
mod errand;
mod gathering;
mod holding;
mod http;
mod lots;
mod memory;
mod notice;
mod pile;
mod quiet;
mod retry;
mod round;
mod route;
mod shelf;
mod stage;
mod template;
mod trial;

use std::time::Duration;

use elava_schemas::Timestamp;
use elava_schemas::config::StdoutFormat;

pub use channel::slack::payload as slack_payload;
pub use channel::teams::card as teams_card;
pub use channel::text::{Colour, render};
pub use channel::webhook::{event, signature};
pub use desk::ConfigProblem;
pub use notice::{Notice, NoticeKind};
pub use stage::Notifier;
pub use trial::TrialError;

/// Tells the time; an argument, so that tests need not wait for it.
pub type Clock = fn() -> Timestamp;

/// How standard output is written, as the command line has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Readable on a terminal, NDJSON otherwise.
    Auto,
    /// Readable.
    Text,
    /// One message a line.
    Ndjson,
}

impl From<Format> for StdoutFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Auto => Self::Auto,
            Format::Text => Self::Text,
            Format::Ndjson => Self::Ndjson,
        }
    }
}

/// How long a channel is waited for, and how often it is tried.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For one attempt.
    pub timeout: Duration,
    /// Before the second attempt; doubles with each.
    pub first_pause: Duration,
    /// Between two attempts at most, unless the channel asks for more.
    pub longest_pause: Duration,
    /// In a pipe a channel is given up after so many attempts.
    pub attempts: u32,
}

impl Default for Patience {
    /// Ten attempts take about three minutes.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
            attempts: 10,
        }
    }
}
