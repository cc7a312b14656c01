//! `elava-observer` itself: what it needs before it can look, where it looks, and how often.

use elava_bus::cli::{Finished, NoPipeArgs, StageArgs, chain, usage_error};
use elava_bus::{BusError, CancellationToken, Sink, SinkError};
use elava_schemas::config::Config;

use crate::aws::{Place, Session, SetupError, back_off};
use crate::{Observer, ObserverArgs, Rhythm};

const BINARY: &str = "elava-observer";

/// Why the observer does not run.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// Nothing can be listed.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// Nobody takes what it sees.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// What it saw cannot be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
}

/// Runs the observer until everything was scanned once, or until it is told to stop. `port` is that of its health.
///
/// # Errors
/// [`ObserveError`]. Wrong usage ends the process with exit code 2. As a service it waits for what is missing.
pub async fn observe(bus: &StageArgs<NoPipeArgs>, args: &ObserverArgs, port: u16) -> Result<Finished, ObserveError> {
    let config = bus.start(BINARY);
    let kinds = args.kinds(&config).unwrap_or_else(|error| usage_error(BINARY, &error));
    if bus.check {
        return Ok(Finished::Clean);
    }
    if !config.scanning.enabled {
        tracing::warn!("`scanning.enabled` is false: nothing is scanned");
        return Ok(Finished::Clean);
    }
    if args.whoami {
        tell(&usable(places(args, &config).await)?);
        return Ok(Finished::Clean);
    }
    let stop = CancellationToken::new();
    elava_bus::stop_on_signals(stop.clone());
    let Some((places, sink)) = begin(bus, args, &config, (port, &stop)).await? else { return Ok(Finished::Clean) };
    let rhythm = match args.interval {
        _ if args.once => Rhythm::Once,
        Some(interval) => Rhythm::Every(interval.get()),
        None => Rhythm::Tiers(config.scanning),
    };
    let observer = Observer::new(places, &kinds, rhythm, usize::from(args.concurrency.get()), args.scan_timeout.get());
    let finished = observer.run(&sink, stop).await;
    sink.close().await;
    Ok(finished?)
}

/// Where to look, and where to write what is seen; `None` when told to stop before that is known.
async fn begin(
    bus: &StageArgs<NoPipeArgs>,
    args: &ObserverArgs,
    config: &Config,
    (port, stop): (u16, &CancellationToken),
) -> Result<Option<(Vec<Place>, Sink)>, ObserveError> {
    let open = || Sink::serving("observer", bus, port, stop);
    let is_service = bus.nats.is_some() && !args.once;
    if is_service {
        let Some(sink) = open().await? else { return Ok(None) };
        let places = places_in_time(args, config, &sink, stop).await?;
        return Ok(places.map(|places| (places, sink)));
    }
    let Some(places) = stop.run_until_cancelled(places(args, config)).await else { return Ok(None) };
    let places = usable(places)?;
    Ok(open().await?.map(|sink| (places, sink)))
}

/// Every account and region to be scanned.
async fn places(args: &ObserverArgs, config: &Config) -> Result<Vec<Place>, SetupError> {
    let regions = args.regions(config);
    let session = Session::open(args.endpoint_url.as_deref(), &regions).await;
    session.places(&regions, &config.scanning.accounts).await
}

/// The same, once credentials, a region and an answer of the cloud are there; `None` when told to stop before.
/// Until then it is not ready, and says why.
async fn places_in_time(
    args: &ObserverArgs,
    config: &Config,
    sink: &Sink,
    stop: &CancellationToken,
) -> Result<Option<Vec<Place>>, SetupError> {
    sink.lacks(Some("asking which account this is".to_owned()));
    let mut failures: u32 = 0;
    loop {
        let Some(found) = stop.run_until_cancelled(places(args, config)).await else { return Ok(None) };
        let error = match found {
            Err(error) if error.may_pass() => error,
            found => {
                sink.lacks(None);
                return usable(found).map(Some);
            }
        };
        failures += 1;
        let reason = chain(&error);
        // said more and more seldom
        if failures.is_power_of_two() {
            tracing::warn!(error = reason, "nothing can be listed; trying again");
        }
        sink.lacks(Some(reason));
        let pause = tokio::time::sleep(back_off(failures, fastrand::f64()));
        if stop.run_until_cancelled(pause).await.is_none() {
            return Ok(None);
        }
    }
}

/// Ends the process where flags, configuration or environment are to blame.
fn usable(places: Result<Vec<Place>, SetupError>) -> Result<Vec<Place>, SetupError> {
    match places {
        Err(error) if error.is_usage() => usage_error(BINARY, &error),
        places => places,
    }
}

fn tell(places: &[Place]) {
    let mut accounts: Vec<&str> = places.iter().map(|place| place.account.as_str()).collect();
    accounts.dedup();
    let regions: Vec<&str> = places.iter().map(|place| place.region.as_str()).collect();
    eprintln!("account {}, regions {}", accounts.join(", "), regions.join(", "));
}
