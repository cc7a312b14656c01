//! Runs a stage over the transport that its flags choose.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::cli::{Finished, StageArgs};
use crate::instance::Instance;
use crate::lease::bucket::Bucket;
use crate::lease::holder::Holder;
use crate::lease::ttl;
use crate::metrics::Metrics;
use crate::nats::{Nats, NatsError, NatsOptions, streams};
use crate::service::Service;
use crate::tenure::Supply;
use crate::trace::Tracer;
use crate::{Failure, Peers, Stage, health, lease, pipe, request};

/// How long a stage may take to finish what it has begun when told to stop.
pub(crate) const DRAIN: Duration = Duration::from_secs(25);
/// How long a stage waits for a server that is not there yet.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// Why a stage stopped.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// NATS.
    #[error(transparent)]
    Nats(#[from] NatsError),
    /// The stage itself.
    #[error(transparent)]
    Stage(Failure),
    /// Standard input.
    #[error("cannot read standard input")]
    Input(#[source] std::io::Error),
    /// Standard output; a closed pipe is not an error.
    #[error("cannot write standard output")]
    Output(#[source] std::io::Error),
    /// A file that the pipe keeps.
    #[error("cannot use {file}")]
    File {
        /// Which file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// The health endpoint.
    #[error("cannot serve health on {address}")]
    Health {
        /// Where.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// What this one had open is another's.
    #[error("{by} has taken over as {stage}; this one ends, to stand by when it is started again")]
    TakenOver {
        /// The stage.
        stage: &'static str,
        /// The instance that has the lease now.
        by: String,
    },
    /// The partitions are shared in another way.
    #[error(
        "{by} shares the partitions in {groups}, this one in {ours}: all instances of {stage} must have the same number"
    )]
    Groups {
        /// The stage.
        stage: &'static str,
        /// The other instance.
        by: String,
        /// In how many groups it shares them.
        groups: u16,
        /// In how many this one does.
        ours: u16,
    },
    /// Stopping took too long.
    #[error("not everything begun was finished within {} s of being told to stop", DRAIN.as_secs())]
    Drain,
    /// A task of ours panicked.
    #[error("a task panicked")]
    Panicked(#[source] tokio::task::JoinError),
}

/// Runs a stage until its input ends (pipe), or until the process is told to stop (NATS).
///
/// # Errors
/// [`BusError`] when it cannot go on. What is only unavailable for a while is waited for.
pub async fn run<S: Stage>(args: &StageArgs, stage: S) -> Result<Finished, BusError> {
    let cancel = CancellationToken::new();
    stop_on_signals(cancel.clone());
    let Some(options) = args.nats_options() else {
        let metrics = Arc::new(Metrics::new(S::SPEC.name, 1));
        serve_health(args.health_addr.as_deref(), None, &metrics, &cancel).await?;
        metrics.traces(Tracer::from_environment(S::SPEC.name, S::SPEC.output, &lease::name::instance()));
        let finished =
            pipe::run(args, stage, (std::io::stdin(), std::io::stdout()), Arc::clone(&metrics), cancel).await;
        metrics.tracer().close().await;
        return finished;
    };
    run_nats(args, &options, Supply::Ready(Arc::new(stage)), cancel).await
}

/// Runs a stage as a filter over any input and output, as [`run`] does over the standard ones.
///
/// # Errors
/// [`BusError`] when it cannot go on.
pub async fn filter<S: Stage>(
    args: &StageArgs,
    stage: S,
    input: impl Read + Send + 'static,
    output: impl Write,
) -> Result<Finished, BusError> {
    let metrics = Arc::new(Metrics::new(S::SPEC.name, 1));
    pipe::run(args, stage, (input, output), metrics, CancellationToken::new()).await
}

/// Runs a stage that holds something only one process can have, such as a file: `open` is called with
/// the number of a group of partitions once the lease on it is held, and not before; `groups` says in how
/// many the partitions are shared, 1, 2, 4, 8 or 16. Until then the process stands by.
///
/// # Errors
/// [`BusError`] when it cannot go on, or when another instance has taken over what this one had open.
pub async fn run_when_leased<S: Stage>(
    args: &StageArgs,
    options: &NatsOptions,
    groups: u16,
    open: impl Fn(u16, Peers) -> Result<S, Failure> + Send + Sync + 'static,
) -> Result<Finished, BusError> {
    let cancel = CancellationToken::new();
    stop_on_signals(cancel.clone());
    run_nats(args, options, Supply::Opened(groups, Arc::new(open)), cancel).await
}

async fn run_nats<S: Stage>(
    args: &StageArgs,
    options: &NatsOptions,
    supply: Supply<S>,
    cancel: CancellationToken,
) -> Result<Finished, BusError> {
    let spec = S::SPEC;
    let metrics = Arc::new(Metrics::shared(spec.name));
    serve_health(args.health_addr.as_deref(), Some(spec.health_port), &metrics, &cancel).await?;

    let used = streams::used(spec.inputs, spec.output);
    let reached = reach(spec.name, options, &used, &metrics);
    let Some(nats) = cancel.run_until_cancelled(reached).await else { return Ok(Finished::Clean) };
    let nats = nats?;
    let bucket = Bucket::new(nats.clone(), args.lease_ttl.unwrap_or(ttl::PARTITION));
    metrics.traces(Tracer::from_environment(spec.name, spec.output, &bucket.instance));
    let service = Service::of_stage(&spec, bucket.instance.clone(), Arc::clone(&metrics));
    tokio::spawn(Arc::clone(&service).run(nats.clone(), cancel.clone()));
    if let Supply::Ready(stage) = &supply {
        tokio::spawn(request::answer_for(nats.clone(), Arc::clone(stage), Arc::clone(&service), None, cancel.clone()));
    }
    info!(stage = spec.name, instance = bucket.instance, "stage is running");
    let holder = Holder::new(bucket, spec.name, supply.groups());
    let result = Instance::new(nats.clone(), Arc::clone(&metrics), service, supply, holder, cancel).run().await;
    metrics.tracer().close().await;
    // Without a server it would wait for one.
    if !matches!(tokio::time::timeout(Duration::from_secs(2), nats.client.flush()).await, Ok(Ok(()))) {
        warn!("last acknowledgements may not have been sent; the positions are kept elsewhere");
    }
    result.map(|()| Finished::Clean)
}

/// Connects as `name`, and sees to it that the streams that are `used` are there. What is not there yet is waited for,
/// and said meanwhile.
pub(crate) async fn reach(
    name: &str,
    options: &NatsOptions,
    used: &[String],
    metrics: &Metrics,
) -> Result<Nats, NatsError> {
    metrics.lacks(Some("waiting for NATS".to_owned()));
    let nats = Nats::connect(&format!("elava-{name}"), options, PATIENCE).await?;
    metrics.watches(nats.denials.clone());
    metrics.lacks(Some("waiting for the streams".to_owned()));
    nats.ensure_streams(used).await?;
    metrics.lacks(None);
    Ok(nats)
}

/// Serves health where `given`, else on the loopback `port`, else nowhere.
pub(crate) async fn serve_health(
    given: Option<&str>,
    port: Option<u16>,
    metrics: &Arc<Metrics>,
    cancel: &CancellationToken,
) -> Result<(), BusError> {
    let address = match (given, port) {
        (Some("off"), _) => return Ok(()),
        (Some(address), _) => address.to_owned(),
        (None, Some(port)) => format!("127.0.0.1:{port}"),
        (None, None) => return Ok(()),
    };
    health::serve(&address, Arc::clone(metrics), cancel.clone()).await
}

/// SIGTERM and SIGINT: stop taking new work, finish what was begun.
pub fn stop_on_signals(cancel: CancellationToken) {
    tokio::spawn(async move {
        let terminate = async {
            match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
                Ok(mut signal) => drop(signal.recv().await),
                Err(error) => {
                    warn!(error = %error, "cannot listen for SIGTERM");
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            () = terminate => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        info!("told to stop");
        cancel.cancel();
    });
}
