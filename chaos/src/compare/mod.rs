//! Whether the disturbed run came to what the undisturbed one did, and to what follows from the input.

mod history;
mod notifications;

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::input::Input;
use crate::receiver::Told;
use crate::streams::Stored;

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) history: PathBuf,
    pub(crate) told: Told,
    pub(crate) stored: Stored,
    /// What went wrong apart from that.
    pub(crate) problems: Vec<String>,
}

/// One thing that was compared.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) what: &'static str,
    pub(crate) expected: usize,
    pub(crate) found: usize,
    /// The first few.
    pub(crate) differences: Vec<String>,
}

impl Compared {
    fn sets(what: &'static str, expected: &BTreeSet<String>, found: &BTreeSet<String>) -> Self {
        let lost = expected.difference(found).take(5).map(|one| format!("lost: {one}"));
        let more = found.difference(expected).take(5).map(|one| format!("too much: {one}"));
        Self { what, expected: expected.len(), found: found.len(), differences: lost.chain(more).collect() }
    }

    fn nothing(what: &'static str, found: &[String]) -> Self {
        Self { what, expected: 0, found: found.len(), differences: found.iter().take(5).cloned().collect() }
    }
}

/// Compares everything.
pub(crate) fn compare(input: &Input, undisturbed: &Outcome, disturbed: &Outcome) -> anyhow::Result<Vec<Compared>> {
    let mut compared = history::compare(&undisturbed.history, &disturbed.history)?;
    let (lifecycle, existing) = (input.lifecycle(), input.existing());
    for (outcome, came, exists) in [
        (undisturbed, "what came and went, by the input: undisturbed", "what exists, by the input: undisturbed"),
        (disturbed, "what came and went, by the input: disturbed", "what exists, by the input: disturbed"),
    ] {
        compared.push(history::lifecycle(came, &outcome.history, &lifecycle)?);
        compared.push(history::existing(exists, &outcome.history, &existing)?);
    }
    compared.extend(notifications::compare(&undisturbed.told, &disturbed.told));
    compared.push(Compared::sets("dead letters", &undisturbed.stored.dead, &disturbed.stored.dead));
    for (outcome, what) in [(undisturbed, "stored twice: undisturbed"), (disturbed, "stored twice: disturbed")] {
        compared.push(Compared::nothing(what, &outcome.stored.twice));
    }
    for (outcome, what) in [(undisturbed, "problems: undisturbed"), (disturbed, "problems: disturbed")] {
        let problems = [&outcome.problems[..], &outcome.told.problems[..]].concat();
        compared.push(Compared::nothing(what, &problems));
    }
    Ok(compared)
}
