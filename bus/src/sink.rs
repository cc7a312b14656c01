//! Where a source of messages, the observer, writes them: standard output or JetStream.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use elava_schemas::Message;
use futures::StreamExt;
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::cli::StageArgs;
use crate::lease::ttl;
use crate::lease::{self, bucket::Bucket};
use crate::metrics::Metrics;
use crate::nats::publish::{Outgoing, pack};
use crate::nats::{Nats, NatsError, streams};
use crate::request::{Lines, reply};
use crate::run::{BusError, reach, serve_health};
use crate::service::Service;
use crate::trace::{Span, Tracer};
use crate::{Claims, Emit, Stream};

/// Pages in flight over all handles: bounds memory when the server is slow or a stream is full.
const IN_FLIGHT: usize = 64;

/// Why a message could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// NATS cannot be used.
    #[error(transparent)]
    Nats(#[from] NatsError),
    /// Nobody reads our standard output any more.
    #[error("standard output was closed")]
    Closed,
    /// Standard output cannot be written.
    #[error("cannot write standard output")]
    Output(#[source] std::io::Error),
    /// A publishing task panicked.
    #[error("a publishing task panicked")]
    Panicked(#[source] tokio::task::JoinError),
}

/// Where a source of messages writes them. A clone shares the connection and the bound on memory,
/// and has its own account of what is still to be acknowledged: one clone a scan.
#[derive(Debug)]
pub struct Sink {
    target: Target,
    metrics: Arc<Metrics>,
    pending: Mutex<JoinSet<()>>,
}

#[derive(Clone, Debug)]
enum Target {
    Stdout,
    Stream(Arc<StreamTarget>),
}

/// JetStream, and what all handles share.
#[derive(Debug)]
struct StreamTarget {
    nats: Nats,
    name: &'static str,
    room: Arc<Semaphore>,
    bucket: Bucket,
    service: Arc<Service>,
}

impl Clone for Sink {
    fn clone(&self) -> Self {
        Self { target: self.target.clone(), metrics: Arc::clone(&self.metrics), pending: Mutex::default() }
    }
}

impl Sink {
    /// Opens standard output, or JetStream when `--nats` is given; missing streams are made.
    ///
    /// # Errors
    /// When NATS cannot be reached within ten minutes.
    pub async fn open<P: Args>(name: &'static str, args: &StageArgs<P>) -> Result<Self, SinkError> {
        Ok(Self::with(name, args, Arc::new(Metrics::new(name, 0))).await?)
    }

    /// As [`Sink::open`], with `/healthz`, `/readyz` and `/metrics` from the beginning until `stop`: where `--health-addr`
    /// says, else on the loopback `port`, in a pipe nowhere else. Over NATS it is a service, too. `None` when it was
    /// told to stop before anything could be written.
    ///
    /// # Errors
    /// When the address is taken, or NATS cannot be reached within ten minutes.
    pub async fn serving<P: Args>(
        name: &'static str,
        args: &StageArgs<P>,
        port: u16,
        stop: &CancellationToken,
    ) -> Result<Option<Self>, BusError> {
        let metrics = Arc::new(Metrics::new(name, 0));
        let port = args.nats.is_some().then_some(port);
        serve_health(args.health_addr.as_deref(), port, &metrics, stop).await?;
        let Some(sink) = stop.run_until_cancelled(Self::with(name, args, metrics)).await else { return Ok(None) };
        let sink = sink?;
        if let Target::Stream(stream) = &sink.target {
            tokio::spawn(Arc::clone(&stream.service).run(stream.nats.clone(), stop.clone()));
        }
        Ok(Some(sink))
    }

    async fn with<P: Args>(name: &'static str, args: &StageArgs<P>, metrics: Arc<Metrics>) -> Result<Self, NatsError> {
        let traces = |instance: &str| metrics.traces(Tracer::from_environment(name, None, instance));
        let target = match args.nats_options() {
            None => {
                traces(&lease::name::instance());
                Target::Stdout
            }
            Some(options) => {
                let used = streams::used(&[], Some(Stream::Observation));
                let nats = reach(name, &options, &used, &metrics).await?;
                let bucket = Bucket::new(nats.clone(), args.lease_ttl.unwrap_or(ttl::SCAN));
                traces(&bucket.instance);
                let service = Service::of_source(name, bucket.instance.clone(), Arc::clone(&metrics));
                let room = Arc::new(Semaphore::new(IN_FLIGHT));
                Target::Stream(Arc::new(StreamTarget { nats, name, room, bucket, service }))
            }
        };
        Ok(Self { target, metrics, pending: Mutex::default() })
    }

    /// What is missing before it can do its work, for a person. It is not ready until nothing is.
    pub fn lacks(&self, what: Option<String>) {
        self.metrics.lacks(what);
    }

    /// Adds messages, in order within a page. Waits while too much is not stored yet (a slow server,
    /// a full stream), so memory stays bounded. Nothing counts as stored before [`Sink::flush`].
    ///
    /// # Errors
    /// When standard output is closed or cannot be written.
    pub async fn send(&self, messages: Vec<Message>) -> Result<(), SinkError> {
        self.metrics.sent(messages.len() as u64);
        let tracer = self.metrics.tracer();
        let emit = |message: Message| {
            // of a source, which has no position
            let emit = Emit::new(0, &message);
            Emit { traced: tracer.scanned(&message), ..emit }
        };
        let emits = messages.into_iter().map(emit);
        match &self.target {
            Target::Stdout => {
                let emits: Vec<Emit> = emits.collect();
                write_lines(&emits)?;
                tracer.stored(emits.into_iter().flat_map(|emit| emit.traced.spans));
            }
            Target::Stream(stream) => {
                let mut taken = Vec::new();
                for emit in emits {
                    if stream.nats.takes(stream.name, None, &emit).await {
                        taken.push(emit);
                    }
                }
                for (page, rows) in pack(&taken) {
                    let spans = rows.iter().flat_map(|row| row.traced.spans.clone()).collect();
                    self.publish(stream, page, spans).await;
                }
            }
        }
        Ok(())
    }

    async fn publish(&self, stream: &StreamTarget, page: Outgoing, spans: Vec<Span>) {
        let permit = Arc::clone(&stream.room).acquire_owned().await.expect("the semaphore is never closed");
        let outgoing = page.with_id();
        // Sent here, so that pages are stored in order; acknowledged in a task of its own, because
        // the time-out of an acknowledgement only runs while it is polled.
        let sent = stream.nats.send(outgoing.clone()).await;
        let (nats, metrics) = (stream.nats.clone(), Arc::clone(&self.metrics));
        self.pending.lock().await.spawn(async move {
            let stored = match sent {
                Ok(ack) => ack.await.map(drop),
                Err(error) => Err(error),
            };
            if let Err(error) = stored {
                debug!(error = %crate::cli::chain(&error), "page not stored at the first attempt");
                nats.store(outgoing).await;
            }
            metrics.tracer().stored(spans);
            drop(permit);
        });
    }

    /// Waits until everything sent through this handle is stored durably.
    ///
    /// # Errors
    /// When standard output is closed, or a publishing task panicked.
    pub async fn flush(&self) -> Result<(), SinkError> {
        let mut pending = self.pending.lock().await;
        while let Some(stored) = pending.join_next().await {
            stored.map_err(SinkError::Panicked)?;
        }
        Ok(())
    }

    /// Sends the traces of what was stored; before the process ends.
    pub async fn close(&self) {
        self.metrics.tracer().close().await;
    }

    /// By which the instances of this name share what they do, as one of them; `None` in a pipe.
    #[must_use]
    pub fn claims(&self) -> Option<Claims> {
        let Target::Stream(stream) = &self.target else { return None };
        Some(Claims::new(stream.bucket.clone()))
    }

    /// Requests on `subject`, shared among the instances of this name; `None` in a pipe.
    ///
    /// # Errors
    /// When the subscription fails.
    pub async fn requests(&self, subject: &str) -> Result<Option<mpsc::Receiver<Asked>>, SinkError> {
        let Target::Stream(stream) = &self.target else { return Ok(None) };
        let mut asked = stream
            .nats
            .client
            .queue_subscribe(subject.to_owned(), stream.name.to_owned())
            .await
            .map_err(|error| NatsError::request(format!("subscribing to {subject}"), error))?;
        let (sender, receiver) = mpsc::channel(16);
        let client = stream.nats.client.clone();
        let endpoint = stream.service.endpoint(subject, stream.name);
        tokio::spawn(async move {
            while let Some(message) = asked.next().await {
                let (answer, answered) = oneshot::channel();
                if sender.send(Asked { body: message.payload, answer }).await.is_err() {
                    return;
                }
                let (client, endpoint, begun) = (client.clone(), Arc::clone(&endpoint), Instant::now());
                tokio::spawn(async move {
                    let lines = answered.await.unwrap_or_else(|_| Err("not answered".to_owned()));
                    endpoint.answered(begun.elapsed(), lines.as_ref().err().map(String::as_str));
                    if let Some(inbox) = message.reply {
                        reply(&client, &inbox, lines).await;
                    }
                });
            }
        });
        Ok(Some(receiver))
    }
}

/// One request and the place for its answer.
#[derive(Debug)]
pub struct Asked {
    /// Its body.
    pub body: Bytes,
    /// Where the answer goes: NDJSON lines, or an error for the asker.
    pub answer: oneshot::Sender<Lines>,
}

fn write_lines(messages: &[Emit]) -> Result<(), SinkError> {
    let mut out = std::io::stdout().lock();
    let mut write = || {
        for message in messages {
            out.write_all(&message.line)?;
            out.write_all(b"\n")?;
        }
        out.flush()
    };
    write().map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => SinkError::Closed,
        _ => SinkError::Output(error),
    })
}
