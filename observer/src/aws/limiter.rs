//! One budget of API calls for each account, region and service, shared by all types.
//!
//! AWS limits per API, account and region; paged describes refill at 20 a second with a bucket of
//! 100 (EC2 developer guide, "Request throttling"). Others use the same budget, so it adapts.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const RATE: f64 = 20.0;
const BURST: f64 = 100.0;
/// Calls a second below which throttling does not push us.
const SLOWEST: f64 = 0.5;
/// What each answered call gives back of the rate: slow against halving, as in TCP.
const RECOVERY: f64 = 0.2;
/// Calls in flight together are throttled together: that counts once.
const SETTLE: Duration = Duration::from_secs(1);

/// The budget.
#[derive(Debug)]
pub struct Limiter(Mutex<Bucket>);

impl Default for Limiter {
    fn default() -> Self {
        Self(Mutex::new(Bucket::new(Instant::now())))
    }
}

impl Limiter {
    /// Waits for a call's turn.
    pub(crate) async fn turn(&self) {
        let wait = self.with(|bucket| bucket.take(Instant::now()));
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// A call was refused for being one too many.
    pub(crate) fn throttled(&self) {
        self.with(|bucket| bucket.throttled(Instant::now()));
    }

    /// A call was answered.
    pub(crate) fn answered(&self) {
        self.with(Bucket::answered);
    }

    fn with<T>(&self, act: impl FnOnce(&mut Bucket) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A token bucket that may be in debt: who comes later waits longer.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    rate: f64,
    filled: Instant,
    slowed: Option<Instant>,
}

impl Bucket {
    fn new(now: Instant) -> Self {
        Self { tokens: BURST, rate: RATE, filled: now, slowed: None }
    }

    /// Takes one token; how long until it is there.
    fn take(&mut self, now: Instant) -> Duration {
        self.fill(now);
        self.tokens -= 1.0;
        Duration::from_secs_f64((-self.tokens).max(0.0) / self.rate)
    }

    fn throttled(&mut self, now: Instant) {
        self.fill(now);
        self.tokens = self.tokens.min(0.0);
        if self.slowed.is_none_or(|slowed| now.saturating_duration_since(slowed) >= SETTLE) {
            self.rate = (self.rate / 2.0).max(SLOWEST);
            self.slowed = Some(now);
        }
    }

    fn answered(&mut self) {
        self.rate = (self.rate + RECOVERY).min(RATE);
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate).min(BURST);
        self.filled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spends_the_burst_then_waits_in_line() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        for _ in 0..100 {
            assert_eq!(bucket.take(start), Duration::ZERO);
        }
        assert_eq!(bucket.take(start), Duration::from_millis(50));
        assert_eq!(bucket.take(start), Duration::from_millis(100));
        assert_eq!(bucket.take(start + Duration::from_secs(1)), Duration::ZERO);
    }

    #[test]
    fn adapts_to_throttling() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut bucket = Bucket::new(start);
        for (event, rate) in [
            (0, 10.0),
            (10, 10.0),
            (900, 10.0),
            (1000, 5.0),
            (2000, 2.5),
            (9000, 1.25),
            (20_000, 0.625),
            (30_000, 0.5),
            (40_000, 0.5),
        ] {
            bucket.throttled(at(event));
            assert!((bucket.rate - rate).abs() < 1e-9, "{event}: {}", bucket.rate);
        }
        assert!(bucket.take(at(40_000)) >= Duration::from_secs(1), "the burst is gone too");
        for _ in 0..200 {
            bucket.answered();
        }
        assert!((bucket.rate - RATE).abs() < 1e-9, "recovers, and no further");
    }
}
