//! Ends statements that run too long, or all of them when detection needs their memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use duckdb::InterruptHandle;

use super::judge::Refusal;

/// The statements that run.
pub(super) struct Watchdog {
    limit: Duration,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    begun: u64,
    statements: Vec<Statement>,
    closed: bool,
}

struct Statement {
    number: u64,
    interrupt: Arc<InterruptHandle>,
    begun: Instant,
    ended: Option<Refusal>,
}

/// One statement that runs; it is not interrupted any more once this is dropped.
pub(super) struct Watched<'a> {
    watchdog: &'a Watchdog,
    number: u64,
}

impl Watchdog {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, running: Mutex::default() }
    }

    /// A panic cannot leave it half-changed.
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches what the connection of `interrupt` runs next.
    pub(super) fn watch(&self, interrupt: Arc<InterruptHandle>, now: Instant) -> Result<Watched<'_>, Refusal> {
        let mut running = self.running();
        if running.closed {
            return Err(Refusal::Stopping);
        }
        running.begun += 1;
        let number = running.begun;
        running.statements.push(Statement { number, interrupt, begun: now, ended: None });
        Ok(Watched { watchdog: self, number })
    }

    /// Whether anything runs.
    pub(super) fn is_idle(&self) -> bool {
        self.running().statements.is_empty()
    }

    /// Interrupts what has run too long. Again each time: an interruption that comes before a
    /// statement has begun is lost.
    pub(super) fn tick(&self, now: Instant) {
        let mut running = self.running();
        let late = |begun| now.duration_since(begun) >= self.limit;
        running.end(|statement| late(statement.begun).then_some(Refusal::TooLong(self.limit.as_secs())));
    }

    /// Interrupts everything: detection lacks memory.
    pub(super) fn make_room(&self) {
        self.running().end(|_| Some(Refusal::TooLarge));
    }

    /// Lets nothing run any more.
    pub(super) fn close(&self) {
        let mut running = self.running();
        running.closed = true;
        running.end(|_| Some(Refusal::Stopping));
    }
}

impl Running {
    /// Marks what is to end, and interrupts all that is marked.
    fn end(&mut self, why: impl Fn(&Statement) -> Option<Refusal>) {
        for statement in &mut self.statements {
            statement.ended = statement.ended.take().or_else(|| why(statement));
            if statement.ended.is_some() {
                statement.interrupt.interrupt();
            }
        }
    }
}

impl Watched<'_> {
    /// Why the watchdog has ended it, if it has.
    pub(super) fn ended(&self) -> Option<Refusal> {
        let running = self.watchdog.running();
        running.statements.iter().find(|one| one.number == self.number)?.ended.clone()
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.watchdog.running().statements.retain(|one| one.number != self.number);
    }
}
