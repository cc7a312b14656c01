//! When a source has been read up to what is there: nobody says so, but nothing more comes then. Pure.
//!
//! A decision, or a denial, that is in the stream already should be known before anything is written. Reality is read
//! again in any case, so this only keeps what was caught up late from being acted on needlessly.

use chrono::TimeDelta;
use elava_schemas::Timestamp;

/// From the moment on that a source is taken: it takes a while until the first of it comes.
const FIRST: TimeDelta = TimeDelta::seconds(2);
/// After what came last.
const PAUSE: TimeDelta = TimeDelta::milliseconds(300);
/// A source that never rests is not waited for any longer.
const LONGEST: TimeDelta = TimeDelta::seconds(30);

/// How one source comes in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quiet {
    since: Timestamp,
    until: Timestamp,
}

impl Quiet {
    /// Taken now.
    pub(crate) fn begin(now: Timestamp) -> Self {
        Self { since: now, until: now + FIRST }
    }

    /// Something came.
    pub(crate) fn heard(&mut self, now: Timestamp) {
        if now > self.until {
            self.since = now;
        }
        self.until = self.until.max(now + PAUSE).min(self.since + LONGEST);
    }

    /// From when on it counts as read, unless more comes.
    pub(crate) fn from(self) -> Timestamp {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_a_pause_but_not_for_ever() {
        let at = |millis| Timestamp::default() + TimeDelta::milliseconds(millis);
        let mut quiet = Quiet::begin(at(0));
        for (heard, from) in [(10, 2000), (1900, 2200), (2100, 2400), (5000, 5300), (5200, 5500)] {
            quiet.heard(at(heard));
            assert_eq!(quiet.from(), at(from), "{heard}");
        }
        for heard in (5_400..60_000).step_by(200) {
            quiet.heard(at(heard));
        }
        assert!(quiet.from() <= at(5000 + 30_000 + 30_000) && quiet.from() > at(35_000));
    }
}
