//! The thread that thins old versions of a history that a detector writes: at once, then daily, a short step at a time.

use std::time::{Duration, Instant};

use elava_schemas::Timestamp;
use elava_schemas::config::RetentionRule;

use crate::background::{Background, Stopped};
use crate::retention::{Mode, Run, Step, rules};
use crate::store::HistoryError;

/// From the end of one run to the next.
const INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// What a step came to; nothing when the history cannot be had any more.
pub(crate) type Stepped = Option<Result<Option<Step>, HistoryError>>;

/// Thins until it is dropped, and ends with the step it is in; `None` where the policy thins nothing. `step` gives the
/// history to one step of a run.
pub(crate) fn keep(
    policy: &[RetentionRule],
    clock: fn() -> Timestamp,
    step: impl Fn(&mut Run) -> Stepped + Send + 'static,
) -> std::io::Result<Option<Background>> {
    if rules(policy).is_empty() {
        return Ok(None);
    }
    let policy = policy.to_vec();
    let work = move |stopped: &Stopped| {
        while thin(Run::new(&policy, clock(), Mode::Remove), &step, stopped) && stopped.rest(INTERVAL) {}
    };
    Background::start("retention", work).map(Some)
}

/// One run; whether another may follow. What failed is tried again with the next one.
fn thin(mut run: Run, step: &impl Fn(&mut Run) -> Stepped, stopped: &Stopped) -> bool {
    loop {
        let begun = Instant::now();
        match step(&mut run) {
            None => return false,
            Some(Ok(Some(_))) => {}
            Some(Ok(None)) => {
                run.tell();
                return true;
            }
            Some(Err(error)) => {
                tracing::warn!(error = elava_bus::cli::chain(&error), "old versions could not be thinned");
                return true;
            }
        }
        // at most half of the time, so that batches have their turn
        if !stopped.rest(begun.elapsed()) {
            return false;
        }
    }
}
