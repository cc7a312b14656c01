//! `elava-chaos`: flags, run, exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use elava_bus::cli::{Finished, exit};
use elava_chaos::{Kind, Options, Programs};

/// Runs every stage twice over under faults that follow from a seed, and compares with an undisturbed run
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 the same, 1 something differs or could not be run, 2 wrong usage.\n\
        Example: elava-chaos --seed 7 --resources 2000 --page-rows 20 --faults 25"
)]
struct Args {
    /// From which input, faults and their places follow [default: another each time]
    #[arg(long)]
    seed: Option<u64>,
    /// Resources that are replayed
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(100..))]
    resources: u32,
    /// How many times each scope is scanned
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..))]
    rounds: u32,
    /// Rows in a page at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100))]
    page_rows: u32,
    /// EC2 instances that the observers watch in a stand-in; 0: no observers
    #[arg(long, default_value_t = 200)]
    cloud: usize,
    /// How many faults strike
    #[arg(long, default_value_t = 200)]
    faults: usize,
    /// Which kinds of faults [default: all]
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<Kind>,
    /// How many freezes last 65 s
    #[arg(long, default_value_t = 2)]
    long_freezes: usize,
    /// Folder of the stages' binaries [default: beside this one]
    #[arg(long)]
    binaries: Option<PathBuf>,
    /// The nats-server [default: that of `make setup`, else the one on PATH]
    #[arg(long, env = "ELAVA_NATS_SERVER")]
    nats_server: Option<PathBuf>,
    /// Folder of the policies
    #[arg(long, default_value = "bench/policies")]
    policies: PathBuf,
    /// Keep histories, streams and logs here, also when nothing differs
    #[arg(long)]
    keep: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit("elava-chaos", go(Args::parse()).await)
}

async fn go(args: Args) -> anyhow::Result<Finished> {
    let beside = std::env::current_exe()?.parent().context("the executable is in no folder")?.to_owned();
    let programs = Programs {
        binaries: std::path::absolute(args.binaries.unwrap_or(beside))?,
        nats_server: elava_bench::find_nats_server(args.nats_server.as_deref())?,
        policies: std::path::absolute(args.policies)?,
    };
    let folder = match args.keep {
        Some(folder) => std::path::absolute(folder)?,
        None => tempfile::Builder::new().prefix("elava-chaos-").tempdir()?.keep(),
    };
    let options = Options {
        seed: args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000)),
        resources: args.resources as usize,
        rounds: args.rounds as usize,
        page_rows: args.page_rows as usize,
        cloud: args.cloud,
        faults: args.faults,
        kinds: if args.kinds.is_empty() { Kind::value_variants().to_vec() } else { args.kinds },
        long_freezes: args.long_freezes,
        folder,
    };
    elava_chaos::run(&programs, &options, &mut std::io::stdout())
        .await
        .map(|same| if same { Finished::Clean } else { Finished::SomeRejected })
}
