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
    let mut written = None;
    let step = move |rested| {
        let before = written.replace(history.written());
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        history.arrange(Pace { quiet: rested && written == before, ..Pace::default() })
    };
    Background::start("arranger", move |stopped| {
        Thread::current().lower();
        arrange(step, stopped);
    })
}

/// Merges row groups of a file that nobody holds, a part at a time, as a detector does while nothing is written or read;
/// how often.
///
/// # Errors
/// When the history cannot be opened, read or written. What is merged stays so.
pub fn merge_file(path: &Path) -> Result<u32, HistoryError> {
    let history = History::open(path)?;
    history.merge_in_parts()?;
    history.merge_all()
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

/// Has the steps done. Each is told whether so much time has passed since the last one that what goes on shows.
fn arrange(mut step: impl FnMut(bool) -> Result<Option<Arranged>, HistoryError>, stopped: &Stopped) {
    let mut rest = Duration::ZERO;
    loop {
        let begun = Instant::now();
        rest = match step(rest >= LOOK) {
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
