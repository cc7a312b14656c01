//! Fills an empty file with its share of a history that is in other files.

use std::path::PathBuf;

use duckdb::params;
use elava_schemas::{Provider, ScopeRef};

use super::{History, HistoryError, Tried, whole};
use crate::shard::Shard;

/// A scope, as it is stored.
pub(crate) struct Place {
    provider: Provider,
    account: String,
    region: String,
    kind: String,
}

impl Place {
    /// Of its parts: provider, account, region, type.
    pub(super) fn of(
        (provider, account, region, kind): (String, String, String, String),
    ) -> Result<Self, HistoryError> {
        let parsed = provider.parse().map_err(|_| HistoryError::Wrong { what: "provider", text: provider })?;
        Ok(Self { provider: parsed, account, region, kind })
    }
}

impl<'a> From<&'a Place> for ScopeRef<'a> {
    fn from(place: &'a Place) -> Self {
        Self { provider: place.provider, account: &place.account, region: &place.region, kind: &place.kind }
    }
}

const PLACES: &str = include_str!("shards/places.sql");

impl History {
    /// Takes in what belongs to `shard` of the files of a history, none of which anybody holds.
    pub(crate) fn divide(
        &self,
        files: &[PathBuf],
        shard: Shard,
        owns: impl Fn(&Place) -> bool,
    ) -> Result<(), HistoryError> {
        let own: String = self.connection.query_row("SELECT current_database()", [], |row| row.get(0)).tried("name")?;
        whole::attach(&self.connection, files)?;
        self.connection.execute_batch(&format!("USE \"{own}\"")).tried("divide")?;
        whole::unite_tables(&self.connection, files.len(), "TEMP VIEW all_")?;
        self.connection
            .execute_batch(
                "CREATE TEMP TABLE own_places (provider VARCHAR, account VARCHAR, region VARCHAR, type VARCHAR)",
            )
            .tried("divide")?;
        for place in self.places()?.iter().filter(|place| owns(place)) {
            let row = params![place.provider.as_str(), place.account, place.region, place.kind];
            self.connection.execute("INSERT INTO own_places VALUES (?, ?, ?, ?)", row).tried("divide")?;
        }
        let sql = include_str!("shards/divide.sql")
            .replace("$index", &shard.index.to_string())
            .replace("$of", &shard.of.to_string())
            .replace("$from", &files.len().to_string());
        self.connection.execute_batch(&sql).tried("divide")
    }

    fn places(&self) -> Result<Vec<Place>, HistoryError> {
        let found =
            whole::rows(&self.connection, PLACES, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        found.into_iter().map(Place::of).collect()
    }
}
