//! Keeps a stream from filling up with what its reader has handled.

use std::time::Duration;

use futures::TryStreamExt;
use tracing::{info, warn};

use super::consumer::partitions;
use super::{Nats, NatsError};
use crate::Stream;

/// How often it is seen to that a stream has room.
const INTERVAL: Duration = Duration::from_secs(30);

type Error = Box<dyn std::error::Error + Send + Sync>;

impl Nats {
    /// Keeps room in a stream whose reader holds what it needs elsewhere.
    pub(crate) async fn keep_room(self, stage: &'static str, stream: Stream) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            match self.make_room(stage, stream).await {
                Ok(None) => {}
                Ok(Some(below)) => info!(stream = stream.name(), below, "removed what was handled long ago"),
                Err(error) => warn!(stream = stream.name(), error = %crate::cli::chain(&error), "cannot keep room"),
            }
        }
    }

    /// When three quarters of a stream are full, removes the older half of it, as far as `stage` has
    /// handled it; returns the first sequence that is kept. Nothing unread is ever removed.
    pub(crate) async fn make_room(&self, stage: &str, stream: Stream) -> Result<Option<u64>, NatsError> {
        let failed = |error: Error| NatsError::request(format!("making room in {}", stream.name()), error);
        self.remove_handled(stage, stream).await.map_err(failed)
    }

    async fn remove_handled(&self, stage: &str, stream: Stream) -> Result<Option<u64>, Error> {
        let handle = self.js.get_stream(stream.name()).await?;
        let info = handle.cached_info();
        let (first, last) = (info.state.first_sequence, info.state.last_sequence);
        let used = i64::try_from(info.state.bytes).unwrap_or(i64::MAX);
        if used / 3 < info.config.max_bytes / 4 {
            return Ok(None);
        }
        let prefix = format!("{stage}-");
        let (mut readers, mut handled) = (0, last);
        let mut consumers = handle.consumers();
        while let Some(consumer) = consumers.try_next().await? {
            if !consumer.name.starts_with(&prefix) {
                continue;
            }
            readers += partitions(stream, &consumer);
            if consumer.num_pending > 0 || consumer.num_ack_pending > 0 {
                handled = handled.min(consumer.ack_floor.stream_sequence);
            }
        }
        let below = handled.min(first + (last - first) / 2);
        if readers < stream.partitions() || below <= first {
            return Ok(None);
        }
        handle.purge().sequence(below).await?;
        Ok(Some(below))
    }
}
