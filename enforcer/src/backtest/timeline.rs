//! What one bundle says of one resource over time: violations that open, stay and are mended. Settled as the recorder
//! settles policy results.

use elava_schemas::{PolicyError, Severity, Timestamp, Violation};
use serde::Serialize;

use crate::Verdict;
use crate::given::{Recorded, Window};

/// A violation from when it was found until it was found mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Episode {
    /// The Rego package.
    pub policy: String,
    /// The rule within it.
    pub rule: String,
    /// How bad, as last evaluated.
    pub severity: Severity,
    /// For a person, as last evaluated.
    pub message: String,
    /// When it was found; the beginning of the window, where that was before.
    pub opened_at: Timestamp,
    /// When it was found mended; none where it is open at the end.
    pub closed_at: Option<Timestamp>,
    /// Whether severity and message are those of the window's end.
    #[serde(skip)]
    pub(super) is_final: bool,
}

/// The violations of one resource, as evaluated so far.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    open: Vec<Episode>,
    over: Vec<Episode>,
}

impl Timeline {
    /// The resource is there, and this is what the policies say.
    pub(super) fn evaluated(&mut self, at: Timestamp, verdict: Verdict) {
        let Verdict { violations, errors } = verdict;
        let failed = |policy: &str| errors.iter().any(|error: &PolicyError| error.policy == policy);
        for mut episode in std::mem::take(&mut self.open) {
            match violations.iter().find(|violation| episode.is_of(violation)) {
                Some(violation) => {
                    episode.severity = violation.severity;
                    episode.message.clone_from(&violation.message);
                    self.open.push(episode);
                }
                // an error is never a pass
                None if failed(&episode.policy) => self.open.push(episode),
                None => self.over.push(Episode { closed_at: Some(at), ..episode }),
            }
        }
        for violation in violations {
            if !self.open.iter().any(|episode| episode.is_of(&violation)) {
                let Violation { policy, rule, severity, message, suggestion: _ } = violation;
                let closed_at = None;
                self.open.push(Episode { policy, rule, severity, message, opened_at: at, closed_at, is_final: true });
            }
        }
    }

    /// Before the first evaluation: where a policy fails in it, what was recorded of that policy by then stays.
    pub(super) fn begin(&mut self, recorded: &[Episode], errors: &[PolicyError], since: Timestamp) {
        let failed = |policy: &str| errors.iter().any(|error| error.policy == policy);
        let kept = recorded.iter().filter(|episode| episode.opened_at == since && failed(&episode.policy));
        self.open.extend(kept.map(|episode| Episode { closed_at: None, is_final: true, ..episode.clone() }));
    }

    /// The resource is gone, and with it what was wrong.
    pub(super) fn gone(&mut self, at: Timestamp) {
        let open = std::mem::take(&mut self.open);
        self.over.extend(open.into_iter().map(|episode| Episode { closed_at: Some(at), ..episode }));
    }

    /// All of it.
    pub(super) fn episodes(self) -> Vec<Episode> {
        self.over.into_iter().chain(self.open).collect()
    }
}

impl Episode {
    fn is_of(&self, violation: &Violation) -> bool {
        self.policy == violation.policy && self.rule == violation.rule
    }

    /// What was recorded, as it is seen through the window.
    pub(super) fn recorded(recorded: Recorded, window: Window) -> Self {
        let Recorded { policy, rule, severity, message, opened_at, closed_at } = recorded;
        let closed_at = closed_at.filter(|at| window.until.is_none_or(|until| *at < until));
        let is_final = closed_at.is_some() || window.until.is_none();
        Self { policy, rule, severity, message, opened_at: opened_at.max(window.since), closed_at, is_final }
    }
}
