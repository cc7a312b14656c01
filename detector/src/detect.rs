//! `elava-detector` itself: the stage over its file, with what serves it and what keeps it small.

use std::path::{Path, PathBuf};

use clap::Args;
use elava_bus::cli::{Finished, StageArgs, chain, usage_error};
use elava_bus::{BusError, Failure, Peers};
use elava_schemas::config::Config;

use crate::live::{LiveArgs, LiveOptions, Token, TokenError};
use crate::{Detector, OtherShards, SetupError, Shard};

/// The flags of `elava-detector`.
#[derive(Args, Debug)]
pub struct DetectArgs {
    #[command(flatten)]
    bus: StageArgs,

    /// The history: a DuckDB file, made when missing, or several beside it (--shards). One process writes each at a time
    #[arg(long, env = "ELAVA_DB", value_name = "FILE", default_value = "history.duckdb")]
    db: PathBuf,

    /// In how many files the history is: 1, 2, 4, 8 or 16, each with a share of the scopes. So many detectors work at
    /// once; all must have the same number. `elava-detector reshard` changes it
    #[arg(long, env = "ELAVA_SHARDS", value_name = "NUMBER", default_value_t = 1, value_parser = crate::shard::parse)]
    shards: u16,

    /// Folder below which `elava export` has this detector write [default: `export` beside the history]
    #[arg(long, env = "ELAVA_EXPORT_DIR", value_name = "DIR")]
    export_dir: Option<PathBuf>,

    #[command(flatten)]
    live: LiveArgs,
}

/// Why the detector does not run.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// The history or the price table.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The files.
    #[error(transparent)]
    Shards(#[from] OtherShards),
    /// A pipe is one stream.
    #[error("--shards: a history in several files is written from NATS alone (--nats)")]
    Pipe,
    /// The token of live SQL.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The streams.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// Runs the detector until its input ends or it is told to stop.
///
/// # Errors
/// [`DetectError`].
pub async fn detect(args: DetectArgs) -> Result<Finished, DetectError> {
    let config = args.bus.start("elava-detector");
    // before anything is opened: a stand-by says at once what can never work
    Detector::check(&config)?;
    if args.bus.check {
        return Ok(Finished::Clean);
    }
    let token = Token::from_environment()?;
    let options = args.live.options(&args.db, args.bus.nats.is_none(), token);
    let live = options.unwrap_or_else(|error| usage_error("elava-detector", &error));
    let DetectArgs { bus, db, shards, export_dir, .. } = args;
    crate::shard::check(&db, shards)?;
    let is_waited_for = bus.nats.is_some() || live.is_some();
    let open = move |shard: Shard, peers| {
        open(&db, shard, &config, export_dir.as_deref(), (live.as_ref(), peers), is_waited_for)
    };
    let Some(options) = bus.nats_options() else {
        if shards > 1 {
            return Err(DetectError::Pipe);
        }
        return Ok(elava_bus::run(&bus, open(Shard::WHOLE, Peers::default())?).await?);
    };
    let open = move |index, peers| open(Shard { index, of: shards }, peers).map_err(Failure::from);
    Ok(elava_bus::run_when_leased(&bus, &options, shards, open).await?)
}

/// Opens the history, and begins what is done beside detection. Where nobody waits for it, a pipe, what is to be merged is
/// merged at once: less work in all, and at the end nothing is left of it.
fn open(
    db: &Path,
    shard: Shard,
    config: &Config,
    export_dir: Option<&Path>,
    (live, peers): (Option<&LiveOptions>, Peers),
    is_waited_for: bool,
) -> Result<Detector, SetupError> {
    let mut detector = Detector::open(&shard.file(db), shard, config)?.export_below(export_dir);
    if is_waited_for {
        detector.merge_in_parts()?;
    }
    if let Some(options) = live
        && let Err(error) = detector.serve_sql(options, peers)
    {
        tracing::warn!(error = chain(&error), "no live SQL; detection goes on without");
    }
    detector.thin_daily(&config.history.retention, chrono::Utc::now)?;
    detector.keep_in_order()?;
    Ok(detector)
}
