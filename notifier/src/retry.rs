//! When to try again. Pure: the time and the randomness are arguments.

use std::time::Duration;

use chrono::DateTime;
use elava_schemas::Timestamp;

use crate::Patience;

/// What a channel may ask for at most; beyond that it is tried anyway.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);

/// The pause after the given attempt (from 1): exponential, the upper half of it random (`random`
/// is in 0 to 1), and not shorter than what the channel asked for.
pub(crate) fn pause(patience: &Patience, attempt: u32, asked: Option<Duration>, random: f64) -> Duration {
    let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
    let longest = patience.first_pause.saturating_mul(doubled).min(patience.longest_pause);
    let pause = longest.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0);
    pause.max(asked.unwrap_or_default().min(LONGEST_RETRY_AFTER))
}

/// The value of a `Retry-After` header: seconds, or an HTTP date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(value).ok()?;
    Some((at.to_utc() - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        let patience = Patience::default();
        let seconds = Duration::from_secs_f64;
        for (attempt, asked, random, expected) in [
            (1, None, 1.0, 0.5),
            (1, None, 0.0, 0.25),
            (2, None, 1.0, 1.0),
            (5, None, 1.0, 8.0),
            (10, None, 1.0, 60.0),
            (99, None, 0.0, 30.0),
            (1, Some(7.0), 0.3, 7.0),
            (10, Some(7.0), 1.0, 60.0),
            (1, Some(86_400.0), 1.0, 600.0),
        ] {
            let asked = asked.map(seconds);
            assert_eq!(pause(&patience, attempt, asked, random), seconds(expected), "{attempt} {asked:?} {random}");
        }
    }

    #[test]
    fn reads_retry_after() {
        let now = "1994-11-06T08:49:07Z".parse().expect("a time");
        for (value, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value}");
        }
    }
}
