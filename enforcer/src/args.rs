//! The flags.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use elava_bus::HealthcheckArgs;
use elava_bus::cli::{EXIT_CODES, StageArgs};
use elava_enforcer::backtest::BacktestArgs;

const EXAMPLE: &str = "\
Example:
  elava-detector --db history.duckdb < observations.ndjson | elava-enforcer --policies policies";

/// Evaluates changed resources against Rego policies
#[derive(Parser)]
#[command(name = "elava-enforcer", version, after_help = format!("{EXIT_CODES}\n\n{EXAMPLE}"))]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) bus: StageArgs,

    /// Folder of policies and their data [default: policies.path of the configuration]
    #[arg(long, env = "ELAVA_POLICIES", value_name = "DIR")]
    pub(crate) policies: Option<PathBuf>,

    /// Read every policy as Rego v0 [default: v1; v0 for files that say `# rego: v0` or parse only so]
    #[arg(long, env = "ELAVA_REGO_V0", global = true)]
    pub(crate) rego_v0: bool,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the tests (`test_…` rules of `*_test.rego` files) of policies
    Test {
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Try policies on the past: what they would have found, and when, beside what was recorded
    Backtest(Box<BacktestArgs>),
    /// Ask the running enforcer whether it is ready: exit code 0 when it is, 1 when it is not
    Healthcheck(HealthcheckArgs),
    /// Compile policies and list them
    Check { path: PathBuf },
}
