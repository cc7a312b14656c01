//! `elava-detector` itself: the stage over its file, with what serves it and what keeps it small.

use std::path::{Path, PathBuf};

use clap::Args;
use elava_bus::cli::{Finished, StageArgs, chain, usage_error};
use elava_bus::{BusError, Failure};
use elava_schemas::config::Config;

use crate::live::{LiveArgs, LiveOptions, Token, TokenError};
use crate::{Detector, SetupError};

/// The flags of `elava-detector`.
#[derive(Args, Debug)]
pub struct DetectArgs {
    #[command(flatten)]
    bus: StageArgs,

    /// The history: a DuckDB file, made when missing. One process writes it at a time
    #[arg(long, env = "ELAVA_DB", value_name = "FILE", default_value = "history.duckdb")]
    db: PathBuf,

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
    let DetectArgs { bus, db, export_dir, .. } = args;
    let open = move || open(&db, &config, export_dir.as_deref(), live.as_ref());
    let Some(options) = bus.nats_options() else { return Ok(elava_bus::run(&bus, open()?).await?) };
    Ok(elava_bus::run_when_leased(&bus, &options, move |_| open().map_err(Failure::from)).await?)
}

/// Opens the history, and begins what is done beside detection.
fn open(
    db: &Path,
    config: &Config,
    export_dir: Option<&Path>,
    live: Option<&LiveOptions>,
) -> Result<Detector, SetupError> {
    let mut detector = Detector::open(db, config)?.export_below(export_dir);
    if let Some(options) = live
        && let Err(error) = detector.serve_sql(options)
    {
        tracing::warn!(error = chain(&error), "no live SQL; detection goes on without");
    }
    detector.thin_daily(&config.history.retention, chrono::Utc::now)?;
    Ok(detector)
}
