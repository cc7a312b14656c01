//! Telling what is due: to all channels at once, to each in order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

use elava_schemas::{FindingId, micros};
use futures::future::join_all;
use tracing::{info, warn};

use crate::channel::stdout::Style;
use crate::channel::{Channel, Context, Refusal, Taken};
use crate::desk::Desk;
use crate::errand::Errand;
use crate::memory::Receipt;
use crate::pile::Spot;
use crate::shelf::Party;
use crate::{Clock, Patience};

/// What telling is done with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round<'a> {
    /// The sources of what is told, and which of them tells it.
    pub(crate) parties: &'a [Party],
    pub(crate) own: usize,
    pub(crate) patience: Patience,
    pub(crate) clock: Clock,
    /// Somebody waits for the pipe: a channel that is down is tried until patience ends, and the bus writes what
    /// standard output is told as NDJSON.
    pub(crate) in_pipe: bool,
}

/// Whether anything was told, and why not everything.
pub(crate) type Told = (bool, Option<Stop>);

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

/// The numbers of members, by source.
pub(crate) fn by_source(spots: &[Spot]) -> BTreeMap<usize, BTreeSet<u64>> {
    let mut orders: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
    for spot in spots {
        orders.entry(spot.source).or_default().insert(spot.order);
    }
    orders
}

impl Round<'_> {
    /// Tells everything, and notes how that went.
    pub(crate) async fn tell(&self, work: &[(&Desk, Vec<Errand>)]) -> Told {
        let told = join_all(work.iter().map(|(desk, errands)| self.tell_desk(desk, errands))).await;
        let mut all = false;
        let mut stop = None;
        for (any, stopped) in told {
            all |= any;
            // That standard output is closed ends the run; nothing else is as bad.
            if stop.is_none() || matches!(stopped, Some(Stop::Closed(_))) {
                stop = stopped.or(stop);
            }
        }
        (all, stop)
    }

    /// Tells one channel, in order; ends at the first that it cannot take now.
    async fn tell_desk(&self, desk: &Desk, errands: &[Errand]) -> Told {
        let mut threads: HashMap<&FindingId, String> = HashMap::new();
        for (number, errand) in errands.iter().enumerate() {
            let orders = by_source(&errand.spots);
            let parties = || orders.keys().map(|source| &self.parties[*source]);
            // Without the lease somebody else may tell it; and whoever is given back must know what was told.
            let is_ours =
                |party: &Party| party.lease.is_held() || party.shelf.source == self.parties[self.own].shelf.source;
            let begun: Option<Vec<_>> = parties().map(|party| party.shelf.begin()).collect();
            let Some(_telling) = begun.filter(|_| parties().all(is_ours)) else { return (number > 0, None) };
            let mut context = errand.context.clone();
            if context.thread.is_none() {
                context.thread = errand.findings.first().and_then(|finding| threads.get(finding)).cloned();
            }
            let receipt = match self.tell_one(desk, errand, &context).await {
                Ok(receipt) => receipt,
                Err(stop) => return (number > 0, Some(stop)),
            };
            if let Some(thread) = &receipt.thread {
                threads.extend(errand.findings.iter().map(|finding| (finding, thread.clone())));
            }
            for (source, orders) in &orders {
                self.parties[*source].shelf.memory().tell(&desk.name, orders, &receipt);
            }
        }
        (!errands.is_empty(), None)
    }

    async fn tell_one(&self, desk: &Desk, errand: &Errand, context: &Context) -> Result<Receipt, Stop> {
        let lease = &self.parties[self.own].lease;
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
                channel => channel.tell(&notice, context).await,
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
