//! What the detector reads of its history.

use std::fmt::Write as _;

use duckdb::{Row, Statement, params};
use elava_bus::{Emit, Rejection};
use elava_schemas::{
    Baseline, Change, ChangeHistory, ChangeId, EarlierLife, Resource, ResourceKey, ScanId, ScopeRef, Timestamp,
};
use hashbrown::HashSet;
use serde::de::DeserializeOwned;

use super::{History, HistoryError, Tried};
use crate::batch::{Memory, Past};
use crate::content::{Hash, scope_id, short_hash};
use crate::decode::RawHash;
use crate::index::{ENDED_SCANS, Entry};
use crate::version::{Columns, Version, read};

/// Rows nearer than this are read together: skipping less costs more than reading it.
const NEAR: i64 = 4096;

/// Changes made anew at a time: whole versions of more would not fit in DuckDB's memory.
const TOGETHER: u32 = 2000;

/// How far one partition of one stream is in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredPosition {
    pub(crate) stream: String,
    pub(crate) partition: u16,
    pub(crate) applied: u64,
    pub(crate) resume: u64,
}

pub(super) fn instant(micros: i64) -> Result<Timestamp, HistoryError> {
    Timestamp::from_timestamp_micros(micros)
        .ok_or_else(|| HistoryError::Wrong { what: "time", text: micros.to_string() })
}

/// Reads a string that is a JSON string's content.
fn word<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, HistoryError> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map_err(|error| HistoryError::Wrong { what, text: format!("{text} ({error})") })
}

fn hash(text: &str) -> Result<Hash, HistoryError> {
    Hash::parse(text).ok_or_else(|| HistoryError::Wrong { what: "version", text: text.to_owned() })
}

pub(super) fn list(ids: &[u64]) -> String {
    let mut text = String::with_capacity(ids.len() * 21);
    for id in ids {
        if !text.is_empty() {
            text.push(',');
        }
        write!(text, "{id}").expect("writing to a String does not fail");
    }
    text
}

impl Past for History {
    fn current(&self, ids: &[u64]) -> Result<Vec<Version>, HistoryError> {
        let mut versions = Vec::with_capacity(ids.len());
        let ids = list(ids);
        for rows in self.row_ranges(&ids)? {
            versions.extend(self.versions_at(rows, Some(&ids))?);
        }
        Ok(versions)
    }

    fn earlier_lives(&self, ids: &[u64]) -> Result<Vec<(u64, EarlierLife)>, HistoryError> {
        let mut lives = Vec::new();
        self.each(include_str!("read_lives.sql"), params![list(ids)], |row| {
            let life = EarlierLife {
                disappeared_at: instant(get(row, 1)?)?,
                first_seen: instant(get(row, 2)?)?,
                version: get(row, 3)?,
            };
            lives.push((get(row, 0)?, life));
            Ok(())
        })?;
        Ok(lives)
    }

    fn ended_scans(&self, ids: &[&str]) -> Result<HashSet<(u64, String)>, HistoryError> {
        let mut ended = HashSet::new();
        let ids = serde_json::to_string(ids).expect("strings serialise");
        self.each(include_str!("read_ended_scans.sql"), params![ids], |row| {
            ended.insert((scope(row, 1, scope_id)?, get(row, 0)?));
            Ok(())
        })?;
        Ok(ended)
    }
}

impl History {
    /// What the detector remembers between batches, as it was when the file was last written.
    pub(crate) fn memory(&self) -> Result<Memory, HistoryError> {
        let mut memory = Memory::default();
        let index = &mut memory.index;
        let scopes = include_str!("read_scopes.sql").replace("$remembered", &ENDED_SCANS.to_string());
        self.each(&scopes, [], |row| {
            let number = scope(row, 0, |scope| index.scope_number(scope))?;
            let scope = index.scope_mut(number);
            scope.proved = get::<Option<i64>>(row, 4)?.map(instant).transpose()?;
            let latest = instant(get(row, 5)?)?;
            let ended: Vec<String> = read("ended scans", &get::<String>(row, 6)?)?;
            ended.iter().for_each(|scan| scope.end(short_hash(&[scan]), latest));
            Ok(())
        })?;
        self.each(include_str!("read_index.sql"), [], |row| {
            let id: u64 = get(row, 0)?;
            let Some(version) = get::<Option<String>>(row, 5)? else {
                index.insert_gone(id);
                return Ok(());
            };
            let scope = scope(row, 1, |scope| index.scope_number(scope))?;
            let last_seen = instant(get(row, 8)?)?;
            let entry = Entry {
                content: hash(&version)?,
                raw: RawHash::default(),
                valid_from: instant(get(row, 6)?)?,
                first_seen: instant(get(row, 7)?)?,
                last_seen: index.scope(scope).proved.map_or(last_seen, |proved| proved.max(last_seen)),
                scope,
            };
            index.insert(id, entry);
            Ok(())
        })?;
        Ok(memory)
    }

    /// Every stored position.
    pub(crate) fn positions(&self) -> Result<Vec<StoredPosition>, HistoryError> {
        let mut positions = Vec::new();
        self.each("SELECT stream, partition, applied, resume FROM positions", [], |row| {
            positions.push(StoredPosition {
                stream: get(row, 0)?,
                partition: get(row, 1)?,
                applied: get(row, 2)?,
                resume: get(row, 3)?,
            });
            Ok(())
        })?;
        Ok(positions)
    }

    /// The changes of a partition that may not be stored downstream, made anew from the history.
    pub(crate) fn outbox(&self, partition: u16, after: u64) -> Result<Vec<Emit>, HistoryError> {
        let mut pending = Vec::new();
        let earliest = "SELECT epoch_us(min(c.detected_at)) FROM changes c JOIN outbox o ON o.change_id = c.id
            WHERE o.partition = ? AND o.sequence > ?";
        let mut since = None;
        self.each(earliest, params![partition, after], |row| {
            since = get::<Option<i64>>(row, 0)?;
            Ok(())
        })?;
        let Some(since) = since else { return Ok(pending) };
        // in the text: only then does DuckDB skip what is older
        let sql = include_str!("read_outbox.sql").replace("$since", &since.to_string());
        loop {
            let before = pending.len();
            self.each(&sql, params![partition, after, TOGETHER, before], |row| {
                let change = stored_change(row)?;
                pending.push(Emit::new(get(row, 0)?, &change.into()));
                Ok(())
            })?;
            if pending.len() == before {
                return Ok(pending);
            }
        }
    }

    /// The current versions in these rows, the last one included; only of these resources, where they are named.
    pub(super) fn versions_at(
        &self,
        (first, last): (i64, i64),
        ids: Option<&str>,
    ) -> Result<Vec<Version>, HistoryError> {
        let only = if ids.is_some() { include_str!("these_resources.sql") } else { "" };
        // as numbers in the text: only then does DuckDB skip what lies outside
        let sql =
            include_str!("read_current.sql").replace("$first", &first.to_string()).replace("$last", &last.to_string());
        // prepared anew: kept, such texts would push those out that are the same each time
        let mut statement = self.connection.prepare(&(sql + only)).tried("query")?;
        let mut versions = Vec::new();
        each_row(&mut statement, duckdb::params_from_iter(ids), |row| {
            versions.push(version(row)?);
            Ok(())
        })?;
        Ok(versions)
    }

    /// Where the current versions of these resources lie. A listing comes in much the same order each
    /// time, so what a batch asks for lies together, and only that part need be decompressed.
    fn row_ranges(&self, ids: &str) -> Result<Vec<(i64, i64)>, HistoryError> {
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        self.each(include_str!("read_rows.sql"), params![ids], |row| {
            let row: i64 = get(row, 0)?;
            match ranges.last_mut() {
                Some((_, last)) if row - *last < NEAR => *last = row,
                _ => ranges.push((row, row)),
            }
            Ok(())
        })?;
        Ok(ranges)
    }

    /// The rows of a partition whose dead letters may not be stored, in order.
    pub(crate) fn rejections(&self, stream: &str, partition: u16) -> Result<Vec<Rejection>, HistoryError> {
        let mut rejections = Vec::new();
        let sql = "SELECT sequence, line, reason FROM rejections WHERE stream = ? AND partition = ? ORDER BY ALL";
        self.each(sql, params![stream, partition], |row| {
            rejections.push(Rejection { sequence: get(row, 0)?, line: get(row, 1)?, reason: get(row, 2)? });
            Ok(())
        })?;
        Ok(rejections)
    }

    /// Runs a query and hands over each row.
    pub(super) fn each(
        &self,
        sql: &str,
        parameters: impl duckdb::Params,
        take: impl FnMut(&Row) -> Result<(), HistoryError>,
    ) -> Result<(), HistoryError> {
        let mut statement = self.connection.prepare_cached(sql).tried("query")?;
        each_row(&mut statement, parameters, take)
    }
}

fn each_row(
    statement: &mut Statement,
    parameters: impl duckdb::Params,
    mut take: impl FnMut(&Row) -> Result<(), HistoryError>,
) -> Result<(), HistoryError> {
    let mut rows = statement.query(parameters).tried("query")?;
    while let Some(row) = rows.next().tried("read")? {
        take(row)?;
    }
    Ok(())
}

pub(super) fn get<T: duckdb::types::FromSql>(row: &Row, column: usize) -> Result<T, HistoryError> {
    row.get(column).tried("read")
}

fn scope<T>(row: &Row, first: usize, found: impl FnOnce(ScopeRef) -> T) -> Result<T, HistoryError> {
    let (provider, account): (String, String) = (get(row, first)?, get(row, first + 1)?);
    let (region, kind): (String, String) = (get(row, first + 2)?, get(row, first + 3)?);
    let provider = provider.parse().map_err(|_| HistoryError::Wrong { what: "provider", text: provider.clone() })?;
    Ok(found(ScopeRef { provider, account: &account, region: &region, kind: &kind }))
}

fn key(text: &str) -> Result<ResourceKey, HistoryError> {
    text.parse().map_err(|_| HistoryError::Wrong { what: "resource key", text: text.to_owned() })
}

fn version(row: &Row) -> Result<Version, HistoryError> {
    let columns = Columns {
        key: key(&get::<String>(row, 1)?)?,
        name: get(row, 3)?,
        arn: get(row, 4)?,
        status: get(row, 5)?,
        tags: get(row, 6)?,
        created_at: get::<Option<i64>>(row, 8)?.map(instant).transpose()?,
        monthly_cost_usd: get(row, 9)?,
        monthly_cost_source: get(row, 10)?,
        attributes: get(row, 11)?,
        relations: get(row, 12)?,
    };
    Ok(Version {
        id: get(row, 0)?,
        hash: hash(&get::<String>(row, 2)?)?,
        columns,
        tags_carried: get(row, 7)?,
        valid_from: instant(get(row, 13)?)?,
        first_seen: instant(get(row, 14)?)?,
        last_seen: instant(get(row, 15)?)?,
        scan_id: get(row, 16)?,
        end: None,
    })
}

fn stored_change(row: &Row) -> Result<Change, HistoryError> {
    let resource_key = key(&get::<String>(row, 4)?)?;
    let resource = |column| -> Result<Option<Resource>, HistoryError> {
        let Some(text) = get::<Option<String>>(row, column)? else { return Ok(None) };
        let mut fields: serde_json::Value = read("version", &text)?;
        fields["key"] = serde_json::Value::String(resource_key.to_string());
        serde_json::from_value(fields)
            .map(Some)
            .map_err(|error| HistoryError::Wrong { what: "version", text: error.to_string() })
    };
    let (before, after): (Option<String>, Option<String>) = (get(row, 5)?, get(row, 6)?);
    let baseline = Baseline::from(get::<bool>(row, 3)?);
    let optional = |column| get::<Option<String>>(row, column);
    Ok(Change {
        id: ChangeId::from(get::<String>(row, 1)?),
        change_type: word("type of change", &get::<String>(row, 2)?)?,
        baseline,
        version: after.or(before).unwrap_or_default(),
        previous: resource(12)?,
        current: resource(13)?,
        diff: optional(7)?.map(|text| read("diff", &text)).transpose()?.unwrap_or_default(),
        detected_at: instant(get(row, 8)?)?,
        scan_id: optional(9)?.map(ScanId::from),
        details: get(row, 10)?,
        cause: None,
        earlier_life: optional(11)?.map(|text| read("earlier life", &text)).transpose()?,
        scope_resources: get(row, 17)?,
        history: match baseline {
            Baseline::Yes => None,
            Baseline::No => Some(ChangeHistory {
                first_seen: instant(get(row, 14)?)?,
                changes_7d: get::<i64>(row, 15)?.unsigned_abs(),
                changes_30d: get::<i64>(row, 16)?.unsigned_abs(),
            }),
        },
        resource_key,
    })
}
