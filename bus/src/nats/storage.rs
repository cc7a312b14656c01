//! Streams on a server with little storage: all are made smaller alike, so that none takes the room of another.

use async_nats::jetstream::context::{CreateStreamError, CreateStreamErrorKind};
use async_nats::jetstream::stream::Config;
use tracing::warn;

use super::streams::{asking, configs};
use super::{Nats, NatsError};

/// What is still worth having when the server's disk is small.
pub(super) const MIN_BYTES: i64 = 16 << 20;
/// JetStream's error codes for "insufficient storage resources available" on the server, and for "resource
/// limits exceeded for account".
const NO_STORAGE: [u64; 2] = [10047, 10002];

impl Nats {
    /// Makes every stream that is missing, and checks those that are there. The server reserves what a stream
    /// may hold: where it has too little for all of them, they are halved until they fit.
    pub(crate) async fn make_streams(&self) -> Result<(), NatsError> {
        let mut times = 0;
        for wanted in configs() {
            loop {
                match self.make(&halved(&wanted, times)).await {
                    // those of whoever makes streams at the same time, too
                    Err(NatsError::NoStorage { .. }) if self.shrink(times).await? => {}
                    Err(NatsError::NoStorage { .. }) if is_smaller(times + 1) => {
                        times += 1;
                        warn!(
                            stream = wanted.name,
                            times, "the server has too little storage; making streams half as large"
                        );
                    }
                    made => break made?,
                }
            }
        }
        Ok(())
    }

    /// Makes those smaller that are larger than that and that nobody has ever written to; whether there were
    /// any. A limit above ours is somebody's own, and stays.
    async fn shrink(&self, times: u32) -> Result<bool, NatsError> {
        let mut any = false;
        for wanted in configs() {
            let asked = self.js.get_stream(&wanted.name);
            let asked = self.denials.unless_denied(&asking("INFO", &wanted.name), asked).await?;
            let Ok(found) = asked.map(|stream| stream.cached_info().clone()) else { continue };
            let max_bytes = halved(&wanted, times).max_bytes;
            let is_larger = max_bytes < found.config.max_bytes && found.config.max_bytes <= wanted.max_bytes;
            if is_larger && found.state.last_sequence == 0 {
                self.change(Config { max_bytes, ..found.config }).await?;
                any = true;
            }
        }
        Ok(any)
    }
}

/// Why a stream could not be made.
pub(super) fn failed(stream: &str, source: CreateStreamError) -> NatsError {
    let stream = stream.to_owned();
    match source.kind() {
        CreateStreamErrorKind::JetStream(error) if NO_STORAGE.contains(&error.error_code().0) => {
            NatsError::NoStorage { stream, source }
        }
        _ => NatsError::Stream { stream, source },
    }
}

fn halved(config: &Config, times: u32) -> Config {
    let least = config.max_bytes.min(MIN_BYTES);
    Config { max_bytes: (config.max_bytes >> times).max(least), ..config.clone() }
}

/// Whether halving for the last of so many times has made any smaller.
fn is_smaller(times: u32) -> bool {
    configs().any(|config| halved(&config, times).max_bytes < halved(&config, times - 1).max_bytes)
}
