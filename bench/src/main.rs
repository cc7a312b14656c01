//! Runs the benchmarks.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use elava_bench::{Programs, backtest, history, idle, listing, pipeline, scale};
use elava_bus::cli::{Finished, exit};
use elava_harness::find;
use tokio::signal::unix::{SignalKind, signal};

/// Measures the stages beside raw JetStream and Cloud Custodian
#[derive(Parser)]
#[command(
    version,
    after_help = "Figures go to standard output, one JSON object a line; progress to standard error.\n\
    Example: elava-bench pipeline listing --resources 20000"
)]
struct Args {
    /// Which ones [default: all]
    which: Vec<Bench>,
    /// Resources of `pipeline`
    #[arg(long, default_value_t = 100_000)]
    resources: usize,
    /// Resources of `scale`
    #[arg(long, default_value_t = 50_000)]
    scale_resources: usize,
    /// Instances of `listing`
    #[arg(long, default_value_t = 5000)]
    instances: usize,
    /// Resources of `history`
    #[arg(long, default_value_t = 500_000)]
    history_resources: usize,
    /// Versions of `history`
    #[arg(long, default_value_t = 5_000_000)]
    history_versions: usize,
    /// Folder in which `history` keeps the past it has made, and looks for one
    #[arg(long, value_name = "FOLDER")]
    history_keep: Option<PathBuf>,
    /// Of `history`, only compare unchanged scans, so many
    #[arg(long, value_name = "SCANS")]
    history_compare: Option<usize>,
    /// Resources of `backtest`
    #[arg(long, default_value_t = 100_000)]
    backtest_resources: usize,
    /// Seconds of `idle`
    #[arg(long, default_value_t = 20)]
    idle_seconds: u64,
    /// Folder of the stages' binaries [default: that of this one]
    #[arg(long, env = "ELAVA_BIN_DIR")]
    binaries: Option<PathBuf>,
    /// The nats-server [default: that of `make setup`, else the one on PATH]
    #[arg(long, env = "ELAVA_NATS_SERVER")]
    nats_server: Option<PathBuf>,
    /// Folder of the rules
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/policies"))]
    policies: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// What waiting costs.
    Idle,
    /// 100,000 resources over JetStream.
    Pipeline,
    /// 50,000 changes shared by one, two and four enforcers, as many resources by detectors.
    Scale,
    /// 5,000 instances through a shell pipe.
    Listing,
    /// 5,000,000 versions of 500,000 resources, and analysts.
    History,
    /// Policies tried on a month of 100,000 resources.
    Backtest,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit("elava-bench", run_until_told(Args::parse()).await)
}

/// Dropping a run ends its processes and removes its folders.
async fn run_until_told(args: Args) -> anyhow::Result<Finished> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    tokio::select! {
        result = run(args) => result.map(|()| Finished::Clean),
        _ = interrupted.recv() => anyhow::bail!("interrupted"),
        _ = terminated.recv() => anyhow::bail!("told to stop"),
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let own = std::env::current_exe()?;
    let beside = own.parent().context("this program is in no folder")?.to_path_buf();
    // The stages and the server run in folders of their own.
    let programs = Programs {
        binaries: std::path::absolute(args.binaries.unwrap_or(beside))?,
        nats_server: find(args.nats_server.as_deref(), "nats-server")?,
        policies: std::path::absolute(args.policies)?,
    };
    let which = args.which;
    let chosen = |bench| which.is_empty() || which.contains(&bench);
    if chosen(Bench::Idle) {
        idle::run(&programs, Duration::from_secs(args.idle_seconds)).await.context("idle")?;
    }
    if chosen(Bench::Pipeline) {
        pipeline::run(&programs, args.resources).await.context("pipeline")?;
    }
    if chosen(Bench::Scale) {
        scale::run(&programs, args.scale_resources).await.context("scale")?;
    }
    if chosen(Bench::Listing) {
        listing::run(&programs, args.instances).await.context("listing")?;
    }
    if chosen(Bench::History) {
        let options = history::Options {
            resources: args.history_resources,
            versions: args.history_versions,
            keep: args.history_keep,
            compare: args.history_compare,
        };
        history::run(&programs, &options).await.context("history")?;
    }
    if chosen(Bench::Backtest) {
        backtest::run(&programs, args.backtest_resources).await.context("backtest")?;
    }
    Ok(())
}
