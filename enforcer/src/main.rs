//! The binary: wiring only.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use elava_bus::cli::{EXIT_CODES, Finished, StageArgs};
use elava_enforcer::{Bundle, Dialect, Enforcer, LiveBundle};

/// Evaluates changed resources against Rego policies
#[derive(Parser)]
#[command(name = "elava-enforcer", version, after_help = format!("{EXIT_CODES}\n\nExample:\n  elava-detector --db history.duckdb < observations.ndjson | elava-enforcer --policies policies"))]
struct Args {
    #[command(flatten)]
    bus: StageArgs,

    /// Folder of policies and their data [default: policies.path of the configuration]
    #[arg(long, env = "ELAVA_POLICIES", value_name = "DIR")]
    policies: Option<PathBuf>,

    /// Read every policy as Rego v0 [default: v1; v0 for files that say `# rego: v0` or parse only so]
    #[arg(long, env = "ELAVA_REGO_V0", global = true)]
    rego_v0: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the tests (`test_…` rules of `*_test.rego` files) of policies
    Test {
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Compile policies and list them
    Check { path: PathBuf },
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    elava_bus::cli::exit("elava-enforcer", go(args).await)
}

async fn go(args: Args) -> anyhow::Result<Finished> {
    let config = args.bus.start("elava-enforcer");
    let dialect = if args.rego_v0 { Dialect::V0 } else { Dialect::PerFile };
    let mut out = std::io::stdout().lock();
    match args.command {
        Some(Command::Test { paths }) => {
            let count = elava_enforcer::run_tests(&paths, dialect, &mut out)?;
            return Ok(if count.failed == 0 { Finished::Clean } else { Finished::SomeRejected });
        }
        Some(Command::Check { path }) => {
            elava_enforcer::check(&Bundle::load(&path, dialect)?, &mut out)?;
            return Ok(Finished::Clean);
        }
        None => drop(out),
    }
    let path = args.policies.unwrap_or_else(|| PathBuf::from(&config.policies.path));
    let live = match LiveBundle::open(path, dialect) {
        Ok(live) => Arc::new(live),
        // Policies are configuration: exit code 2.
        Err(error) => elava_bus::cli::usage_error("elava-enforcer", &error),
    };
    if args.bus.check {
        return Ok(Finished::Clean);
    }
    tokio::spawn(LiveBundle::follow(Arc::downgrade(&live)));
    Ok(elava_bus::run(&args.bus, Enforcer::new(&config, live)).await?)
}
