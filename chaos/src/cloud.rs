//! A small cloud for the observers: the stand-in for EC2 and RDS, behind a proxy. It changes once all of
//! it was seen.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::ensure;
use async_nats::jetstream::Context;
use chrono::{DateTime, Utc};
use elava_bench::http::request;
use elava_harness::{Process, command};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

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
        let mut command = command(binaries.join("ec2-stand-in"));
        command.args(["--instances", &instances.to_string()]).stdout(Stdio::piped());
        if let Some(seed) = faulty {
            command.args(["--bucket", "10:4", "--fail", "0.05", "--seed", &seed.to_string()]);
        }
        let mut process = Process::spawn("cloud", command, folder)?;
        let address: SocketAddr = process.first_line()?.trim_start_matches("listening on ").parse()?;
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
        let filter = format!("elava.observation.*.aws.{ACCOUNT}.>");
        elava_harness::messages(&self.js, "OBSERVATION", &filter, self.next, |sequence, message| {
            self.next = sequence + 1;
            let lines = message.payload.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            for report in lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok()) {
                let begun = report["started_at"].as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
                if report["outcome"] == "complete" && begun.is_some_and(|begun| begun > since) {
                    self.scopes.insert(report["scope"].to_string());
                }
            }
        })
        .await?;
        Ok(())
    }
}

/// Changes a tag of a twentieth of the items, others each time.
async fn change(address: SocketAddr) -> anyhow::Result<()> {
    let (status, answer) = request(address, "POST", "/mutate?percent=5", "").await?;
    ensure!(status == 200, "the stand-in did not change: {answer}");
    Ok(())
}
