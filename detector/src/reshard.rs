//! `elava-detector reshard`: the same history in another number of files.

use std::path::{Path, PathBuf};

use clap::Args;
use elava_bus::cli::{self, EXIT_CODES, Finished};
use elava_bus::group_of_scope;
use elava_schemas::ScopeRef;

use crate::shard::Shard;
use crate::shards_of;
use crate::store::{History, HistoryError, Place};

/// The flags of `elava-detector reshard`.
#[derive(Args, Debug)]
#[command(after_help = format!("All detectors must be stopped, and afterwards be started with the new number. The files before stay, under names
that end in .before; remove them when you like.\n\n{EXIT_CODES}\n\nExample:\n  elava-detector reshard --db history.duckdb --to 4"))]
pub struct ReshardArgs {
    /// The history. Nobody may hold it
    #[arg(long, env = "ELAVA_DB", value_name = "FILE", default_value = "history.duckdb")]
    db: PathBuf,

    /// In how many files it is to be: 1, 2, 4, 8 or 16
    #[arg(long, value_name = "NUMBER", value_parser = crate::shard::parse)]
    to: u16,
}

/// Why a history was not put into other files.
#[derive(Debug, thiserror::Error)]
pub enum ReshardError {
    /// There is nothing to share.
    #[error("there is no history {}", .0.display())]
    NoHistory(PathBuf),
    /// A shard that nobody has opened yet, or that is elsewhere.
    #[error("{} is missing", .0.display())]
    Missing(PathBuf),
    /// An earlier one was not finished.
    #[error("{} exists already: it is of a reshard that was not finished; remove it", .0.display())]
    Unfinished(PathBuf),
    /// The history.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A file.
    #[error("cannot rename {}", file.display())]
    Rename {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Makes files for the new number, then gives them the place of those before.
///
/// # Errors
/// [`ReshardError`]. Until all new files are whole, those before stay in their place.
pub fn reshard(args: &ReshardArgs) -> Result<Finished, ReshardError> {
    cli::start_logging(None);
    let ReshardArgs { db, to } = args;
    let from = shards_of(db).ok_or_else(|| ReshardError::NoHistory(db.clone()))?;
    if from == *to {
        tracing::info!(history = %db.display(), shards = from, "nothing to do");
        return Ok(Finished::Clean);
    }
    let old: Vec<PathBuf> = Shard::all(from).map(|shard| shard.file(db)).collect();
    for file in &old {
        if !file.exists() {
            return Err(ReshardError::Missing(file.clone()));
        }
        // brings it up to date, and shows that nobody holds it
        drop(History::open(file)?);
    }
    for shard in Shard::all(*to) {
        let file = partial(&shard.file(db));
        if file.exists() {
            return Err(ReshardError::Unfinished(file));
        }
        let history = History::open(&file)?;
        history.divide(&old, shard, |place: &Place| group_of_scope(ScopeRef::from(place), shard.of) == shard.index)?;
        tracing::info!(file = %shard.file(db).display(), "written");
    }
    for file in &old {
        rename(file, &with_end(file, ".before"))?;
    }
    for shard in Shard::all(*to) {
        let file = shard.file(db);
        rename(&partial(&file), &file)?;
    }
    Ok(Finished::Clean)
}

fn partial(file: &Path) -> PathBuf {
    with_end(file, ".partial")
}

fn with_end(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn rename(from: &Path, to: &Path) -> Result<(), ReshardError> {
    std::fs::rename(from, to).map_err(|source| ReshardError::Rename { file: from.to_owned(), source })
}
