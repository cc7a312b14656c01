//! Where people would read: keeps every message that a Slack webhook is sent.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

type Received = Arc<Mutex<Vec<Value>>>;

/// A receiver of messages; it ends when dropped.
pub struct Receiver {
    url: String,
    received: Received,
    serving: JoinHandle<()>,
}

impl Receiver {
    /// Listens on a free port.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let url = format!("http://{}/slack", listener.local_addr().expect("a bound socket has an address"));
        let received = Received::default();
        let app = Router::new().route("/slack", post(take)).with_state(Arc::clone(&received));
        let serving = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("serves");
        });
        Self { url, received, serving }
    }

    /// For `actions.notifications.slack.webhook`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The headline of each message so far.
    #[must_use]
    pub fn headlines(&self) -> Vec<String> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.iter().map(|message| message["text"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(received): State<Received>, body: Bytes) -> &'static str {
    let message = serde_json::from_slice(&body).expect("a message is JSON");
    received.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    "ok"
}
