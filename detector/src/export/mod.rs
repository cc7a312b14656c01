//! Copies of the history for offline and shared reading: one DuckDB file, or a folder of Parquet that grows.
//!
//! Either is made in one transaction, so it shows one moment, and under other names until it is whole. No clock
//! and no NATS here: the moment is the database's, and who asks is no matter.

mod copy;
mod folder;
mod manifest;
mod parquet;
mod reading;
mod request;
mod table;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::shard::Shard;
use crate::store::{History, HistoryError};
use crate::watchdog::Ended;

pub use request::ExportRequest;

/// Where the running detector is asked for an export.
pub const EXPORT_SUBJECT: &str = elava_bus::ask::EXPORT;

/// What an export is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// One file, a history itself
    Duckdb,
    /// A folder; exporting into it again appends what is new
    Parquet,
}

impl ExportFormat {
    /// The one that a name asks for: files end in `.duckdb`.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        if path.extension().is_some_and(|end| end == "duckdb") { Self::Duckdb } else { Self::Parquet }
    }
}

/// What was written of one table; of all together last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// The table, or `total`.
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// The bytes of its files; `None` within one file.
    pub bytes: Option<u64>,
    /// Where it lies.
    pub path: PathBuf,
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It is not asked for one.
    #[error("not an export; write {{\"to\": \"name\", \"format\": \"duckdb\" or \"parquet\"}}")]
    Parse(#[source] serde_json::Error),
    /// The name leads elsewhere.
    #[error("{} is no name below the export folder: no .. in it, no / before it, no . before a part of it", .0.display())]
    Name(PathBuf),
    /// Somebody else writes there.
    #[error("another export writes into {} at the moment; try again when it has ended", .0.display())]
    Busy(PathBuf),
    /// Nothing is overwritten.
    #[error("{} exists already: a copy is made as a new file", .0.display())]
    Exists(PathBuf),
    /// The folder goes on with another history.
    #[error("{} holds another history ({found}); this one is {ours}", folder.display())]
    OtherHistory {
        /// The folder.
        folder: PathBuf,
        /// Whose.
        found: String,
        /// Ours.
        ours: String,
    },
    /// The history has gone back.
    #[error(
        "{} holds what was committed up to {found}, the history only up to {ours}: it is an older copy; export it into another folder",
        folder.display()
    )]
    Ahead {
        /// The folder.
        folder: PathBuf,
        /// Its last transaction.
        found: u64,
        /// The history's.
        ours: u64,
    },
    /// What it has not yet is gone.
    #[error(
        "{}: retention has thinned versions that it does not have yet; export the history into another folder",
        .0.display()
    )]
    Thinned(PathBuf),
    /// It was written by another version of Elava, or is damaged.
    #[error("cannot understand {}", file.display())]
    Manifest {
        /// The manifest.
        file: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The disk.
    #[error("cannot write {}", path.display())]
    Write {
        /// What.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The history.
    #[error("cannot export the history")]
    History(#[from] HistoryError),
    /// It was interrupted. The text is for whoever asked.
    #[error("{0}")]
    Ended(String),
}

/// An export to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Where to: a file that does not exist, or a folder.
    pub to: PathBuf,
    /// What of.
    pub format: ExportFormat,
    /// Of which part of the history: each writes beside the others.
    pub shard: Shard,
}

impl Export {
    /// Makes it, of a history that [`History::open_to_export`] has opened.
    ///
    /// # Errors
    /// [`ExportError`]. What was there before stays as it was.
    pub fn run(&self, history: &History) -> Result<Vec<Written>, ExportError> {
        self.run_until(history, &|| None)
    }

    /// Makes it, unless `ended` says why not; asked between statements.
    pub(crate) fn run_until(
        &self,
        history: &History,
        ended: &dyn Fn() -> Option<Ended>,
    ) -> Result<Vec<Written>, ExportError> {
        let go_on = || ended().map_or(Ok(()), |ended| Err(ExportError::Ended(ended.to_string())));
        let to = match self.format {
            ExportFormat::Duckdb => self.shard.file(&self.to),
            ExportFormat::Parquet if self.shard.of > 1 => self.to.join(self.shard.to_string()),
            ExportFormat::Parquet => self.to.clone(),
        };
        let to = std::path::absolute(&to).map_err(|source| ExportError::Write { path: self.to.clone(), source })?;
        let mut written = match self.format {
            ExportFormat::Duckdb => copy::export(history, &to, &go_on),
            ExportFormat::Parquet => parquet::export(history, &to, self.shard, &go_on),
        }?;
        let rows = written.iter().map(|table| table.rows).sum();
        let bytes = match self.format {
            ExportFormat::Duckdb => to.metadata().ok().map(|file| file.len()),
            ExportFormat::Parquet => Some(written.iter().filter_map(|table| table.bytes).sum()),
        };
        written.push(Written { table: "total".to_owned(), rows, bytes, path: to });
        Ok(written)
    }
}
