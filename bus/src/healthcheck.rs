//! `elava-<stage> healthcheck`: asks the running stage whether it is ready. For containers, which have no shell.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::{Args, Subcommand};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cli::{Finished, usage_error};

/// How long the stage may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// More than the answer's first line.
const ANSWER_BYTES: u64 = 1024;

/// What a stage does besides running, where it has nothing else.
#[derive(Clone, Debug, Subcommand)]
pub enum StageCommand {
    /// Ask the running stage whether it is ready: exit code 0 when it is, 1 when it is not
    Healthcheck(HealthcheckArgs),
}

/// The flags of `healthcheck`.
#[derive(Args, Clone, Debug)]
pub struct HealthcheckArgs {
    /// Where the stage serves its health; 0.0.0.0 is asked on loopback [default: the loopback port of the stage's own]
    #[arg(long, env = "ELAVA_HEALTH_ADDR", value_name = "ADDR")]
    health_addr: Option<String>,
}

/// Why the stage is not known to be ready.
#[derive(Debug, thiserror::Error)]
pub enum HealthcheckError {
    /// It is told to serve none.
    #[error("its health is not served (--health-addr off, ELAVA_HEALTH_ADDR)")]
    Off,
    /// Nobody is there.
    #[error("nobody answers at {address}")]
    Connect {
        /// Where it was asked.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// It hangs.
    #[error("no answer from {address} within {} s", PATIENCE.as_secs())]
    Silent {
        /// Where it was asked.
        address: String,
    },
    /// It says so.
    #[error("not ready: {0}")]
    NotReady(String),
}

impl HealthcheckArgs {
    /// Asks; `port` is that of the stage. Ends the process with exit code 2 where there is nothing to ask.
    ///
    /// # Errors
    /// [`HealthcheckError`].
    pub async fn run(&self, binary: &str, port: u16) -> Result<Finished, HealthcheckError> {
        if self.health_addr.as_deref() == Some("off") {
            usage_error(binary, &HealthcheckError::Off);
        }
        let address = address(self.health_addr.as_deref(), port);
        let answer = tokio::time::timeout(PATIENCE, ask(&address)).await;
        let answer = answer
            .map_err(|_| HealthcheckError::Silent { address: address.clone() })?
            .map_err(|source| HealthcheckError::Connect { address, source })?;
        let status = answer.lines().next().unwrap_or_default();
        match status.split_ascii_whitespace().nth(1) {
            Some("200") => Ok(Finished::Clean),
            _ => Err(HealthcheckError::NotReady(status.to_owned())),
        }
    }
}

/// Where to ask a stage that was told to listen there.
fn address(told: Option<&str>, port: u16) -> String {
    let Some(told) = told else { return SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string() };
    match told.parse::<SocketAddr>() {
        Ok(any) if any.ip().is_unspecified() && any.is_ipv4() => {
            SocketAddr::from((Ipv4Addr::LOCALHOST, any.port())).to_string()
        }
        Ok(any) if any.ip().is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, any.port())).to_string(),
        _ => told.to_owned(),
    }
}

async fn ask(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES).read_to_string(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn addresses() {
        for (told, expected) in [
            (None, "127.0.0.1:9311"),
            (Some("0.0.0.0:1"), "127.0.0.1:1"),
            (Some("[::]:1"), "[::1]:1"),
            (Some("10.0.0.7:1"), "10.0.0.7:1"),
            (Some("detector:1"), "detector:1"),
        ] {
            assert_eq!(address(told, 9311), expected);
        }
    }

    #[tokio::test]
    async fn a_stage_is_asked() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
        let args = HealthcheckArgs { health_addr: Some(free.to_string()) };
        let said = async || match args.run("x", 0).await {
            Ok(finished) => format!("{finished:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(said().await, format!("nobody answers at {free}"));
        let metrics = Arc::new(Metrics::new("x", 1));
        let cancel = CancellationToken::new();
        crate::health::serve(&free.to_string(), Arc::clone(&metrics), cancel.clone()).await.expect("served");
        assert_eq!(said().await, "not ready: HTTP/1.1 503 Service Unavailable");
        metrics.ready();
        assert_eq!(said().await, "Clean");
        cancel.cancel();
    }
}
