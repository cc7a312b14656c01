//! Throttling and faults: a token bucket per action, and a seeded share of failures.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Instant;

/// The size of a token bucket: AWS's own for paged describes is `100:20`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Requests at once.
    pub capacity: f64,
    /// Requests a second after that.
    pub refill: f64,
}

/// Why a text is no bucket.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a bucket is CAPACITY:REFILL_PER_SECOND, such as 100:20")]
pub struct BucketError;

impl FromStr for Bucket {
    type Err = BucketError;

    fn from_str(text: &str) -> Result<Self, BucketError> {
        let number = |part: &str| part.parse::<f64>().ok().filter(|n| *n > 0.0 && n.is_finite()).ok_or(BucketError);
        let (capacity, refill) = text.split_once(':').ok_or(BucketError)?;
        Ok(Self { capacity: number(capacity)?, refill: number(refill)? })
    }
}

/// What a request meets before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is answered.
    Answer,
    /// Too many of its action.
    Throttle,
    /// The API fails.
    Fail,
}

/// The throttling and the faults of one stand-in.
#[derive(Debug)]
pub struct Limits {
    bucket: Option<Bucket>,
    fail: f64,
    random: fastrand::Rng,
    levels: HashMap<String, (f64, Instant)>,
}

impl Limits {
    /// No bucket: no throttling. `fail` is the share of requests that get a 500, 0 to 1.
    #[must_use]
    pub fn new(bucket: Option<Bucket>, fail: f64, seed: u64) -> Self {
        Self { bucket, fail, random: fastrand::Rng::with_seed(seed), levels: HashMap::new() }
    }

    pub(super) fn admit(&mut self, action: &str, now: Instant) -> Verdict {
        if let Some(Bucket { capacity, refill }) = self.bucket {
            let (level, since) = self.levels.get(action).copied().unwrap_or((capacity, now));
            let level = capacity.min(level + now.duration_since(since).as_secs_f64() * refill);
            let admitted = level >= 1.0;
            self.levels.insert(action.to_owned(), (if admitted { level - 1.0 } else { level }, now));
            if !admitted {
                return Verdict::Throttle;
            }
        }
        if self.random.f64() < self.fail { Verdict::Fail } else { Verdict::Answer }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_empties_and_refills_per_action() {
        let start = Instant::now();
        let mut limits = Limits::new(Some(Bucket { capacity: 2.0, refill: 10.0 }), 0.0, 0);
        for (action, millis, expected) in [
            ("a", 0, Verdict::Answer),
            ("a", 0, Verdict::Answer),
            ("a", 0, Verdict::Throttle),
            ("b", 0, Verdict::Answer),
            ("a", 99, Verdict::Throttle),
            ("a", 101, Verdict::Answer),
            ("a", 102, Verdict::Throttle),
        ] {
            assert_eq!(limits.admit(action, start + Duration::from_millis(millis)), expected, "{action} at {millis}");
        }
    }

    #[test]
    fn the_same_seed_fails_the_same_requests() {
        let run = |seed| {
            let mut limits = Limits::new(None, 0.5, seed);
            (0..100).map(|_| limits.admit("a", Instant::now())).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert!(run(7).contains(&Verdict::Fail) && run(7).contains(&Verdict::Answer));
    }

    #[test]
    fn buckets_are_checked() {
        assert_eq!("100:20".parse(), Ok(Bucket { capacity: 100.0, refill: 20.0 }));
        for text in ["100", "x:1", "0:1", "1:-1", "inf:1"] {
            assert_eq!(text.parse::<Bucket>(), Err(BucketError), "{text}");
        }
    }
}
