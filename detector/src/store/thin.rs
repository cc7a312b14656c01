//! Old versions go: one UTC day and one rule a transaction.

use duckdb::params;
use elava_schemas::Timestamp;

use super::read::{get, instant};
use super::write::micros;
use super::{History, HistoryError, Tried};
use crate::retention::Rule;

/// The versions of one rule that ended on one UTC day: after its first midnight, not after its last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DayPlan<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) begins: Timestamp,
    pub(crate) ends: Timestamp,
}

/// How many versions of one type, of those that ended on a day, go and stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TypeCount {
    pub(crate) kind: String,
    pub(crate) removed: u64,
    pub(crate) kept: u64,
}

/// What the file has of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileBytes {
    pub(crate) all: u64,
    /// In blocks that hold nothing and will be written next.
    pub(crate) free: u64,
}

impl DayPlan<'_> {
    /// Times as numbers in the text: as in `read_current.sql`, only then is what lies outside skipped.
    fn statement(&self, sql: &str) -> String {
        let [begins, ends] = [self.begins, self.ends].map(|at| micros(at).to_string());
        sql.replace("$begins", &begins).replace("$ends", &ends)
    }
}

impl History {
    /// The newest time that the history holds; none where it holds nothing.
    pub(crate) fn newest(&self) -> Result<Option<Timestamp>, HistoryError> {
        let newest = self.connection.query_row(include_str!("retention/newest.sql"), [], |row| row.get(0));
        let micros: Option<i64> = newest.tried("query")?;
        micros.map(instant).transpose()
    }

    /// The beginnings of the UTC days before `horizon` that this rule has to look at, oldest first.
    pub(crate) fn days_to_thin(&self, rule: &str, horizon: Timestamp) -> Result<Vec<Timestamp>, HistoryError> {
        let mut days = Vec::new();
        self.each(include_str!("retention/days.sql"), params![micros(horizon), rule], |row| {
            days.push(instant(get(row, 0)?)?);
            Ok(())
        })?;
        Ok(days)
    }

    /// Thins a day and remembers that it did; `now` is only written down.
    pub(crate) fn thin(&self, plan: &DayPlan, now: Timestamp) -> Result<Vec<TypeCount>, HistoryError> {
        self.transaction(|| {
            let counts = self.plan(plan)?;
            if counts.iter().any(|count| count.removed > 0) {
                for sql in [include_str!("retention/remove.sql"), include_str!("retention/by_resource.sql")] {
                    self.connection.execute_batch(&plan.statement(sql)).tried("thin")?;
                }
            }
            let remember = params![plan.rule.name, micros(plan.begins), micros(now)];
            let remembered = self.connection.execute(include_str!("retention/remember.sql"), remember);
            remembered.tried("remember what was thinned in")?;
            self.forget_plan()?;
            Ok(counts)
        })
    }

    /// Counts what [`History::thin`] would remove.
    pub(crate) fn count_thinned(&self, plan: &DayPlan) -> Result<Vec<TypeCount>, HistoryError> {
        let counts = self.plan(plan)?;
        self.forget_plan()?;
        Ok(counts)
    }

    /// Finds which versions go, and counts them.
    fn plan(&self, plan: &DayPlan) -> Result<Vec<TypeCount>, HistoryError> {
        let json = |patterns: &[String]| serde_json::to_string(patterns).expect("strings serialise");
        let patterns = params![json(&plan.rule.types), json(&plan.rule.except)];
        let sql = plan.statement(include_str!("retention/plan.sql"));
        self.connection.execute(&sql, patterns).tried("find what is to be thinned in")?;
        let mut counts = Vec::new();
        self.each(include_str!("retention/counts.sql"), [], |row| {
            counts.push(TypeCount { kind: get(row, 0)?, removed: get(row, 1)?, kept: get(row, 2)? });
            Ok(())
        })?;
        Ok(counts)
    }

    fn forget_plan(&self) -> Result<(), HistoryError> {
        self.connection.execute_batch("DROP TABLE thinning").tried("thin")
    }

    /// How large the file is, and how much of it is free.
    pub(crate) fn file_bytes(&self) -> Result<FileBytes, HistoryError> {
        let sizes = self.connection.query_row(include_str!("retention/file_bytes.sql"), [], |row| {
            Ok(FileBytes { all: row.get(0)?, free: row.get(1)? })
        });
        sizes.tried("measure")
    }
}
