//! One instance of a stage among others: it works on the groups of partitions whose leases it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::handling::back_off;
use crate::lease::Lease;
use crate::lease::holder::{Holder, News};
use crate::metrics::Metrics;
use crate::nats::Nats;
use crate::run::{BusError, DRAIN};
use crate::service::Service;
use crate::tenure::{About, Ended, Supply, Tenure};
use crate::{Peers, Stage};

/// An instance at work.
pub(crate) struct Instance<S: Stage> {
    nats: Nats,
    metrics: Arc<Metrics>,
    service: Arc<Service>,
    supply: Supply<S>,
    holder: Holder,
    cancel: CancellationToken,
    in_flight: Arc<Semaphore>,
    peers: Peers,
    /// What stages that were opened say of themselves.
    about: (UnboundedSender<About>, UnboundedReceiver<About>),
    tenures: JoinSet<Ended<S>>,
    /// Ends the tenure of a group.
    working: BTreeMap<u16, CancellationToken>,
    /// Stages opened for groups that were lost: nobody else has been seen with the lease yet.
    kept: BTreeMap<u16, Arc<S>>,
    /// Groups whose stage could not be opened, how often, and until when others may try.
    refused: BTreeMap<u16, (u32, Instant)>,
}

impl<S: Stage> Instance<S> {
    pub(crate) fn new(
        nats: Nats,
        metrics: Arc<Metrics>,
        service: Arc<Service>,
        supply: Supply<S>,
        holder: Holder,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            nats,
            metrics,
            service,
            supply,
            holder,
            cancel,
            in_flight: Arc::new(Semaphore::new(S::SPEC.in_flight)),
            peers: Peers::default(),
            about: unbounded_channel(),
            tenures: JoinSet::new(),
            working: BTreeMap::new(),
            kept: BTreeMap::new(),
            refused: BTreeMap::new(),
        }
    }

    /// Until told to stop, or until it cannot go on. What was begun is finished.
    pub(crate) async fn run(mut self) -> Result<(), BusError> {
        let mut next = Instant::now();
        let cancel = self.cancel.clone();
        let result = loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => break Ok(()),
                Some(ended) = self.tenures.join_next() => if let Err(error) = self.ended(ended).await {
                    break Err(error);
                },
                Some((group, about)) = self.about.1.recv() => {
                    self.holder.say(group, about);
                    next = Instant::now();
                }
                () = sleep_until(next) => match self.look().await {
                    Ok(at) => next = at,
                    Err(error) => break Err(error),
                },
            }
        };
        cancel.cancel();
        self.drain(result).await
    }

    /// Looks at the leases, and does what follows; when to look again.
    async fn look(&mut self) -> Result<Instant, BusError> {
        let refused = self.refused.iter().filter(|(_, (_, until))| Instant::now() < *until).map(|(group, _)| group);
        let busy: BTreeSet<u16> = self.working.keys().chain(refused).copied().collect();
        let looked = self.holder.look(&busy).await;
        self.metrics.holds(self.holder.partitions());
        let News { taken, give_up, others, about, differs, next } = match looked {
            Ok(news) => news,
            Err(error) => {
                warn!(error = %crate::cli::chain(&error), "cannot look at the leases; trying again");
                self.metrics.joined(self.holder.is_living());
                return Ok(Instant::now() + self.holder.pause());
            }
        };
        if let Some((by, groups)) = differs {
            return Err(BusError::Groups { stage: S::SPEC.name, by, groups, ours: self.supply.groups() });
        }
        self.peers.are(about);
        // what cannot be opened, though nobody else has it, is not standing by
        let is_stuck =
            self.refused.keys().any(|group| !others.contains_key(group) && !self.working.contains_key(group));
        self.metrics.joined(self.holder.is_living() && !is_stuck);
        for group in give_up {
            info!(stage = S::SPEC.name, group, "given up for another instance");
            self.working.get(&group).inspect(|cancel| cancel.cancel());
        }
        for (group, lease) in taken {
            self.begin(group, lease);
        }
        self.metrics.holds(self.holder.partitions());
        let taken_over = self.kept.keys().find_map(|group| others.get(group));
        match taken_over {
            Some(by) => Err(BusError::TakenOver { stage: S::SPEC.name, by: by.clone() }),
            None => Ok(next),
        }
    }

    fn begin(&mut self, group: u16, lease: Lease) {
        info!(stage = S::SPEC.name, group, instance = self.holder.instance(), "lease taken");
        let cancel = self.cancel.child_token();
        self.working.insert(group, cancel.clone());
        let tenure = Tenure {
            group,
            supply: self.supply.clone(),
            peers: self.peers.clone(),
            opened: self.kept.remove(&group),
            nats: self.nats.clone(),
            metrics: Arc::clone(&self.metrics),
            service: Arc::clone(&self.service),
            in_flight: Arc::clone(&self.in_flight),
            lease,
            cancel,
            about: self.about.0.clone(),
        };
        self.tenures.spawn(tenure.run());
    }

    /// A tenure has ended: its lease is lost, or given back now.
    async fn ended(&mut self, ended: Result<Ended<S>, JoinError>) -> Result<(), BusError> {
        let Ended { group, opened, outcome } = ended.map_err(BusError::Panicked)?;
        self.working.remove(&group);
        if matches!(self.supply, Supply::Opened(..)) {
            match opened {
                None => {
                    let times = self.refused.get(&group).map_or(1, |(times, _)| times + 1);
                    self.refused.insert(group, (times, Instant::now() + back_off(times)));
                }
                Some(stage) => {
                    self.refused.remove(&group);
                    let is_lost = outcome.is_ok() && !self.cancel.is_cancelled() && !self.holder.holds(group);
                    // not opened again for a server that was away for a moment
                    if is_lost {
                        self.kept.insert(group, stage);
                    } else {
                        close(stage).await?;
                    }
                }
            }
        }
        self.holder.release(group).await;
        self.metrics.holds(self.holder.partitions());
        outcome
    }

    /// Finishes what was begun, and gives everything back.
    async fn drain(mut self, mut result: Result<(), BusError>) -> Result<(), BusError> {
        self.holder.leave().await;
        let deadline = sleep(DRAIN);
        tokio::pin!(deadline);
        while !self.tenures.is_empty() {
            tokio::select! {
                () = &mut deadline => return result.and(Err(BusError::Drain)),
                Some(ended) = self.tenures.join_next() => {
                    let ended = self.ended(ended).await;
                    result = result.and(ended);
                }
                () = sleep_until(self.holder.renew_at()) => self.holder.renew_each().await,
            }
        }
        for stage in std::mem::take(&mut self.kept).into_values() {
            close(stage).await?;
        }
        result
    }
}

/// Closes a stage; that may take a while.
async fn close<S: Stage>(stage: Arc<S>) -> Result<(), BusError> {
    spawn_blocking(move || drop(stage)).await.map_err(BusError::Panicked)
}
