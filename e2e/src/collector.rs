//! Receivers of traces: one that keeps what it is sent over OTLP/HTTP, and one that never answers.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One span as it came.
#[derive(Clone, Debug)]
pub struct SeenSpan {
    /// The `service.name` of its resource.
    pub service: String,
    /// What it is.
    pub name: String,
    /// Its ids, in hexadecimal digits; the parent's is empty where there is none.
    pub trace: String,
    /// Its own.
    pub span: String,
    /// Its parent's.
    pub parent: String,
    /// The traces it is linked to.
    pub links: Vec<String>,
    /// Attributes, as text.
    pub attributes: BTreeMap<String, String>,
    /// When it began and ended, nanoseconds since 1970.
    pub times: (u64, u64),
}

type Seen = Arc<Mutex<Vec<SeenSpan>>>;

/// A collector; it ends when dropped.
pub struct Collector {
    address: String,
    seen: Seen,
    serving: JoinHandle<()>,
}

impl Collector {
    /// One that keeps every span.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start() -> Self {
        let (listener, address) = listen().await;
        let seen = Seen::default();
        let app = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&seen));
        let serving = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("serves");
        });
        Self { address, seen, serving }
    }

    /// One that takes connections, and never answers.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn mute() -> Self {
        let (listener, address) = listen().await;
        let serving = tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((connection, _)) = listener.accept().await {
                open.push(connection);
            }
        });
        Self { address, seen: Seen::default(), serving }
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has come so far.
    #[must_use]
    pub fn spans(&self) -> Vec<SeenSpan> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address").to_string();
    (listener, address)
}

async fn take(State(seen): State<Seen>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else { return StatusCode::BAD_REQUEST };
    for of_resource in request.resource_spans {
        let resource = texts(of_resource.resource.unwrap_or_default().attributes);
        let service = resource.get("service.name").cloned().unwrap_or_default();
        let spans = of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.extend(spans.map(|span| read(&service, span)));
    }
    StatusCode::OK
}

fn read(service: &str, span: Span) -> SeenSpan {
    SeenSpan {
        service: service.to_owned(),
        name: span.name,
        trace: hex(&span.trace_id),
        span: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        links: span.links.iter().map(|link| hex(&link.trace_id)).collect(),
        attributes: texts(span.attributes),
        times: (span.start_time_unix_nano, span.end_time_unix_nano),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|attribute| (attribute.key, attribute.value.map(text).unwrap_or_default())).collect()
}

fn text(value: AnyValue) -> String {
    match value.value {
        Some(Value::StringValue(text)) => text,
        Some(Value::BoolValue(yes)) => yes.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}
