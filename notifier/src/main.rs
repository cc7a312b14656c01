//! `elava-notifier`: wiring only.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use elava_bus::cli::{EXIT_CODES, Finished, StageArgs, exit, usage_error};
use elava_bus::{Stage, StageCommand};
use elava_notifier::{Format, Notifier};

const EXAMPLE: &str = "\
Examples: read what a stage decides, in colour; try a channel of the configuration
  elava-decider < changes.ndjson | elava-notifier --format text
  elava-notifier --config elava.yaml test --channel slack";

/// Tells people: standard output, Slack, Teams, PagerDuty, email, files, any HTTP endpoint
#[derive(Parser)]
#[command(name = "elava-notifier", version, after_help = format!("{EXIT_CODES}\n\n{EXAMPLE}"))]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    bus: StageArgs,

    /// How standard output is written [default: as configured; auto is text on a terminal, else ndjson]
    #[arg(long, env = "ELAVA_NOTIFIER_FORMAT", value_name = "FORMAT")]
    format: Option<Format>,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Stage(StageCommand),
    /// Send a sample message to one channel, and say what it answered
    Test {
        /// As the configuration names it, such as stdout or payments-slack
        #[arg(long, value_name = "NAME")]
        channel: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    exit("elava-notifier", run(args).await)
}

async fn run(args: Args) -> anyhow::Result<Finished> {
    if let Some(Command::Stage(StageCommand::Healthcheck(asked))) = args.command {
        return Ok(asked.run("elava-notifier", Notifier::SPEC.health_port).await?);
    }
    let config = args.bus.start("elava-notifier");
    let notifications = &config.actions.notifications;
    let notifier = match Notifier::new(notifications, args.format.map(Into::into)) {
        Ok(notifier) => notifier,
        Err(error) => usage_error("elava-notifier", &error),
    };
    if args.bus.check {
        return Ok(Finished::Clean);
    }
    if let Some(Command::Test { channel }) = args.command {
        writeln!(io::stdout(), "{}", notifier.test(&channel).await?)?;
        return Ok(Finished::Clean);
    }
    match elava_bus::run(&args.bus, notifier).await {
        Ok(finished) => Ok(finished),
        // Whoever read the notifications has seen enough, as in `| head`.
        Err(error) if is_closed_pipe(&error) => Ok(Finished::Clean),
        Err(error) => Err(error.into()),
    }
}

fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe))
}
