//! `elava-observer`: flags, set-up, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use elava_bus::cli::{Finished, NoPipeArgs, StageArgs, exit, usage_error};
use elava_bus::{CancellationToken, Sink, StageCommand};
use elava_observer::aws::Session;
use elava_observer::{Observer, ObserverArgs, Rhythm};

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

async fn go(Args { command, observer: args, bus }: Args) -> anyhow::Result<Finished> {
    if let Some(StageCommand::Healthcheck(asked)) = command {
        return Ok(asked.run(BINARY, HEALTH_PORT).await?);
    }
    let config = bus.start(BINARY);
    let kinds = args.kinds(&config).unwrap_or_else(|error| usage_error(BINARY, &error));
    if bus.check {
        return Ok(Finished::Clean);
    }
    if !config.scanning.enabled {
        tracing::warn!("`scanning.enabled` is false: nothing is scanned");
        return Ok(Finished::Clean);
    }
    let regions = args.regions(&config);
    let session = Session::open(args.endpoint_url.as_deref(), &regions).await;
    let places = match session.places(&regions, &config.scanning.accounts).await {
        Err(error) if error.is_usage() => usage_error(BINARY, &error),
        places => places?,
    };
    if args.whoami {
        let mut accounts: Vec<&str> = places.iter().map(|place| place.account.as_str()).collect();
        accounts.dedup();
        let regions: Vec<&str> = places.iter().map(|place| place.region.as_str()).collect();
        eprintln!("account {}, regions {}", accounts.join(", "), regions.join(", "));
        return Ok(Finished::Clean);
    }
    let rhythm = match args.interval {
        _ if args.once => Rhythm::Once,
        Some(interval) => Rhythm::Every(interval.get()),
        None => Rhythm::Tiers(config.scanning),
    };
    let observer = Observer::new(places, &kinds, rhythm, usize::from(args.concurrency.get()), args.scan_timeout.get());
    let sink = Sink::open("observer", &bus).await?;
    let stop = CancellationToken::new();
    elava_bus::stop_on_signals(stop.clone());
    sink.serve_health(&bus, HEALTH_PORT, &stop).await?;
    let finished = observer.run(&sink, stop).await;
    sink.close().await;
    Ok(finished?)
}
