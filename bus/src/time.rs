//! Times as people type them, on any command line: the same ones as the macro `instant` of the history reads.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc, Weekday};
use elava_schemas::Timestamp;

/// For clap: an instant, a day, or how long ago.
///
/// # Errors
/// Says what can be written.
pub fn parse_time(text: &str) -> Result<Timestamp, String> {
    time_seen_from(text, Utc::now())
}

/// The same, seen from `now`.
///
/// # Errors
/// Says what can be written.
pub fn time_seen_from(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let word = text.trim().to_ascii_uppercase();
    if word == "NOW" {
        return Ok(now);
    }
    let at = ago(&word, now).or_else(|| day(&word, now)).or_else(|| date(&word));
    // chrono takes a leap second for one wherever it stands
    at.filter(|at| at.timestamp_subsec_nanos() < 1_000_000_000).ok_or_else(|| {
        format!(
            "`{text}` is no time; write now, 30m, 24h, 7d, 2w, today, `yesterday 14:00`, monday, 2026-11-20, \
             `2026-11-20 14:00` or 2026-11-20T14:00:00Z (UTC unless it names an offset)"
        )
    })
}

/// `24H`, `7D AGO`.
fn ago(word: &str, now: Timestamp) -> Option<Timestamp> {
    let word = word.strip_suffix(" AGO").unwrap_or(word);
    let (number, unit) = word.split_at_checked(word.len().checked_sub(1)?)?;
    let number = number.strip_suffix(' ').unwrap_or(number);
    // as many as the macro takes
    if number.len() > 7 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = match unit {
        "S" => 1,
        "M" => 60,
        "H" => 3600,
        "D" => 86_400,
        "W" => 604_800,
        _ => return None,
    };
    now.checked_sub_signed(TimeDelta::try_seconds(number.parse::<i64>().ok()? * seconds)?)
}

/// `TODAY`, `YESTERDAY 14:00`, `MONDAY`: the last one, today included.
fn day(word: &str, now: Timestamp) -> Option<Timestamp> {
    let (name, time) = word.split_once(' ').map_or((word, None), |(name, time)| (name, Some(time)));
    let today = now.date_naive();
    let days = match name {
        "TODAY" => 0,
        "YESTERDAY" => 1,
        name if name.ends_with("DAY") => today.weekday().days_since(name.parse::<Weekday>().ok()?),
        _ => return None,
    };
    let time = match time {
        None => NaiveTime::MIN,
        Some(time) => ["%H:%M", "%H:%M:%S"].iter().find_map(|form| NaiveTime::parse_from_str(time, form).ok())?,
    };
    Some((today - TimeDelta::days(i64::from(days))).and_time(time).and_utc())
}

/// `2026-11-20`, with a time of day, with an offset.
fn date(word: &str) -> Option<Timestamp> {
    // all digits are there, which chrono does not ask for
    let form: String = word.chars().take(16).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if !["0000-00-00", "0000-00-00 00:00", "0000-00-00T00:00"].contains(&form.as_str()) {
        return None;
    }
    if let Ok(day) = word.parse::<NaiveDate>() {
        return Some(day.and_time(NaiveTime::MIN).and_utc());
    }
    let word = word.replacen(' ', "T", 1).replace(' ', "").replace('Z', "+00:00");
    for time in ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f"] {
        if let Ok(at) = NaiveDateTime::parse_from_str(&word, time) {
            return Some(at.and_utc());
        }
        if let Ok(at) = DateTime::parse_from_str(&word, &format!("{time}%#z")) {
            return Some(at.to_utc());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;

    use super::*;

    #[test]
    fn times_people_type() {
        let now = DateTime::parse_from_rfc3339("2026-11-23T12:00:00.123456Z").expect("an instant").to_utc();
        let rows = include_str!("../../detector/tests/times.txt").lines().filter(|line| !line.starts_with('#'));
        for row in rows {
            let (text, expected) = row.split_once(" | ").expect(row);
            let found = time_seen_from(text, now).map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true));
            assert_eq!(found.as_deref().unwrap_or("-"), expected, "{text}");
        }
        let refused = time_seen_from("soon", now).expect_err("no time");
        assert!(refused.starts_with("`soon` is no time; write now, 30m"), "{refused}");
    }
}
