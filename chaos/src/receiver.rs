//! Whom the notifier tells: an HTTP endpoint that remembers what it was told, and can be away.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What it was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// By `Idempotency-Key`.
    pub(crate) notifications: BTreeMap<String, Notification>,
    /// By finding: its keys, in the order in which each was told first.
    pub(crate) order: BTreeMap<String, Vec<String>>,
    /// How often a key came again after something happened to a notifier or the server: the receiver
    /// knows by the key that it may ignore it.
    pub(crate) again: usize,
    /// What must not be.
    pub(crate) problems: Vec<String>,
}

/// One notification.
#[derive(Clone, Debug)]
pub(crate) struct Notification {
    pub(crate) decision: Value,
    /// What had happened when it came first.
    era: u64,
}

#[derive(Debug, Default)]
struct Shared {
    told: Mutex<Told>,
    away: AtomicBool,
    era: AtomicU64,
}

/// A receiver that listens; ends when dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let router = Router::new().route("/", post(tell)).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { address, shared, serving })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Whether it answers 503.
    pub(crate) fn set_away(&self, away: bool) {
        self.shared.away.store(away, Ordering::SeqCst);
    }

    /// Something happened after which a notification may come again.
    pub(crate) fn excuse(&self) {
        self.shared.era.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn told(&self) -> Told {
        self.shared.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn tell(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if shared.away.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let era = shared.era.load(Ordering::SeqCst);
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
    let event: Value = serde_json::from_slice(&body).unwrap_or_default();
    shared.told.lock().unwrap_or_else(PoisonError::into_inner).hear(key, event["data"].clone(), era);
    StatusCode::OK
}

impl Told {
    fn hear(&mut self, key: String, decision: Value, era: u64) {
        if decision["id"].as_str() != Some(&key) {
            self.problems.push(format!("a notification with key {key:?} about {decision}"));
        }
        match self.notifications.get_mut(&key) {
            None => {
                let finding = decision["finding"].as_str().unwrap_or_default().to_owned();
                self.order.entry(finding).or_default().push(key.clone());
                self.notifications.insert(key, Notification { decision, era });
            }
            Some(known) if known.decision != decision => {
                self.problems.push(format!("{key} was told as {} and as {decision}", known.decision));
            }
            Some(known) if known.era == era => {
                self.problems.push(format!("{key} was told twice, and nothing had happened: {decision}"));
            }
            Some(known) => {
                known.era = era;
                self.again += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_repetition_needs_an_excuse() {
        let mut told = Told::default();
        let decision = |id: &str| json!({"id": id, "finding": "f"});
        for (key, id, era, again, problems) in
            [("a", "a", 0, 0, 0), ("b", "b", 0, 0, 0), ("a", "a", 1, 1, 0), ("a", "a", 1, 1, 1), ("a", "b", 2, 1, 3)]
        {
            told.hear(key.to_owned(), decision(id), era);
            assert_eq!((told.again, told.problems.len()), (again, problems), "{key} {id} {era}");
        }
        assert_eq!(told.order["f"], ["a", "b"]);
    }
}
