//! Whether a stage has caught up with its inputs, as the server sees it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_nats::jetstream::Context;
use elava_bus::Stream;
use futures::TryStreamExt;

/// How often the server is asked.
const POLL: Duration = Duration::from_millis(20);

/// Waits until everything in these streams is acknowledged by the stage.
pub(crate) async fn caught_up(js: &Context, stage: &str, streams: &[Stream], patience: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        let mut waiting = 0;
        for stream in streams {
            waiting += unacknowledged(js, stage, *stream).await?;
        }
        if waiting == 0 {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < deadline, "{stage} still has {waiting} pages to read after {patience:?}");
        tokio::time::sleep(POLL).await;
    }
}

/// A stage's consumers are called `<stage>-<partition>`.
async fn unacknowledged(js: &Context, stage: &str, stream: Stream) -> anyhow::Result<u64> {
    let found = js.get_stream_no_info(stream.name()).await?;
    let consumers: Vec<_> = found.consumers().try_collect().await?;
    let of_stage: Vec<_> =
        consumers.iter().filter(|consumer| consumer.name.split('-').next() == Some(stage)).collect();
    (!of_stage.is_empty()).then_some(()).with_context(|| format!("{stage} does not read {}", stream.name()))?;
    Ok(of_stage.iter().map(|consumer| consumer.num_pending + consumer.num_ack_pending as u64).sum())
}
