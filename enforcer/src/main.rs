//! The binary: wiring only.

mod args;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use elava_bus::Stage;
use elava_bus::cli::Finished;
use elava_enforcer::backtest::{BacktestError, backtest};
use elava_enforcer::{Bundle, Dialect, Enforcer, LiveBundle};

use crate::args::{Args, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    elava_bus::cli::exit("elava-enforcer", go(args).await)
}

async fn go(args: Args) -> anyhow::Result<Finished> {
    if let Some(Command::Healthcheck(asked)) = args.command {
        return Ok(asked.run("elava-enforcer", Enforcer::SPEC.health_port).await?);
    }
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
        Some(Command::Backtest(tried)) => {
            return match backtest(&tried, &config, dialect, &mut out).await {
                Err(BacktestError::Bundle(error)) => elava_bus::cli::usage_error("elava-enforcer", &error),
                finished => Ok(finished?),
            };
        }
        Some(Command::Healthcheck(_)) | None => drop(out),
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
    let enforcer = Enforcer::new(&config, live);
    let enforcer = match args.bus.nats_options() {
        Some(options) => enforcer.asking(options, &config),
        None => enforcer,
    };
    Ok(elava_bus::run(&args.bus, enforcer).await?)
}
