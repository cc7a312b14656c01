//! The thread that keeps ended versions sorted by resource, a short step at a time.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use elava_bus::cli::chain;

use crate::background::{Background, Stopped};
use crate::priority::Thread;
use crate::store::{Arranged, History, HistoryError, Pace};

/// How long after it is looked again where there was nothing to do.
const LOOK: Duration = Duration::from_secs(10);
/// How long after a failure, as where detection has needed the memory, it is tried again.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// Whose turn it is to work beside detection: retention's, the arranger's or the merger's.
pub(crate) type Turn = Arc<Mutex<()>>;

/// Arranges until it is dropped, and ends with the step it is in; where cores are short, after detection. `history` is a
/// connection of its own.
pub(crate) fn keep_arranged(history: History, turn: Turn) -> std::io::Result<Background> {
    let step = move || {
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        history.arrange(Pace::default())
    };
    Background::start("arranger", move |stopped| {
        Thread::current().lower();
        arrange(step, stopped);
    })
}

/// Does the steps that are due in a file that nobody holds, so many at most; which they were.
///
/// # Errors
/// When the history cannot be opened or written. Steps that were done stay so.
pub fn arrange_file(path: &Path, pace: Pace, at_most: usize) -> Result<Vec<Arranged>, HistoryError> {
    let history = History::open(path)?;
    let step = || {
        // as the merger does beside a detector
        if history.has_long_log() {
            history.write_out();
        }
        history.arrange(pace).transpose()
    };
    std::iter::from_fn(step).take(at_most).collect()
}

fn arrange(step: impl Fn() -> Result<Option<Arranged>, HistoryError>, stopped: &Stopped) {
    loop {
        let begun = Instant::now();
        let rest = match step() {
            Ok(None) => LOOK,
            // at most half of the time, so that batches have their turn
            Ok(Some(done)) => {
                tracing::debug!(?done, "ended versions arranged");
                begun.elapsed()
            }
            // detection ends too, with the next thing that it writes
            Err(error) if error.is_given_up() => {
                tracing::error!(error = chain(&error), "ended versions could not be arranged");
                return;
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "ended versions could not be arranged; trying again later");
                AFTER_FAILURE
            }
        };
        if !stopped.rest(rest) {
            return;
        }
    }
}
