//! Which faults strike, where in the input, and for how long. Pure: the same seed makes the same plan.

use std::time::Duration;

use clap::ValueEnum;
use fastrand::Rng;

/// A sort of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// SIGKILL of a stage's instance
    Kill,
    /// SIGSTOP of an instance for longer than its leases last, then SIGCONT
    Freeze,
    /// The connections of an instance to NATS are closed, and refused for a while
    Cut,
    /// Nothing passes between an instance and NATS for a while, and no connection is closed
    Stall,
    /// SIGKILL of nats-server
    ServerKill,
    /// SIGSTOP of nats-server, then SIGCONT
    ServerFreeze,
    /// A stream takes no more bytes for a while
    StreamFull,
    /// The detector cannot write its history for a while
    HistoryFull,
    /// The receiver of notifications answers 503 for a while
    ReceiverDown,
    /// Connections to the cloud are cut for a while, in the middle of listings too
    CloudCut,
    /// A page that was published before is published again
    Duplicate,
    /// One row of a page that was published before is published again
    Late,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Before which page of the input.
    pub(crate) at: usize,
    /// Once the stage that it strikes, else the detector, has at most so many messages to read.
    pub(crate) unread: u64,
    pub(crate) blow: Blow,
    pub(crate) lasts: Duration,
}

/// Whom it strikes, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    Instance(Kind, Target),
    Server(Kind),
    StreamFull(&'static str),
    HistoryFull,
    ReceiverDown,
    CloudCut,
    /// Of the page so many before.
    Duplicate {
        back: usize,
    },
    /// Likewise, and which of its rows.
    Late {
        back: usize,
        row: usize,
    },
}

/// One instance of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) stage: &'static str,
    pub(crate) number: usize,
}

/// The stages that read a stream, in order.
pub(crate) const READERS: [&str; 4] = ["detector", "enforcer", "decider", "notifier"];
pub(crate) const OBSERVER: &str = "observer";
/// Those that can fill up.
const STREAMS: [&str; 7] = ["OBSERVATION", "CHANGE", "POLICY", "DECISION", "EXECUTION", "DEAD", "KV_elava_state"];

/// How many instances of a stage share its work.
pub(crate) fn instances(stage: &str) -> usize {
    if stage == OBSERVER { 3 } else { 2 }
}

/// What a plan is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent<'a> {
    pub(crate) faults: usize,
    /// The stages that run.
    pub(crate) stages: &'a [&'static str],
    /// Of these kinds.
    pub(crate) kinds: &'a [Kind],
    /// Pages of the input.
    pub(crate) pages: usize,
    /// How many of the pages published last can be published again.
    pub(crate) remembered: usize,
    /// Freezes of more than the 60 s after which the server delivers again.
    pub(crate) long_freezes: usize,
}

/// As many faults of each kind as of the others, in random order, at random places.
pub(crate) fn plan(seed: u64, extent: Extent) -> Vec<Fault> {
    let mut random = Rng::with_seed(seed);
    let mut kinds: Vec<Kind> = extent.kinds.iter().copied().cycle().take(extent.faults).collect();
    random.shuffle(&mut kinds);
    let mut places: Vec<usize> = kinds.iter().map(|_| random.usize(1..extent.pages)).collect();
    places.sort_unstable();
    // each stage in turn
    let mut stages = extent.stages.to_vec();
    random.shuffle(&mut stages);
    let mut stages = stages.into_iter().cycle();
    let mut long = extent.long_freezes;
    let faults = kinds.into_iter().zip(places).map(|(kind, at)| {
        let blow = blow(&mut random, kind, &mut stages, extent.remembered.min(at));
        let mut lasts = duration(&mut random, kind);
        if kind == Kind::Freeze && long > 0 {
            long -= 1;
            lasts = Duration::from_secs(65);
        }
        Fault { at, unread: random.u64(..30), blow, lasts }
    });
    faults.collect()
}

fn blow(random: &mut Rng, kind: Kind, stages: &mut impl Iterator<Item = &'static str>, published: usize) -> Blow {
    match kind {
        Kind::Kill | Kind::Freeze | Kind::Cut | Kind::Stall => {
            let stage = stages.next().expect("there are stages");
            Blow::Instance(kind, Target { stage, number: random.usize(..instances(stage)) })
        }
        Kind::ServerKill | Kind::ServerFreeze => Blow::Server(kind),
        Kind::StreamFull => Blow::StreamFull(random.choice(STREAMS).expect("there are streams")),
        Kind::HistoryFull => Blow::HistoryFull,
        Kind::ReceiverDown => Blow::ReceiverDown,
        Kind::CloudCut => Blow::CloudCut,
        Kind::Duplicate => Blow::Duplicate { back: random.usize(1..=published) },
        Kind::Late => Blow::Late { back: random.usize(1..=published), row: random.usize(..1000) },
    }
}

/// From at once to a few seconds; what has to outlast a lease (2 s) does.
fn duration(random: &mut Rng, kind: Kind) -> Duration {
    let millis = match kind {
        Kind::Freeze => random.u64(2500..5000),
        Kind::Kill | Kind::ServerKill => random.u64(..2500),
        Kind::ServerFreeze => random.u64(500..4000),
        Kind::Cut | Kind::Stall | Kind::StreamFull | Kind::HistoryFull | Kind::ReceiverDown | Kind::CloudCut => {
            random.u64(200..4000)
        }
        Kind::Duplicate | Kind::Late => 0,
    };
    Duration::from_millis(millis)
}

impl Kind {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

impl Blow {
    /// What it is, for the table.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Instance(what, target) => format!("{} {}", what.name(), target.stage),
            Self::Server(what) => what.name(),
            Self::StreamFull(stream) => format!("{} {stream}", Kind::StreamFull.name()),
            Self::HistoryFull => Kind::HistoryFull.name(),
            Self::ReceiverDown => Kind::ReceiverDown.name(),
            Self::CloudCut => Kind::CloudCut.name(),
            Self::Duplicate { .. } => Kind::Duplicate.name(),
            Self::Late { .. } => Kind::Late.name(),
        }
    }

    /// Whose progress decides when it strikes.
    pub(crate) fn reader(&self) -> &'static str {
        match self {
            Self::Instance(_, target) if target.stage != OBSERVER => target.stage,
            Self::ReceiverDown => "notifier",
            _ => READERS[0],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_plan() {
        let kinds = Kind::value_variants();
        let extent = Extent { faults: 200, stages: &READERS, kinds, pages: 1000, remembered: 300, long_freezes: 2 };
        let first = plan(3, extent);
        assert_eq!(first, plan(3, extent));
        assert_ne!(first, plan(4, extent));
        assert_eq!(first.len(), 200);
        assert!(first.is_sorted_by_key(|fault| fault.at));
        assert_eq!(first.iter().filter(|fault| fault.lasts > Duration::from_secs(60)).count(), 2);
        for kind in kinds {
            let name = kind.name();
            let found = first.iter().filter(|fault| fault.blow.name().split(' ').next() == Some(&name)).count();
            assert!((16..=17).contains(&found), "{name}: {found}");
        }
    }
}
