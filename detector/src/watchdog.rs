//! Ends work on the history's database that takes too long, that nobody waits for any more, or all of it when
//! detection needs its memory; and lets what takes long go after detection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use duckdb::InterruptHandle;

use crate::background::Background;
use crate::priority::Thread;

/// How often running work is looked at.
const TICK: Duration = Duration::from_millis(25);
/// How long work may run beside detection as its equal, divided by how much runs at once: questions that people wait for
/// take less.
const SHORT: Duration = Duration::from_millis(250);

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
    /// Where it runs, as long as its priority is not lowered.
    thread: Option<Thread>,
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
        running.all.push(Work { number, interrupt, begun: now, thread: None, ended: None });
        Ok(Watched { watchdog: Arc::clone(self), number })
    }

    /// Whether nothing runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.running().all.is_empty()
    }

    /// Lowers what takes long, and interrupts what has run too long. Again each time: an interruption that comes before
    /// a statement has begun is lost.
    pub(crate) fn tick(&self, now: Instant) {
        let mut running = self.running();
        let short = SHORT / u32::try_from(running.all.len()).unwrap_or(u32::MAX).max(1);
        let long = running.all.iter_mut().filter(|work| now.duration_since(work.begun) >= short);
        long.filter_map(|work| work.thread.take()).for_each(Thread::lower);
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
    /// The thread that asks does this work and nothing else: its priority may be lowered, until [`Self::leave`].
    pub(crate) fn has_a_thread(&self) {
        let mut running = self.watchdog.running();
        let work = running.all.iter_mut().filter(|one| one.number == self.number);
        work.for_each(|one| one.thread = Some(Thread::current()));
    }

    /// The work is done; whether the priority of its thread was lowered.
    pub(crate) fn leave(self) -> bool {
        let mut running = self.watchdog.running();
        let index = running.all.iter().position(|one| one.number == self.number);
        let work = index.map(|index| running.all.swap_remove(index));
        drop(running);
        work.is_some_and(|work| work.thread.is_none())
    }

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
