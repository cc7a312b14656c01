//! When a scope is scanned next. Pure.

use std::time::Duration;

use chrono::{Datelike, Timelike, Weekday};
use elava_schemas::config::{Scanning, TierPattern};
use elava_schemas::{IdHasher, Scope, Timestamp};

/// Intervals vary by a tenth either way, so that scopes drift apart.
const JITTER: f64 = 0.1;

/// How often a scope is scanned: the shortest interval of the tiers that may hold some of its
/// resources, else the general one.
///
/// A pattern on tags or status concerns some resources of a scope, which is listed whole: so it
/// counts for the scope as if it named only type, region and account.
#[must_use]
pub fn interval(scanning: &Scanning, scope: &Scope) -> Duration {
    let tiers = scanning.tiers.values().filter(|tier| tier.patterns.iter().any(|pattern| matches(pattern, scope)));
    tiers.map(|tier| tier.scan_interval).min().unwrap_or(scanning.interval).get()
}

fn matches(pattern: &TierPattern, scope: &Scope) -> bool {
    let service = scope.kind.split(':').next();
    let same = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
    let kind = pattern.kind.as_deref().is_none_or(|wanted| wanted == scope.kind || Some(wanted) == service);
    kind && same(&pattern.region, &scope.region) && same(&pattern.account, &scope.account)
}

/// The interval as the hour has it: half from 07:00 to 19:00 UTC on working days, double at night
/// on every day, unchanged on a weekend's day.
#[must_use]
pub fn adapted(interval: Duration, at: Timestamp) -> Duration {
    let weekend = matches!(at.weekday(), Weekday::Sat | Weekday::Sun);
    match at.hour() {
        7..=18 if weekend => interval,
        7..=18 => interval / 2,
        _ => interval * 2,
    }
}

/// How long until a scope is due: at once where no scan that began after it was asked for has ended,
/// else an interval after the last one began.
#[must_use]
pub(crate) fn due(last: Option<Timestamp>, asked: Option<Timestamp>, interval: Duration, now: Timestamp) -> Duration {
    match last {
        Some(last) if asked.is_none_or(|asked| asked < last) => {
            // a clock behind the one of whoever scanned it must not wait longer than that
            interval.saturating_sub((now - last).to_std().unwrap_or_default())
        }
        _ => Duration::ZERO,
    }
}

/// From 0 to 1, the same for all observers: by when a scope was last scanned.
#[must_use]
pub(crate) fn chance(scope: &Scope, last: Option<Timestamp>) -> f64 {
    let last = last.map_or(0, |last| last.timestamp_micros());
    let hash = IdHasher::new("chance").part(scope.to_string()).part(last.to_le_bytes()).hex();
    f64::from(u32::from_str_radix(&hash[..8], 16).expect("hexadecimal digits")) / f64::from(u32::MAX)
}

/// How long after a scan's start the next one is due. `random` is from 0 to 1.
#[must_use]
pub fn jittered(interval: Duration, random: f64) -> Duration {
    interval.mul_f64(1.0 - JITTER + 2.0 * JITTER * random)
}

#[cfg(test)]
mod tests {
    use elava_schemas::Provider;

    use super::*;

    fn scope(kind: &str, region: &str) -> Scope {
        let (account, region, kind) = ("1".to_owned(), region.to_owned(), kind.to_owned());
        Scope { provider: Provider::Aws, account, region, kind, filter: None }
    }

    #[test]
    fn the_shortest_matching_tier_counts() {
        let config = elava_schemas::config::parse(
            "elava.yaml",
            "version: \"2.0\"\n\
             scanning:\n  interval: 1h\n  tiers:\n\
             \x20   critical: {scan_interval: 5m, patterns: [{type: rds}, {type: ec2:vpc, region: eu-west-1}]}\n\
             \x20   production: {scan_interval: 10m, patterns: [{type: ec2:instance, tags: {env: prod}}, {type: rds:db}]}\n\
             \x20   none: {scan_interval: 1m}\n\
             \x20   other: {scan_interval: 2m, patterns: [{account: \"2\"}]}\n",
            &|_| Ok(None),
        );
        let scanning = config.expect("a configuration").scanning;
        for (kind, region, minutes) in [
            ("rds:db", "eu-west-1", 5),
            ("ec2:vpc", "eu-west-1", 5),
            ("ec2:vpc", "us-east-1", 60),
            ("ec2:instance", "us-east-1", 10),
            ("ec2:volume", "us-east-1", 60),
        ] {
            assert_eq!(interval(&scanning, &scope(kind, region)), Duration::from_secs(minutes * 60), "{kind} {region}");
        }
    }

    #[test]
    fn hours_adapt() {
        for (at, minutes) in [
            ("2026-11-20T07:00:00Z", 5), // a Friday
            ("2026-11-20T18:59:59Z", 5),
            ("2026-11-20T19:00:00Z", 20),
            ("2026-11-20T06:59:59Z", 20),
            ("2026-11-21T12:00:00Z", 10), // a Saturday
            ("2026-11-21T03:00:00Z", 20),
        ] {
            let adapted = adapted(Duration::from_secs(600), at.parse().expect(at));
            assert_eq!(adapted, Duration::from_secs(minutes * 60), "{at}");
        }
    }

    #[test]
    fn what_is_due() {
        let at = |second: i64| Timestamp::from_timestamp(second, 0).expect("a time");
        for (last, asked, now, seconds) in [
            (None, None, 100, 0),
            (Some(100), None, 100, 60),
            (Some(100), None, 130, 30),
            (Some(100), None, 160, 0),
            (Some(100), None, 900, 0),
            (Some(100), None, 50, 60),
            (Some(100), Some(99), 130, 30),
            (Some(100), Some(101), 130, 0),
            (None, Some(101), 130, 0),
        ] {
            let found = due(last.map(at), asked.map(at), Duration::from_secs(60), at(now));
            assert_eq!(found.as_secs(), seconds, "{last:?} {asked:?} {now}");
        }
    }

    #[test]
    fn chances_differ_and_are_shared() {
        let chances: Vec<f64> = ["a", "b", "c"].map(|kind| chance(&scope(kind, "r"), None)).into();
        assert!(chances.iter().all(|chance| (0.0..=1.0).contains(chance)) && chances[0] != chances[1]);
        assert_eq!(chances[2], chance(&scope("c", "r"), None));
    }

    #[test]
    fn jitter_is_a_tenth() {
        for (random, seconds) in [(0.0, 90), (0.5, 100), (1.0, 110)] {
            assert_eq!(jittered(Duration::from_secs(100), random).as_secs_f64().round(), f64::from(seconds));
        }
    }
}
