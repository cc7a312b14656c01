//! The notifier as a stage: hands every decision to every channel, and returns the receipts.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use elava_bus::{Batch, Consumes, Failure, Lease, Output, Position, Rejection, Source, Stage, StageSpec, Stream};
use elava_schemas::config::{Notifications, StdoutFormat};
use elava_schemas::{Action, Decision, Message, Severity};
use tokio::task::JoinSet;

use crate::channel::Channel;
use crate::channel::slack::Slack;
use crate::channel::stdout::{Stdout, Style};
use crate::channel::webhook::Webhook;
use crate::http::{self, EndpointError};
use crate::post::{Deliveries, Post, Stop};
use crate::{Clock, Patience};

/// Tells people what was decided.
#[derive(Debug)]
pub struct Notifier {
    channels: Vec<Arc<Channel>>,
    post: Arc<Post>,
    /// What was told cannot be taken back: these are asked before.
    leases: Mutex<HashMap<Source, Lease>>,
}

/// Why a channel cannot be used as configured. Shows no URL.
#[derive(Debug, thiserror::Error)]
pub enum ConfigProblem {
    /// A severity that is told has no usable Slack webhook.
    #[error("actions.notifications.slack has no usable webhook for severity {}: {problem}", severity.as_str())]
    Slack {
        /// The severity.
        severity: Severity,
        /// What is wrong with the webhook.
        problem: String,
    },
    /// A URL of the generic webhook.
    #[error("actions.notifications.webhook has an unusable url: {problem}")]
    Webhook {
        /// What is wrong with it.
        problem: String,
    },
    /// TLS or proxies of this machine.
    #[error("cannot set up HTTP")]
    Http(#[source] reqwest::Error),
}

impl Notifier {
    /// A notifier with the channels that are switched on. `format` overrides the configured one.
    pub fn new(config: &Notifications, format: Option<StdoutFormat>) -> Result<Self, ConfigProblem> {
        let style = Style::of(format.unwrap_or(config.stdout.format));
        Self::assemble(config, style, Box::new(std::io::stdout()), Patience::default(), chrono::Utc::now)
    }

    /// A notifier whose output, patience and clock are the caller's. Without colour.
    pub fn with(
        config: &Notifications,
        writer: Box<dyn Write + Send>,
        patience: Patience,
        clock: Clock,
    ) -> Result<Self, ConfigProblem> {
        let style = match config.stdout.format {
            StdoutFormat::Text => Style::Text(crate::Colour::No),
            StdoutFormat::Auto | StdoutFormat::Ndjson => Style::Ndjson,
        };
        Self::assemble(config, style, writer, patience, clock)
    }

    fn assemble(
        config: &Notifications,
        style: Style,
        writer: Box<dyn Write + Send>,
        patience: Patience,
        clock: Clock,
    ) -> Result<Self, ConfigProblem> {
        let client = http::client(patience.timeout).map_err(ConfigProblem::Http)?;
        let mut channels = Vec::new();
        if config.stdout.enabled {
            channels.push(Channel::Stdout(Stdout::new(&config.stdout, style, writer)));
        }
        if let Some(slack) = config.slack.as_ref().filter(|slack| slack.enabled) {
            let problem = |(severity, error): (Severity, EndpointError)| ConfigProblem::Slack {
                severity,
                problem: error.to_string(),
            };
            channels.push(Channel::Slack(Slack::new(slack, client.clone(), clock).map_err(problem)?));
        }
        if let Some(webhook) = config.webhook.as_ref().filter(|webhook| webhook.enabled) {
            let problem = |error: EndpointError| ConfigProblem::Webhook { problem: error.to_string() };
            channels.push(Channel::Webhook(Webhook::new(webhook, client, clock).map_err(problem)?));
        }
        let post = Post::new(patience, clock);
        let channels = channels.into_iter().map(Arc::new).collect();
        Ok(Self { channels, post: Arc::new(post), leases: Mutex::default() })
    }

    /// Whether this stage's own standard output is what people read. Then no message may be
    /// written between their lines: neither deliveries nor what is passed on.
    fn writes_text(&self) -> bool {
        self.channels
            .iter()
            .any(|channel| matches!(&**channel, Channel::Stdout(stdout) if matches!(stdout.style, Style::Text(_))))
    }

    /// A panic while it is locked changes nothing by halves.
    fn leases(&self) -> MutexGuard<'_, HashMap<Source, Lease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands decisions to all channels at once, to each in order.
    async fn deliver(&self, decisions: Vec<Decision>, source: &Source) -> Result<Deliveries, Failure> {
        let lease = self.leases().get(source).cloned().unwrap_or_else(Lease::unlimited);
        let in_pipe = *source == Source::Pipe;
        let decisions: Arc<[Decision]> = decisions.into();
        let mut channels = JoinSet::new();
        for (number, channel) in self.channels.iter().enumerate() {
            let (channel, decisions, post) = (channel.clone(), decisions.clone(), self.post.clone());
            let lease = lease.clone();
            channels.spawn(async move { (number, post.deliver_all(&channel, &decisions, in_pipe, &lease).await) });
        }
        let mut by_channel = vec![Deliveries::new(); self.channels.len()];
        let mut stop = None;
        while let Some(joined) = channels.join_next().await {
            match joined {
                Ok((number, Ok(delivered))) => by_channel[number] = delivered,
                Ok((_, Err(stopped))) => stop = Some(stopped),
                Err(panicked) => return Err(Failure::Poison(Box::new(panicked))),
            }
        }
        match stop {
            None => {
                let mut deliveries = by_channel.concat();
                // Stable: the channels of one decision stay in their order.
                deliveries.sort_by_key(|(index, _)| *index);
                Ok(deliveries)
            }
            Some(stop @ (Stop::Exhausted { .. } | Stop::NotOurs)) => Err(Failure::Unavailable(Box::new(stop))),
            Some(stop @ Stop::Closed(_)) => Err(Failure::Fatal(Box::new(stop))),
        }
    }
}

impl Stage for Notifier {
    const SPEC: StageSpec = StageSpec {
        name: "notifier",
        inputs: elava_bus::reads::NOTIFIER,
        output: Some(Stream::Execution),
        // In text mode nothing else may be on standard output, so nothing passes by itself;
        // `handle` passes on what it does not tell.
        consumes: |_| Consumes::Takes,
        position: Position::Checkpoint,
        batch_pages: 1,
        in_flight: 64,
        health_port: 9314,
    };

    fn taken(&self, source: &Source, lease: &Lease) {
        self.leases().insert(source.clone(), lease.clone());
    }

    fn left(&self, source: &Source) {
        self.leases().remove(source);
    }

    async fn handle(&self, batch: &Batch) -> Result<Output, Failure> {
        let in_pipe = batch.source == Source::Pipe;
        let silent = in_pipe && self.writes_text();
        let mut output = Output::default();
        let mut rejected = Vec::new();
        let mut misplaced = Vec::new();
        let (mut decisions, mut sequences) = (Vec::new(), Vec::new());
        for (page, line, message) in batch.messages(&Self::SPEC, &mut rejected) {
            match message {
                // Told later, when there are grace periods: decisions with a `not_before` ahead.
                Message::Decision(decision) if decision.action != Action::Audit => {
                    sequences.push(page.sequence);
                    decisions.push(*decision);
                }
                Message::Decision(_) => {}
                _ if silent => {}
                other if in_pipe => output.emit(page.sequence, other),
                other => {
                    let reason = format!("{} is not read by {}", other.kind(), Self::SPEC.name);
                    misplaced.push(Rejection { sequence: page.sequence, line, reason });
                }
            }
        }
        let told = decisions.clone();
        for (index, delivery) in self.deliver(decisions, &batch.source).await? {
            if silent {
                continue;
            }
            if in_pipe && delivery.channel == "stdout" {
                output.emit(sequences[index], told[index].clone());
            }
            output.emit(sequences[index], delivery);
        }
        output.rejected = rejected;
        output.rejected.extend(misplaced);
        Ok(output)
    }
}
