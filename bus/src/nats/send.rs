//! Stores what a stage returns, with the checkpoint: all or nothing, and only while the lease is held.

use std::future::Future;

use tracing::warn;

use super::NatsError;
use super::checkpoint::{Checkpoint, Mark};
use super::publish::{MAX_BATCH, NotStored, Outgoing, pack};
use super::source::SourceRunner;
use crate::handling::back_off;
use crate::run::BusError;
use crate::{Emit, Position, Stage};

impl<S: Stage> SourceRunner<S> {
    /// Stores outputs and checkpoint, all or nothing; whether there was anything to store. Outputs
    /// that an earlier run stored are dropped.
    pub(super) async fn send(
        &self,
        checkpoint: &mut Option<Checkpoint>,
        messages: Vec<Emit>,
        sequence: Option<u64>,
    ) -> Result<bool, BusError> {
        let Some(checkpoint) = checkpoint else { return Ok(false) };
        let stored = checkpoint.position().unwrap_or(0);
        let fresh = self.fitting(messages.into_iter().filter(|emit| emit.sequence > stored)).await;
        let Some(last) = fresh.iter().map(|emit| emit.sequence).max() else { return Ok(false) };
        let target = sequence.filter(|_| S::SPEC.position == Position::Checkpoint).unwrap_or(last);

        // Cut where the input position changes, so that every part ends on a whole position.
        let mut part: Vec<Outgoing> = Vec::new();
        let mut done = stored;
        let mut rest = fresh.as_slice();
        while let Some(first) = rest.first() {
            let length = rest.iter().take_while(|emit| emit.sequence == first.sequence).count();
            let mut pages: Vec<_> = pack(&rest[..length]).into_iter().map(|(page, _)| page).collect();
            if pages.len() >= MAX_BATCH {
                // More than one atomic batch can hold. The first ones are stored before, each with an
                // id; a crash in between stores them again, and their messages have the same ids.
                self.send_part(checkpoint, std::mem::take(&mut part), Mark::at(done)).await?;
                self.send_ahead(&mut pages).await?;
            }
            if !part.is_empty() && part.len() + pages.len() >= MAX_BATCH {
                self.send_part(checkpoint, std::mem::take(&mut part), Mark::at(done)).await?;
            }
            part.extend(pages);
            done = first.sequence;
            rest = &rest[length..];
        }
        self.send_part(checkpoint, part, Mark::at(target)).await?;
        self.metrics.tracer().stored(fresh.into_iter().flat_map(|emit| emit.traced.spans));
        Ok(true)
    }

    /// Stores outputs that follow from the time alone, and the checkpoint, all or nothing.
    pub(super) async fn send_at(
        &self,
        checkpoint: &mut Checkpoint,
        messages: Vec<Emit>,
        mark: Mark,
    ) -> Result<(), BusError> {
        let fresh = self.fitting(messages.into_iter()).await;
        let mut pages: Vec<_> = pack(&fresh).into_iter().map(|(page, _)| page).collect();
        if pages.len() >= MAX_BATCH {
            self.send_ahead(&mut pages).await?;
        }
        self.send_part(checkpoint, pages, mark).await?;
        self.metrics.tracer().stored(fresh.into_iter().flat_map(|emit| emit.traced.spans));
        Ok(())
    }

    /// Stores the first of more pages than one atomic batch can hold, each with an id.
    async fn send_ahead(&self, pages: &mut Vec<Outgoing>) -> Result<(), BusError> {
        for page in pages.drain(..=pages.len() - MAX_BATCH) {
            self.while_held(self.nats.store(page.with_id())).await?;
        }
        Ok(())
    }

    /// Without the outputs that no server would take: those are set aside.
    async fn fitting(&self, messages: impl Iterator<Item = Emit>) -> Vec<Emit> {
        let mut fitting = Vec::new();
        for emit in messages {
            if self.nats.takes(S::SPEC.name, Some(emit.sequence), &emit).await {
                fitting.push(emit);
            }
        }
        fitting
    }

    async fn send_part(&self, checkpoint: &mut Checkpoint, part: Vec<Outgoing>, mark: Mark) -> Result<(), BusError> {
        if mark <= checkpoint.mark.unwrap_or(Mark::at(0)) {
            return Ok(());
        }
        let mut attempt = 0;
        loop {
            let mut batch = part.clone();
            batch.push(checkpoint.moved_to(mark));
            let not_stored = match self.while_held(self.nats.publish_atomically(batch)).await? {
                Ok(revision) => {
                    checkpoint.was_moved(mark, revision);
                    return Ok(());
                }
                Err(not_stored) => not_stored,
            };
            attempt += 1;
            let conflict = matches!(not_stored, NotStored::Conflict(_));
            let error = not_stored.into_error();
            warn!(source = %self.source, attempt, error = %crate::cli::chain(&error), "outputs are not stored yet; trying again");
            self.metrics.blocked();
            self.while_held(tokio::time::sleep(back_off(attempt))).await?;
            // It may have been stored although we were not told: the checkpoint knows.
            let known = checkpoint.mark;
            if let Err(error) = self.nats.read_checkpoint(checkpoint).await {
                warn!(error = %crate::cli::chain(&error), "cannot read the checkpoint; trying again");
                continue;
            }
            if checkpoint.mark == Some(mark) {
                return Ok(());
            }
            if conflict || checkpoint.mark != known {
                return Err(NatsError::Fenced { subject: checkpoint.subject().to_owned() }.into());
            }
        }
    }

    /// Does something that only the holder of the lease may do.
    pub(super) async fn while_held<T>(&self, work: impl Future<Output = T>) -> Result<T, NatsError> {
        self.lease.guard(work).await.ok_or(NatsError::LeaseLost)
    }
}
