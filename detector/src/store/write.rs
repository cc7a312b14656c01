//! One batch's effects on the history: appended to temporary tables, then moved by set-based SQL.

use duckdb::types::{TimeUnit, Value};
use duckdb::{Appender, params};
use elava_bus::{Rejection, Stream};
use elava_schemas::{ResourceKey, Timestamp};

use super::read::get;
use super::{History, HistoryError, Records, Tried};
use crate::change::Detected;
use crate::content::{Hash, key_id};
use crate::effects::{Effects, ScanRow};
use crate::put_off::PutOff;
use crate::version::{Version, json};

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

/// How rows of one sort get into the history.
pub(super) struct Way {
    /// Makes the temporary tables.
    pub(super) stage: &'static str,
    /// Moves what is in them.
    pub(super) apply: &'static str,
}

/// `way!("keys")` is `stage/keys.sql` and `apply/keys.sql`.
macro_rules! way {
    ($name:literal) => {
        crate::store::write::Way {
            stage: include_str!(concat!("stage/", $name, ".sql")),
            apply: include_str!(concat!("apply/", $name, ".sql")),
        }
    };
}
pub(super) use way;

impl History {
    /// Stores what a batch of observations led to, what later stages said in it, its position, and what was put off
    /// before. The changes learn what the history says of their resources.
    pub(crate) fn apply(
        &self,
        effects: &mut Effects,
        records: &Records,
        progress: Option<&Progress>,
        put_off: &PutOff,
    ) -> Result<(), HistoryError> {
        if effects.is_empty() && records.is_empty() && progress.is_none() && put_off.scans.is_empty() {
            return Ok(());
        }
        self.transaction(|| {
            self.write_keys(&effects.keys)?;
            self.write_observations(effects)?;
            self.write_fields(&effects.ended, &effects.versions)?;
            self.count_changes(&mut effects.changes)?;
            if !effects.touched.is_empty() {
                let rows = |appender: &mut Appender| {
                    effects.touched.iter().try_for_each(|(id, at)| appender.append_row(params![id, micros(*at)]))
                };
                self.write(&way!("touched"), || self.append("staged_touched", rows))?;
            }
            self.write_scans(&put_off.scans)?;
            self.write_scans(&effects.scans)?;
            self.record(records)?;
            self.advance_all(put_off.progress(progress))?;
            progress.map_or(Ok(()), |progress| self.advance(progress, effects))
        })
    }

    /// Stages rows and moves them; within a transaction.
    pub(super) fn write(&self, way: &Way, rows: impl FnOnce() -> duckdb::Result<()>) -> Result<(), HistoryError> {
        self.connection.execute_batch(way.stage).tried("stage for")?;
        rows().tried("stage rows for")?;
        self.connection.execute_batch(way.apply).tried("write")
    }

    /// Appends rows to a temporary table.
    pub(super) fn append(
        &self,
        table: &str,
        rows: impl FnOnce(&mut Appender) -> duckdb::Result<()>,
    ) -> duckdb::Result<()> {
        let mut appender = self.connection.appender(table)?;
        rows(&mut appender)?;
        appender.flush()
    }

    /// Names of resources never heard of before.
    pub(super) fn write_keys(&self, keys: &[(u64, ResourceKey)]) -> Result<(), HistoryError> {
        self.each_of(&way!("keys"), "staged_keys", keys, append_key)
    }

    /// Stages rows of one table and moves them, if there are any.
    pub(super) fn each_of<T>(
        &self,
        way: &Way,
        table: &str,
        rows: &[T],
        append: fn(&mut Appender, &T) -> duckdb::Result<()>,
    ) -> Result<(), HistoryError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.write(way, || self.append(table, |appender| rows.iter().try_for_each(|row| append(appender, row))))
    }

    fn write_observations(&self, effects: &Effects) -> Result<(), HistoryError> {
        let Effects { ended, versions, changes, .. } = effects;
        if ended.is_empty() && versions.is_empty() {
            return Ok(());
        }
        self.write(&way!("observations"), || {
            self.append("staged_ended", |to| ended.iter().try_for_each(|version| to.append_row(params![version.id])))?;
            self.append("staged_versions", |to| {
                ended.iter().chain(versions).try_for_each(|version| append_version(to, version))
            })?;
            self.append("staged_changes", |to| append_changes(to, changes))
        })
    }

    fn write_scans(&self, scans: &[ScanRow]) -> Result<(), HistoryError> {
        if scans.is_empty() {
            return Ok(());
        }
        let rows = |to: &mut Appender| scans.iter().try_for_each(|scan| append_scan(to, scan));
        self.append("scans", rows).tried("write the ends of scans to")
    }

    /// Moves the positions of sources of which nothing else is to be stored or removed, at once: a statement costs more
    /// than a row.
    fn advance_all<'a>(&self, progress: impl Iterator<Item = &'a Progress>) -> Result<(), HistoryError> {
        let row = |Progress { stream, partition, applied, resume, .. }: &Progress| {
            format!("('{stream}', {partition}, {applied}, {resume})")
        };
        let rows: Vec<String> = progress.map(row).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let statement = |sql: &str| self.connection.execute(&sql.replace("$rows", &rows.join(", ")), []);
        let run = || {
            let moved = statement(include_str!("apply/move_positions.sql"))?;
            if moved == rows.len() { Ok(0) } else { statement(include_str!("apply/begin_positions.sql")) }
        };
        run().map(drop).tried("move the positions of")
    }

    /// Moves a position.
    fn advance(&self, progress: &Progress, effects: &Effects) -> Result<(), HistoryError> {
        let Progress { stream, partition, applied, resume, stored } = *progress;
        let run = || -> duckdb::Result<()> {
            if stored > 0 {
                // what is in the outbox came of observations: positions of other streams say nothing of it
                if stream == Stream::Observation.name() {
                    let sql = "DELETE FROM outbox WHERE partition = ? AND sequence <= ?";
                    self.connection.prepare_cached(sql)?.execute(params![partition, stored])?;
                }
                let sql = "DELETE FROM rejections WHERE stream = ? AND partition = ? AND sequence <= ?";
                self.connection.prepare_cached(sql)?.execute(params![stream, partition, stored])?;
            }
            if !effects.changes.is_empty() {
                let sql = "INSERT INTO outbox SELECT ?, sequence, ordinal, id, scope_resources FROM staged_changes";
                self.connection.prepare_cached(sql)?.execute(params![partition])?;
            }
            let sql = "INSERT INTO rejections VALUES (?, ?, ?, ?, ?)";
            for Rejection { sequence, line, reason } in &effects.rejected {
                self.connection.prepare_cached(sql)?.execute(params![stream, partition, sequence, line, reason])?;
            }
            // half the time of INSERT … ON CONFLICT
            let sql = "UPDATE positions SET applied = ?, resume = ? WHERE stream = ? AND partition = ?";
            let moved = self.connection.prepare_cached(sql)?.execute(params![applied, resume, stream, partition])?;
            if moved == 0 {
                let sql = "INSERT INTO positions VALUES (?, ?, ?, ?)";
                self.connection.prepare_cached(sql)?.execute(params![stream, partition, applied, resume])?;
            }
            Ok(())
        };
        run().tried("move the position of")
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

fn append_version(appender: &mut Appender, version: &Version) -> duckdb::Result<()> {
    let Version { id, hash, columns, tags_carried, valid_from, first_seen, last_seen, scan_id, end } = version;
    let (key, text) = (&columns.key, columns.key.to_string());
    let (scope, local_id) = parts(&text);
    appender.append_row(params![
        id,
        hash.text(&mut [0; Hash::TEXT]),
        key.provider.as_str(),
        key.account,
        key.region,
        key.kind,
        scope,
        local_id,
        columns.name,
        columns.arn,
        columns.status,
        columns.tags,
        tags_carried,
        columns.created_at.map(micros),
        columns.monthly_cost_usd,
        columns.monthly_cost_source,
        columns.attributes,
        columns.relations,
        micros(*valid_from),
        end.map(|end| micros(end.at)),
        micros(*first_seen),
        micros(end.map_or(*last_seen, |end| end.last_seen)),
        scan_id,
        end.map(|end| end.by.as_str()),
    ])
}

fn append_scan(appender: &mut Appender, scan: &ScanRow) -> duckdb::Result<()> {
    let at = |at: Timestamp| Value::Timestamp(TimeUnit::Microsecond, micros(at));
    appender.append_row(params![
        scan.scan_id,
        scan.scope.provider.as_str(),
        scan.scope.account,
        scan.scope.region,
        scan.scope.kind,
        scan.scope.filter,
        at(scan.started_at),
        at(scan.finished_at),
        scan.outcome,
        scan.observed,
        scan.received,
        scan.api_calls,
        (!scan.errors.is_empty()).then(|| json(&scan.errors)),
        if scan.proved { "proved" } else { "unknown" },
    ])
}

fn append_key(appender: &mut Appender, (id, key): &(u64, ResourceKey)) -> duckdb::Result<()> {
    let (text, provider) = (key.to_string(), key.provider.as_str());
    appender.append_row(params![id, text, provider, key.account, key.region, key.kind, key.id])
}

fn append_changes(appender: &mut Appender, changes: &[Detected]) -> duckdb::Result<()> {
    (0_u32..).zip(changes).try_for_each(|(ordinal, Detected { sequence, before, change })| {
        let (key, text) = (&change.resource_key, change.resource_key.to_string());
        let (scope, local_id) = parts(&text);
        let after = change.current.as_ref().map(|_| &change.version);
        appender.append_row(params![
            ordinal,
            sequence,
            change.id.as_str(),
            change.change_type.as_str(),
            bool::from(change.baseline),
            key_id(key),
            key.provider.as_str(),
            key.account,
            key.region,
            key.kind,
            scope,
            local_id,
            before.map(|hash| hash.to_string()),
            after,
            (!change.diff.is_empty()).then(|| json(&change.diff)),
            micros(change.detected_at),
            change.scan_id.as_ref().map(|id| id.as_str()),
            change.details,
            change.earlier_life.as_ref().map(json),
            change.scope_resources,
        ])
    })
}

/// A key without its last part, and that.
pub(super) fn parts(key: &str) -> (&str, &str) {
    key.rsplit_once('/').expect("a key has five parts")
}

pub(super) fn micros(at: Timestamp) -> i64 {
    at.timestamp_micros()
}
