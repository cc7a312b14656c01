//! What the later stages said, as it is stored.

use duckdb::params;
use elava_schemas::{Kind, ResourceKey, Timestamp};
use hashbrown::HashSet;

use super::read::{get, instant, list};
use super::write::{Progress, micros};
use super::{History, HistoryError, Tried};

/// A violation as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredViolation {
    pub(crate) resource: u64,
    pub(crate) policy: String,
    pub(crate) rule: String,
    pub(crate) severity: String,
    pub(crate) message: String,
    pub(crate) suggestion: Option<String>,
    pub(crate) bundle: String,
    pub(crate) opened_at: Timestamp,
    pub(crate) opened_by: String,
    /// When, and by which result.
    pub(crate) closed: Option<(Timestamp, String)>,
}

/// What is to be recorded of one batch.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// Keys of resources never heard of before.
    pub(crate) keys: Vec<(u64, ResourceKey)>,
    /// Messages, each with the number of its resource where it has one.
    pub(crate) messages: Vec<(Kind, Option<u64>, String)>,
    /// Resources whose violations were evaluated again.
    pub(crate) settled: Vec<u64>,
    /// All that is known of their violations that were open before or are new.
    pub(crate) violations: Vec<StoredViolation>,
}

impl Records {
    fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.settled.is_empty()
    }
}

impl History {
    /// The open violations of these resources.
    pub(crate) fn open_violations(&self, resources: &[u64]) -> Result<Vec<StoredViolation>, HistoryError> {
        let mut open = Vec::new();
        self.each(include_str!("read_violations.sql"), params![list(resources)], |row| {
            open.push(StoredViolation {
                resource: get(row, 0)?,
                policy: get(row, 1)?,
                rule: get(row, 2)?,
                severity: get(row, 3)?,
                message: get(row, 4)?,
                suggestion: get(row, 5)?,
                bundle: get(row, 6)?,
                opened_at: instant(get(row, 7)?)?,
                opened_by: get(row, 8)?,
                closed: None,
            });
            Ok(())
        })?;
        Ok(open)
    }

    /// Every resource with an open violation.
    pub(crate) fn violators(&self) -> Result<HashSet<u64>, HistoryError> {
        let mut violators = HashSet::new();
        self.each("SELECT DISTINCT resource_id FROM violations WHERE closed_at IS NULL", [], |row| {
            violators.insert(get(row, 0)?);
            Ok(())
        })?;
        Ok(violators)
    }

    /// Stores what one batch said, and its position.
    pub(crate) fn record(&self, records: &Records, progress: Option<&Progress>) -> Result<(), HistoryError> {
        if records.is_empty() && progress.is_none() {
            return Ok(());
        }
        self.transaction(|| {
            if !records.is_empty() {
                self.connection.execute_batch(include_str!("stage_records.sql")).tried("stage for")?;
                self.stage_records(records).tried("stage records for")?;
                self.connection.execute_batch(include_str!("apply_records.sql")).tried("record in")?;
            }
            match progress {
                Some(progress) => self.advance(progress, false),
                None => Ok(()),
            }
        })
    }

    fn stage_records(&self, records: &Records) -> duckdb::Result<()> {
        self.stage_keys("staged_record_keys", &records.keys)?;
        let mut appender = self.connection.appender("staged_messages")?;
        for (kind, resource, message) in &records.messages {
            appender.append_row(params![kind.as_str(), resource, message])?;
        }
        appender.flush()?;
        let mut appender = self.connection.appender("staged_settled")?;
        for resource in &records.settled {
            appender.append_row(params![resource])?;
        }
        appender.flush()?;
        let mut appender = self.connection.appender("staged_violations")?;
        for violation in &records.violations {
            let closed = violation.closed.as_ref();
            appender.append_row(params![
                violation.resource,
                violation.policy,
                violation.rule,
                violation.severity,
                violation.message,
                violation.suggestion,
                violation.bundle,
                micros(violation.opened_at),
                closed.map(|(at, _)| micros(*at)),
                violation.opened_by,
                closed.map(|(_, by)| by),
            ])?;
        }
        appender.flush()
    }
}
