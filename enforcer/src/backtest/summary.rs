//! What became of all resources, rule by rule.

use std::collections::{BTreeMap, BTreeSet};

use elava_schemas::{Severity, Timestamp};

use super::{Difference, Outcome, Sort};

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSummary {
    /// How many violations of each sort, in the order of [`Sort::ALL`].
    pub sorts: [u64; 5],
    /// How many of each severity, mildest first, as the new bundle finds them where it does.
    pub severities: [u64; 3],
    /// How many resources the new bundle finds it on.
    pub resources: u64,
    /// How many it has open at the end.
    pub open: u64,
    /// When it was found first.
    pub first: Option<Timestamp>,
    /// When it was found last.
    pub last: Option<Timestamp>,
    /// How many of each owner's.
    pub owners: BTreeMap<String, u64>,
}

/// All rules.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// By policy and rule.
    pub rules: BTreeMap<(String, String), RuleSummary>,
    /// How many resources there are.
    pub resources: u64,
    /// How many versions were evaluated.
    pub versions: u64,
    /// How many could not be.
    pub unknown: u64,
    /// How often policies of the new bundle failed, and what the engine said first.
    pub errors: BTreeMap<String, (u64, String)>,
    /// How many would open, by severity, mildest first.
    pub opens: [u64; 3],
}

impl Summary {
    /// Adds what became of a resource.
    pub fn add(&mut self, outcome: &Outcome) {
        self.resources += 1;
        self.versions += outcome.versions;
        self.unknown += outcome.unknown;
        for (policy, (count, message)) in &outcome.errors {
            self.errors.entry(policy.clone()).or_insert_with(|| (0, message.clone())).0 += count;
        }
        let mut found = BTreeSet::new();
        for difference in &outcome.differences {
            let episode = difference.episode();
            if difference.sort == Sort::Opens {
                self.opens[episode.severity as usize] += 1;
            }
            let rule = self.rules.entry((episode.policy.clone(), episode.rule.clone())).or_default();
            rule.add(difference, outcome.owner.as_deref());
            if difference.new.is_some() && found.insert((&episode.policy, &episode.rule)) {
                rule.resources += 1;
            }
        }
    }

    /// How many of a sort there are.
    #[must_use]
    pub fn count(&self, sort: Sort) -> u64 {
        self.rules.values().map(|rule| rule.sorts[sort as usize]).sum()
    }

    /// How many of at least this severity would open.
    #[must_use]
    pub fn opens_at_least(&self, severity: Severity) -> u64 {
        self.opens[severity as usize..].iter().sum()
    }
}

impl RuleSummary {
    fn add(&mut self, difference: &Difference, owner: Option<&str>) {
        self.sorts[difference.sort as usize] += 1;
        let episode = difference.episode();
        self.first = Some(self.first.map_or(episode.opened_at, |first| first.min(episode.opened_at)));
        self.last = Some(self.last.map_or(episode.opened_at, |last| last.max(episode.opened_at)));
        *self.owners.entry(owner.unwrap_or("nobody").to_owned()).or_default() += 1;
        self.severities[episode.severity as usize] += 1;
        if let Some(new) = &difference.new {
            self.open += u64::from(new.closed_at.is_none());
        }
    }
}
