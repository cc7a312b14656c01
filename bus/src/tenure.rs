//! Runs a stage over the partitions of one lease, from when it is held until it is lost or given up.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::metrics::Metrics;
use crate::nats::Nats;
use crate::nats::source::SourceRunner;
use crate::run::BusError;
use crate::service::Service;
use crate::{Failure, Lease, PARTITIONS, Position, Source, Stage, StageSpec, Stream, request};

/// Where the stage comes from.
pub(crate) enum Supply<S> {
    /// It is there, and serves all groups.
    Ready(Arc<S>),
    /// It is opened once the lease on its group is held.
    Opened(Arc<Opener<S>>),
}

/// Opens the stage of a group.
pub(crate) type Opener<S> = dyn Fn(u16) -> Result<S, Failure> + Send + Sync;

impl<S> Clone for Supply<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Ready(stage) => Self::Ready(Arc::clone(stage)),
            Self::Opened(open) => Self::Opened(Arc::clone(open)),
        }
    }
}

/// A stage at work on one group of partitions.
pub(crate) struct Tenure<S> {
    pub(crate) group: u16,
    pub(crate) supply: Supply<S>,
    /// Opened by an earlier tenure, and kept.
    pub(crate) opened: Option<Arc<S>>,
    pub(crate) nats: Nats,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) service: Arc<Service>,
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) lease: Lease,
    /// Ends it in good order.
    pub(crate) cancel: CancellationToken,
}

/// How a tenure has ended.
pub(crate) struct Ended<S> {
    pub(crate) group: u16,
    /// What it has opened; still open. `None` where it could not be opened.
    pub(crate) opened: Option<Arc<S>>,
    pub(crate) outcome: Result<(), BusError>,
}

/// The sources of a group: its share of each input stream.
pub(crate) fn sources(spec: &StageSpec, group: u16) -> Vec<(Stream, u16)> {
    let of_group =
        |partition: &u16| u32::from(*partition) * u32::from(spec.groups) / u32::from(PARTITIONS) == u32::from(group);
    let all = spec.inputs.iter().flat_map(|stream| (0..stream.partitions()).map(|partition| (*stream, partition)));
    all.filter(|(_, partition)| of_group(partition)).collect()
}

impl<S: Stage> Tenure<S> {
    /// Until the lease is lost or everything begun is finished after `cancel`.
    pub(crate) async fn run(self) -> Ended<S> {
        let group = self.group;
        let sources = sources(&S::SPEC, group);
        let _expected = self.metrics.expects(sources.len());
        let stage = match self.stage().await {
            Ok(Some(stage)) => stage,
            Ok(None) => return Ended { group, opened: None, outcome: Ok(()) },
            Err(error) => return Ended { group, opened: None, outcome: Err(error) },
        };
        let outcome = self.work(&stage, &sources).await;
        Ended { group, opened: Some(stage), outcome }
    }

    /// The stage of this group; `None` when it cannot be opened now.
    async fn stage(&self) -> Result<Option<Arc<S>>, BusError> {
        if let Some(stage) = &self.opened {
            return Ok(Some(Arc::clone(stage)));
        }
        let open = match &self.supply {
            Supply::Ready(stage) => return Ok(Some(Arc::clone(stage))),
            Supply::Opened(open) => Arc::clone(open),
        };
        let group = self.group;
        match spawn_blocking(move || open(group)).await.map_err(BusError::Panicked)? {
            Ok(stage) => Ok(Some(Arc::new(stage))),
            Err(error @ Failure::Unavailable(_)) => {
                warn!(group, error = %crate::cli::chain(&error), "cannot begin, though nobody else has the lease; trying again");
                Ok(None)
            }
            Err(error) => Err(BusError::Stage(error)),
        }
    }

    async fn work(&self, stage: &Arc<S>, sources: &[(Stream, u16)]) -> Result<(), BusError> {
        let beside = self.cancel.child_token();
        let mut answers = JoinSet::new();
        if matches!(self.supply, Supply::Opened(_)) {
            let (nats, service) = (self.nats.clone(), Arc::clone(&self.service));
            answers.spawn(request::answer_for(nats, Arc::clone(stage), service, beside.clone()));
        }
        let mut rooms = JoinSet::new();
        for (stream, _) in
            sources.iter().filter(|source| S::SPEC.position == Position::Own && **source == (Stream::Observation, 0))
        {
            // The history holds what the observations showed; the stream must not fill up with them.
            rooms.spawn(self.nats.clone().keep_room(S::SPEC.name, *stream));
        }
        let mut runners = JoinSet::new();
        for &(stream, partition) in sources {
            let runner = SourceRunner {
                stage: Arc::clone(stage),
                nats: self.nats.clone(),
                source: Source::Partition { stream, partition },
                metrics: Arc::clone(&self.metrics),
                cancel: self.cancel.clone(),
                in_flight: Arc::clone(&self.in_flight),
                lease: self.lease.clone(),
            };
            runners.spawn(runner.run(stream, partition));
        }
        let mut outcome = Ok(());
        while let Some(ended) = runners.join_next().await {
            let ended = ended.unwrap_or_else(|panic| Err(BusError::Panicked(panic)));
            if outcome.is_ok() && ended.is_err() {
                self.cancel.cancel();
                outcome = ended;
            }
        }
        beside.cancel();
        // whoever asks holds the stage
        while let Some(ended) = answers.join_next().await {
            let ended = ended.map_err(BusError::Panicked).and_then(|answered| answered.map_err(BusError::Nats));
            outcome = outcome.and(ended);
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Consumes;

    #[test]
    fn groups_share_the_partitions() {
        let spec = |groups| StageSpec {
            name: "test",
            inputs: &[Stream::Observation, Stream::Execution],
            output: None,
            consumes: |_| Consumes::Takes,
            position: Position::Checkpoint,
            groups,
            batch_pages: 1,
            in_flight: 1,
            health_port: 0,
        };
        for (groups, first, last) in [(1, 17, 17), (2, 9, 8), (4, 5, 4), (16, 2, 1)] {
            let spec = spec(groups);
            let all: Vec<_> = (0..groups).map(|group| sources(&spec, group)).collect();
            assert_eq!((all[0].len(), all[all.len() - 1].len()), (first, last), "{groups}");
            let mut found = all.concat();
            found.sort_unstable();
            found.dedup();
            assert_eq!(found.len(), 17, "each once");
            assert!(all[0].contains(&(Stream::Execution, 0)));
        }
    }
}
