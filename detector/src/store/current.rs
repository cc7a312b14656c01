//! Current resources as policies are given them: what the enforcer asks for, to evaluate again what has not changed.

use chrono::SecondsFormat;
use duckdb::{ToSql, params};
use elava_bus::{PARTITIONS, group_of_scope};
use elava_schemas::{CurrentHead, CurrentRequest, Part, Place, ScopeRef};

use super::divide::Place as Where;
use super::{History, HistoryError, whole};

/// How many resources make a part: about a second of evaluating, and a few megabytes.
const PART: u32 = 2000;

const SCOPES: &str = include_str!("current/scopes.sql");
const NEXT: &str = include_str!("current/next.sql");
const ROWS: &str = include_str!("current/rows.sql");

impl History {
    /// What the answer begins with, and a line a resource.
    pub(crate) fn current(&self, request: &CurrentRequest) -> Result<(CurrentHead, Vec<String>), HistoryError> {
        let scopes = serde_json::to_string(&self.scopes_of(request.partition)?).expect("texts serialise");
        let after = match &request.part {
            Some(Part { to: None, .. }) => None,
            Some(Part { to, .. }) => Some(to.as_ref()),
            None => Some(None),
        };
        let next = after.map_or(Ok(None), |after| self.next_place(&scopes, after))?;
        let lines = request.part.as_ref().map_or_else(|| Ok(Vec::new()), |part| self.lines(&scopes, part, request))?;
        Ok((CurrentHead { next }, lines))
    }

    /// The scopes with resources whose changes are in this partition.
    fn scopes_of(&self, partition: u16) -> Result<Vec<String>, HistoryError> {
        let places = whole::rows(&self.connection, SCOPES, |row| {
            Ok(((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?), row.get(4)?))
        })?;
        let mut scopes = Vec::new();
        for (parts, scope) in places {
            if group_of_scope(ScopeRef::from(&Where::of(parts)?), PARTITIONS) == partition {
                scopes.push(scope);
            }
        }
        Ok(scopes)
    }

    /// The place that is a part's length after another one, or after the beginning.
    fn next_place(&self, scopes: &str, after: Option<&Place>) -> Result<Option<Place>, HistoryError> {
        let (scope, resource_id) = bound(after);
        let found = whole::rows_of(&self.connection, NEXT, params![scopes, scope, resource_id, PART], |row| {
            Ok(Place { scope: row.get(0)?, resource_id: row.get(1)? })
        })?;
        Ok(found.into_iter().next())
    }

    fn lines(&self, scopes: &str, part: &Part, request: &CurrentRequest) -> Result<Vec<String>, HistoryError> {
        let (from, from_id) = bound(part.from.as_ref());
        let to = part.to.as_ref();
        let key = request.resource_key.as_ref().map(ToString::to_string);
        let sql = ROWS.replace("$previous", if request.previous { "true" } else { "false" });
        let at = request.at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let (to_scope, to_id) = (to.map(|place| place.scope.as_str()), to.map(|place| place.resource_id));
        let parameters: [&dyn ToSql; 7] = [&scopes, &from, &from_id, &to_scope, &to_id, &key, &at];
        whole::rows_of(&self.connection, &sql, parameters, |row| row.get(0))
    }
}

/// What stands for a place in a statement.
fn bound(place: Option<&Place>) -> (&str, u64) {
    place.map_or(("", 0), |place| (&place.scope, place.resource_id))
}
