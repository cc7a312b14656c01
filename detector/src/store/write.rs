//! One batch's effects on the history: appended to temporary tables, then moved by set-based SQL.

use duckdb::params;
use elava_schemas::{ResourceKey, Timestamp};

use super::read::get;
use super::{History, HistoryError, Tried};
use crate::change::Detected;
use crate::content::{Hash, key_id};
use crate::effects::{Effects, ScanRow, Version};

/// Where the outbox and positions of a batch go; nowhere for a pipe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) stream: &'static str,
    pub(crate) partition: u16,
    pub(crate) applied: u64,
    pub(crate) resume: u64,
    /// Outputs up to here are stored downstream.
    pub(crate) stored: u64,
}

impl History {
    /// Stores a batch's effects and position. The changes learn what the history says of their resources.
    pub(crate) fn apply(&self, effects: &mut Effects, progress: Option<&Progress>) -> Result<(), HistoryError> {
        self.transaction(|| {
            if !effects.is_empty() {
                self.stage(effects)?;
                self.connection.execute_batch(include_str!("apply.sql")).tried("write")?;
                self.count_changes(&mut effects.changes)?;
            }
            match progress {
                Some(progress) => self.advance(progress, !effects.changes.is_empty()),
                None => Ok(()),
            }
        })
    }

    /// Moves a position; within a transaction.
    pub(super) fn advance(&self, progress: &Progress, changes: bool) -> Result<(), HistoryError> {
        let Progress { stream, partition, applied, resume, stored } = *progress;
        let run = || {
            if stored > 0 {
                let sql = "DELETE FROM outbox WHERE partition = ? AND sequence <= ?";
                self.connection.prepare_cached(sql)?.execute(params![partition, stored])?;
            }
            if changes {
                let sql = "INSERT INTO outbox SELECT ?, sequence, ordinal, id FROM staged_changes";
                self.connection.prepare_cached(sql)?.execute(params![partition])?;
            }
            let sql = "INSERT INTO positions VALUES (?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET applied = excluded.applied, resume = excluded.resume";
            self.connection.prepare_cached(sql)?.execute(params![stream, partition, applied, resume])
        };
        run().map(drop).tried("move the position of")
    }

    fn stage(&self, effects: &Effects) -> Result<(), HistoryError> {
        self.connection.execute_batch(include_str!("stage.sql")).tried("stage for")?;
        self.stage_keys("staged_keys", &effects.keys).tried("stage keys for")?;
        self.stage_ends(effects).tried("stage ends for")?;
        self.stage_versions(&effects.versions).tried("stage versions for")?;
        self.stage_scans(&effects.scans).tried("stage scans for")?;
        self.stage_changes(&effects.changes).tried("stage changes for")
    }

    pub(super) fn stage_keys(&self, table: &str, keys: &[(u64, ResourceKey)]) -> duckdb::Result<()> {
        let mut appender = self.connection.appender(table)?;
        for (id, key) in keys {
            let (text, provider) = (key.to_string(), key.provider.as_str());
            appender.append_row(params![id, text, provider, key.account, key.region, key.kind, key.id])?;
        }
        appender.flush()
    }

    fn stage_ends(&self, effects: &Effects) -> duckdb::Result<()> {
        let mut appender = self.connection.appender("staged_ends")?;
        for (id, end) in &effects.ended {
            appender.append_row(params![id, micros(end.at), micros(end.last_seen), end.by.as_str()])?;
        }
        appender.flush()?;
        let mut appender = self.connection.appender("staged_touched")?;
        for (id, at) in &effects.touched {
            appender.append_row(params![id, micros(*at)])?;
        }
        appender.flush()
    }

    fn stage_versions(&self, versions: &[Version]) -> duckdb::Result<()> {
        let mut appender = self.connection.appender("staged_versions")?;
        for version in versions {
            let Version { id, hash, resource, tags_carried, valid_from, first_seen, last_seen, scan_id, end } = version;
            let tags = resource.tags.as_ref().map(json);
            let relations = (!resource.relations.is_empty()).then(|| json(&resource.relations));
            appender.append_row(params![
                id,
                hash.0,
                resource.name,
                resource.arn,
                resource.status,
                tags,
                tags_carried,
                resource.created_at.map(micros),
                resource.monthly_cost_usd,
                resource.monthly_cost_source,
                json(&resource.attributes),
                relations,
                micros(*valid_from),
                end.map(|end| micros(end.at)),
                micros(*first_seen),
                micros(end.map_or(*last_seen, |end| end.last_seen)),
                scan_id,
                end.map(|end| end.by.as_str()),
            ])?;
        }
        appender.flush()
    }

    fn stage_scans(&self, scans: &[ScanRow]) -> duckdb::Result<()> {
        let mut appender = self.connection.appender("staged_scans")?;
        for scan in scans {
            appender.append_row(params![
                scan.scan_id,
                scan.scope.provider.as_str(),
                scan.scope.account,
                scan.scope.region,
                scan.scope.kind,
                scan.scope.filter,
                micros(scan.started_at),
                micros(scan.finished_at),
                scan.outcome,
                scan.observed,
                scan.received,
                scan.api_calls,
                (!scan.errors.is_empty()).then(|| json(&scan.errors)),
                if scan.proved { "proved" } else { "unknown" },
            ])?;
        }
        appender.flush()
    }

    fn stage_changes(&self, changes: &[Detected]) -> duckdb::Result<()> {
        let mut appender = self.connection.appender("staged_changes")?;
        for (ordinal, Detected { sequence, before, change }) in (0_u32..).zip(changes) {
            let after = change.current.as_ref().and_then(|_| Hash::parse(&change.version)).map(|hash| hash.0);
            appender.append_row(params![
                ordinal,
                sequence,
                change.id.as_str(),
                change.change_type.as_str(),
                bool::from(change.baseline),
                key_id(&change.resource_key),
                before.map(|hash| hash.0),
                after,
                (!change.diff.is_empty()).then(|| json(&change.diff)),
                micros(change.detected_at),
                change.scan_id.as_ref().map(|id| id.as_str()),
                change.details,
                change.earlier_life.as_ref().map(json),
            ])?;
        }
        appender.flush()
    }

    fn count_changes(&self, changes: &mut [Detected]) -> Result<(), HistoryError> {
        if changes.iter().all(|detected| detected.change.history.is_none()) {
            return Ok(());
        }
        self.each(include_str!("recent_changes.sql"), [], |row| {
            let ordinal: u32 = get(row, 0)?;
            if let Some(history) =
                changes.get_mut(ordinal as usize).and_then(|detected| detected.change.history.as_mut())
            {
                history.changes_7d = get::<i64>(row, 1)?.unsigned_abs();
                history.changes_30d = get::<i64>(row, 2)?.unsigned_abs();
            }
            Ok(())
        })
    }
}

pub(super) fn micros(at: Timestamp) -> i64 {
    at.timestamp_micros()
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("messages have string keys and infallible serialisers")
}
