//! Quiet hours: until when nobody is to be disturbed. Pure: the time is an argument.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeZone};
use chrono_tz::Tz;
use elava_schemas::config::{QuietHours, TimeOfDay, Weekday};
use elava_schemas::{Severity, Timestamp};

/// Quiet hours in a time zone that there is.
#[derive(Clone, Debug)]
pub(crate) struct Quiet {
    from: NaiveTime,
    to: NaiveTime,
    zone: Tz,
    days: Vec<chrono::Weekday>,
    except: Severity,
}

/// No such time zone.
#[derive(Debug, thiserror::Error)]
#[error("no such time zone: {0}; write one like Europe/Helsinki")]
pub(crate) struct NoSuchZone(String);

impl Quiet {
    pub(crate) fn new(config: &QuietHours) -> Result<Self, NoSuchZone> {
        let time = |time: TimeOfDay| {
            NaiveTime::from_hms_opt(time.hour.into(), time.minute.into(), 0).expect("checked when it was read")
        };
        Ok(Self {
            from: time(config.from),
            to: time(config.to),
            zone: config.timezone.parse().map_err(|_| NoSuchZone(config.timezone.clone()))?,
            days: config.days.iter().copied().map(weekday).collect(),
            except: config.except,
        })
    }

    /// Until when what is so severe must wait, if it is quiet at `now`.
    pub(crate) fn until(&self, now: Timestamp, severity: Severity) -> Option<Timestamp> {
        if severity >= self.except {
            return None;
        }
        let today = now.with_timezone(&self.zone).date_naive();
        let begins = [today.checked_sub_days(Days::new(1)), Some(today)];
        begins
            .into_iter()
            .flatten()
            .filter_map(|day| self.night(day))
            .find(|(from, to)| (*from..*to).contains(&now))
            .map(|(_, to)| to)
    }

    /// The quiet hours that begin on a day.
    fn night(&self, day: NaiveDate) -> Option<(Timestamp, Timestamp)> {
        if !self.days.is_empty() && !self.days.contains(&day.weekday()) {
            return None;
        }
        let end = if self.to > self.from { day } else { day.checked_add_days(Days::new(1))? };
        Some((self.instant(day, self.from)?, self.instant(end, self.to)?))
    }

    /// A local time; where the clock is put forward over it, the first one after.
    fn instant(&self, day: NaiveDate, time: NaiveTime) -> Option<Timestamp> {
        let local = day.and_time(time);
        let later = |minutes| self.zone.from_local_datetime(&(local + chrono::Duration::minutes(minutes))).earliest();
        (0..=180).step_by(30).find_map(later).map(|at: DateTime<Tz>| at.to_utc())
    }
}

fn weekday(day: Weekday) -> chrono::Weekday {
    match day {
        Weekday::Mon => chrono::Weekday::Mon,
        Weekday::Tue => chrono::Weekday::Tue,
        Weekday::Wed => chrono::Weekday::Wed,
        Weekday::Thu => chrono::Weekday::Thu,
        Weekday::Fri => chrono::Weekday::Fri,
        Weekday::Sat => chrono::Weekday::Sat,
        Weekday::Sun => chrono::Weekday::Sun,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(from: &str, to: &str, zone: &str, days: &[Weekday]) -> Quiet {
        let config = QuietHours {
            from: from.parse().expect("a time"),
            to: to.parse().expect("a time"),
            timezone: zone.to_owned(),
            days: days.to_vec(),
            except: Severity::Critical,
        };
        Quiet::new(&config).expect("a time zone")
    }

    #[test]
    fn nights_and_days() {
        let night = quiet("22:00", "07:00", "Europe/Helsinki", &[]);
        let weekdays = quiet("22:00", "07:00", "UTC", &[Weekday::Mon, Weekday::Fri]);
        let noon = quiet("12:00", "13:00", "UTC", &[]);
        let always = quiet("00:00", "00:00", "UTC", &[Weekday::Sat, Weekday::Sun]);
        let spring = quiet("22:00", "03:30", "Europe/Helsinki", &[]);
        for (quiet, now, until) in [
            // 22:00 in Helsinki is 20:00 UTC in winter, 19:00 in summer
            (&night, "2026-01-05T19:59:59Z", None),
            (&night, "2026-01-05T20:00:00Z", Some("2026-01-06T05:00:00Z")),
            (&night, "2026-01-06T04:59:59Z", Some("2026-01-06T05:00:00Z")),
            (&night, "2026-01-06T05:00:00Z", None),
            (&night, "2026-07-05T19:00:00Z", Some("2026-07-06T04:00:00Z")),
            // the night in which the clock is put forward is an hour shorter
            (&night, "2026-03-28T21:00:00Z", Some("2026-03-29T04:00:00Z")),
            // 03:30 is left out that night: the end is 04:00, as clocks show it
            (&spring, "2026-03-28T23:00:00Z", Some("2026-03-29T01:00:00Z")),
            // 2026-01-05 is a Monday
            (&weekdays, "2026-01-05T23:00:00Z", Some("2026-01-06T07:00:00Z")),
            (&weekdays, "2026-01-06T06:00:00Z", Some("2026-01-06T07:00:00Z")),
            (&weekdays, "2026-01-06T23:00:00Z", None),
            (&noon, "2026-01-05T12:30:00Z", Some("2026-01-05T13:00:00Z")),
            (&noon, "2026-01-05T13:00:00Z", None),
            (&always, "2026-01-10T12:00:00Z", Some("2026-01-11T00:00:00Z")),
            (&always, "2026-01-12T00:00:00Z", None),
        ] {
            let now: Timestamp = now.parse().expect("an instant");
            let until = until.map(|text: &str| text.parse::<Timestamp>().expect("an instant"));
            assert_eq!(quiet.until(now, Severity::Warning), until, "{quiet:?} {now}");
            assert_eq!(quiet.until(now, Severity::Critical), None);
        }
    }

    #[test]
    fn no_such_zone() {
        let config = QuietHours {
            from: "22:00".parse().expect("a time"),
            to: "07:00".parse().expect("a time"),
            timezone: "Mars/Olympus".to_owned(),
            days: Vec::new(),
            except: Severity::Critical,
        };
        let error = Quiet::new(&config).expect_err("no such place");
        assert_eq!(error.to_string(), "no such time zone: Mars/Olympus; write one like Europe/Helsinki");
    }
}
