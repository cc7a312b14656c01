//! `elava-decider`: wiring only.

use std::process::ExitCode;

use clap::Parser;
use elava_bus::cli::{EXIT_CODES, Finished, StageArgs, exit};
use elava_bus::{Stage, StageCommand};
use elava_decider::{Decider, Settings, explain_all};

const EXAMPLE: &str = "\
Example: what a piped scan would lead to
  elava-observer --once | elava-detector --db history.duckdb | elava-enforcer --policies policies | elava-decider
  elava-detector --db history.duckdb < observations.ndjson | elava-decider -c elava.yaml --explain";

/// Turns changes and policy results into decisions: what is to be told or done, once per finding
#[derive(Parser)]
#[command(name = "elava-decider", version, after_help = format!("{EXIT_CODES}\n\n{EXAMPLE}"))]
struct Args {
    #[command(subcommand)]
    command: Option<StageCommand>,
    #[command(flatten)]
    bus: StageArgs,
    /// Of NDJSON on standard input, write no decisions, but why each would be made: the row of the decision table, and the
    /// settings, with the lines that they are on
    #[arg(long, conflicts_with_all = ["nats", "state"])]
    explain: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    exit("elava-decider", run(args).await)
}

async fn run(args: Args) -> anyhow::Result<Finished> {
    if let Some(StageCommand::Healthcheck(asked)) = args.command {
        return Ok(asked.run("elava-decider", Decider::SPEC.health_port).await?);
    }
    let config = args.bus.start("elava-decider");
    let settings = args.explain.then(|| Settings::read(&config, args.bus.config.as_deref())).transpose()?;
    let decider = Decider::open(config)?;
    if args.bus.check {
        return Ok(Finished::Clean);
    }
    if let Some(settings) = settings {
        let (input, mut out) = (std::io::stdin().lock(), std::io::stdout().lock());
        return Ok(explain_all(&decider, &settings, chrono::Utc::now, input, &mut out).await?);
    }
    Ok(elava_bus::run(&args.bus, decider).await?)
}
