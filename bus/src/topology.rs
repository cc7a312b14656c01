//! The streams, one a concern, what they promise, who writes and who reads them, and what is asked of whom.
//!
//! [`crate::access`] makes permissions of it: what does not stand here, nobody may do.

use std::time::Duration;

use crate::access::User;

/// Partitions of every partitioned stream. Changing it is a drained, documented step.
pub const PARTITIONS: u16 = 16;

/// A durable stream: the write-ahead log of one concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// Observations and scan reports.
    Observation,
    /// Changes.
    Change,
    /// Policy results.
    Policy,
    /// Decisions.
    Decision,
    /// Executions, deliveries and approvals.
    Execution,
    /// What could not be handled.
    Dead,
}

/// What is stored: in which stream, on which subject, and by whom alone. None: by every stage, with its
/// own name in place of the `*`.
pub(crate) const STORED: [(Stream, &str, Option<User>); 8] = [
    (Stream::Observation, "elava.observation.*.*.*.*", Some(User::Observer)),
    (Stream::Change, "elava.change.*.*.*.*", Some(User::Detector)),
    (Stream::Policy, "elava.policy.*.*.*.*", Some(User::Enforcer)),
    (Stream::Decision, "elava.decision.*.*.*.*", Some(User::Decider)),
    (Stream::Execution, "elava.execution.*.*.*.*", Some(User::Executor)),
    (Stream::Execution, "elava.delivery.*.*.*", Some(User::Notifier)),
    (Stream::Execution, "elava.approval", Some(User::Elava)),
    (Stream::Dead, "elava.dead.*", None),
];

/// Requests over core NATS, and who answers them.
pub(crate) const ASKED: [(&str, User); 5] = [
    (ask::QUERY, User::Detector),
    (ask::EXPORT, User::Detector),
    (ask::CURRENT, User::Detector),
    (ask::EVALUATE, User::Enforcer),
    (ask::SCAN, User::Observer),
];

/// The subjects of requests.
pub mod ask {
    /// The history is asked.
    pub const QUERY: &str = "elava.history.query";
    /// A copy of the history is wanted.
    pub const EXPORT: &str = "elava.history.export";
    /// Current resources are wanted, as policies are given them; of the detector that has their partition.
    pub const CURRENT: &str = "elava.history.current";
    /// All of them, or one, are to be evaluated again.
    pub const EVALUATE: &str = "elava.evaluation.request";
    /// A scan is wanted.
    pub const SCAN: &str = "elava.scan.request";
}

/// The streams that each stage reads.
pub mod reads {
    use super::Stream;

    /// Observations to compare, and as recorder everything later.
    pub const DETECTOR: &[Stream] = &[Stream::Observation, Stream::Policy, Stream::Decision, Stream::Execution];
    /// What changed.
    pub const ENFORCER: &[Stream] = &[Stream::Change];
    /// What changed, what breaks a policy, what people say and what came of it.
    pub const DECIDER: &[Stream] = &[Stream::Change, Stream::Policy, Stream::Execution];
    /// What is to be told.
    pub const NOTIFIER: &[Stream] = &[Stream::Decision];
    /// What is to be done, and what of it is approved.
    pub const EXECUTOR: &[Stream] = &[Stream::Decision, Stream::Execution];

    /// How many partitions detector, enforcer, decider and notifier read; what is not partitioned by scope, each of
    /// several shards reads whole, and what is not partitioned at all, each group.
    #[must_use]
    pub fn partitions(shards: u16) -> usize {
        let of_detector = DETECTOR.iter().map(|stream| match stream {
            _ if shards == 1 || stream.is_scoped() => stream.partitions(),
            _ => shards,
        });
        let of_others = [ENFORCER, DECIDER, NOTIFIER].concat().into_iter().map(|_| super::PARTITIONS);
        of_detector.chain(of_others).map(usize::from).sum()
    }
}

impl Stream {
    /// Every stream.
    pub const ALL: [Self; 6] =
        [Self::Observation, Self::Change, Self::Policy, Self::Decision, Self::Execution, Self::Dead];

    /// Its name in JetStream.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Observation => "OBSERVATION",
            Self::Change => "CHANGE",
            Self::Policy => "POLICY",
            Self::Decision => "DECISION",
            Self::Execution => "EXECUTION",
            Self::Dead => "DEAD",
        }
    }

    /// How many partitions it has.
    #[must_use]
    pub fn partitions(self) -> u16 {
        match self {
            Self::Observation | Self::Change | Self::Policy | Self::Decision => PARTITIONS,
            Self::Execution | Self::Dead => 1,
        }
    }

    /// The subjects it takes, besides the checkpoints of the stage that writes it.
    pub(crate) fn subjects(self) -> impl Iterator<Item = &'static str> {
        STORED.iter().filter(move |(stream, ..)| *stream == self).map(|(_, subject, _)| *subject)
    }

    /// The stages whose checkpoints are stored in it.
    pub(crate) fn writers(self) -> &'static [&'static str] {
        match self {
            Self::Change => &["detector"],
            Self::Policy => &["enforcer"],
            Self::Decision => &["decider"],
            Self::Execution => &["notifier", "executor"],
            Self::Observation | Self::Dead => &[],
        }
    }

    /// How a published subject becomes a stored one: source and destination.
    pub(crate) fn partitioning(self) -> Option<(&'static str, String)> {
        let scoped = |source: &'static str, word: &str| {
            let stored = format!(
                "elava.{word}.{{{{partition({PARTITIONS},1,2,3,4)}}}}.{{{{wildcard(1)}}}}.{{{{wildcard(2)}}}}.{{{{wildcard(3)}}}}.{{{{wildcard(4)}}}}"
            );
            Some((source, stored))
        };
        match self {
            Self::Observation => scoped("elava.observation.*.*.*.*", "observation"),
            Self::Change => scoped("elava.change.*.*.*.*", "change"),
            Self::Policy => scoped("elava.policy.*.*.*.*", "policy"),
            // action, severity, provider, account: one account's decisions stay in order
            Self::Decision => Some((
                "elava.decision.*.*.*.*",
                format!(
                    "elava.decision.{{{{partition({PARTITIONS},3,4)}}}}.{{{{wildcard(1)}}}}.{{{{wildcard(2)}}}}.{{{{wildcard(3)}}}}.{{{{wildcard(4)}}}}"
                ),
            )),
            Self::Execution | Self::Dead => None,
        }
    }

    /// Whether all of a scope is in one partition.
    pub(crate) fn is_scoped(self) -> bool {
        match self {
            Self::Observation | Self::Change | Self::Policy => true,
            Self::Decision | Self::Execution | Self::Dead => false,
        }
    }

    /// The stored subjects of one partition.
    fn filters(self, partition: u16) -> Vec<String> {
        match self {
            Self::Observation => vec![format!("elava.observation.{partition}.>")],
            Self::Change => vec![format!("elava.change.{partition}.>")],
            Self::Policy => vec![format!("elava.policy.{partition}.>")],
            Self::Decision => vec![format!("elava.decision.{partition}.>")],
            Self::Execution | Self::Dead => self.subjects().map(str::to_owned).collect(),
        }
    }

    /// As [`Self::filters`], without what `stage` has no use for: most of EXECUTION are deliveries.
    pub(crate) fn filters_of(self, stage: &str, partition: u16) -> Vec<String> {
        let is_used = |subject: &String| stage == User::Detector.name() || !subject.starts_with("elava.delivery.");
        self.filters(partition).into_iter().filter(is_used).collect()
    }

    /// The stored subjects of several of its partitions: of all, if they are all.
    pub(crate) fn filters_of_several(self, partitions: impl Iterator<Item = u16>) -> Vec<String> {
        let filters: Vec<String> = partitions.flat_map(|partition| self.filters(partition)).collect();
        match filters.first() {
            // a stored subject begins with two words and the partition
            Some(first) if filters.len() == usize::from(self.partitions()) => {
                vec![first.split('.').take(2).collect::<Vec<_>>().join(".") + ".>"]
            }
            _ => filters,
        }
    }

    /// In which partition a stored subject is.
    pub(crate) fn partition_of(self, subject: &str) -> Option<u16> {
        self.partitioning()?;
        subject.split('.').nth(2)?.parse().ok().filter(|partition| *partition < self.partitions())
    }

    /// How long it keeps messages. The others are the audit trail and keep them until the byte limit.
    pub(crate) fn max_age(self) -> Option<Duration> {
        const DAY: Duration = Duration::from_secs(86_400);
        match self {
            Self::Observation => Some(7 * DAY),
            Self::Change | Self::Policy => Some(90 * DAY),
            Self::Decision | Self::Execution | Self::Dead => None,
        }
    }

    /// Whether messages can be deleted or purged.
    pub(crate) fn is_audit_trail(self) -> bool {
        matches!(self, Self::Decision | Self::Execution | Self::Dead)
    }

    /// Whether a checkpoint takes the place of the one before it. In an audit trail nothing can.
    pub(crate) fn rolls_up_checkpoints(self) -> bool {
        !self.writers().is_empty() && !self.is_audit_trail()
    }
}
