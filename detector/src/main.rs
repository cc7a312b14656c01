//! `elava-detector`: wiring only.

use std::process::ExitCode;

use clap::Parser;
use elava_bus::cli::{EXIT_CODES, Finished};
use elava_bus::{HealthcheckArgs, Stage};
use elava_detector::{CompactArgs, DetectArgs, Detector, RebuildArgs, ReshardArgs};

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
    detect: DetectArgs,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Ask the running detector whether it is ready: exit code 0 when it is, 1 when it is not
    Healthcheck(HealthcheckArgs),
    /// Make a fresh history of what the streams hold, beside the one that is written
    Rebuild(Box<RebuildArgs>),
    /// Remove the old versions that the configured retention does not keep, of a history that nobody holds
    Compact(CompactArgs),
    /// Put a history that nobody holds into another number of files
    Reshard(ReshardArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    elava_bus::cli::exit("elava-detector", go(args).await)
}

async fn go(args: Args) -> anyhow::Result<Finished> {
    Ok(match args.command {
        Some(Command::Healthcheck(args)) => args.run("elava-detector", Detector::SPEC.health_port).await?,
        Some(Command::Rebuild(args)) => elava_detector::rebuild(*args).await?,
        Some(Command::Compact(args)) => elava_detector::compact(&args, chrono::Utc::now())?,
        Some(Command::Reshard(args)) => elava_detector::reshard(&args)?,
        None => elava_detector::detect(args.detect).await?,
    })
}
