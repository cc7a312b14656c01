//! Ends statements that run too long or take too much memory.

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

    /// Interrupts what has run too long and, when memory is short, what has run longest. Again each
    /// time: an interruption that comes before a statement has begun is lost.
    pub(super) fn tick(&self, now: Instant, memory_is_short: bool) {
        let mut running = self.running();
        let closed = running.closed;
        for statement in &mut running.statements {
            if statement.ended.is_none() && now.duration_since(statement.begun) >= self.limit {
                statement.ended = Some(Refusal::TooLong(self.limit.as_secs()));
            }
            if statement.ended.is_none() && closed {
                statement.ended = Some(Refusal::Stopping);
            }
        }
        if memory_is_short && let Some(oldest) = running.statements.iter_mut().find(|one| one.ended.is_none()) {
            oldest.ended = Some(Refusal::TooLarge);
        }
        running.statements.iter().filter(|one| one.ended.is_some()).for_each(|one| one.interrupt.interrupt());
    }

    /// Lets nothing run any more.
    pub(super) fn close(&self) {
        self.running().closed = true;
        self.tick(Instant::now(), false);
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
