//! The thread that thins old versions of a history that a detector writes: at once, then daily, a short step at a time.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use elava_schemas::Timestamp;
use elava_schemas::config::RetentionRule;

use crate::retention::{Mode, Run, Step, rules};
use crate::store::HistoryError;

/// From the end of one run to the next.
const INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// What a step came to; nothing when the history cannot be had any more.
pub(crate) type Stepped = Option<Result<Option<Step>, HistoryError>>;

/// Thins until it is dropped; the step it is in is ended then.
pub(crate) struct Keeper {
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Keeper {
    /// Starts; `None` where the policy thins nothing. `step` gives the history to one step of a run.
    pub(crate) fn start(
        policy: &[RetentionRule],
        clock: fn() -> Timestamp,
        step: impl Fn(&mut Run) -> Stepped + Send + 'static,
    ) -> std::io::Result<Option<Self>> {
        if rules(policy).is_empty() {
            return Ok(None);
        }
        let policy = policy.to_vec();
        let (stop, stopped) = channel::<()>();
        let work = move || {
            while thin(Run::new(&policy, clock(), Mode::Remove), &step, &stopped) && rest(&stopped, INTERVAL) {}
        };
        let thread = std::thread::Builder::new().name("retention".into()).spawn(work)?;
        Ok(Some(Self { running: Some((stop, thread)) }))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            if thread.join().is_err() {
                tracing::warn!("the thread that thins old versions has panicked");
            }
        }
    }
}

/// Waits; whether it is to go on.
fn rest(stopped: &Receiver<()>, time: Duration) -> bool {
    stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
}

/// One run; whether another may follow. What failed is tried again with the next one.
fn thin(mut run: Run, step: &impl Fn(&mut Run) -> Stepped, stopped: &Receiver<()>) -> bool {
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
        if !rest(stopped, begun.elapsed()) {
            return false;
        }
    }
}
