//! A small cloud for the observers: the stand-in for EC2 and RDS, behind a proxy. It changes once all of
//! it was seen.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::process::{Process, command, log};
use crate::proxy::Proxy;

/// The account that the stand-in says it is.
pub(crate) const ACCOUNT: &str = "123456789012";
/// What is observed of it: types in one region.
const SCOPES: usize = 5;
/// How often it changes.
const CHANGES: usize = 3;
/// How long it may take until all is seen.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(crate) struct Cloud {
    _process: Process,
    address: SocketAddr,
    pub(crate) proxy: Proxy,
}

impl Cloud {
    /// Starts it with so many instances; a faulty one throttles, and fails one request in twenty.
    pub(crate) async fn start(
        binaries: &Path,
        folder: &Path,
        instances: usize,
        faulty: Option<u64>,
    ) -> anyhow::Result<Self> {
        let mut command = command(&binaries.join("ec2-stand-in"));
        command.args(["--instances", &instances.to_string()]);
        if let Some(seed) = faulty {
            command.args(["--bucket", "10:4", "--fail", "0.05", "--seed", &seed.to_string()]);
        }
        let mut process = Process::spawn(command, &log(folder, "cloud"))?;
        let mut line = String::new();
        BufReader::new(process.stdout().context("no output")?).read_line(&mut line)?;
        let address: SocketAddr = line.trim().trim_start_matches("listening on ").parse()?;
        Ok(Self { _process: process, address, proxy: Proxy::start(address).await? })
    }

    /// Where observers find it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.proxy.address()
    }

    /// Lets it change, each time after every scope was seen to the end since the last time.
    pub(crate) fn live(&self, js: Context) -> impl Future<Output = anyhow::Result<()>> + Send + 'static {
        let address = self.address;
        async move {
            let mut seen = Seen { js, next: 1, scopes: BTreeSet::new() };
            for _ in 0..CHANGES {
                seen.everything(Utc::now()).await?;
                change(address).await?;
            }
            seen.everything(Utc::now()).await
        }
    }
}

/// Complete scans as the stream has them.
struct Seen {
    js: Context,
    /// The sequence to go on at.
    next: u64,
    scopes: BTreeSet<String>,
}

impl Seen {
    /// Waits until every scope has a complete scan that began after `since`.
    async fn everything(&mut self, since: DateTime<Utc>) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        self.scopes.clear();
        while self.scopes.len() < SCOPES {
            ensure!(Instant::now() < deadline, "observers saw only {:?} within {PATIENCE:?}", self.scopes);
            sleep(Duration::from_millis(200)).await;
            // the server may be away: asked again
            drop(timeout(Duration::from_secs(5), self.read(since)).await);
        }
        Ok(())
    }

    async fn read(&mut self, since: DateTime<Utc>) -> anyhow::Result<()> {
        let stream = self.js.get_stream("OBSERVATION").await?;
        let config = OrderedConfig {
            filter_subject: format!("elava.observation.*.aws.{ACCOUNT}.>"),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.next },
            ..OrderedConfig::default()
        };
        let consumer = stream.create_consumer(config).await?;
        let mut left = consumer.cached_info().num_pending;
        let mut messages = consumer.messages().await?;
        while left > 0 {
            let message = messages.next().await.context("the end")??;
            let info = message.info().map_err(anyhow::Error::from_boxed)?;
            (left, self.next) = (info.pending, info.stream_sequence + 1);
            let lines = message.payload.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            for report in lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok()) {
                let begun = report["started_at"].as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
                if report["outcome"] == "complete" && begun.is_some_and(|begun| begun > since) {
                    self.scopes.insert(report["scope"].to_string());
                }
            }
        }
        Ok(())
    }
}

/// Changes a tag of a twentieth of the items, others each time.
async fn change(address: SocketAddr) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let request =
        format!("POST /mutate?percent=5 HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "the stand-in did not change: {answer}");
    Ok(())
}
