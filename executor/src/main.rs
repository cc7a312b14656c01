//! `elava-executor`: wiring only.

use std::process::ExitCode;

use clap::Parser;
use elava_bus::cli::{EXIT_CODES, Finished, StageArgs, exit};
use elava_bus::{Stage, StageCommand};
use elava_executor::{Executor, ExecutorArgs};

const EXAMPLE: &str = "\
Nothing is written unless policies.enforcement_mode is enforce. In dry_run it says what it would write.

Example: what would be written because of a decision
  elava-executor --config dry-run.yaml < decisions.ndjson | jq 'select(.kind == \"execution\")'";

/// Carries out decisions that are approved: restores tags, adds missing ones, protects. Never deletes
#[derive(Parser)]
#[command(name = "elava-executor", version, after_help = format!("{EXIT_CODES}\n\n{EXAMPLE}"))]
struct Args {
    #[command(subcommand)]
    command: Option<StageCommand>,
    #[command(flatten)]
    executor: ExecutorArgs,
    #[command(flatten)]
    bus: StageArgs,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    exit("elava-executor", run(args).await)
}

async fn run(args: Args) -> anyhow::Result<Finished> {
    if let Some(StageCommand::Healthcheck(asked)) = args.command {
        return Ok(asked.run("elava-executor", Executor::SPEC.health_port).await?);
    }
    let config = args.bus.start("elava-executor");
    if args.bus.check {
        return Ok(Finished::Clean);
    }
    Ok(elava_bus::run(&args.bus, Executor::new(config, args.executor)).await?)
}
