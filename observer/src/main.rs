//! `elava-observer`: flags, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use elava_bus::StageCommand;
use elava_bus::cli::{Finished, NoPipeArgs, StageArgs, exit};
use elava_observer::ObserverArgs;

const BINARY: &str = "elava-observer";
const HEALTH_PORT: u16 = 9310;
const EXAMPLE: &str = "\
Traces go where OTEL_EXPORTER_OTLP_ENDPOINT says, if set.
Exit codes: 0 done, 1 failed or not every scan was complete (--once), 2 wrong usage or configuration.
Example: elava-observer --once --types ec2:instance --regions eu-west-1 | jq .resource.key";

/// Lists cloud resources; writes one observation a resource and one report a scan. Never writes to the cloud.
#[derive(Parser)]
#[command(name = "elava-observer", version, after_help = EXAMPLE)]
struct Args {
    #[command(subcommand)]
    command: Option<StageCommand>,
    #[command(flatten)]
    observer: ObserverArgs,
    #[command(flatten)]
    bus: StageArgs<NoPipeArgs>,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(BINARY, go(Args::parse()).await)
}

async fn go(Args { command, observer, bus }: Args) -> anyhow::Result<Finished> {
    Ok(match command {
        Some(StageCommand::Healthcheck(asked)) => asked.run(BINARY, HEALTH_PORT).await?,
        None => elava_observer::observe(&bus, &observer, HEALTH_PORT).await?,
    })
}
