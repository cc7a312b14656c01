//! Everything that speaks to NATS. Nothing outside this folder, `request` and `sink` does.

pub(crate) mod checkpoint;
pub(crate) mod consumer;
pub(crate) mod denials;
pub(crate) mod feed;
mod floor;
pub(crate) mod options;
pub(crate) mod publish;
pub(crate) mod reader;
mod room;
mod send;
pub(crate) mod source;
pub(crate) mod state;
mod storage;
pub(crate) mod streams;

use std::time::Duration;

use async_nats::{ConnectErrorKind, jetstream};
use tracing::warn;

use crate::MAX_LINE_BYTES;
use denials::Denials;
pub use options::{NatsAccess, NatsOptions};

/// One connection, shared by everything in the process.
#[derive(Clone, Debug)]
pub(crate) struct Nats {
    pub(crate) client: async_nats::Client,
    pub(crate) js: jetstream::Context,
    /// What the server has refused.
    pub(crate) denials: Denials,
}

/// Why NATS could not be used.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// No connection.
    #[error("cannot connect to NATS at {url}")]
    Connect {
        /// Server URL, without credentials.
        url: String,
        /// Why.
        source: async_nats::ConnectError,
    },
    /// The server does not know us.
    #[error("NATS at {url} refuses {user}; see docs/access.md")]
    Refused {
        /// Server URL, without credentials.
        url: String,
        /// As whom we came.
        user: String,
        /// What it said.
        source: async_nats::ConnectError,
    },
    /// The server does not let us.
    #[error("{what}; see docs/access.md")]
    Denied {
        /// What it does not let us do.
        what: String,
    },
    /// A file of the credentials cannot be used.
    #[error("cannot use {file}")]
    Credentials {
        /// Which file.
        file: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stream can neither be found nor made.
    #[error("cannot create stream {stream}")]
    Stream {
        /// Which stream.
        stream: String,
        /// Why.
        source: jetstream::context::CreateStreamError,
    },
    /// The server has too little storage for the streams, even for small ones.
    #[error(
        "the server has no storage left for stream {stream}: free disk space, raise its `max_file_store`, or have smaller streams with ELAVA_STREAM_MAX_BYTES; see docs/operations.md, \"Streams\""
    )]
    NoStorage {
        /// Which stream.
        stream: String,
        /// What it said.
        source: jetstream::context::CreateStreamError,
    },
    /// A page, or a row of the largest size, would not fit.
    #[error("the server's max_payload is {found} bytes; at least {} are needed", MAX_LINE_BYTES)]
    SmallPayload {
        /// What it is.
        found: usize,
    },
    /// The server does not do what exactly-once needs.
    #[error("stream {stream} was made without {lacks}; see docs/operations.md, \"Streams\"")]
    StreamLacks {
        /// Which stream.
        stream: String,
        /// What it lacks.
        lacks: &'static str,
    },
    /// The position we remember is not of this stream.
    #[error("position {position} is past the end of stream {stream}: it is not the stream that was read before")]
    OtherStream {
        /// Which stream.
        stream: &'static str,
        /// Where we would go on.
        position: u64,
    },
    /// A request to JetStream failed.
    #[error("{action} failed")]
    Request {
        /// What was tried.
        action: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another instance has moved this stage's checkpoint, or its state.
    #[error("{subject} was written by another instance")]
    Fenced {
        /// Which checkpoint or position.
        subject: String,
    },
    /// Another instance may work on it by now.
    #[error("the lease was lost")]
    LeaseLost,
}

impl NatsError {
    pub(crate) fn request(
        action: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Request { action: action.into(), source: source.into() }
    }
}

impl Nats {
    /// Connects, waiting for a server that is not there yet, or does not know us yet, for up to `patience`.
    pub(crate) async fn connect(name: &str, options: &NatsOptions, patience: Duration) -> Result<Self, NatsError> {
        let begun = tokio::time::Instant::now();
        let mut pause = Duration::from_millis(100);
        let denials = Denials::default();
        let client = loop {
            match Self::connect_once(name, options, &denials).await {
                Ok(client) => break client,
                Err(error @ (NatsError::Connect { .. } | NatsError::Refused { .. })) if begun.elapsed() < patience => {
                    warn!(error = %crate::cli::chain(&error), "waiting for NATS");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
                Err(error) => return Err(error),
            }
        };
        let found = client.max_payload();
        if found < MAX_LINE_BYTES {
            return Err(NatsError::SmallPayload { found });
        }
        // Acks are awaited by our own tasks, which bound what is in flight.
        let js = jetstream::context::ContextBuilder::new()
            .timeout(Duration::from_secs(10))
            .ack_timeout(Duration::from_secs(10))
            .build(client.clone());
        Ok(Self { client, js, denials })
    }

    async fn connect_once(
        name: &str,
        options: &NatsOptions,
        denials: &Denials,
    ) -> Result<async_nats::Client, NatsError> {
        let (user, connect) = options.credentials().await?;
        let events = denials.clone();
        let connect = connect
            .name(name)
            // of one's own, so that no user needs to see what is answered to another
            .custom_inbox_prefix(crate::access::inbox(name.strip_prefix("elava-").unwrap_or(name)))
            .event_callback(move |event| {
                events.note(&event);
                std::future::ready(())
            });
        let url = without_credentials(&options.url);
        connect.connect(&options.url).await.map_err(|source| match source.kind() {
            ConnectErrorKind::AuthorizationViolation => NatsError::Refused { url, user, source },
            _ => NatsError::Connect { url, source },
        })
    }
}

/// A URL without user and password, for logs and errors.
fn without_credentials(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn credentials_are_not_shown() {
        for (url, shown) in
            [("nats://u:p@h:4222", "nats://h:4222"), ("h:4222", "h:4222"), ("token@h", "h"), ("nats://h", "nats://h")]
        {
            assert_eq!(super::without_credentials(url), shown);
        }
    }
}
