//! What is stored in a stream by now.

use async_nats::Message;
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::context::GetStreamErrorKind;
use futures::StreamExt;
use serde_json::Value;

use crate::Error;

/// Hands over every message under `filter` with its sequence, in order, beginning at the sequence `from`;
/// none where there is no such stream.
///
/// # Errors
/// When the stream cannot be read.
pub async fn messages(
    js: &Context,
    stream: &str,
    filter: &str,
    from: u64,
    each: impl FnMut(u64, Message),
) -> Result<(), Error> {
    let read = read(js, stream, filter, from, each).await;
    read.map_err(|source| Error::Stream { stream: stream.to_owned(), source })
}

/// Hands over every row under `filter`, in order.
///
/// # Errors
/// When the stream cannot be read, or holds what is not JSON.
pub async fn rows(js: &Context, stream: &str, filter: &str, mut each: impl FnMut(Value)) -> Result<(), Error> {
    let mut result = Ok(());
    messages(js, stream, filter, 1, |_, message| {
        for line in message.payload.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(row) => each(row),
                Err(error) => result = Err(Error::Stream { stream: stream.to_owned(), source: error.into() }),
            }
        }
    })
    .await?;
    result
}

async fn read(
    js: &Context,
    stream: &str,
    filter: &str,
    from: u64,
    mut each: impl FnMut(u64, Message),
) -> Result<(), async_nats::Error> {
    let stream = match js.get_stream(stream).await {
        Err(error) if matches!(error.kind(), GetStreamErrorKind::JetStream(_)) => return Ok(()),
        found => found?,
    };
    let config = OrderedConfig {
        filter_subject: filter.to_owned(),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from },
        ..OrderedConfig::default()
    };
    let consumer = stream.create_consumer(config).await?;
    let mut left = consumer.cached_info().num_pending;
    let mut messages = consumer.messages().await?;
    while left > 0 {
        let message = messages.next().await.ok_or("it ends early")??;
        let info = message.info()?;
        let sequence = info.stream_sequence;
        left = info.pending;
        each(sequence, message.message);
    }
    Ok(())
}
