//! How far a stage is behind its inputs, as the server sees it.

use anyhow::ensure;
use async_nats::jetstream::Context;
use elava_bus::Stream;
use futures::TryStreamExt;

/// How many partitions of a stream the stage reads.
pub(crate) async fn readers(js: &Context, stage: &str, stream: Stream) -> anyhow::Result<usize> {
    let found = js.get_stream_no_info(stream.name()).await?;
    let consumers: Vec<_> = found.consumers().try_collect().await?;
    Ok(consumers.iter().filter(|consumer| is_of(stage, &consumer.name)).count())
}

/// Pages of these streams that the stage has not acknowledged. Its consumers are called `<stage>-<partition>`.
pub(crate) async fn unacknowledged(js: &Context, stage: &str, streams: &[Stream]) -> anyhow::Result<u64> {
    let mut pages = 0;
    for stream in streams {
        let found = js.get_stream_no_info(stream.name()).await?;
        let consumers: Vec<_> = found.consumers().try_collect().await?;
        let mut own = consumers.iter().filter(|consumer| is_of(stage, &consumer.name)).peekable();
        ensure!(own.peek().is_some(), "{stage} does not read {}", stream.name());
        pages += own.map(|consumer| consumer.num_pending + consumer.num_ack_pending as u64).sum::<u64>();
    }
    Ok(pages)
}

fn is_of(stage: &str, consumer: &str) -> bool {
    consumer.split('-').next() == Some(stage)
}
