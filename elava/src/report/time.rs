//! The span of a report, cut into what is counted together, and the marks of an axis of time. All UTC.

use chrono::{DateTime, TimeDelta};
use elava_schemas::Timestamp;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// A Monday at midnight: spans begin at whole multiples of their length from here, as `changes_over_time` has them.
const MONDAY: i64 = 946_857_600;
/// Moments at which a line is measured.
const MOMENTS: i64 = 60;
/// As many marks as one reads easily.
const MARKS: i64 = 9;

/// From when until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Its first instant.
    pub(crate) since: Timestamp,
    /// When it ends: when the history was asked.
    pub(crate) until: Timestamp,
}

/// How long a time is whose changes are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    seconds: i64,
    /// As one says "changes per …".
    pub(crate) name: &'static str,
}

impl Span {
    /// What suits the span: some ten to a hundred bars.
    pub(crate) fn step(self) -> Step {
        let steps = [
            (3 * HOUR, 5 * MINUTE, "5 minutes"),
            (3 * DAY, HOUR, "hour"),
            (100 * DAY, DAY, "day"),
            (104 * WEEK, WEEK, "week"),
            (520 * WEEK, 4 * WEEK, "4 weeks"),
        ];
        let suits = steps.into_iter().find(|(longest, ..)| self.seconds() <= *longest);
        let (_, seconds, name) = suits.unwrap_or((i64::MAX, 52 * WEEK, "52 weeks"));
        Step { seconds, name }
    }

    /// When each of them begins, those that are cut off at the ends of the span too.
    pub(super) fn beginnings(self, step: Step) -> Vec<Timestamp> {
        let first = self.since.timestamp() - (self.since.timestamp() - MONDAY).rem_euclid(step.seconds);
        every(first, self.until.timestamp(), step.seconds)
    }

    /// How long it is from one moment of a line to the next, in seconds.
    pub(crate) fn moment_seconds(self) -> u32 {
        u32::try_from((self.seconds() / MOMENTS).max(1)).unwrap_or(u32::MAX)
    }

    fn seconds(self) -> i64 {
        (self.until - self.since).num_seconds()
    }
}

impl Step {
    /// For a question.
    pub(crate) fn seconds(self) -> u32 {
        u32::try_from(self.seconds).unwrap_or(u32::MAX)
    }

    /// As a length.
    pub(super) fn length(self) -> TimeDelta {
        TimeDelta::seconds(self.seconds)
    }
}

/// The marks of an axis, `apart` seconds or more, and what is written at each.
pub(super) fn marks(from: Timestamp, to: Timestamp, apart: i64) -> Vec<(Timestamp, String)> {
    let (first, last) = (from.timestamp(), to.timestamp());
    let steps = [
        MINUTE,
        5 * MINUTE,
        15 * MINUTE,
        30 * MINUTE,
        HOUR,
        3 * HOUR,
        6 * HOUR,
        12 * HOUR,
        DAY,
        2 * DAY,
        WEEK,
        2 * WEEK,
        4 * WEEK,
        12 * WEEK,
    ];
    let suits = |step: &i64| *step >= apart && (last - first) / step <= MARKS;
    let step = steps.into_iter().find(suits).unwrap_or(52 * WEEK * ((last - first) / (52 * WEEK * MARKS) + 1));
    let begin = first + (MONDAY - first).rem_euclid(step);
    let form = |at: Timestamp| match step {
        ..DAY if at.timestamp() % DAY != 0 => "%H:%M",
        ..=WEEK => "%-d %b",
        _ => "%-d %b %Y",
    };
    every(begin, last, step).into_iter().map(|at| (at, at.format(form(at)).to_string())).collect()
}

fn every(first: i64, last: i64, step: i64) -> Vec<Timestamp> {
    let count = usize::try_from((last - first).max(0) / step.max(1)).unwrap_or(0) + 1;
    let seconds = (0..).map(|index| first + index * step).take(count);
    seconds.take_while(|at| *at <= last).filter_map(|at| DateTime::from_timestamp(at, 0)).collect()
}

/// To the minute.
pub(super) fn stamp(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn spans_are_cut_as_it_suits() {
        let until = at("2026-11-29T07:12:30Z");
        let mut lines = String::new();
        for hours in [0, 1, 24, 24 * 7, 24 * 30, 24 * 365, 24 * 365 * 5, 24 * 365 * 20] {
            let span = Span { since: until - TimeDelta::hours(hours), until };
            let beginnings = span.beginnings(span.step());
            let (first, last) = (beginnings.first().expect("one"), beginnings.last().expect("one"));
            assert!(*first <= span.since && *last <= until && *last + span.step().length() > until);
            let (name, count, seconds) = (span.step().name, beginnings.len(), span.moment_seconds());
            lines += &format!("{hours} h: {count} × {name}, from {} to {}; {seconds} s\n", stamp(*first), stamp(*last));
        }
        expect![[r#"
            0 h: 1 × 5 minutes, from 2026-11-29 07:10 to 2026-11-29 07:10; 1 s
            1 h: 13 × 5 minutes, from 2026-11-29 06:10 to 2026-11-29 07:10; 60 s
            24 h: 25 × hour, from 2026-11-28 07:00 to 2026-11-29 07:00; 1440 s
            168 h: 8 × day, from 2026-11-22 00:00 to 2026-11-29 00:00; 10080 s
            720 h: 31 × day, from 2026-10-30 00:00 to 2026-11-29 00:00; 43200 s
            8760 h: 53 × week, from 2025-11-24 00:00 to 2026-11-23 00:00; 525600 s
            43800 h: 66 × 4 weeks, from 2021-11-08 00:00 to 2026-11-02 00:00; 2628000 s
            175200 h: 21 × 52 weeks, from 2005-12-26 00:00 to 2025-12-01 00:00; 10512000 s
        "#]]
        .assert_eq(&lines);
    }

    #[test]
    fn axes_are_marked() {
        let to = at("2026-11-29T07:12:30Z");
        let mut lines = String::new();
        for (minutes, apart) in
            [(5, 0), (60, 300), (600, 0), (24 * 60, 3600), (7 * 24 * 60, 86_400), (60 * 24 * 60, 0), (9_000_000, 0)]
        {
            let marks: Vec<String> =
                marks(to - TimeDelta::minutes(minutes), to, apart).into_iter().map(|(_, text)| text).collect();
            lines += &format!("{minutes} min: {}\n", marks.join(", "));
        }
        expect![[r#"
            5 min: 07:08, 07:09, 07:10, 07:11, 07:12
            60 min: 06:15, 06:30, 06:45, 07:00
            600 min: 29 Nov, 03:00, 06:00
            1440 min: 09:00, 12:00, 15:00, 18:00, 21:00, 29 Nov, 03:00, 06:00
            10080 min: 23 Nov, 24 Nov, 25 Nov, 26 Nov, 27 Nov, 28 Nov, 29 Nov
            86400 min: 5 Oct, 12 Oct, 19 Oct, 26 Oct, 2 Nov, 9 Nov, 16 Nov, 23 Nov
            9000000 min: 21 Dec 2009, 19 Dec 2011, 16 Dec 2013, 14 Dec 2015, 11 Dec 2017, 9 Dec 2019, 6 Dec 2021, 4 Dec 2023, 1 Dec 2025
        "#]].assert_eq(&lines);
    }
}
