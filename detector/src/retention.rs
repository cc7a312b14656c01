//! Which old versions go, and when: the policy of `elava.yaml` as rules, and a run over them in slices of one UTC day.
//! Pure but for the history it is given; the clock is an argument.

use std::collections::VecDeque;

use chrono::TimeDelta;
use elava_schemas::Timestamp;
use elava_schemas::config::RetentionRule;

use crate::store::{DayPlan, FileBytes, History, HistoryError, ROW_GROUP, TypeCount};

const DAY: TimeDelta = TimeDelta::days(1);

/// A rule that thins, as the statements take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Its types, and those that earlier rules took: a rule of another effect has another name.
    pub(crate) name: String,
    /// A type is like one of these,
    pub(crate) types: Vec<String>,
    /// and like none of these.
    pub(crate) except: Vec<String>,
    after: TimeDelta,
}

/// The rules that thin anything. An earlier one takes its types away from later ones.
pub(crate) fn rules(policy: &[RetentionRule]) -> Vec<Rule> {
    let mut taken: Vec<String> = Vec::new();
    let mut rules = Vec::new();
    for RetentionRule { types, thin_after } in policy {
        if let Some(after) = thin_after {
            let except = if taken.is_empty() { String::new() } else { format!(" except {}", taken.join(", ")) };
            rules.push(Rule {
                name: types.join(", ") + &except,
                types: types.clone(),
                except: taken.clone(),
                // an age beyond all time thins nothing
                after: TimeDelta::from_std(after.get()).unwrap_or(TimeDelta::MAX),
            });
        }
        taken.extend(types.iter().cloned());
    }
    rules
}

impl Rule {
    /// The midnight before which versions must have ended to be old. No old version where there is no such time.
    fn horizon(&self, now: Timestamp) -> Option<Timestamp> {
        let oldest_kept = now.checked_sub_signed(self.after)?;
        Some(oldest_kept.date_naive().and_time(chrono::NaiveTime::MIN).and_utc())
    }
}

/// Whether old versions are removed, or only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They go.
    Remove,
    /// Nothing goes.
    Count,
}

/// What one step of a run did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Looked for days.
    Looked,
    /// A UTC day of one rule.
    Day { day: Timestamp, counts: Vec<TypeCount> },
    /// Let DuckDB merge what is left.
    Merged,
}

/// One run over the history, step by step: each holds it for a short time only.
#[derive(Debug)]
pub(crate) struct Run {
    now: Timestamp,
    mode: Mode,
    rules: VecDeque<Rule>,
    rule: Option<Rule>,
    days: VecDeque<Timestamp>,
    /// Removed since the last checkpoint.
    unmerged: u64,
    /// Removed, or counted, in all.
    removed: u64,
    /// The file after the last step.
    file: Option<FileBytes>,
}

impl Run {
    /// `now` is the clock's. What the history has not heard of yet is not old, whatever the clock says: a detector that
    /// was down has the findings about its last versions still to record.
    pub(crate) fn new(policy: &[RetentionRule], now: Timestamp, mode: Mode) -> Self {
        let rules = rules(policy).into();
        Self { now, mode, rules, rule: None, days: VecDeque::new(), unmerged: 0, removed: 0, file: None }
    }

    /// Does the next step; `None` when nothing is left to do.
    pub(crate) fn step(&mut self, history: &History) -> Result<Option<Step>, HistoryError> {
        // DuckDB merges what is left of row groups when it writes a checkpoint: asked for so often, none has much to do
        if self.unmerged >= ROW_GROUP {
            return Ok(Some(self.merge(history)));
        }
        if let (Some(rule), Some(day)) = (&self.rule, self.days.pop_front()) {
            let plan = DayPlan { rule, begins: day, ends: day + DAY };
            let counts = match self.mode {
                Mode::Remove => history.thin(&plan, self.now)?,
                Mode::Count => history.count_thinned(&plan)?,
            };
            let removed: u64 = counts.iter().map(|count| count.removed).sum();
            self.removed += removed;
            if self.mode == Mode::Remove {
                self.unmerged += removed;
            }
            return Ok(Some(Step::Day { day, counts }));
        }
        if let Some(rule) = self.rules.pop_front() {
            let newest = history.newest()?.unwrap_or_default();
            let horizon = rule.horizon(self.now.min(newest));
            self.days = horizon.map_or(Ok(Vec::new()), |horizon| history.days_to_thin(&rule.name, horizon))?.into();
            self.rule = Some(rule);
            return Ok(Some(Step::Looked));
        }
        if self.unmerged > 0 {
            return Ok(Some(self.merge(history)));
        }
        self.file = Some(history.file_bytes()?);
        Ok(None)
    }

    /// Says what came of it, once there is nothing left to do.
    pub(crate) fn tell(&self) {
        let Some(FileBytes { all, free }) = self.file else { return };
        match self.mode {
            Mode::Remove => {
                tracing::info!(removed = self.removed, bytes = all, bytes_free = free, "old versions thinned");
            }
            Mode::Count => tracing::info!(removable = self.removed, "old versions counted; nothing was removed"),
        }
    }

    fn merge(&mut self, history: &History) -> Step {
        self.unmerged = 0;
        history.checkpoint();
        Step::Merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(types: &[&str], thin_after: Option<&str>) -> RetentionRule {
        let types = types.iter().map(|&kind| kind.to_owned()).collect();
        RetentionRule { types, thin_after: thin_after.map(|age| age.parse().expect("a duration")) }
    }

    #[test]
    fn an_earlier_rule_takes_its_types() {
        let found = rules(&[
            rule(&["ec2:snapshot", "ec2:volume"], Some("30d")),
            rule(&["rds:*"], None),
            rule(&["*"], Some("90d")),
        ]);
        let found: Vec<_> = found.iter().map(|rule| (rule.name.as_str(), rule.after.num_days())).collect();
        assert_eq!(found, [("ec2:snapshot, ec2:volume", 30), ("* except ec2:snapshot, ec2:volume, rds:*", 90)]);
    }

    #[test]
    fn only_whole_days_are_old() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        for (after, now, expected) in [
            ("1d", "2026-03-02T00:00:00Z", Some("2026-03-01T00:00:00Z")),
            ("1d", "2026-03-01T23:59:59Z", Some("2026-02-28T00:00:00Z")),
            ("36h", "2026-03-02T13:00:00Z", Some("2026-03-01T00:00:00Z")),
            ("100000000d", "2026-03-02T13:00:00Z", None),
        ] {
            let found = rules(&[rule(&["*"], Some(after))])[0].horizon(at(now));
            assert_eq!(found, expected.map(at), "{after} {now}");
        }
    }
}
