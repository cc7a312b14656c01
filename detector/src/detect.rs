//! `elava-detector` itself: the stage over its file, with what serves it and what keeps it small.

use std::path::PathBuf;

use clap::Args;
use elava_bus::BusError;
use elava_bus::cli::{Finished, StageArgs, chain, usage_error};

use crate::live::{LiveArgs, Token, TokenError};
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
    if args.bus.check {
        Detector::check(&config)?;
        return Ok(Finished::Clean);
    }
    let token = Token::from_environment()?;
    let mut detector = Detector::open(&args.db, &config)?.export_below(args.export_dir.as_deref());
    let options = args.live.options(&args.db, args.bus.nats.is_none(), token);
    if let Some(options) = options.unwrap_or_else(|error| usage_error("elava-detector", &error))
        && let Err(error) = detector.serve_sql(&options)
    {
        tracing::warn!(error = chain(&error), "no live SQL; detection goes on without");
    }
    detector.thin_daily(&config.history.retention, chrono::Utc::now)?;
    Ok(elava_bus::run(&args.bus, detector).await?)
}
