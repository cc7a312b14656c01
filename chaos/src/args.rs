//! The command line.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Parser, ValueEnum};
use elava_bench::Programs;
use elava_harness::find;

use crate::{Kind, Options};

/// Runs several of every stage under faults that follow from a seed, and compares with an undisturbed run
#[derive(Clone, Debug, Parser)]
#[command(
    name = "elava-chaos",
    version,
    after_help = "Exit codes: 0 all is the same, 1 something differs or cannot be run, 2 wrong usage.\n\
        Example: elava-chaos --seed 7 --resources 2000 --page-rows 20 --faults 25 --long-freezes 0"
)]
pub struct Args {
    /// From which the input, the faults and their places follow [default: another each time]
    #[arg(long, env = "ELAVA_CHAOS_SEED", value_name = "N")]
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
    /// EC2 instances in the stand-in that observers watch; 0: no observers
    #[arg(long, default_value_t = 200)]
    cloud: u32,
    /// How many faults strike
    #[arg(long, default_value_t = 200)]
    faults: u32,
    /// Which kinds of faults [default: all]
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<Kind>,
    /// How many freezes last for 65 s, longer than the server waits for an acknowledgement
    #[arg(long, default_value_t = 2)]
    long_freezes: u32,
    /// In how many files the history is that is struck; the undisturbed one is one file
    #[arg(long, default_value_t = 2)]
    shards: u16,
    /// Folder of the stages' binaries [default: beside this one]
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
    /// The nats-server [default: that of `make setup`, else the one on PATH]
    #[arg(long, env = "ELAVA_NATS_SERVER", value_name = "FILE")]
    nats_server: Option<PathBuf>,
    /// Folder of the policies
    #[arg(long, default_value = "bench/policies", value_name = "DIR")]
    policies: PathBuf,
    /// Keep histories, streams and logs in this folder [default: a temporary one, kept when something differs]
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

impl Args {
    /// Where the programs are.
    ///
    /// # Errors
    /// When there is no nats-server.
    pub fn programs(&self) -> anyhow::Result<Programs> {
        let beside = std::env::current_exe()?.parent().context("the executable is in no folder")?.to_owned();
        Ok(Programs {
            binaries: std::path::absolute(self.binaries.as_ref().unwrap_or(&beside))?,
            nats_server: find(self.nats_server.as_deref(), "nats-server")?,
            policies: std::path::absolute(&self.policies)?,
        })
    }

    /// What to do, in this folder; a seed that was not given is drawn here.
    #[must_use]
    pub fn options(&self, folder: &Path) -> Options {
        let kinds = if self.kinds.is_empty() { Kind::value_variants() } else { &self.kinds };
        Options {
            seed: self.seed.unwrap_or_else(|| fastrand::u64(..1_000_000)),
            resources: self.resources as usize,
            rounds: self.rounds as usize,
            page_rows: self.page_rows as usize,
            cloud: self.cloud as usize,
            faults: self.faults as usize,
            kinds: kinds.to_vec(),
            long_freezes: self.long_freezes as usize,
            shards: self.shards,
            folder: folder.to_owned(),
        }
    }
}
