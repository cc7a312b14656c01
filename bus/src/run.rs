//! Runs a stage over the transport that its flags choose.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::cli::{Finished, StageArgs};
use crate::metrics::Metrics;
use crate::nats::source::SourceRunner;
use crate::nats::{Nats, NatsError, NatsOptions};
use crate::{Failure, Position, Source, Stage, Stream, health, pipe, request};

/// How long a stage may take to finish what it has begun when told to stop.
const DRAIN: Duration = Duration::from_secs(25);
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
        return pipe::run(args, stage, (std::io::stdin(), std::io::stdout()), metrics, cancel).await;
    };
    run_nats(args, &options, stage, cancel).await
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

async fn run_nats<S: Stage>(
    args: &StageArgs,
    options: &NatsOptions,
    stage: S,
    cancel: CancellationToken,
) -> Result<Finished, BusError> {
    let spec = S::SPEC;
    let sources = spec.inputs.iter().flat_map(|stream| (0..stream.partitions()).map(|partition| (*stream, partition)));
    let sources: Vec<_> = sources.collect();
    let metrics = Arc::new(Metrics::new(spec.name, sources.len() as u64));
    serve_health(args.health_addr.as_deref(), Some(spec.health_port), &metrics, &cancel).await?;

    let name = format!("elava-{}", spec.name);
    let nats = tokio::select! {
        () = cancel.cancelled() => return Ok(Finished::Clean),
        nats = Nats::connect(&name, options, PATIENCE) => nats?,
    };
    nats.ensure_streams().await?;
    let stage = Arc::new(stage);
    request::answer_for(&nats, Arc::clone(&stage), cancel.clone()).await?;

    // The history holds what the observations showed; the stream must not fill up with them.
    let trimmed = spec.inputs.iter().filter(|stream| spec.position == Position::Own && **stream == Stream::Observation);
    for stream in trimmed {
        let keep_room = nats.clone().keep_room(spec.name, *stream);
        let cancel = cancel.clone();
        tokio::spawn(async move { cancel.run_until_cancelled(keep_room).await });
    }
    let mut tasks = JoinSet::new();
    let in_flight = Arc::new(Semaphore::new(spec.in_flight));
    for (stream, partition) in sources {
        let runner = SourceRunner {
            stage: Arc::clone(&stage),
            nats: nats.clone(),
            source: Source::Partition { stream, partition },
            metrics: Arc::clone(&metrics),
            cancel: cancel.clone(),
            in_flight: Arc::clone(&in_flight),
        };
        tasks.spawn(runner.run(stream, partition));
    }
    info!(stage = spec.name, sources = tasks.len(), "stage is running");
    let result = join(tasks, &cancel).await;
    // Without a server it would wait for one.
    if !matches!(tokio::time::timeout(Duration::from_secs(2), nats.client.flush()).await, Ok(Ok(()))) {
        warn!("last acknowledgements may not have been sent; the positions are kept elsewhere");
    }
    result.map(|()| Finished::Clean)
}

/// Waits for all tasks; the first failure stops the others. Bounded once told to stop.
async fn join(mut tasks: JoinSet<Result<(), BusError>>, cancel: &CancellationToken) -> Result<(), BusError> {
    let mut result = Ok(());
    let deadline = async {
        cancel.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::pin!(deadline);
    loop {
        let ended = tokio::select! {
            () = &mut deadline => return result.and(Err(BusError::Drain)),
            ended = tasks.join_next() => ended,
        };
        let outcome = match ended {
            None => return result,
            Some(Ok(outcome)) => outcome,
            Some(Err(panic)) => Err(BusError::Panicked(panic)),
        };
        if let Err(error) = outcome
            && result.is_ok()
        {
            cancel.cancel();
            result = Err(error);
        }
    }
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
