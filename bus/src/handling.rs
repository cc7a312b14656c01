//! Gives batches to a stage: again when one fails, in parts when it keeps failing. A part that fails
//! still, or panics, becomes dead letters, and the rest goes on. The same in a pipe and over JetStream.

use std::any::Any;
use std::time::Duration;

use chrono::Utc;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use elava_schemas::Timestamp;

use crate::metrics::Metrics;
use crate::{Batch, Failure, Lease, Output, Page, Rejection, Source, Stage};

/// How often a stage is asked anew what is due.
const ASKED_AGAIN: Duration = Duration::from_secs(1);
/// How often a batch is tried before it is taken apart.
pub(crate) const ATTEMPTS: u32 = 5;

/// A stage, and how patient to be with it.
pub(crate) struct Handling<'a, S> {
    pub(crate) stage: &'a S,
    pub(crate) metrics: &'a Metrics,
    /// Once cancelled, nothing is tried again.
    pub(crate) cancel: &'a CancellationToken,
    /// Once lost, nothing is tried again either.
    pub(crate) lease: &'a Lease,
    /// How often to try while something outside is missing; `None` for as long as it takes.
    pub(crate) patience: Option<u32>,
}

/// What a stage is given.
#[derive(Clone, Copy)]
enum Given<'a> {
    Batch(&'a Batch),
    Time(&'a Source, Timestamp),
    /// What it has put off is due.
    PutOff(&'a Source),
}

impl<S: Stage> Handling<'_, S> {
    /// Handles a batch, again and again if need be. `None`: told to stop before it could be.
    pub(crate) async fn handle(&self, batch: &Batch) -> Result<Option<Output>, Failure> {
        match self.persist(Given::Batch(batch), ATTEMPTS).await {
            Err(Failure::Poison(_)) => self.take_apart(batch).await,
            handled => handled,
        }
    }

    /// Lets time pass for a source, in the same way. There is nothing that could be set aside.
    pub(crate) async fn tick(&self, source: &Source, now: Timestamp) -> Result<Option<Output>, Failure> {
        self.persist(Given::Time(source, now), ATTEMPTS).await
    }

    /// Has what was put off for a source made durable, in the same way; whether it was.
    pub(crate) async fn settle(&self, source: &Source) -> Result<bool, Failure> {
        self.persist(Given::PutOff(source), ATTEMPTS).await.map(|settled| settled.is_some())
    }

    /// Handles the parts one by one; the rows of those that fail still are rejected.
    async fn take_apart(&self, batch: &Batch) -> Result<Option<Output>, Failure> {
        let mut whole = Output::default();
        for page in parts(batch) {
            let part = Batch { source: batch.source.clone(), pages: vec![page.clone()] };
            match self.persist(Given::Batch(&part), 1).await {
                Ok(Some(output)) => {
                    whole.messages.extend(output.messages);
                    whole.rejected.extend(output.rejected);
                    whole.state.extend(output.state);
                    whole.settle_within = whole.settle_within.or(output.settle_within);
                }
                Ok(None) => return Ok(None),
                Err(failure @ Failure::Poison(_)) => whole.rejected.extend(rejected(&page, &failure)),
                Err(failure) => return Err(failure),
            }
        }
        Ok(Some(whole))
    }

    /// Tries until it works, until the input has failed `attempts` times, or until told to stop.
    async fn persist(&self, given: Given<'_>, attempts: u32) -> Result<Option<Output>, Failure> {
        let mut attempt = 0;
        loop {
            let failure = match self.attempt(given).await {
                Ok(output) => return Ok(Some(output)),
                Err(failure) => failure,
            };
            self.metrics.retried(&failure);
            attempt += 1;
            let given_up = match failure {
                Failure::Fatal(_) => true,
                Failure::Poison(_) => attempt >= attempts,
                Failure::Unavailable(_) => self.patience.is_some_and(|patience| attempt >= patience),
            };
            if given_up {
                return Err(failure);
            }
            let (pause, error) = (back_off(attempt), crate::cli::chain(&failure));
            let (Given::Batch(Batch { source, .. }) | Given::Time(source, _) | Given::PutOff(source)) = given;
            warn!(%source, attempt, pause_ms = pause.as_millis(), error, "batch failed; trying again");
            tokio::select! {
                () = self.cancel.cancelled() => return Ok(None),
                () = self.lease.lost() => return Ok(None),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One attempt; a panic is a failure of this input, not of the process.
    async fn attempt(&self, given: Given<'_>) -> Result<Output, Failure> {
        let _busy = self.metrics.busy();
        let work = async {
            match given {
                Given::Batch(batch) => self.stage.handle(batch).await,
                Given::Time(source, now) => self.stage.tick(source, now).await,
                Given::PutOff(source) => self.stage.settle(source).await.map(|()| Output::default()),
            }
        };
        std::panic::AssertUnwindSafe(work)
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| Err(Failure::Poison(format!("panicked: {}", panic_text(panic.as_ref())).into())))
    }
}

/// The smallest parts that have a position of their own, by which stages tell what they have
/// handled: the pages of a stream, the lines of a pipe.
fn parts(batch: &Batch) -> Vec<Page> {
    if batch.source != Source::Pipe {
        return batch.pages.clone();
    }
    let line = |(page, number, line): (&Page, u64, &[u8])| Page {
        sequence: number,
        subject: page.subject.clone(),
        first_line: number,
        received_at: page.received_at,
        body: page.body.slice_ref(line),
    };
    batch.lines().map(line).collect()
}

fn rejected(page: &Page, failure: &Failure) -> impl Iterator<Item = Rejection> {
    let error = crate::cli::chain(failure);
    error!(sequence = page.sequence, error, "cannot be handled");
    let reason = format!("failed {ATTEMPTS} times: {error}");
    page.lines().map(move |(line, _)| Rejection { sequence: page.sequence, line, reason: reason.clone() })
}

/// Until the stage has something to do though nothing arrives.
pub(crate) async fn until_due<S: Stage>(stage: &S, source: &Source) {
    loop {
        match stage.due(source).map(|at| (at - Utc::now()).to_std().unwrap_or_default()) {
            Some(Duration::ZERO) => return,
            wait => tokio::time::sleep(wait.unwrap_or(ASKED_AGAIN).min(ASKED_AGAIN)).await,
        }
    }
}

/// 0.1 s, doubled each time, 10 s at most.
pub(crate) fn back_off(attempt: u32) -> Duration {
    Duration::from_millis(100).saturating_mul(1 << attempt.min(7)).min(Duration::from_secs(10))
}

/// What a panic said.
#[must_use]
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
