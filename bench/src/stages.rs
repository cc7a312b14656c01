//! The stages as processes of their own, each with its health endpoint on a free port.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use elava_harness::{Process, Signal, command, free_port};

use crate::http::request;
use crate::measure::{self, Usage};

/// What each of seven streams may hold: more than a run publishes.
const STREAM_BYTES: &str = "2147483648";

/// A stage that reads from NATS.
#[derive(Debug)]
pub(crate) struct Stage {
    /// `detector`, not `elava-detector`.
    pub(crate) name: &'static str,
    process: Process,
    health: SocketAddr,
}

impl Stage {
    /// Starts `elava-<name>`; its logs go to `<folder>/<name>.log`.
    pub(crate) fn start(
        name: &'static str,
        binaries: &Path,
        url: &str,
        folder: &Path,
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let health = free_address()?;
        let mut command = command(binaries.join(format!("elava-{name}")));
        command
            .args(["--nats", url, "--health-addr", &health.to_string()])
            .args(arguments)
            .env("ELAVA_STREAM_MAX_BYTES", STREAM_BYTES)
            .current_dir(folder);
        Ok(Self { name, process: Process::spawn(name, command, folder)?, health })
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.get("/readyz").await.is_err() {
            self.process.expect_running()?;
            ensure!(Instant::now() < deadline, "{} did not become ready\n{}", self.name, self.process.last_words());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// What it has used so far.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        measure::usage(self.process.id()).with_context(|| format!("cannot measure {}", self.name))
    }

    /// What it has counted so far.
    pub(crate) async fn counters(&self) -> anyhow::Result<Counters> {
        let text = self.get("/metrics").await.with_context(|| format!("cannot read the metrics of {}", self.name))?;
        Ok(Counters::parse(&text))
    }

    /// How many partitions it holds.
    pub(crate) async fn leases(&self) -> anyhow::Result<f64> {
        let text = self.get("/metrics").await.with_context(|| format!("cannot read the metrics of {}", self.name))?;
        Ok(sum(&text, "elava_leases_held"))
    }

    /// Fails if it has ended.
    pub(crate) fn expect_running(&mut self) -> anyhow::Result<()> {
        Ok(self.process.expect_running()?)
    }

    /// Lets it end properly.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        Ok(self.process.terminated(Duration::from_secs(60)).await?)
    }

    /// Stops it where it is, so that its input waits.
    pub(crate) fn pause(&mut self) -> anyhow::Result<()> {
        Ok(self.process.signal(Signal::STOP)?)
    }

    /// Lets it go on.
    pub(crate) fn proceed(&mut self) -> anyhow::Result<()> {
        Ok(self.process.signal(Signal::CONT)?)
    }

    async fn get(&self, path: &str) -> anyhow::Result<String> {
        let (status, body) = request(self.health, "GET", path, "").await?;
        ensure!(status == 200, "{path} of {} answers {status}", self.name);
        Ok(body)
    }
}

/// What a stage has counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counters {
    /// Rows given to it.
    pub(crate) received: f64,
    /// Rows it wrote.
    pub(crate) emitted: f64,
    /// Rows it could not handle.
    pub(crate) rejected: f64,
    /// Seconds in which a batch was being handled.
    pub(crate) busy: f64,
}

impl Counters {
    fn parse(text: &str) -> Self {
        Self {
            received: sum(text, "elava_rows_received_total"),
            emitted: sum(text, "elava_rows_emitted_total"),
            rejected: sum(text, "elava_rows_rejected_total"),
            busy: sum(text, "elava_busy_seconds_total"),
        }
    }

    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            received: self.received - earlier.received,
            emitted: self.emitted - earlier.emitted,
            rejected: self.rejected - earlier.rejected,
            busy: self.busy - earlier.busy,
        }
    }
}

/// A metric over all its labels.
fn sum(text: &str, name: &str) -> f64 {
    text.lines()
        .filter_map(|line| line.strip_prefix(name))
        .filter(|rest| rest.starts_with(['{', ' ']))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok())
        // not `sum`, whose start is -0
        .fold(0.0, |total, value| total + value)
}

/// An address that nobody has.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok((Ipv4Addr::LOCALHOST, free_port()?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_summed_over_labels() {
        let text = "# TYPE elava_rows_received counter\n\
            elava_rows_received_total{stream=\"CHANGE\"} 3\n\
            elava_rows_received_total{stream=\"POLICY\"} 4\n\
            elava_rows_received_total_other 9\n\
            elava_busy_seconds_total 1.5\n";
        let expected = Counters { received: 7.0, emitted: 0.0, rejected: 0.0, busy: 1.5 };
        assert_eq!(Counters::parse(text), expected);
    }
}
