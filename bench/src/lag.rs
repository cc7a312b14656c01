//! How far a stage is behind its inputs, as the server sees it.

use anyhow::ensure;
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::Info;
use chrono::{DateTime, Utc};
use elava_bus::Stream;
use futures::TryStreamExt;

/// How many partitions of a stream the stage reads.
pub(crate) async fn readers(js: &Context, stage: &str, stream: Stream) -> anyhow::Result<usize> {
    let found = js.get_stream_no_info(stream.name()).await?;
    let consumers: Vec<_> = found.consumers().try_collect().await?;
    let own = consumers.iter().filter(|consumer| is_of(stage, &consumer.name));
    Ok(own.map(|consumer| partitions(stream, consumer)).sum())
}

/// How many partitions a consumer reads. Its filters say it: `elava.observation.7.>`, or without a number all.
fn partitions(stream: Stream, consumer: &Info) -> usize {
    let config = &consumer.config;
    let filters =
        config.filter_subjects.iter().chain((!config.filter_subject.is_empty()).then_some(&config.filter_subject));
    let is_one = |filter: &String| filter.split('.').nth(2).is_some_and(|token| token.parse::<u16>().is_ok());
    filters.map(|filter| if is_one(filter) { 1 } else { usize::from(stream.partitions()) }).sum()
}

/// When a consumer of the stage was made, after `since`; `None` before.
pub(crate) async fn made(
    js: &Context,
    stage: &str,
    stream: Stream,
    since: DateTime<Utc>,
) -> anyhow::Result<Option<DateTime<Utc>>> {
    let found = js.get_stream_no_info(stream.name()).await?;
    let consumers: Vec<_> = found.consumers().try_collect().await?;
    let own = consumers.iter().filter(|consumer| is_of(stage, &consumer.name));
    let made = own.filter_map(|consumer| {
        let nanos = i64::try_from(consumer.created.unix_timestamp_nanos()).ok()?;
        Some(DateTime::from_timestamp_nanos(nanos)).filter(|made| *made > since)
    });
    Ok(made.min())
}

/// Pages of these streams that the stage has not acknowledged. Its consumers are called `<stage>-<partition>`, after the
/// first partition where one reads several.
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
