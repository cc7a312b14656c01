//! How far the current resources of one partition have been evaluated with which policies. Pure; kept as state.

use chrono::TimeDelta;
use elava_schemas::{Part, Place, ResourceKey, Timestamp, Trigger};
use serde::{Deserialize, Serialize};

/// What is kept of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The policies that all its resources were evaluated with; empty where that is not known.
    pub(super) bundle: String,
    /// When that was begun last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<Timestamp>,
    /// What is not through yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<Run>,
}

/// All resources of a partition being evaluated, part after part.
///
/// The end of each part is fixed before any of it is evaluated. So what counts as evaluated after a part follows from
/// what was kept before it, also when the detector answers otherwise to the same question asked again after a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    /// Why.
    pub(super) trigger: Trigger,
    /// With which policies.
    pub(super) bundle: String,
    /// Since when.
    pub(super) begun: Timestamp,
    /// What is next; none where its end is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<Part>,
    /// Only this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) only: Option<ResourceKey>,
    /// How many have been evaluated.
    #[serde(default)]
    pub(super) resources: u64,
}

/// What somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Everything.
    All,
    /// One resource.
    One(ResourceKey),
}

/// The policies in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct InUse<'a> {
    /// Their hash.
    pub(super) bundle: &'a str,
    /// How often all is to be evaluated anyway.
    pub(super) every: Option<TimeDelta>,
}

impl Record {
    /// Since when there is something to be evaluated, or when there will be; a time long past where there is now.
    pub(super) fn wanted_at(&self, in_use: InUse<'_>, asked: Option<&Asked>) -> Option<Timestamp> {
        if self.run.is_some() || self.bundle != in_use.bundle || asked.is_some() {
            return Some(Timestamp::UNIX_EPOCH);
        }
        self.at?.checked_add_signed(in_use.every?)
    }

    /// What to evaluate at that time: what was begun, or, with other policies, all from the beginning.
    pub(super) fn next(&self, in_use: InUse<'_>, asked: Option<&Asked>, now: Timestamp) -> Option<Run> {
        if let Some(run) = self.run.as_ref().filter(|run| run.bundle == in_use.bundle) {
            return Some(run.clone());
        }
        let run = |trigger, only: Option<ResourceKey>| Run {
            trigger,
            bundle: in_use.bundle.to_owned(),
            begun: now,
            // one resource is one part
            part: only.as_ref().map(|_| Part::default()),
            only,
            resources: 0,
        };
        if self.bundle != in_use.bundle {
            return Some(run(Trigger::Policies, None));
        }
        match asked {
            Some(Asked::All) => Some(run(Trigger::Request, None)),
            Some(Asked::One(key)) => Some(run(Trigger::Request, Some(key.clone()))),
            None => self.wanted_at(in_use, None).filter(|wanted| *wanted <= now).map(|_| run(Trigger::Time, None)),
        }
    }

    /// After a part, when the next one ends at that place.
    pub(super) fn after(&self, run: Run, next: Option<Place>, resources: u64) -> Self {
        let part = match run.part {
            None => Some(Part { from: None, to: next }),
            Some(Part { to: Some(to), .. }) => Some(Part { from: Some(to), to: next }),
            Some(Part { to: None, .. }) => None,
        };
        let is_one = run.only.is_some();
        match part {
            Some(part) => {
                let run = Run { part: Some(part), resources: run.resources + resources, ..run };
                Self { run: Some(run), ..self.clone() }
            }
            None if is_one => Self { run: None, ..self.clone() },
            None => Self { bundle: run.bundle, at: Some(run.begun), run: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(seconds, 0).expect("a time")
    }

    fn place(resource_id: u64) -> Option<Place> {
        Some(Place { scope: "aws/1/eu/ec2:vpc".into(), resource_id })
    }

    const DAILY: Option<TimeDelta> = Some(TimeDelta::days(1));

    #[test]
    fn when_and_why() {
        let known = Record { bundle: "new".into(), at: Some(at(10)), run: None };
        let old = Record { bundle: "old".into(), ..known.clone() };
        let key: ResourceKey = "aws/1/eu/ec2:vpc/v".parse().expect("a key");
        let one = Asked::One(key.clone());
        let day = 86_400;
        for (record, every, asked, now, expected) in [
            (&known, None, None, 5 * day, None),
            (&known, DAILY, None, day, None),
            (&known, DAILY, None, day + 10, Some((Trigger::Time, None))),
            (&old, None, None, 11, Some((Trigger::Policies, None))),
            (&old, None, Some(&one), 11, Some((Trigger::Policies, None))),
            (&known, None, Some(&Asked::All), 11, Some((Trigger::Request, None))),
            (&known, None, Some(&one), 11, Some((Trigger::Request, Some(key)))),
        ] {
            let in_use = InUse { bundle: "new", every };
            let run = record.next(in_use, asked, at(now));
            assert_eq!(run.map(|run| (run.trigger, run.only)), expected, "{record:?} {asked:?} at {now}");
        }
    }

    /// Also where the same part is evaluated twice, and the detector knows more the second time.
    #[test]
    fn parts_join() {
        let in_use = InUse { bundle: "new", every: None };
        let mut record = Record::default();
        let mut parts = Vec::new();
        for (first, again) in [(place(5), place(6)), (place(9), place(8)), (None, None)] {
            let run = record.next(in_use, None, at(1)).expect("not through yet");
            assert_ne!(record.after(run.clone(), first, 3), record);
            record = record.after(run, again, 3);
            parts.push(record.run.clone().and_then(|run| run.part).expect("a part"));
        }
        let ends: Vec<_> = parts.iter().map(|part| (part.from.clone(), part.to.clone())).collect();
        assert_eq!(ends, [(None, place(6)), (place(6), place(8)), (place(8), None)]);
        let last = record.next(in_use, None, at(2)).expect("the last part");
        let record = record.after(last, None, 3);
        assert_eq!(record, Record { bundle: "new".into(), at: Some(at(1)), run: None });
    }

    #[test]
    fn other_policies_begin_again() {
        let run = Run {
            trigger: Trigger::Policies,
            bundle: "older".into(),
            begun: at(1),
            part: Some(Part { from: place(5), to: None }),
            only: None,
            resources: 5,
        };
        let record = Record { bundle: "old".into(), at: None, run: Some(run) };
        let run = record.next(InUse { bundle: "new", every: None }, None, at(2)).expect("all of it");
        assert_eq!((run.part, run.resources, run.bundle.as_str()), (None, 0, "new"));
    }
}
