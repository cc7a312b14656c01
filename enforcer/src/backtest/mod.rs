//! What a bundle would have found, had it been in use: the changes of the past evaluated again, beside what was
//! recorded, or what another bundle finds.
//!
//! Each change is evaluated as the stage evaluates it ([`crate::input`], [`Bundle::evaluate`]); the history is read by
//! whoever has it: the running detector is asked over NATS, or `elava replay` writes it. DuckDB stays out of this
//! program: it would make its image four times as large, and its start three times as long.

mod args;
mod compare;
mod run;
mod show;
mod source;
mod summary;
mod timeline;

use std::collections::BTreeMap;
use std::path::PathBuf;

use elava_bus::RequestError;
use elava_schemas::{Resource, ResourceKey, Tags};

pub use args::{BacktestArgs, FailOn, backtest};
pub use compare::{Difference, Sort};
pub use run::{Batch, Batcher, replay};
pub use show::report;
pub use summary::{RuleSummary, Summary};
pub use timeline::Episode;

use crate::given::{Row, RowError, Version};
use crate::{Bundle, BundleError, Verdict, input};

pub use crate::given::Window;
use timeline::Timeline;

/// Tags that name who owns a resource; the first that is there.
const OWNER_TAGS: [&str; 6] = ["elava:owner", "elava_owner", "Owner", "owner", "team", "Team"];

/// Why nothing could be tried.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// A bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The running detector.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The input.
    #[error("cannot read {}", file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is something else.
    #[error("the input does not begin with its window; `elava replay` writes what is wanted")]
    NoWindow,
    /// A line.
    #[error(transparent)]
    Row(#[from] RowError),
    /// A resource key.
    #[error("not a resource key: {0}")]
    Key(String),
    /// Output.
    #[error("cannot write to standard output")]
    Write(#[from] std::io::Error),
}

/// The bundles, and what policies are told besides.
pub struct Backtest<'a> {
    /// The one that is tried.
    pub new: &'a Bundle,
    /// What it is compared with; none: what was recorded.
    pub baseline: Option<&'a Bundle>,
    /// As configured.
    pub environment_tags: &'a [String],
    /// Between which times.
    pub window: Window,
}

/// What became of one resource.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Its key.
    pub key: String,
    /// Who owned it last, as its tags say.
    pub owner: Option<String>,
    /// Its violations.
    pub differences: Vec<Difference>,
    /// How many versions were evaluated.
    pub versions: u64,
    /// How many could not be: the history does not have them.
    pub unknown: u64,
    /// How often policies of the new bundle failed, and what the engine said first.
    pub errors: BTreeMap<String, (u64, String)>,
}

impl Backtest<'_> {
    /// Evaluates all lines of one resource.
    ///
    /// # Errors
    /// Where they are not of `elava replay`.
    pub fn resource(&self, key: &str, lines: &[Vec<u8>]) -> Result<Outcome, BacktestError> {
        let resource_key: ResourceKey = key.parse().map_err(|_| BacktestError::Key(key.to_owned()))?;
        let mut outcome = Outcome { key: key.to_owned(), ..Outcome::default() };
        let (mut new, mut old) = (Timeline::default(), Timeline::default());
        let mut recorded = Vec::new();
        let mut before = None;
        for line in lines {
            match Row::parse(line)? {
                Row::Violation(violation) => recorded.push(Episode::recorded(violation, self.window)),
                Row::Version(version) => {
                    let tracks = [(self.baseline, &mut old), (Some(self.new), &mut new)];
                    before = self.version(*version, (&resource_key, before), &recorded, tracks, &mut outcome);
                }
            }
        }
        let old = if self.baseline.is_some() { old.episodes() } else { recorded };
        outcome.differences = compare::compare(new.episodes(), old);
        Ok(outcome)
    }

    /// Evaluates one version; gives it back to be the one before the next.
    fn version(
        &self,
        version: Version,
        (key, before): (&ResourceKey, Option<Resource>),
        recorded: &[Episode],
        tracks: [(Option<&Bundle>, &mut Timeline); 2],
        outcome: &mut Outcome,
    ) -> Option<Resource> {
        let at_start = version.at_start;
        let at = if at_start { self.window.since } else { version.at };
        if version.gone {
            tracks.into_iter().for_each(|(_, timeline)| timeline.gone(at));
            return None;
        }
        let mut change = version.change(key, before);
        let Some(input) = input::build(&change, self.environment_tags) else {
            outcome.unknown += 1;
            return None;
        };
        outcome.versions += 1;
        let tags = change.current.as_ref().and_then(|resource| resource.tags.as_ref());
        outcome.owner = tags.and_then(owner);
        for (bundle, timeline) in tracks {
            let Some(bundle) = bundle else { continue };
            let verdict = bundle.evaluate(&key.kind, input.clone());
            if at_start {
                timeline.begin(recorded, &verdict.errors, at);
            }
            if std::ptr::eq(bundle, self.new) {
                note_errors(&mut outcome.errors, &verdict);
            }
            timeline.evaluated(at, verdict);
        }
        change.current.take()
    }
}

fn note_errors(errors: &mut BTreeMap<String, (u64, String)>, verdict: &Verdict) {
    for error in &verdict.errors {
        errors.entry(error.policy.clone()).or_insert_with(|| (0, error.message.clone())).0 += 1;
    }
}

fn owner(tags: &Tags) -> Option<String> {
    OWNER_TAGS.iter().find_map(|name| tags.get(*name)).filter(|owner| !owner.trim().is_empty()).cloned()
}
