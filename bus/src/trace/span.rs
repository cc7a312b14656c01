//! One span, from when it is known what it will be until what it is about is stored.

use std::borrow::Cow;
use std::time::SystemTime;

use elava_schemas::{ResourceKey, ScopeRef, Timestamp};
use opentelemetry::trace::{Link, SpanId, SpanKind, Status};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanLinks};

use super::context::Context;

/// A span that lacks its end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    pub(super) context: Context,
    pub(super) parent: Option<SpanId>,
    pub(super) kind: SpanKind,
    pub(super) name: Cow<'static, str>,
    pub(super) start: Timestamp,
    /// Where it does not end when its message is stored.
    pub(super) end: Option<Timestamp>,
    pub(super) attributes: Vec<KeyValue>,
    pub(super) links: Vec<Context>,
    /// Why what it is about did not succeed.
    pub(super) failure: Option<&'static str>,
}

impl Span {
    /// A span without a parent that begins at `start`.
    pub(super) fn new(context: Context, kind: SpanKind, name: impl Into<Cow<'static, str>>, start: Timestamp) -> Self {
        let (attributes, links) = (Vec::new(), Vec::new());
        Self { context, parent: None, kind, name: name.into(), start, end: None, attributes, links, failure: None }
    }

    pub(super) fn within(mut self, parent: Option<SpanId>) -> Self {
        self.parent = parent;
        self
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push(KeyValue::new(name, value));
        self
    }

    /// With what is known of the resource: never its content.
    pub(super) fn about(self, key: &ResourceKey) -> Self {
        self.with("elava.resource.key", key.to_string()).of(key.into())
    }

    /// With where in the cloud it is.
    pub(super) fn of(self, scope: ScopeRef) -> Self {
        self.with("elava.resource.type", scope.kind.to_owned())
            .with("cloud.provider", scope.provider.as_str())
            .with("cloud.account.id", scope.account.to_owned())
            .with("cloud.region", scope.region.to_owned())
    }

    /// A link to a span of another trace; each once.
    pub(super) fn linked(mut self, to: Option<Context>) -> Self {
        let is_news = |to: &Context| to.trace != self.context.trace && !self.links.contains(to);
        let to = to.filter(is_news);
        self.links.extend(to);
        self
    }

    pub(super) fn failed(mut self, failure: Option<&'static str>) -> Self {
        self.failure = failure;
        self
    }

    /// The span, now that its message is stored. Clocks of different machines may differ: none ends before
    /// it begins.
    pub(super) fn ended(self, stored_at: Timestamp, scope: &InstrumentationScope) -> SpanData {
        let end = self.end.unwrap_or(stored_at).max(self.start);
        let mut links = SpanLinks::default();
        links.links = self.links.into_iter().map(|link| Link::with_context(link.sampled())).collect();
        SpanData {
            span_context: self.context.sampled(),
            parent_span_id: self.parent.unwrap_or(SpanId::INVALID),
            parent_span_is_remote: self.parent.is_some(),
            span_kind: self.kind,
            name: self.name,
            start_time: SystemTime::from(self.start),
            end_time: SystemTime::from(end),
            attributes: self.attributes,
            dropped_attributes_count: 0,
            events: opentelemetry_sdk::trace::SpanEvents::default(),
            links,
            status: self.failure.map_or(Status::Unset, Status::error),
            instrumentation_scope: scope.clone(),
        }
    }
}

/// What traces know of one output.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traced {
    /// The span it belongs to, where it is traced.
    pub(super) context: Option<Context>,
    /// The spans that end once it is stored.
    pub(crate) spans: Vec<Span>,
}
