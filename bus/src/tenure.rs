//! Runs a stage over the partitions of one lease, from when it is held until it is lost or given up.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::metrics::Metrics;
use crate::nats::Nats;
use crate::nats::feed::{Feed, Joining};
use crate::nats::source::SourceRunner;
use crate::run::BusError;
use crate::service::Service;
use crate::{Failure, Lease, PARTITIONS, Peers, Position, Source, Stage, StageSpec, Stream, request};

/// Where the stage comes from.
pub(crate) enum Supply<S> {
    /// It is there, and serves all groups.
    Ready(Arc<S>),
    /// It is opened once the lease on its group is held; in so many groups the partitions are leased.
    Opened(u16, Arc<Opener<S>>),
}

/// Opens the stage of a group.
pub(crate) type Opener<S> = dyn Fn(u16, Peers) -> Result<S, Failure> + Send + Sync;

impl<S> Clone for Supply<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Ready(stage) => Self::Ready(Arc::clone(stage)),
            Self::Opened(groups, open) => Self::Opened(*groups, Arc::clone(open)),
        }
    }
}

impl<S> Supply<S> {
    /// In how many groups the partitions are leased, each by one instance at a time.
    pub(crate) fn groups(&self) -> u16 {
        match self {
            Self::Ready(_) => PARTITIONS,
            Self::Opened(groups, _) => *groups,
        }
    }
}

/// What others are to know of the stage of a group.
pub(crate) type About = (u16, Option<String>);

/// A stage at work on one group of partitions.
pub(crate) struct Tenure<S> {
    pub(crate) group: u16,
    pub(crate) supply: Supply<S>,
    pub(crate) peers: Peers,
    /// Opened by an earlier tenure, and kept.
    pub(crate) opened: Option<Arc<S>>,
    pub(crate) nats: Nats,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) service: Arc<Service>,
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) lease: Lease,
    /// Ends it in good order.
    pub(crate) cancel: CancellationToken,
    /// Told what others are to know of the stage.
    pub(crate) about: UnboundedSender<About>,
}

/// How a tenure has ended.
pub(crate) struct Ended<S> {
    pub(crate) group: u16,
    /// What it has opened; still open. `None` where it could not be opened.
    pub(crate) opened: Option<Arc<S>>,
    pub(crate) outcome: Result<(), BusError>,
}

/// What one reader of a stage reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share {
    pub(crate) stream: Stream,
    /// 0 where it is all of them.
    pub(crate) partition: u16,
    /// Set where every group reads the whole stream: which group this is.
    pub(crate) whole: Option<u16>,
}

impl Share {
    /// The stored subjects that `stage` reads.
    pub(crate) fn filters(self, stage: &str) -> Vec<String> {
        let partitions =
            if self.whole.is_some() { 0..self.stream.partitions() } else { self.partition..self.partition + 1 };
        partitions.flat_map(|partition| self.stream.filters_of(stage, partition)).collect()
    }

    /// What it is for the stage. Where all groups are kept in one place, each has a name of its own.
    pub(crate) fn source(self, position: Position) -> Source {
        let group = self.whole.filter(|_| position == Position::Checkpoint);
        Source::Partition { stream: self.stream, partition: group.unwrap_or(self.partition) }
    }

    /// Whether what it cannot handle is left to another reader of the same.
    pub(crate) fn is_repeated(self) -> bool {
        self.whole.is_some_and(|group| group > 0)
    }
}

/// The group that a partition belongs to.
pub(crate) fn group_of(partition: u16, groups: u16) -> u16 {
    let group = u32::from(partition) * u32::from(groups) / u32::from(PARTITIONS);
    u16::try_from(group).expect("a group is no larger than a partition")
}

/// The sources of a group: its share of each input stream. What is not partitioned at all is read whole in every group,
/// which picks what is of its scopes; by a stage that keeps scopes by itself, what is not partitioned by scope, too.
pub(crate) fn sources(spec: &StageSpec, groups: u16, group: u16) -> Vec<Share> {
    let of_stream = |stream: &Stream| -> Vec<Share> {
        let is_whole = stream.partitions() == 1 || (spec.position == Position::Own && !stream.is_scoped());
        if groups > 1 && is_whole {
            return vec![Share { stream: *stream, partition: 0, whole: Some(group) }];
        }
        let own = (0..stream.partitions()).filter(|partition| group_of(*partition, groups) == group);
        own.map(|partition| Share { stream: *stream, partition, whole: None }).collect()
    };
    spec.inputs.iter().flat_map(of_stream).collect()
}

impl<S: Stage> Tenure<S> {
    /// Until the lease is lost or everything begun is finished after `cancel`.
    pub(crate) async fn run(self) -> Ended<S> {
        let group = self.group;
        let sources = sources(&S::SPEC, self.supply.groups(), group);
        let _expected = self.metrics.expects(sources.len());
        let stage = match self.stage().await {
            Ok(Some(stage)) => stage,
            Ok(None) => return Ended { group, opened: None, outcome: Ok(()) },
            Err(error) => return Ended { group, opened: None, outcome: Err(error) },
        };
        // nobody listens once the instance has ended
        drop(self.about.send((group, stage.about())));
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
            Supply::Opened(_, open) => Arc::clone(open),
        };
        let (group, peers) = (self.group, self.peers.clone());
        match spawn_blocking(move || open(group, peers)).await.map_err(BusError::Panicked)? {
            Ok(stage) => Ok(Some(Arc::new(stage))),
            Err(error @ Failure::Unavailable(_)) => {
                warn!(group, error = %crate::cli::chain(&error), "cannot begin, though nobody else has the lease; trying again");
                Ok(None)
            }
            Err(error) => Err(BusError::Stage(error)),
        }
    }

    /// Removes the consumers that were used when the partitions were in another number of groups: nobody reads by
    /// them, and they would look as if something was still to be done.
    async fn forget_others(&self) {
        let groups = self.supply.groups();
        for stream in S::SPEC.inputs.iter().filter(|stream| !stream.is_scoped()).copied() {
            let used: Vec<Share> = (0..groups).flat_map(|group| sources(&S::SPEC, groups, group)).collect();
            let by_partition = (0..stream.partitions()).map(|partition| Share { stream, partition, whole: None });
            let by_group = (0..PARTITIONS).map(|group| Share { stream, partition: 0, whole: Some(group) });
            for share in by_partition.chain(by_group).filter(|share| !used.contains(share)) {
                self.nats.forget_reader(S::SPEC.name, share).await;
            }
        }
    }

    /// One for each stream of which the lease covers several partitions, for good: a lease on one partition can move
    /// while others stay. Only where no position depends on whether more of a partition waits, which is not known of
    /// several.
    fn feeds(&self, sources: &[Share], running: &mut JoinSet<Result<(), BusError>>) -> BTreeMap<Stream, Joining> {
        if !matches!(self.supply, Supply::Opened(..)) || S::SPEC.position != Position::Own {
            return BTreeMap::new();
        }
        let together = sources.chunk_by(|one, other| one.stream == other.stream).filter(|shares| shares.len() > 1);
        let feeds = together.map(|shares| {
            let feed = Feed::new(self.nats.clone(), S::SPEC.name, shares.to_vec(), self.lease.clone());
            let (joining, joins) = feed.doors();
            let cancel = self.cancel.clone();
            running.spawn(async move {
                feed.run(joins, cancel).await;
                Ok(())
            });
            (shares[0].stream, joining)
        });
        feeds.collect()
    }

    async fn work(&self, stage: &Arc<S>, sources: &[Share]) -> Result<(), BusError> {
        let beside = self.cancel.child_token();
        let mut answers = JoinSet::new();
        if matches!(self.supply, Supply::Opened(..)) {
            let (nats, service) = (self.nats.clone(), Arc::clone(&self.service));
            answers.spawn(request::answer_for(nats, Arc::clone(stage), service, Some(self.group), beside.clone()));
        }
        let mut rooms = JoinSet::new();
        let is_first = |share: &Share| (share.stream, share.partition) == (Stream::Observation, 0);
        if S::SPEC.position == Position::Own && sources.iter().any(is_first) {
            // The history holds what the observations showed; the stream must not fill up with them.
            rooms.spawn(self.nats.clone().keep_room(S::SPEC.name, Stream::Observation));
        }
        if self.group == 0 && S::SPEC.position == Position::Own {
            self.forget_others().await;
        }
        let mut runners = JoinSet::new();
        let feeds = self.feeds(sources, &mut runners);
        for &share in sources {
            let runner = SourceRunner {
                stage: Arc::clone(stage),
                nats: self.nats.clone(),
                share,
                source: share.source(S::SPEC.position),
                metrics: Arc::clone(&self.metrics),
                cancel: self.cancel.clone(),
                in_flight: Arc::clone(&self.in_flight),
                lease: self.lease.clone(),
                feed: feeds.get(&share.stream).cloned(),
            };
            runners.spawn(runner.run());
        }
        // a feed ends when nobody can join any more
        drop(feeds);
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

    fn spec(position: Position) -> StageSpec {
        StageSpec {
            name: "test",
            inputs: &[Stream::Observation, Stream::Decision, Stream::Execution],
            output: None,
            consumes: |_| Consumes::Takes,
            position,
            batch_pages: 1,
            in_flight: 1,
            health_port: 0,
        }
    }

    #[test]
    fn groups_share_the_partitions() {
        for (groups, each, whole) in [(1, 33, 0), (2, 17, 2), (4, 9, 4), (16, 3, 16)] {
            let spec = spec(Position::Checkpoint);
            let all: Vec<_> = (0..groups).map(|group| sources(&spec, groups, group)).collect();
            assert!(all.iter().all(|sources| sources.len() == each), "{groups}");
            let mut found = all.concat();
            found.sort_unstable();
            found.dedup();
            assert_eq!(found.len(), usize::from(groups) * each, "each once");
            let of_all: Vec<&Share> = found.iter().filter(|share| share.whole.is_some()).collect();
            assert_eq!(of_all.len(), whole);
            assert!(of_all.iter().all(|share| share.stream == Stream::Execution));
            let mut names: Vec<Source> = found.iter().map(|share| share.source(spec.position)).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), found.len(), "each has a state of its own");
        }
    }

    #[test]
    fn every_shard_reads_all_that_is_not_partitioned_by_scope() {
        let spec = spec(Position::Own);
        assert_eq!(sources(&spec, 1, 0).len(), 33);
        for group in 0..4 {
            let found = sources(&spec, 4, group);
            let (scoped, whole): (Vec<Share>, Vec<Share>) = found.into_iter().partition(|share| share.whole.is_none());
            let partitions: Vec<u16> = scoped.iter().map(|share| share.partition).collect();
            assert_eq!(partitions, (group * 4..group * 4 + 4).collect::<Vec<u16>>());
            assert!(scoped.iter().all(|share| share.stream == Stream::Observation));
            let streams: Vec<(Stream, usize)> =
                whole.iter().map(|share| (share.stream, share.filters("detector").len())).collect();
            assert_eq!(streams, [(Stream::Decision, 16), (Stream::Execution, Stream::Execution.subjects().count())]);
            assert!(whole.iter().all(|share| share.is_repeated() == (group > 0)));
        }
    }
}
