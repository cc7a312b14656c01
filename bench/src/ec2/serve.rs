//! The stand-in over HTTP/1.1, with keep-alive.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;

use super::answer::{self, Answer, Estate, Request};
use super::items::Counts;
use super::limits::{Limits, Verdict};

/// What a stand-in is like.
#[derive(Debug)]
pub struct Options {
    /// How much there is.
    pub counts: Counts,
    /// How long every answer takes.
    pub latency: Duration,
    /// Throttling and faults.
    pub limits: Limits,
}

/// A stand-in that listens.
#[derive(Debug)]
pub struct StandIn {
    listener: TcpListener,
    router: Router,
}

#[derive(Debug)]
struct Shared {
    latency: Duration,
    estate: RwLock<Estate>,
    limits: Mutex<Limits>,
    stats: Mutex<BTreeMap<String, u64>>,
}

impl StandIn {
    /// Renders the estate and listens on a loopback port; 0 is any.
    pub async fn listen(port: u16, options: Options) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            latency: options.latency,
            estate: RwLock::new(Estate::new(options.counts)),
            limits: Mutex::new(options.limits),
            stats: Mutex::default(),
        });
        let router = Router::new()
            .route("/", post(call))
            .route("/stats", get(stats))
            .route("/mutate", post(mutate))
            .with_state(shared);
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        Ok(Self { listener, router })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until dropped.
    pub async fn serve(self) -> io::Result<()> {
        axum::serve(self.listener, self.router).await
    }
}

/// `POST /` with a form: the APIs.
async fn call(State(shared): State<Arc<Shared>>, form: String) -> Response {
    if !shared.latency.is_zero() {
        tokio::time::sleep(shared.latency).await;
    }
    let request = Request::parse(&form);
    let action = request.action();
    let verdict = lock(&shared.limits).admit(action, Instant::now());
    let (answer, count) = match verdict {
        Verdict::Answer => (shared.estate.read().unwrap_or_else(PoisonError::into_inner).answer(&request), None),
        Verdict::Throttle => (answer::throttled(action), Some("throttled")),
        Verdict::Fail => (answer::failed(action), Some("failed")),
    };
    let mut stats = lock(&shared.stats);
    *stats.entry(action.to_owned()).or_default() += 1;
    if let Some(name) = count {
        *stats.entry(name.to_owned()).or_default() += 1;
    }
    drop(stats);
    let Answer { status, body } = answer;
    let status = StatusCode::from_u16(status).expect("the answers' statuses are valid");
    (
        status,
        [(header::CONTENT_TYPE, "text/xml;charset=UTF-8"), (header::HeaderName::from_static("x-amzn-requestid"), "1")],
        body,
    )
        .into_response()
}

/// `GET /stats`: how many requests there were by action, and how many were throttled or failed.
async fn stats(State(shared): State<Arc<Shared>>) -> Response {
    json(&*lock(&shared.stats))
}

/// `POST /mutate?percent=1`: changes a tag of that share of the items, others each time.
async fn mutate(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Response {
    let percent = query
        .as_deref()
        .and_then(|query| query.strip_prefix("percent="))
        .and_then(|text| text.parse::<f64>().ok())
        .filter(|percent| (0.0..=100.0).contains(percent));
    let Some(percent) = percent else {
        return (StatusCode::BAD_REQUEST, "percent=0..100 is needed\n").into_response();
    };
    let changed = shared.estate.write().unwrap_or_else(PoisonError::into_inner).mutate(percent);
    json(&BTreeMap::from([("changed", changed)]))
}

fn json<T: serde::Serialize>(value: &T) -> Response {
    let body = serde_json::to_string(value).expect("maps with text keys serialise");
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A panic elsewhere leaves counters and levels usable.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::limits::Bucket;
    use super::*;
    use crate::http::request;

    #[tokio::test]
    async fn throttles_counts_and_mutates() {
        let bucket = Bucket { capacity: 2.0, refill: 0.001 };
        let limits = Limits::new(Some(bucket), 0.0, 0);
        let options = Options { counts: Counts::around(5), latency: Duration::ZERO, limits };
        let stand_in = StandIn::listen(0, options).await.expect("listens");
        let address = stand_in.address().expect("an address");
        let serving = tokio::spawn(stand_in.serve());

        for (method, path, form, expected) in [
            ("POST", "/", "Action=DescribeVolumes&Version=2016-11-15", (200, "<value>team-0</value>")),
            ("POST", "/mutate?percent=1", "", (200, "{\"changed\":5}")),
            ("POST", "/mutate?percent=101", "", (400, "percent")),
            ("POST", "/", "Action=DescribeVolumes&Version=2016-11-15", (200, "<value>team-17</value>")),
            ("POST", "/", "Action=DescribeVolumes&Version=2016-11-15", (503, "RequestLimitExceeded")),
            ("POST", "/", "Action=DescribeDBInstances", (200, "<DBInstanceIdentifier>db-4<")),
            ("GET", "/stats", "", (200, "{\"DescribeDBInstances\":1,\"DescribeVolumes\":3,\"throttled\":1}")),
        ] {
            let (status, body) = request(address, method, path, form).await.expect("answers");
            assert!(status == expected.0 && body.contains(expected.1), "{path} {form}: {status} {body}");
        }
        serving.abort();
    }
}
