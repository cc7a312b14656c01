//! `elava-detector`: wiring only.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use elava_bus::cli::{EXIT_CODES, Finished, StageArgs};
use elava_detector::live::{LiveArgs, Token};
use elava_detector::{CompactArgs, Detector, RebuildArgs};

/// Also of DuckDB, which finds it by the names malloc and free. Against glibc's it saved a fifth of the
/// CPU time and a quarter of the memory of a first scan (`bench/README.md`).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Keeps the history of every resource in DuckDB and reports what changed.
#[derive(Parser)]
#[command(
    name = "elava-detector",
    version,
    args_conflicts_with_subcommands = true,
    after_help = format!("{EXIT_CODES}\n\nExample:\n  elava-observer --once | elava-detector --db history.duckdb > changes.ndjson")
)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,

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

#[derive(clap::Subcommand)]
enum Command {
    /// Make a fresh history of what the streams hold, beside the one that is written
    Rebuild(RebuildArgs),
    /// Remove the old versions that the configured retention does not keep, of a history that nobody holds
    Compact(CompactArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    elava_bus::cli::exit("elava-detector", go(args).await)
}

async fn go(args: Args) -> anyhow::Result<Finished> {
    match args.command {
        Some(Command::Rebuild(args)) => return Ok(elava_detector::rebuild(args).await?),
        Some(Command::Compact(args)) => return Ok(elava_detector::compact(&args, chrono::Utc::now())?),
        None => {}
    }
    let config = args.bus.start("elava-detector");
    if args.bus.check {
        Detector::check(&config)?;
        return Ok(Finished::Clean);
    }
    let token = Token::from_environment()?;
    let mut detector = Detector::open(&args.db, &config)?.export_below(args.export_dir.as_deref());
    if let Some(options) = args.live.options(&args.db, args.bus.nats.is_none(), token)
        && let Err(error) = detector.serve_sql(&options)
    {
        tracing::warn!(error = elava_bus::cli::chain(&error), "no live SQL; detection goes on without");
    }
    detector.thin_daily(&config.history.retention, chrono::Utc::now)?;
    Ok(elava_bus::run(&args.bus, detector).await?)
}
