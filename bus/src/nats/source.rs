//! Runs a stage over one partition: read, handle, store outputs, store state, acknowledge.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, AckKind};
use chrono::Utc;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::checkpoint::Checkpoint;
use super::publish::{MAX_BATCH, NotStored, Outgoing};
use super::reader::{Delivery, Reader};
use super::{Nats, NatsError};
use crate::dead::{dead_letters, dead_output};
use crate::metrics::Metrics;
use crate::run::BusError;
use crate::{Batch, Emit, Failure, Output, Pager, Position, Rejection, Source, Stage, Stream, message_subject};

/// How often a batch is tried before it is taken apart.
const ATTEMPTS: u32 = 5;
/// What headers take of the server's largest payload.
const HEADER_ROOM: usize = 4096;
/// How often the server is told that a long batch is still being handled.
const PROGRESS: Duration = Duration::from_secs(20);

/// A stage at work on one partition.
pub(crate) struct SourceRunner<S> {
    pub(crate) stage: Arc<S>,
    pub(crate) nats: Nats,
    pub(crate) source: Source,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) cancel: CancellationToken,
}

impl<S: Stage> SourceRunner<S> {
    /// Runs until told to stop; a batch begun is finished first.
    pub(crate) async fn run(self, stream: Stream, partition: u16) -> Result<(), BusError> {
        let spec = S::SPEC;
        let mut attempt = 0;
        let (mut checkpoint, mut keeps_state, from) = loop {
            match self.begin().await {
                Ok(begun) => break begun,
                // A server that is restarting, or not ready yet: nothing was read, so nothing is lost by waiting.
                Err(error @ BusError::Nats(NatsError::Request { .. })) => {
                    attempt += 1;
                    warn!(source = %self.source, attempt, error = %crate::cli::chain(&error), "cannot begin; trying again");
                }
                Err(error) => return Err(error),
            }
            tokio::select! {
                () = self.cancel.cancelled() => return Ok(()),
                () = tokio::time::sleep(back_off(attempt)) => {}
            }
        };
        let at = (stream, partition);
        let mut reader = Reader::new(self.nats.clone(), spec.name, at, spec.batch_pages, from.saturating_sub(1));
        self.metrics.ready();
        loop {
            let Delivery { batch, last, pending } = tokio::select! {
                () = self.cancel.cancelled() => return Ok(()),
                delivery = reader.next() => delivery,
            };
            let progress = tokio::spawn(keep_alive(last.clone()));
            let handled = self.handle(&batch).await;
            progress.abort();
            let Some(output) = handled? else {
                // Told to stop while something outside is missing: the input stays where it is.
                return Ok(());
            };
            let sequence = batch.last_sequence();
            self.store_dead(&batch, &output.rejected).await;
            self.metrics.handled(&batch, &output, pending);
            let emits = !output.messages.is_empty();
            self.send(&mut checkpoint, output.messages, Some(sequence)).await?;
            if emits || spec.position == Position::Own {
                self.stage.stored(&self.source, sequence).await.map_err(BusError::Stage)?;
            }
            keeps_state |= !output.state.is_empty();
            if keeps_state {
                self.nats.store_state(spec.name, &self.source, output.state, sequence).await;
            }
            if let Err(error) = last.ack().await {
                warn!(source = %self.source, error = %error, "acknowledgement failed; the position is kept elsewhere");
            }
        }
    }

    /// Finds out where to go on, and sends what an earlier run left unsent: checkpoint, whether there
    /// is state, first position to read.
    async fn begin(&self) -> Result<(Option<Checkpoint>, bool, u64), BusError> {
        let spec = S::SPEC;
        let mut checkpoint = match spec.output {
            Some(output) => Some(self.nats.checkpoint(spec.name, output, &self.source).await?),
            None => None,
        };
        let state = self.nats.load_state(spec.name, &self.source).await?;
        let keeps_state = !state.is_empty();
        let position = checkpoint.as_ref().and_then(|checkpoint| checkpoint.position);
        let resume = self.stage.resume(&self.source, position, state).await.map_err(BusError::Stage)?;
        if let Source::Partition { stream, .. } = self.source {
            self.nats.check_position(stream, resume.from).await?;
        }
        self.send(&mut checkpoint, resume.pending, None).await?;
        Ok((checkpoint, keeps_state, resume.from))
    }

    /// Handles a batch, again and again if need be. `None`: told to stop before it could be.
    async fn handle(&self, batch: &Batch) -> Result<Option<Output>, BusError> {
        let mut attempt = 0;
        loop {
            let failure = match self.attempt(batch).await {
                Ok(output) => return Ok(Some(output)),
                Err(failure) => failure,
            };
            self.metrics.retried(&failure);
            attempt += 1;
            match failure {
                Failure::Fatal(_) => return Err(BusError::Stage(failure)),
                Failure::Poison(_) if attempt >= ATTEMPTS => return self.take_apart(batch).await.map(Some),
                Failure::Poison(_) | Failure::Unavailable(_) => {}
            }
            let pause = back_off(attempt);
            warn!(source = %self.source, attempt, pause_ms = pause.as_millis(), error = %crate::cli::chain(&failure), "batch failed; trying again");
            tokio::select! {
                () = self.cancel.cancelled() => return Ok(None),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Handles the pages one by one; the rows of those that fail still become dead letters.
    async fn take_apart(&self, batch: &Batch) -> Result<Output, BusError> {
        let mut output = Output::default();
        for page in &batch.pages {
            let single = Batch { source: batch.source.clone(), pages: vec![page.clone()] };
            match self.attempt(&single).await {
                Ok(part) => {
                    output.messages.extend(part.messages);
                    output.rejected.extend(part.rejected);
                    output.state.extend(part.state);
                }
                Err(failure @ Failure::Poison(_)) => {
                    error!(source = %self.source, sequence = page.sequence, error = %crate::cli::chain(&failure), "page cannot be handled");
                    let reason = format!("failed {ATTEMPTS} times: {}", crate::cli::chain(&failure));
                    output.rejected.extend(page.lines().map(|(line, _)| Rejection {
                        sequence: page.sequence,
                        line,
                        reason: reason.clone(),
                    }));
                }
                Err(failure) => return Err(BusError::Stage(failure)),
            }
        }
        Ok(output)
    }

    /// One attempt; a panic is a failure of this input, not of the process.
    async fn attempt(&self, batch: &Batch) -> Result<Output, Failure> {
        let _busy = self.metrics.busy();
        std::panic::AssertUnwindSafe(self.stage.handle(batch))
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| Err(Failure::Poison(format!("panicked: {}", panic_text(panic.as_ref())).into())))
    }

    /// Stores outputs and checkpoint, all or nothing. Outputs that an earlier run stored are dropped.
    async fn send(
        &self,
        checkpoint: &mut Option<Checkpoint>,
        messages: Vec<Emit>,
        sequence: Option<u64>,
    ) -> Result<(), BusError> {
        let Some(checkpoint) = checkpoint else { return Ok(()) };
        let stored = checkpoint.position.unwrap_or(0);
        let fresh = messages.into_iter().filter(|emit| emit.sequence > stored).collect();
        let fresh = self.set_aside_too_large(fresh).await;
        let own = S::SPEC.position == Position::Own;
        let last = fresh.iter().map(|emit| emit.sequence).max();
        let target = if own { last } else { sequence.or(last) };
        let Some(target) = target.filter(|target| *target > stored) else { return Ok(()) };

        // Cut where the input position changes, so that every part ends on a whole position.
        let mut part: Vec<Outgoing> = Vec::new();
        let mut done = stored;
        let mut rest = fresh.as_slice();
        while let Some(first) = rest.first() {
            let length = rest.iter().take_while(|emit| emit.sequence == first.sequence).count();
            let mut pages = pages(&rest[..length]);
            if pages.len() >= MAX_BATCH {
                // More than one atomic batch can hold. The first ones are stored before, each with an
                // id; a crash in between stores them again, and their messages have the same ids.
                self.send_part(checkpoint, std::mem::take(&mut part), done).await?;
                for page in pages.drain(..=pages.len() - MAX_BATCH) {
                    self.nats.store(page.with_id()).await;
                }
            }
            if !part.is_empty() && part.len() + pages.len() >= MAX_BATCH {
                self.send_part(checkpoint, std::mem::take(&mut part), done).await?;
            }
            part.extend(pages);
            done = first.sequence;
            rest = &rest[length..];
        }
        self.send_part(checkpoint, part, target).await
    }

    /// What no server would take becomes a dead letter, which carries its beginning.
    async fn set_aside_too_large(&self, messages: Vec<Emit>) -> Vec<Emit> {
        let room = self.nats.client.server_info().max_payload.saturating_sub(HEADER_ROOM);
        let mut fitting = Vec::with_capacity(messages.len());
        for emit in messages {
            if emit.line.len() <= room {
                fitting.push(emit);
                continue;
            }
            let reason = format!("{} of {} bytes; the server takes {room}", emit.kind, emit.line.len());
            error!(source = %self.source, sequence = emit.sequence, reason, "output set aside");
            let letter = dead_output(S::SPEC.name, &emit, reason, Utc::now()).into();
            self.nats.store(Outgoing::new(message_subject(&letter), letter.to_line().into()).with_id()).await;
        }
        fitting
    }

    async fn send_part(&self, checkpoint: &mut Checkpoint, part: Vec<Outgoing>, position: u64) -> Result<(), BusError> {
        if position <= checkpoint.position.unwrap_or(0) {
            return Ok(());
        }
        let mut attempt = 0;
        loop {
            let mut batch = part.clone();
            batch.push(checkpoint.moved_to(position));
            let not_stored = match self.nats.publish_atomically(batch).await {
                Ok(revision) => {
                    checkpoint.was_moved(position, revision);
                    return Ok(());
                }
                Err(not_stored) => not_stored,
            };
            attempt += 1;
            let conflict = matches!(not_stored, NotStored::Conflict(_));
            let error = not_stored.into_error();
            warn!(source = %self.source, attempt, error = %crate::cli::chain(&error), "outputs are not stored yet; trying again");
            self.metrics.blocked();
            tokio::time::sleep(back_off(attempt)).await;
            // It may have been stored although we were not told: the checkpoint knows.
            if let Err(error) = self.nats.read_checkpoint(checkpoint).await {
                warn!(error = %crate::cli::chain(&error), "cannot read the checkpoint; trying again");
                continue;
            }
            match checkpoint.position {
                Some(found) if found == position => return Ok(()),
                Some(found) if found > position || conflict => {
                    return Err(NatsError::Fenced { subject: checkpoint.subject().to_owned() }.into());
                }
                _ => {}
            }
        }
    }

    async fn store_dead(&self, batch: &Batch, rejected: &[Rejection]) {
        for letter in dead_letters(S::SPEC.name, batch, rejected) {
            error!(source = %self.source, sequence = letter.sequence, line = letter.line, reason = letter.reason, "row rejected");
            let message = letter.into();
            let outgoing = Outgoing::new(message_subject(&message), message.to_line().into());
            self.nats.store(outgoing.with_id()).await;
        }
    }
}

/// Packs messages into bodies for their subjects.
fn pages(messages: &[Emit]) -> Vec<Outgoing> {
    let mut pager = Pager::default();
    let mut pages = Vec::new();
    for message in messages {
        pages.extend(pager.push(&message.subject, &message.line));
    }
    pages.extend(pager.close());
    pages.into_iter().map(|(subject, body)| Outgoing::new(subject, body)).collect()
}

/// 0.1 s, doubled each time, 10 s at most.
fn back_off(attempt: u32) -> Duration {
    Duration::from_millis(100).saturating_mul(1 << attempt.min(7)).min(Duration::from_secs(10))
}

async fn keep_alive(message: jetstream::Message) {
    loop {
        tokio::time::sleep(PROGRESS).await;
        if let Err(error) = message.ack_with(AckKind::Progress).await {
            warn!(error = %error, "cannot tell the server that a batch is being handled");
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
