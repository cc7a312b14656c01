//! Results that wait for their reader: tables in memory, in a database of their own.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

/// How long a result waits to be fetched.
const PATIENCE: Duration = Duration::from_secs(600);
/// How many wait at once.
const MOST: usize = 32;

/// A result's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ResultTable(u64);

impl ResultTable {
    /// Whether a table is one of [`Self::part`].
    pub(super) fn has_part(self, schema: [&str; 2], table: &str) -> bool {
        schema == ["elava_results", "main"] && table.starts_with(&format!("part_{}_", self.0))
    }

    /// Where the rows of one relation of its statement are gathered: database, schema, table.
    pub(super) fn part(self, number: usize) -> [String; 3] {
        ["elava_results".to_owned(), "main".to_owned(), format!("part_{}_{number}", self.0)]
    }
}

impl fmt::Display for ResultTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "elava_results.main.result_{}", self.0)
    }
}

/// What is kept, oldest first.
#[derive(Debug, Default)]
pub(super) struct Results {
    made: u64,
    kept: VecDeque<(String, ResultTable, Instant)>,
}

impl Results {
    /// Names a result. A session has one at a time: Quack gives up the one before.
    pub(super) fn add(&mut self, session: &str, now: Instant) -> ResultTable {
        self.made += 1;
        let table = ResultTable(self.made);
        self.kept.push_back((session.to_owned(), table, now));
        table
    }

    /// Takes out what nobody will fetch any more. One that is being fetched stays until it is.
    pub(super) fn take_stale(&mut self, session: Option<&str>, now: Instant) -> Vec<ResultTable> {
        let mut surplus = self.kept.len().saturating_sub(MOST);
        let mut stale = Vec::new();
        self.kept.retain(|(owner, table, made)| {
            let goes = surplus > 0 || session == Some(owner) || now.duration_since(*made) > PATIENCE;
            surplus = surplus.saturating_sub(1);
            if goes {
                stale.push(*table);
            }
            !goes
        });
        stale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_and_what_stays() {
        let start = Instant::now();
        let mut results = Results::default();
        let (a, b) = (results.add("a", start), results.add("b", start + PATIENCE / 2));
        assert_eq!(results.take_stale(None, start + PATIENCE / 2), []);
        assert_eq!(results.take_stale(Some("a"), start + PATIENCE / 2), [a]);
        assert_eq!(results.take_stale(None, start + PATIENCE * 2), [b]);
        let many: Vec<_> = (0..=MOST).map(|number| results.add(&number.to_string(), start)).collect();
        assert_eq!(results.take_stale(None, start), [many[0]]);
    }
}
