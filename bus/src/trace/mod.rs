//! Traces: what became of one observation, through all stages, as spans of OpenTelemetry.
//!
//! A stage makes a span of each output that tells of a change. It knows the ids of its own span and of
//! its cause's from the messages alone (`context.rs`), so nothing is carried along, and a replay makes
//! the same ids. Spans are sent beside the work (`export.rs`): a collector never holds it up.

mod context;
mod draw;
mod export;
mod settings;
mod span;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::Utc;
use elava_schemas::{Message, micros};
use opentelemetry::trace::{SpanKind, TraceId};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample};
use tracing::{error, info};

use crate::{Batch, Emit, Stream};
use draw::Inputs;
use export::Exporter;
use settings::Settings;
pub(crate) use span::{Span, Traced};

/// The traces of one stage, or of nothing where no collector is named.
#[derive(Clone, Debug)]
pub(crate) struct Tracer(Option<Arc<Active>>);

#[derive(Debug)]
struct Active {
    stage: &'static str,
    /// What it makes, not what it only passes on in a pipe, is traced.
    output: Option<Stream>,
    sampler: Sampler,
    exporter: Exporter,
}

/// How many spans were sent, and how many given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) exported: u64,
    pub(crate) dropped: u64,
}

impl Tracer {
    /// Of nothing.
    pub(crate) const NONE: Self = Self(None);

    /// As the standard environment variables say. What they say wrongly is told, and nothing is traced.
    pub(crate) fn from_environment(stage: &'static str, output: Option<Stream>, instance: &str) -> Self {
        let settings = match Settings::read(|name| std::env::var(name).ok()) {
            Ok(Some(settings)) => settings,
            Ok(None) => return Self::NONE,
            Err(wrong) => {
                error!(error = %wrong, "nothing is traced");
                return Self::NONE;
            }
        };
        match Exporter::start(stage, instance, &settings) {
            Ok(exporter) => {
                // not where: an address can hold a key
                info!(stage, "traces are sent");
                Self(Some(Arc::new(Active { stage, output, sampler: settings.sampler, exporter })))
            }
            Err(wrong) => {
                error!(error = %crate::cli::chain(&wrong), "nothing is traced");
                Self::NONE
            }
        }
    }

    /// Notes on each output of `batch` which spans it leads to. `headers` are the `traceparent` headers of
    /// its pages, by position.
    pub(crate) fn draw(&self, batch: &Batch, headers: &[(u64, String)], outputs: &mut [Emit]) {
        let Some(active) = &self.0 else { return };
        let mut inputs = Inputs::new(active.stage, active.output, batch, headers);
        for emit in outputs {
            emit.traced = inputs.draw(emit).filter(|traced| active.samples(traced)).unwrap_or_default();
        }
    }

    /// What traces know of a message that has no input: one of a scan.
    pub(crate) fn scanned(&self, message: &Message) -> Traced {
        let Some(active) = &self.0 else { return Traced::default() };
        let traced = match message {
            Message::ScanReport(report) => Some(draw::scan(report)),
            Message::Observation(observation) => observation.scan_id.as_ref().map(draw::observation),
            _ => None,
        };
        traced.filter(|traced| active.samples(traced)).unwrap_or_default()
    }

    /// What these spans are about is stored: they end, and are sent.
    pub(crate) fn stored(&self, spans: impl IntoIterator<Item = Span>) {
        let Some(active) = &self.0 else { return };
        let now = micros(Utc::now());
        for span in spans {
            active.exporter.send(span, now);
        }
    }

    /// How many spans were sent; `None` where nothing is traced.
    pub(crate) fn counts(&self) -> Option<Counts> {
        self.0.as_ref().map(|active| active.exporter.counts())
    }

    /// Sends what still waits, for a short while.
    pub(crate) async fn close(&self) {
        if let Some(active) = &self.0 {
            active.exporter.close().await;
        }
    }
}

impl Active {
    fn samples(&self, traced: &Traced) -> bool {
        traced.context.is_some_and(|context| samples(&self.sampler, context.trace))
    }
}

/// Whether a trace is sampled, by its id alone: all stages come to the same.
fn samples(sampler: &Sampler, trace: TraceId) -> bool {
    let sampled = sampler.should_sample(None, trace, "", &SpanKind::Internal, &[], &[]);
    sampled.decision == SamplingDecision::RecordAndSample
}

/// The `traceparent` header of a page with these rows, if all are of one trace: the span of the first.
pub(crate) fn header(rows: &[Emit]) -> Option<String> {
    let mut contexts = rows.iter().map(|row| row.traced.context);
    let first = contexts.next()??;
    contexts.all(|context| context.is_some_and(|context| context.trace == first.trace)).then(|| first.header())
}
