//! `elava-detector compact`: thins the old versions of a file that nobody holds, and says what went.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use clap::Args;
use elava_bus::cli::{self, EXIT_CODES, Finished};
use elava_schemas::Timestamp;
use elava_schemas::config::{self, RetentionRule};
use serde::Serialize;

use crate::retention::{Mode, Run, Step, rules};
use crate::store::{History, HistoryError};

/// The flags of `elava-detector compact`.
#[derive(Args, Debug)]
#[command(after_help = format!("One line a resource type: of its versions that ended on the days looked at, how many went and how many stayed.\n\n{EXIT_CODES}\n\nExample:\n  elava-detector compact --db history.duckdb --config elava.yaml --dry-run"))]
pub struct CompactArgs {
    /// The history. Nobody may hold it; a running detector does the same by itself
    #[arg(long, env = "ELAVA_DB", value_name = "FILE", default_value = "history.duckdb")]
    db: PathBuf,

    /// Configuration file, for its history.retention
    #[arg(long, short = 'c', env = "ELAVA_CONFIG", value_name = "FILE")]
    config: PathBuf,

    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
}

/// Why a history was not thinned.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// Nothing is ever to be thinned.
    #[error("{} has no thin_after in history.retention: everything is kept", .0.display())]
    NoRule(PathBuf),
    /// There is nothing to thin.
    #[error("there is no history {}", .0.display())]
    NoHistory(PathBuf),
    /// The history.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Standard output.
    #[error("cannot write to standard output")]
    Write(#[from] std::io::Error),
}

/// What became of the versions of one resource type that ended on the days looked at.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Thinned {
    /// The resource type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The first UTC day on which any had ended,
    pub from: NaiveDate,
    /// and the last.
    pub to: NaiveDate,
    /// How many went.
    pub removed: u64,
    /// How many stayed.
    pub kept: u64,
}

/// Thins old versions, and writes a line a type.
///
/// # Errors
/// [`CompactError`]. Days that were thinned before it stay so.
pub fn compact(args: &CompactArgs, now: Timestamp) -> Result<Finished, CompactError> {
    cli::start_logging(None);
    let config = config::load(&args.config).unwrap_or_else(|error| cli::usage_error("elava-detector", &error));
    let policy = &config.history.retention;
    if rules(policy).is_empty() {
        return Err(CompactError::NoRule(args.config.clone()));
    }
    if !args.db.exists() {
        return Err(CompactError::NoHistory(args.db.clone()));
    }
    let mode = if args.dry_run { Mode::Count } else { Mode::Remove };
    let mut out = std::io::stdout().lock();
    for line in thin_file(&args.db, policy, now, mode)? {
        writeln!(out, "{}", serde_json::to_string(&line).expect("texts and numbers serialise"))?;
    }
    Ok(Finished::Clean)
}

/// Thins the old versions of a file that nobody holds, or counts them.
///
/// # Errors
/// When the history cannot be opened or written.
pub fn thin_file(
    path: &Path,
    policy: &[RetentionRule],
    now: Timestamp,
    mode: Mode,
) -> Result<Vec<Thinned>, HistoryError> {
    let history = History::open(path)?;
    let mut run = Run::new(policy, now, mode);
    let mut types: BTreeMap<String, Thinned> = BTreeMap::new();
    while let Some(step) = run.step(&history)? {
        let Step::Day { day, counts } = step else { continue };
        let day = day.date_naive();
        for count in counts {
            let new = Thinned { kind: count.kind.clone(), from: day, to: day, removed: 0, kept: 0 };
            let thinned = types.entry(count.kind).or_insert(new);
            thinned.from = thinned.from.min(day);
            thinned.to = thinned.to.max(day);
            thinned.removed += count.removed;
            thinned.kept += count.kept;
        }
    }
    run.tell();
    Ok(types.into_values().collect())
}
