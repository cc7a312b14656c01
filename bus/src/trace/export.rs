//! Sends spans to the collector, beside the work: never more than the queue holds waits, the rest is
//! counted and dropped.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use elava_schemas::Timestamp;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Counts;
use super::settings::Settings;
use super::span::Span;

/// How long a process that ends waits for the collector; after the drain, and still within the half minute
/// that supervisors grant.
const LAST: Duration = Duration::from_secs(2);

/// The way to the collector.
#[derive(Debug)]
pub(super) struct Exporter {
    queue: mpsc::Sender<SpanData>,
    scope: InstrumentationScope,
    counted: Arc<Counted>,
    closing: CancellationToken,
    worker: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Counted {
    exported: AtomicU64,
    dropped: AtomicU64,
    /// Whether the last spans were dropped: told once, and once when it is over.
    failing: AtomicBool,
}

impl Exporter {
    /// Contacts nothing yet.
    pub(super) fn start(stage: &str, instance: &str, settings: &Settings) -> Result<Self, ExporterBuildError> {
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&settings.endpoint)
            .build()?;
        exporter.set_resource(&resource(stage, instance));
        let (queue, waiting) = mpsc::channel(settings.queue);
        let (counted, closing) = (Arc::<Counted>::default(), CancellationToken::new());
        let worker = Worker {
            exporter,
            waiting,
            batch: settings.batch,
            delay: settings.delay,
            counted: Arc::clone(&counted),
            closing: closing.clone(),
        };
        let worker = Mutex::new(Some(tokio::spawn(worker.run())));
        let scope = InstrumentationScope::builder("elava").with_version(env!("CARGO_PKG_VERSION")).build();
        Ok(Self { queue, scope, counted, closing, worker })
    }

    /// Hands a span over, whose message was stored then; drops it when too many wait.
    pub(super) fn send(&self, span: Span, stored_at: Timestamp) {
        if self.queue.try_send(span.ended(stored_at, &self.scope)).is_err() {
            self.counted.dropped(1, "too many wait");
        }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            exported: self.counted.exported.load(Ordering::Relaxed),
            dropped: self.counted.dropped.load(Ordering::Relaxed),
        }
    }

    /// Sends what waits, for a short while; nothing is taken any more.
    pub(super) async fn close(&self) {
        self.closing.cancel();
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut worker) = worker else { return };
        match tokio::time::timeout(LAST, &mut worker).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(error = %error, "the last spans were not sent"),
            Err(_) => {
                worker.abort();
                warn!("the collector does not answer: the last spans were not sent");
            }
        }
    }
}

impl Counted {
    fn dropped(&self, spans: usize, error: &str) {
        self.dropped.fetch_add(spans as u64, Ordering::Relaxed);
        if !self.failing.swap(true, Ordering::Relaxed) {
            warn!(error, "spans are dropped");
        }
    }

    fn exported(&self, spans: usize) {
        self.exported.fetch_add(spans as u64, Ordering::Relaxed);
        if self.failing.swap(false, Ordering::Relaxed) {
            info!("spans are sent again");
        }
    }
}

/// Who the spans are of: what the environment says wins.
fn resource(stage: &str, instance: &str) -> Resource {
    let named = std::env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty());
    let resource = Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", format!("elava-{stage}")),
            KeyValue::new("service.namespace", "elava"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", instance.to_owned()),
        ])
        .with_detectors(&[Box::new(TelemetryResourceDetector), Box::new(EnvResourceDetector::new())]);
    match named {
        Some(name) => resource.with_service_name(name).build(),
        None => resource.build(),
    }
}

/// What runs beside the work.
struct Worker {
    exporter: SpanExporter,
    waiting: mpsc::Receiver<SpanData>,
    batch: usize,
    delay: Duration,
    counted: Arc<Counted>,
    closing: CancellationToken,
}

impl Worker {
    async fn run(mut self) {
        loop {
            let spans = self.gather().await;
            let count = spans.len();
            if count == 0 {
                return;
            }
            match self.exporter.export(spans).await {
                Ok(()) => self.counted.exported(count),
                Err(error) => self.counted.dropped(count, &crate::cli::chain(&error)),
            }
        }
    }

    /// Spans for one request: those that come within the delay, up to the limit. None at the end.
    async fn gather(&mut self) -> Vec<SpanData> {
        let mut spans = Vec::new();
        self.more(&mut spans).await;
        let delay = tokio::time::sleep(self.delay);
        tokio::pin!(delay);
        while !spans.is_empty() && spans.len() < self.batch {
            tokio::select! {
                () = &mut delay => break,
                came = self.more(&mut spans) => if came == 0 { break },
            }
        }
        spans
    }

    /// What has come, or comes next; 0 once closed and nothing waits.
    async fn more(&mut self, spans: &mut Vec<SpanData>) -> usize {
        let room = self.batch - spans.len();
        if !self.closing.is_cancelled() {
            tokio::select! {
                came = self.waiting.recv_many(spans, room) => return came,
                () = self.closing.cancelled() => {}
            }
        }
        self.waiting.close();
        self.waiting.recv_many(spans, room).await
    }
}
