//! `elava-detector rebuild`: a fresh history of what the streams hold.

use std::path::PathBuf;

use clap::Args;
use elava_bus::cli::{EXIT_CODES, Finished, NoPipeArgs, StageArgs};
use elava_bus::{BusError, Client, Replayed, RequestError};
use elava_schemas::Timestamp;

use crate::{Detector, SetupError, Shard};

/// The flags of `elava-detector rebuild`.
#[derive(Args, Debug)]
#[command(after_help = format!("{EXIT_CODES}\n\nExample:\n  elava-detector rebuild --nats nats://127.0.0.1:4222 --db rebuilt.duckdb"))]
pub struct RebuildArgs {
    #[command(flatten)]
    bus: StageArgs<NoPipeArgs>,

    /// The history to make. It must not exist
    #[arg(long, value_name = "FILE")]
    db: PathBuf,

    /// In how many files: 1, 2, 4, 8 or 16
    #[arg(long, env = "ELAVA_SHARDS", value_name = "NUMBER", default_value_t = 1, value_parser = crate::shard::parse)]
    shards: u16,

    /// Begin with what was stored at this time (RFC 3339) [default: with the oldest that the streams hold]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Option<Timestamp>,
}

/// Why there is no rebuilt history.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Nothing is overwritten.
    #[error("{} exists already: a history is rebuilt into a new file", .0.display())]
    Exists(PathBuf),
    /// There is nothing to read from.
    #[error("--nats (ELAVA_NATS_URL) is needed: a history is rebuilt from its streams")]
    NoServer,
    /// The history or the price table.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The server is not there.
    #[error(transparent)]
    Server(#[from] RequestError),
    /// The streams.
    #[error(transparent)]
    Bus(#[from] BusError),
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "a time is written as in 2026-01-31T14:00:00Z".to_owned())
}

/// Makes a fresh history of what the streams hold. A detector may go on meanwhile.
///
/// # Errors
/// [`RebuildError`]. A file begun stays, and can be removed.
pub async fn rebuild(args: RebuildArgs) -> Result<Finished, RebuildError> {
    let config = args.bus.start("elava-detector");
    let options = args.bus.nats_options().ok_or(RebuildError::NoServer)?;
    if crate::shards_of(&args.db).is_some() {
        return Err(RebuildError::Exists(args.db));
    }
    if args.bus.check {
        Detector::check(&config)?;
        return Ok(Finished::Clean);
    }
    // before a file is made that would be in the way of the next attempt
    drop(Client::connect(&options).await?);
    let mut all = 0;
    for shard in Shard::all(args.shards) {
        let file = shard.file(&args.db);
        let detector = Detector::open(&file, shard, &config)?;
        let group = (shard.index, shard.of);
        let Replayed { pages, rejected } = elava_bus::replay(&options, &detector, group, args.from).await?;
        tracing::info!(history = %file.display(), pages, rejected, "history rebuilt");
        all += pages;
    }
    if all == 0 {
        tracing::warn!(history = %args.db.display(), "the streams hold nothing of that time: the history is empty");
    }
    Ok(Finished::Clean)
}
