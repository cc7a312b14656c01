//! A real HTTP server that answers as told and keeps what it was sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

/// One answer.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Ok,
    /// A status, a `Retry-After` header (or none) and a body.
    Status(u16, &'static str, &'static str),
    /// None for a long time.
    Hang,
    /// Success, once there is a permit.
    After(&'static Semaphore),
}

/// One request as it arrived.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

#[derive(Clone, Default)]
pub(crate) struct Server {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    received: Arc<Mutex<Vec<Received>>>,
    pub(crate) url: String,
}

impl Server {
    /// Listens on a free port; gives these answers, then success.
    pub(crate) async fn start(answers: &[Answer]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let server = Self { answers: Arc::new(Mutex::new(answers.iter().copied().collect())), url, ..Self::default() };
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no handler panics").clone()
    }
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
    let received = Received { path: parts.uri.path().to_owned(), headers: parts.headers, body };
    server.received.lock().expect("no handler panics").push(received);
    let answer = server.answers.lock().expect("no handler panics").pop_front();
    match answer {
        None | Some(Answer::Ok) => StatusCode::OK.into_response(),
        Some(Answer::After(gate)) => {
            gate.acquire().await.expect("it is never closed").forget();
            StatusCode::OK.into_response()
        }
        Some(Answer::Status(status, retry_after, body)) => {
            let status = StatusCode::from_u16(status).expect("a status");
            if retry_after.is_empty() {
                return (status, body).into_response();
            }
            (status, [("retry-after", retry_after)], body).into_response()
        }
        Some(Answer::Hang) => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            StatusCode::OK.into_response()
        }
    }
}
