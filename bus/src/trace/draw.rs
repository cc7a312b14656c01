//! Which spans a message leads to: values in, values out.
//!
//! Traced is what changed, what the policies say of it, what was decided and who was told; what is as it
//! was before, and the first look at a scope, are not. A violation found at the first look is.

use std::collections::HashSet;

use elava_schemas::{
    Baseline, Change, Decision, DecisionId, Delivery, DeliveryOutcome, Kind, PolicyResult, ResourceKey, ScanId,
    ScanOutcome, ScanReport, Severity, Timestamp,
};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanKind, TraceId};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::context::Context;
use super::span::{Span, Traced};
use crate::subject::published;
use crate::{Batch, Emit, Page, Source, Stream};

/// A change without its resource, which no span may carry.
type SlimChange = Change<IgnoredAny>;

/// What identifies a decision.
#[derive(Deserialize)]
struct SlimDecision {
    id: DecisionId,
    resource_key: ResourceKey,
    decided_at: Timestamp,
}

/// The inputs of a stage, as its outputs refer to them.
pub(super) struct Inputs<'a> {
    stage: &'static str,
    output: Option<Stream>,
    batch: &'a Batch,
    /// Which pages came with a `traceparent` header: their positions.
    headers: &'a [(u64, String)],
    /// Observations that have their first span already.
    begun: HashSet<TraceId>,
    /// The changes, or the decisions, of the page looked into last.
    changes: Rows<SlimChange>,
    decisions: Rows<SlimDecision>,
}

/// The rows of one kind of one page.
struct Rows<T> {
    sequence: u64,
    rows: Vec<T>,
}

impl<T: DeserializeOwned> Rows<T> {
    const NONE: Self = Self { sequence: 0, rows: Vec::new() };

    /// The first row of `page` that `is` the one; the page is read once for all its outputs.
    fn find(&mut self, page: Option<&Page>, is: impl Fn(&T) -> bool) -> Option<&T> {
        let page = page?;
        if self.sequence != page.sequence {
            let rows = page.lines().filter_map(|(_, line)| serde_json::from_slice(line).ok()).collect();
            *self = Self { sequence: page.sequence, rows };
        }
        self.rows.iter().find(|row| is(row))
    }
}

impl<'a> Inputs<'a> {
    pub(super) fn new(
        stage: &'static str,
        output: Option<Stream>,
        batch: &'a Batch,
        headers: &'a [(u64, String)],
    ) -> Self {
        Self { stage, output, batch, headers, begun: HashSet::new(), changes: Rows::NONE, decisions: Rows::NONE }
    }

    /// What traces know of one output of these inputs.
    pub(super) fn draw(&mut self, emit: &Emit) -> Option<Traced> {
        let after = self.batch.pages.partition_point(|page| page.sequence <= emit.sequence);
        let of_batch = after.checked_sub(1).and_then(|index| self.batch.pages.get(index));
        let page = emit.cause.as_ref().or(of_batch);
        let mut spans = match (self.output?, emit.kind) {
            (Stream::Change, Kind::Change) => self.change(page, &read(emit)?)?,
            (Stream::Policy, Kind::PolicyResult) => vec![self.policy_result(page, &read(emit)?)?],
            (Stream::Decision, Kind::Decision) => vec![decision(&read(emit)?)?],
            (Stream::Execution, Kind::Delivery) => vec![self.delivery(page, emit.cause.is_some(), &read(emit)?)?],
            _ => return None,
        };
        let last = spans.last_mut()?;
        last.start = page.map_or(last.start, |page| page.received_at);
        last.attributes.extend(self.handled(page));
        Some(Traced { context: Some(last.context), spans })
    }

    /// Spans of a change: before that of the first change of an observation, the observation's own.
    fn change(&mut self, page: Option<&Page>, change: &SlimChange) -> Option<Vec<Span>> {
        if change.baseline == Baseline::Yes {
            return None;
        }
        let key = &change.resource_key;
        let observation = Context::of_observation(key, change.detected_at);
        let scan = change.scan_id.as_ref().map(Context::of_scan);
        let header = page.and_then(|page| self.header(page.sequence));
        let mut spans = Vec::new();
        if self.begun.insert(observation.trace) {
            let name = format!("observe {}", key.kind);
            let mut span = Span::new(observation, SpanKind::Producer, name, change.detected_at);
            span.end = Some(page.map_or(change.detected_at, |page| page.received_at));
            spans.push(scanned(span.about(key), change.scan_id.as_ref()).linked(scan).linked(header));
        }
        let name = format!("detect {}", change.change_type.as_str());
        let context = observation.of_message(change.id.as_str());
        let span = Span::new(context, SpanKind::Consumer, name, change.detected_at)
            .within(Some(observation.span))
            .about(key)
            .with("elava.change.id", change.id.to_string())
            .with("elava.change.type", change.change_type.as_str())
            .with("elava.version", change.version.clone());
        spans.push(scanned(span, change.scan_id.as_ref()).linked(scan).linked(header));
        Some(spans)
    }

    /// The span of a policy result. What follows from the first look at a scope has no change's span to
    /// be within: violations begin the trace then, and compliance is not told.
    fn policy_result(&mut self, page: Option<&Page>, result: &PolicyResult) -> Option<Span> {
        let cause = self.changes.find(page, |change| Some(&change.id) == result.caused_by.as_ref());
        let is_news = cause.is_some_and(|change| change.baseline == Baseline::No);
        if !is_news && result.violations.is_empty() && result.errors.is_empty() {
            return None;
        }
        let scan = cause.and_then(|change| change.scan_id.clone());
        let observation = Context::of_observation(&result.resource_key, result.evaluated_at);
        let change = result.caused_by.as_ref().filter(|_| is_news).map(|id| observation.of_message(id.as_str()).span);
        let context = observation.of_message(result.id.as_str());
        let worst = result.violations.iter().map(|violation| violation.severity).max().map(Severity::as_str);
        let span = Span::new(context, SpanKind::Consumer, "evaluate policies", result.evaluated_at)
            .within(change)
            .about(&result.resource_key)
            .with("elava.policy_result.id", result.id.to_string())
            .with("elava.policy.compliant", result.compliant)
            .with("elava.policy.violations", count(result.violations.len()))
            .with("elava.policy.bundle", result.bundle.clone())
            .with("elava.version", result.version.clone())
            .failed((!result.errors.is_empty()).then_some("a policy could not be evaluated"))
            .linked(scan.as_ref().map(Context::of_scan));
        Some(match worst {
            Some(severity) => span.with("elava.policy.severity", severity),
            None => span,
        })
    }

    /// The span of a delivery, in the trace of its decision.
    fn delivery(&mut self, page: Option<&Page>, is_alone: bool, delivery: &Delivery) -> Option<Span> {
        let mut alone = Rows::NONE;
        let decisions = if is_alone { &mut alone } else { &mut self.decisions };
        let decision = decisions.find(page, |decision| decision.id == delivery.decision_id)?;
        let decided =
            Context::of_observation(&decision.resource_key, decision.decided_at).of_message(decision.id.as_str());
        let channel = delivery.channel.split(':').next().unwrap_or_default();
        let failed = delivery.outcome == DeliveryOutcome::Failed;
        let context = decided.of_message(delivery.id.as_str());
        let span = Span::new(context, SpanKind::Consumer, format!("deliver {channel}"), delivery.at)
            .within(Some(decided.span))
            .about(&decision.resource_key)
            .with("elava.decision.id", decision.id.to_string())
            .with("elava.delivery.id", delivery.id.to_string())
            .with("elava.delivery.channel", delivery.channel.clone())
            .with("elava.delivery.outcome", delivery.outcome.as_str())
            .with("elava.delivery.attempts", i64::from(delivery.attempts));
        Some(span.failed(failed.then_some("the channel refused it")))
    }

    /// How the input came: the semantic conventions of OpenTelemetry for messaging.
    fn handled(&self, page: Option<&Page>) -> Vec<KeyValue> {
        let Source::Partition { stream, partition } = self.batch.source else { return Vec::new() };
        let mut attributes = vec![
            KeyValue::new("messaging.system", "nats"),
            KeyValue::new("messaging.operation.name", "process"),
            KeyValue::new("messaging.operation.type", "process"),
            KeyValue::new("messaging.consumer.group.name", self.stage),
            KeyValue::new("messaging.destination.partition.id", partition.to_string()),
            KeyValue::new("elava.stream", stream.name()),
        ];
        if let Some(page) = page {
            attributes.push(KeyValue::new("messaging.destination.name", published(&page.subject)));
            attributes.push(KeyValue::new("elava.stream.sequence", i64::try_from(page.sequence).unwrap_or(i64::MAX)));
        }
        attributes
    }

    fn header(&self, sequence: u64) -> Option<Context> {
        let (_, header) = self.headers.iter().find(|(at, _)| *at == sequence)?;
        Context::from_header(header)
    }
}

/// The span of a decision, within the span of the change or policy result that led to it.
fn decision(decision: &Decision) -> Option<Span> {
    if decision.metadata.get("cause").is_some_and(|cause| cause == "baseline") {
        return None;
    }
    let observation = Context::of_observation(&decision.resource_key, decision.decided_at);
    let cause = decision.caused_by.first().map(|id| observation.of_message(id).span);
    let context = observation.of_message(decision.id.as_str());
    let name = format!("decide {}", decision.action.as_str());
    let span = Span::new(context, SpanKind::Consumer, name, decision.decided_at)
        .within(cause)
        .about(&decision.resource_key)
        .with("elava.decision.id", decision.id.to_string())
        .with("elava.decision.action", decision.action.as_str())
        .with("elava.decision.severity", decision.severity.as_str())
        .with("elava.decision.state", decision.state.as_str())
        .with("elava.finding.id", decision.finding.to_string());
    Some(span)
}

/// What traces know of a scan that has ended: one span, in a trace of its own.
pub(super) fn scan(report: &ScanReport) -> Traced {
    let context = Context::of_scan(&report.scan_id);
    let failure = match report.outcome {
        ScanOutcome::Complete => None,
        ScanOutcome::Partial => Some("the listing did not reach its end"),
        ScanOutcome::Failed => Some("nothing was listed"),
    };
    let name = format!("scan {}", report.scope.kind);
    let mut span = Span::new(context, SpanKind::Producer, name, report.started_at)
        .of((&report.scope).into())
        .with("elava.scan.id", report.scan_id.to_string())
        .with("elava.scan.outcome", report.outcome.as_str())
        .with("elava.scan.observed", count(report.observed))
        .with("elava.scan.api_calls", count(report.api_calls))
        .with("elava.scan.errors", count(report.errors.len()))
        .failed(failure);
    if let Some(error) = report.errors.last().filter(|_| failure.is_some()) {
        span = span.with("error.type", error.code.clone());
    }
    Traced { context: Some(context), spans: vec![span] }
}

/// What traces know of a row of a scan that goes on: where it belongs.
pub(super) fn observation(scan_id: &ScanId) -> Traced {
    Traced { context: Some(Context::of_scan(scan_id)), spans: Vec::new() }
}

fn scanned(span: Span, scan_id: Option<&ScanId>) -> Span {
    match scan_id {
        Some(id) => span.with("elava.scan.id", id.to_string()),
        None => span,
    }
}

fn read<T: DeserializeOwned>(emit: &Emit) -> Option<T> {
    serde_json::from_slice(&emit.line).ok()
}

fn count<N: TryInto<i64>>(number: N) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
