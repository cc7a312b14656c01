//! Telling what is due: to all channels at once, to each in order.

use std::collections::HashMap;
use std::io;

use elava_bus::Lease;
use elava_schemas::{FindingId, micros};
use futures::future::join_all;
use tracing::{info, warn};

use crate::channel::stdout::Style;
use crate::channel::{Channel, Refusal, Taken};
use crate::desk::Desk;
use crate::errand::Errand;
use crate::memory::{Receipt, Spot};
use crate::{Clock, Patience};

/// What telling is done with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) patience: Patience,
    pub(crate) clock: Clock,
    /// Somebody waits for the pipe: a channel that is down is tried until patience ends, and the bus writes what
    /// standard output is told as NDJSON.
    pub(crate) in_pipe: bool,
}

/// Members that were told, and how.
pub(crate) type Done = (Vec<Spot>, Receipt);

/// Why not everything was told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error("{channel} did not take a decision in {attempts} attempts: {error}")]
    Exhausted { channel: String, attempts: u32, error: String },
    #[error("too much waits for channels that are down")]
    Full,
    #[error("another instance may have taken over")]
    NotOurs,
    #[error("cannot write notifications to standard output")]
    Closed(#[source] io::Error),
}

impl Round {
    /// Tells everything; never without the lease, because somebody else may tell it then.
    pub(crate) async fn tell(&self, work: Vec<(&Desk, Vec<Errand>)>, lease: &Lease) -> (Vec<Done>, Option<Stop>) {
        let told = join_all(work.into_iter().map(|(desk, errands)| self.tell_desk(desk, errands, lease))).await;
        let mut all = Vec::new();
        let mut stop = None;
        for (done, stopped) in told {
            all.extend(done);
            // That standard output is closed ends the run; nothing else is as bad.
            if stop.is_none() || matches!(stopped, Some(Stop::Closed(_))) {
                stop = stopped.or(stop);
            }
        }
        (all, stop)
    }

    /// Tells one channel, in order; ends at the first that it cannot take now.
    async fn tell_desk(&self, desk: &Desk, errands: Vec<Errand>, lease: &Lease) -> (Vec<Done>, Option<Stop>) {
        let mut done = Vec::new();
        let mut threads: HashMap<FindingId, String> = HashMap::new();
        for mut errand in errands {
            if errand.context.thread.is_none() {
                errand.context.thread = errand.findings.first().and_then(|finding| threads.get(finding)).cloned();
            }
            match self.tell_one(desk, &errand, lease).await {
                Ok(receipt) => {
                    if let Some(thread) = &receipt.thread {
                        threads.extend(errand.findings.into_iter().map(|finding| (finding, thread.clone())));
                    }
                    done.push((errand.spots, receipt));
                }
                Err(stop) => return (done, Some(stop)),
            }
        }
        (done, None)
    }

    async fn tell_one(&self, desk: &Desk, errand: &Errand, lease: &Lease) -> Result<Receipt, Stop> {
        let mut notice = errand.notice();
        if let Some(words) = &desk.words {
            words.apply(&mut notice);
        }
        let place = desk.channel.place(&desk.name, notice.severity());
        let receipt = |attempts, thread, error| Receipt {
            at: micros((self.clock)()),
            attempts,
            place: place.clone(),
            error,
            thread,
        };
        loop {
            if !lease.is_held() {
                return Err(Stop::NotOurs);
            }
            let told = match &desk.channel {
                Channel::Stdout(stdout) if self.in_pipe && stdout.style == Style::Ndjson => Ok(Taken::default()),
                channel => channel.tell(&notice, &errand.context).await,
            };
            let attempts = desk.failures() + 1;
            let (after, error) = match told {
                Ok(taken) => {
                    desk.took();
                    return Ok(receipt(attempts, taken.thread, None));
                }
                Err(Refusal::Never { error }) => {
                    desk.took();
                    warn!(channel = place, notice = errand.id, error, "refused for good");
                    return Ok(receipt(attempts, None, Some(error)));
                }
                Err(Refusal::Closed(error)) => return Err(Stop::Closed(error)),
                Err(Refusal::Later { after, error }) => (after, error),
            };
            let pause = desk.refused(&self.patience, after);
            info!(channel = place, notice = errand.id, attempts, error, ?pause, "channel will be tried again");
            if !self.in_pipe || attempts >= self.patience.attempts {
                return Err(Stop::Exhausted { channel: place, attempts, error });
            }
            lease.guard(tokio::time::sleep(pause)).await.ok_or(Stop::NotOurs)?;
        }
    }
}
