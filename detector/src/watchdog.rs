//! Ends work on the history's database that takes too long, that nobody waits for any more, or all of it when
//! detection needs its memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use duckdb::InterruptHandle;

use crate::background::Background;

/// How often running work is looked at.
const TICK: Duration = Duration::from_millis(25);

/// Why work has been ended. The text is for whoever asked for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ended {
    #[error("ended after {0} s, the limit of one statement")]
    TooLong(u64),
    #[error("ended because it needs more memory than there is")]
    TooLarge,
    #[error("the server is stopping")]
    Stopping,
}

/// The work that runs.
pub(crate) struct Watchdog {
    limit: Duration,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    begun: u64,
    all: Vec<Work>,
    closed: bool,
}

struct Work {
    number: u64,
    interrupt: Arc<InterruptHandle>,
    begun: Instant,
    ended: Option<Ended>,
}

/// Work that runs; it is not interrupted any more once this is dropped.
pub(crate) struct Watched {
    watchdog: Arc<Watchdog>,
    number: u64,
}

/// Ends the work that it belongs to when dropped, where that still runs: nobody waits for it.
pub(crate) struct Wanted {
    watchdog: Arc<Watchdog>,
    number: u64,
}

impl Watchdog {
    pub(crate) fn new(limit: Duration) -> Arc<Self> {
        Arc::new(Self { limit, running: Mutex::default() })
    }

    /// A panic cannot leave it half-changed.
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches what the connection of `interrupt` runs next.
    pub(crate) fn watch(self: &Arc<Self>, interrupt: Arc<InterruptHandle>, now: Instant) -> Result<Watched, Ended> {
        let mut running = self.running();
        if running.closed {
            return Err(Ended::Stopping);
        }
        running.begun += 1;
        let number = running.begun;
        running.all.push(Work { number, interrupt, begun: now, ended: None });
        Ok(Watched { watchdog: Arc::clone(self), number })
    }

    /// Whether nothing runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.running().all.is_empty()
    }

    /// Interrupts what has run too long. Again each time: an interruption that comes before a
    /// statement has begun is lost.
    pub(crate) fn tick(&self, now: Instant) {
        let mut running = self.running();
        let late = |begun| now.duration_since(begun) >= self.limit;
        running.end(|work| late(work.begun).then_some(Ended::TooLong(self.limit.as_secs())));
    }

    /// Interrupts everything: detection lacks memory.
    pub(crate) fn make_room(&self) {
        self.running().end(|_| Some(Ended::TooLarge));
    }

    /// Lets nothing run any more.
    pub(crate) fn close(&self) {
        let mut running = self.running();
        running.closed = true;
        running.end(|_| Some(Ended::Stopping));
    }
}

impl Running {
    /// Marks what is to end, and interrupts all that is marked.
    fn end(&mut self, why: impl Fn(&Work) -> Option<Ended>) {
        for work in &mut self.all {
            work.ended = work.ended.take().or_else(|| why(work));
            if work.ended.is_some() {
                work.interrupt.interrupt();
            }
        }
    }
}

impl Watched {
    /// Why the watchdog has ended it, if it has.
    pub(crate) fn ended(&self) -> Option<Ended> {
        let running = self.watchdog.running();
        running.all.iter().find(|one| one.number == self.number)?.ended.clone()
    }

    /// For the one who waits for it.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted { watchdog: Arc::clone(&self.watchdog), number: self.number }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watchdog.running().all.retain(|one| one.number != self.number);
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.watchdog.running().end(|work| (work.number == self.number).then_some(Ended::Stopping));
    }
}

/// A thread that looks after running work until it is dropped.
pub(crate) fn look_after(name: &str, look: impl Fn() + Send + 'static) -> std::io::Result<Background> {
    Background::start(name, move |stopped| {
        while stopped.rest(TICK) {
            look();
        }
    })
}
