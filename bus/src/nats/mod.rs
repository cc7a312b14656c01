//! Everything that speaks to NATS. Nothing outside this folder, `request` and `sink` does.

pub(crate) mod checkpoint;
pub(crate) mod publish;
pub(crate) mod reader;
mod room;
pub(crate) mod source;
pub(crate) mod state;
pub(crate) mod streams;

use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream;
use tracing::{info, warn};

use crate::MAX_LINE_BYTES;

/// How to reach NATS.
#[derive(Clone, Debug)]
pub struct NatsOptions {
    /// Server URL.
    pub url: String,
    /// Credentials file.
    pub creds: Option<PathBuf>,
}

/// One connection, shared by everything in the process.
#[derive(Clone, Debug)]
pub(crate) struct Nats {
    pub(crate) client: async_nats::Client,
    pub(crate) js: jetstream::Context,
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
    /// The credentials file cannot be read.
    #[error("cannot read credentials {file}")]
    Credentials {
        /// Which file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A stream can neither be found nor made.
    #[error("cannot create stream {stream}")]
    Stream {
        /// Which stream.
        stream: String,
        /// Why.
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
    /// Connects, waiting for a server that is not there yet for up to `patience`.
    pub(crate) async fn connect(name: &str, options: &NatsOptions, patience: Duration) -> Result<Self, NatsError> {
        let begun = tokio::time::Instant::now();
        let mut pause = Duration::from_millis(100);
        let client = loop {
            match Self::connect_once(name, options).await {
                Ok(client) => break client,
                Err(error @ NatsError::Connect { .. }) if begun.elapsed() < patience => {
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
        Ok(Self { client, js })
    }

    async fn connect_once(name: &str, options: &NatsOptions) -> Result<async_nats::Client, NatsError> {
        let mut connect = async_nats::ConnectOptions::new().name(name).event_callback(|event| async move {
            match event {
                async_nats::Event::Connected => info!("connected to NATS"),
                // A denied permission shows here only; to the caller it looks like a time-out.
                event => warn!(event = %event, "NATS"),
            }
        });
        if let Some(file) = &options.creds {
            connect = connect
                .credentials_file(file)
                .await
                .map_err(|source| NatsError::Credentials { file: file.display().to_string(), source })?;
        }
        let url = without_credentials(&options.url);
        connect.connect(&options.url).await.map_err(|source| NatsError::Connect { url, source })
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
