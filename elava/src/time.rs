//! Times as people type them.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use elava_schemas::Timestamp;
use elava_schemas::config::Duration;

/// For clap: an instant, a day, or how long ago.
///
/// # Errors
/// Says what can be written.
pub fn parse_since(text: &str) -> Result<Timestamp, String> {
    since(text, Utc::now())
}

/// `24h` before `now`, midnight UTC of a day, or an instant.
fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(ago) = text.parse::<Duration>() {
        return TimeDelta::from_std(ago.get())
            .ok()
            .and_then(|ago| now.checked_sub_signed(ago))
            .ok_or_else(|| format!("{text} is too long ago"));
    }
    let midnight = |day: NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc();
    let today = now.date_naive();
    match text {
        "today" => return Ok(midnight(today)),
        "yesterday" => return Ok(midnight(today - TimeDelta::days(1))),
        _ => {}
    }
    let day = || text.parse::<NaiveDate>().map(midnight);
    DateTime::parse_from_rfc3339(text).map(|instant| instant.to_utc()).or_else(|_| day()).map_err(|_| {
        format!("`{text}` is no time; write 30m, 24h, 7d, today, yesterday, 2026-11-01 or 2026-11-01T12:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_people_type() {
        let now = DateTime::parse_from_rfc3339("2026-11-02T12:00:00Z").expect("an instant").to_utc();
        for (text, expected) in [
            ("24h", "2026-11-01T12:00:00+00:00"),
            ("7d", "2026-10-26T12:00:00+00:00"),
            ("today", "2026-11-02T00:00:00+00:00"),
            ("yesterday", "2026-11-01T00:00:00+00:00"),
            ("2026-10-01", "2026-10-01T00:00:00+00:00"),
            ("2026-10-01T08:30:00+02:00", "2026-10-01T06:30:00+00:00"),
        ] {
            assert_eq!(since(text, now).map(|at| at.to_rfc3339()).as_deref(), Ok(expected), "{text}");
        }
        for text in ["", "soon", "99999999999d", "2026-13-01"] {
            assert!(since(text, now).is_err(), "{text}");
        }
    }
}
