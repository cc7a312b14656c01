//! Runs a stage over one partition: read, handle, store outputs, store state, acknowledge.

use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use elava_schemas::{Timestamp, micros};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::checkpoint::{Checkpoint, Mark};
use super::feed::Joining;
use super::floor::Receipt;
use super::publish::Outgoing;
use super::reader::{Delivery, Reader};
use super::state::{POSITION, State};
use super::{Nats, NatsError};
use crate::dead::dead_letters;
use crate::handling::{Handling, back_off, until_due};
use crate::metrics::Metrics;
use crate::run::BusError;
use crate::tenure::Share;
use crate::{Batch, Lease, Output, Patience, Position, Rejection, Source, Stage, message_subject};

/// How often the server is told that a long batch is still being handled.
const PROGRESS: Duration = Duration::from_secs(20);
/// After how many batches without outputs their position is stored although more waits.
const MAX_UNSTORED: u32 = 100;
/// A source has nearly caught up when its consumer holds fewer messages than this: a quarter of a second, of large pages.
const FEW: u64 = 256;

/// A stage at work on one partition.
pub(crate) struct SourceRunner<S> {
    pub(crate) stage: Arc<S>,
    pub(crate) nats: Nats,
    pub(crate) share: Share,
    pub(crate) source: Source,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) cancel: CancellationToken,
    /// Shared by all sources: a permit a batch.
    pub(crate) in_flight: Arc<Semaphore>,
    /// Without it nothing is begun, and nothing is stored.
    pub(crate) lease: Lease,
    /// Where the source is read together with others.
    pub(crate) feed: Option<Joining>,
}

/// What comes next.
enum Next {
    Input(Box<Delivery>),
    Time,
    PutOff,
    Nothing,
}

/// Where a source is.
struct Place {
    checkpoint: Option<Checkpoint>,
    state: State,
    /// Whether the stage keeps any.
    keeps_state: bool,
    /// Batches whose position is not stored yet, and the position.
    unstored: u32,
    handled: u64,
    /// The first position that the stream still had.
    oldest: u64,
    put_off: Option<PutOff>,
}

/// What the stage has put off, to be acknowledged once it is durable.
struct PutOff {
    by: Instant,
    patience: Patience,
    receipt: Receipt,
}

/// By when all that is put off is to be durable: within the time of what was put off first, and soon where little more
/// is to be read.
fn due(
    first: Option<(Instant, Patience)>,
    now_put_off: Option<Patience>,
    pending: u64,
    now: Instant,
) -> Option<(Instant, Patience)> {
    let (by, patience) = first.or_else(|| now_put_off.map(|patience| (now + patience.behind, patience)))?;
    let by = if pending < FEW { by.min(now + patience.caught_up) } else { by };
    Some((by, patience))
}

impl Place {
    /// Whether inputs are still to be handled again whose outputs are stored. Those that the stream has no more do not
    /// come.
    fn is_behind(&self) -> bool {
        let position = self.checkpoint.as_ref().and_then(Checkpoint::position);
        position.is_some_and(|position| self.handled < position && self.oldest <= position)
    }

    /// This time, or right after the last one that was stored: clocks go back, and those of two instances differ.
    fn later(&self, now: Timestamp) -> Timestamp {
        let last = self.checkpoint.as_ref().and_then(|checkpoint| checkpoint.mark?.ticked);
        last.map_or(now, |last| now.max(last + TimeDelta::microseconds(1)))
    }
}

impl<S: Stage> SourceRunner<S> {
    /// Runs until told to stop, when a batch begun is finished first, or until the lease is lost. When
    /// somebody else has written what is ours to write, as a former holder can that was frozen in the
    /// middle of it, begins again with what is stored.
    pub(crate) async fn run(self) -> Result<(), BusError> {
        self.stage.taken(&self.source, &self.lease);
        let mut attempt = 0;
        let outcome = loop {
            match self.work().await {
                Err(BusError::Nats(NatsError::LeaseLost)) => break Ok(()),
                Err(BusError::Nats(error @ NatsError::Fenced { .. })) => {
                    attempt += 1;
                    warn!(source = %self.source, attempt, error = %crate::cli::chain(&error), "beginning again");
                }
                outcome => break outcome,
            }
            if !self.pause(attempt).await {
                break Ok(());
            }
        };
        self.stage.left(&self.source);
        self.metrics.left(&self.lag_of());
        outcome
    }

    /// Waits before something is tried again; whether it is to be.
    async fn pause(&self, attempt: u32) -> bool {
        tokio::select! {
            () = self.cancel.cancelled() => false,
            () = self.lease.lost() => false,
            () = tokio::time::sleep(back_off(attempt)) => true,
        }
    }

    /// Whose lag is known: what one consumer reads lags as one.
    fn lag_of(&self) -> String {
        if self.feed.is_some() { self.share.stream.name().to_owned() } else { self.source.to_string() }
    }

    async fn work(&self) -> Result<(), BusError> {
        let mut attempt = 0;
        let (mut place, from) = loop {
            match self.begin().await {
                Ok(begun) => break begun,
                // A server that is restarting, or not ready yet: nothing was read, so nothing is lost by waiting.
                Err(error @ BusError::Nats(NatsError::Request { .. })) => {
                    attempt += 1;
                    warn!(source = %self.source, attempt, error = %crate::cli::chain(&error), "cannot begin; trying again");
                }
                Err(error) => return Err(error),
            }
            if !self.pause(attempt).await {
                return Ok(());
            }
        };
        let (position, nats) = (from.saturating_sub(1), self.nats.clone());
        let mut reader = match &self.feed {
            Some(feed) => Reader::Shared(feed.join(self.share.partition, position), Box::new(nats)),
            None => Reader::own(nats, S::SPEC.name, self.share, position, self.lease.clone()),
        };
        let _reading = self.metrics.reading();
        loop {
            let went_on = match self.next(&place, &mut reader).await? {
                Next::Input(delivery) => self.batch(&mut place, *delivery).await?,
                Next::Time => {
                    let now = place.later(micros(Utc::now()));
                    self.tick(&mut place, now).await?
                }
                Next::PutOff => self.settle(&mut place).await?,
                Next::Nothing => false,
            };
            if !went_on {
                return self.part(&mut place).await;
            }
        }
    }

    /// Waits for input, or until something is due. Time passes once all is handled again whose outputs are stored:
    /// what is due before may be over by one of these inputs, and what it leads to would be dropped.
    async fn next(&self, place: &Place, reader: &mut Reader) -> Result<Next, BusError> {
        let put_off = place.put_off.as_ref().map(|put_off| put_off.by);
        let first = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Ok(Next::Nothing),
            () = sleep_until(put_off.unwrap_or_else(Instant::now)), if put_off.is_some() => return Ok(Next::PutOff),
            () = until_due(&*self.stage, &self.source), if !place.is_behind() => return Ok(Next::Time),
            first = self.lease.guard(reader.message()) => first.ok_or(NatsError::LeaseLost)?,
        };
        let batch = reader.batch(self.source.clone(), first, S::SPEC.batch_pages);
        let delivery = self.lease.guard(batch).await.ok_or(NatsError::LeaseLost)?;
        Ok(Next::Input(Box::new(delivery)))
    }

    /// Has what was put off made durable, and acknowledges it; whether to go on.
    async fn settle(&self, place: &mut Place) -> Result<bool, BusError> {
        let Some(PutOff { receipt, .. }) = place.put_off.take() else { return Ok(true) };
        if !self.handling().settle(&self.source).await.map_err(BusError::Stage)? {
            return Ok(false);
        }
        self.acknowledge(&receipt).await;
        Ok(true)
    }

    async fn acknowledge(&self, receipt: &Receipt) {
        if self.lease.is_held() {
            receipt.handled().await;
        }
    }

    fn handling(&self) -> Handling<'_, S> {
        let (stage, metrics, cancel, lease) = (&*self.stage, &*self.metrics, &self.cancel, &self.lease);
        Handling { stage, metrics, cancel, lease, patience: None }
    }

    /// Lets time pass, and stores what that leads to; whether to go on.
    async fn tick(&self, place: &mut Place, now: Timestamp) -> Result<bool, BusError> {
        self.leave(place).await?;
        let Some(mut output) = self.pass_time(now).await? else { return Ok(false) };
        let unread = Batch { source: self.source.clone(), pages: Vec::new() };
        self.metrics.ticked(&output);
        self.metrics.tracer().draw(&unread, &[], &mut output.messages);
        let mut ticked = None;
        if !output.messages.is_empty()
            && let Some(checkpoint) = &mut place.checkpoint
        {
            let position = place.handled.max(checkpoint.position().unwrap_or(0));
            ticked = Some(now);
            self.send_at(checkpoint, output.messages, Mark { position, ticked }).await?;
        }
        place.keeps_state |= !output.state.is_empty();
        self.nats.store_ticked(&mut place.state, output.state, (place.handled, ticked), &self.lease).await?;
        Ok(true)
    }

    async fn pass_time(&self, now: Timestamp) -> Result<Option<Output>, BusError> {
        let _room = self.in_flight.acquire().await.expect("the semaphore is never closed");
        self.handling().tick(&self.source, now).await.map_err(BusError::Stage)
    }

    /// Handles a batch and stores what it led to; whether to go on.
    async fn batch(&self, place: &mut Place, delivery: Delivery) -> Result<bool, BusError> {
        let spec = S::SPEC;
        // the room is given back at the end
        let Delivery { batch, headers, receipt, pending, room: _taken } = delivery;
        let progress = tokio::spawn(keep_alive(receipt.clone()));
        let _room = self.in_flight.acquire().await.expect("the semaphore is never closed");
        let handled = self.handling().handle(&batch).await;
        progress.abort();
        let Some(mut output) = handled.map_err(BusError::Stage)? else {
            // Told to stop while something outside is missing: the input stays where it is.
            return Ok(false);
        };
        let sequence = batch.last_sequence();
        self.store_dead(&batch, &output.rejected).await?;
        self.metrics.handled(&batch, &output, (self.lag_of(), pending));
        let emits = !output.messages.is_empty();
        self.metrics.tracer().draw(&batch, &headers, &mut output.messages);
        let moved = self.send(&mut place.checkpoint, output.messages, Some(sequence)).await?;
        if emits || spec.position == Position::Own {
            self.stage.stored(&self.source, sequence).await.map_err(BusError::Stage)?;
        }
        place.keeps_state |= !output.state.is_empty();
        // Without outputs there is no checkpoint to pile up in the output stream for ever, and
        // nothing is lost by handling such inputs again: their position need not be stored each time.
        place.handled = sequence;
        place.unstored = if moved { 0 } else { place.unstored + 1 };
        let is_due = !moved && (pending == 0 || !output.rejected.is_empty() || place.unstored >= MAX_UNSTORED);
        if place.keeps_state || (is_due && spec.position == Position::Checkpoint) {
            place.unstored = 0;
            self.nats.store_state(&mut place.state, output.state, sequence, &self.lease).await?;
        }
        // the last receipt acknowledges all
        let first = place.put_off.take().map(|PutOff { by, patience, .. }| (by, patience));
        match due(first, output.settle_within, pending, Instant::now()) {
            Some((by, patience)) => place.put_off = Some(PutOff { by, patience, receipt }),
            None => self.acknowledge(&receipt).await,
        }
        Ok(true)
    }

    /// Gives the source back, with all that is known of it.
    async fn part(&self, place: &mut Place) -> Result<(), BusError> {
        self.leave(place).await?;
        if let Some(PutOff { receipt, .. }) = place.put_off.take()
            && let Some(Ok(())) = self.lease.guard(self.stage.settle(&self.source)).await
        {
            // what has failed is done again by whoever comes next
            self.acknowledge(&receipt).await;
        }
        let state = self.lease.guard(self.stage.parting(&self.source)).await.unwrap_or_default();
        if !state.is_empty() {
            self.nats.store_state(&mut place.state, state, place.handled, &self.lease).await?;
        }
        Ok(())
    }

    /// Leaves nothing to be done again by whoever comes next.
    async fn leave(&self, place: &mut Place) -> Result<(), BusError> {
        if place.unstored > 0 && S::SPEC.position == Position::Checkpoint {
            self.nats.store_state(&mut place.state, Vec::new(), place.handled, &self.lease).await?;
            place.unstored = 0;
        }
        Ok(())
    }

    /// Finds out where to go on, and sends what an earlier run left unsent: the place, and the first
    /// position to read.
    async fn begin(&self) -> Result<(Place, u64), BusError> {
        let spec = S::SPEC;
        let mut checkpoint = match spec.output {
            Some(output) => Some(self.nats.checkpoint(spec.name, output, &self.source).await?),
            None => None,
        };
        let (state, entries) = self.nats.load_state(spec.name, &self.source).await?;
        let keeps_state = entries.iter().any(|(key, _)| key != POSITION);
        let mark = checkpoint.as_ref().and_then(|checkpoint| checkpoint.mark);
        let position = mark.map(|mark| mark.position).max(state.position);
        let mut resume = self.stage.resume(&self.source, position, entries).await.map_err(BusError::Stage)?;
        let oldest = self.nats.check_position(self.share.stream, resume.from).await?;
        self.store_dead_again(&resume.rejected).await?;
        let unread = Batch { source: self.source.clone(), pages: Vec::new() };
        self.metrics.tracer().draw(&unread, &[], &mut resume.pending);
        self.send(&mut checkpoint, resume.pending, None).await?;
        let handled = resume.from.saturating_sub(1);
        let mut place = Place { checkpoint, state, keeps_state, unstored: 0, handled, oldest, put_off: None };
        if let Some(Mark { position, ticked: Some(now) }) = mark
            && position == place.handled
            && place.state.ticked != Some(now)
        {
            // What followed from the time is told; that it is was not stored.
            let Some(output) = self.pass_time(now).await? else { return Ok((place, resume.from)) };
            self.nats.store_ticked(&mut place.state, output.state, (place.handled, Some(now)), &self.lease).await?;
        }
        Ok((place, resume.from))
    }

    /// Stores the dead letters of rows read long ago. Those that were stored are stored twice: their
    /// ids tell.
    async fn store_dead_again(&self, rejected: &[Rejection]) -> Result<(), BusError> {
        for rejections in rejected.chunk_by(|a, b| a.sequence == b.sequence) {
            let sequence = rejections[0].sequence;
            let Some(page) = self.nats.page(self.share.stream, sequence).await? else {
                error!(source = %self.source, sequence, "a rejected page is no longer in its stream");
                continue;
            };
            self.store_dead(&Batch { source: self.source.clone(), pages: vec![page] }, rejections).await?;
        }
        Ok(())
    }

    async fn store_dead(&self, batch: &Batch, rejected: &[Rejection]) -> Result<(), BusError> {
        if self.share.is_repeated() {
            return Ok(());
        }
        for letter in dead_letters(S::SPEC.name, batch, rejected) {
            error!(source = %self.source, sequence = letter.sequence, line = letter.line, reason = letter.reason, "row rejected");
            let message = letter.into();
            let outgoing = Outgoing::new(message_subject(&message), message.to_line().into());
            self.while_held(self.nats.store(outgoing.with_id())).await?;
        }
        Ok(())
    }
}

async fn keep_alive(receipt: Receipt) {
    loop {
        tokio::time::sleep(PROGRESS).await;
        receipt.working().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_off_waits_longer_while_much_is_to_be_read() {
        let patience = Patience { caught_up: Duration::from_millis(50), behind: Duration::from_millis(250) };
        let (begin, ms) = (Instant::now(), Duration::from_millis);
        let by = |first, given, pending, after| {
            due(first, given, pending, begin + ms(after)).map(|(by, _)| (by - begin).as_millis())
        };
        assert_eq!(by(None, None, 0, 0), None);
        assert_eq!(by(None, Some(patience), FEW, 0), Some(250));
        assert_eq!(by(None, Some(patience), FEW - 1, 0), Some(50));
        let first = Some((begin + ms(250), patience));
        assert_eq!(by(first, None, FEW, 100), Some(250), "of what was put off first");
        assert_eq!(by(first, Some(patience), FEW, 100), Some(250), "not put off again and again");
        assert_eq!(by(first, None, 3, 100), Some(150), "it has caught up");
        assert_eq!(by(first, Some(patience), 0, 230), Some(250), "no later than it was to be");
    }
}
