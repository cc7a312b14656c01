//! Gives a stage again what the streams hold, into nothing: its outputs are dropped, because they are
//! stored already. Beside a running instance, whose readers are not disturbed.

use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::consumer::{DeliverPolicy, ReplayPolicy};
use elava_schemas::Timestamp;
use futures::TryStreamExt;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::handling::Handling;
use crate::metrics::Metrics;
use crate::nats::reader::{page, said};
use crate::nats::{Nats, NatsError};
use crate::run::{BusError, PATIENCE};
use crate::tenure::{Share, sources};
use crate::{Batch, Lease, NatsOptions, Page, Source, Stage};

/// How often a page is tried while something outside is missing.
const PATIENT: u32 = 10;

/// How much was given again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Pages.
    pub pages: u64,
    /// Rows that were refused, as they were before.
    pub rejected: u64,
}

/// Gives `stage` every page of its group, one of so many, that its input streams hold now, from `from` on, partition
/// by partition.
///
/// # Errors
/// [`BusError`] when the server or the stage fails. What was handled until then stays handled.
pub async fn replay<S: Stage>(
    options: &NatsOptions,
    stage: &S,
    (group, groups): (u16, u16),
    from: Option<Timestamp>,
) -> Result<Replayed, BusError> {
    let nats = Nats::connect(&format!("elava-{}-replay", S::SPEC.name), options, PATIENCE).await?;
    let metrics = Metrics::new(S::SPEC.name, 0);
    let cancel = CancellationToken::new();
    let lease = Lease::unlimited();
    let handling = Handling { stage, metrics: &metrics, cancel: &cancel, lease: &lease, patience: Some(PATIENT) };
    let mut replayed = Replayed::default();
    for share in sources(&S::SPEC, groups, group) {
        replay_share(&nats, &handling, share, from, &mut replayed).await?;
        info!(stream = share.stream.name(), partition = share.partition, pages = replayed.pages, "read again");
    }
    Ok(replayed)
}

async fn replay_share<S: Stage>(
    nats: &Nats,
    handling: &Handling<'_, S>,
    share: Share,
    from: Option<Timestamp>,
    replayed: &mut Replayed,
) -> Result<(), BusError> {
    let Share { stream, partition, .. } = share;
    let source = Source::Partition { stream, partition };
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        BusError::from(NatsError::request(format!("reading {} again", stream.name()), error))
    };
    let handle = nats.js.get_stream_no_info(stream.name()).await.map_err(|error| failed(error.into()))?;
    let config = OrderedConfig {
        deliver_policy: DeliverPolicy::All,
        replay_policy: ReplayPolicy::Instant,
        filter_subjects: share.filters(S::SPEC.name),
        ..OrderedConfig::default()
    };
    let consumer = handle.create_consumer(config).await.map_err(|error| failed(error.into()))?;
    // what arrives from now on is left to the next time
    let mut left = consumer.cached_info().num_pending;
    let mut messages = consumer.messages().await.map_err(|error| failed(error.into()))?;
    let mut pages: Vec<Page> = Vec::new();
    while left > 0 {
        let Some(message) = messages.try_next().await.map_err(|error| failed(error.into()))? else { break };
        left -= 1;
        let info = message.info().map_err(failed)?;
        let nanos = info.published.unix_timestamp_nanos();
        let page = page(info.stream_sequence, message.subject.to_string(), nanos, said(&message));
        if from.is_none_or(|from| page.received_at >= from) {
            pages.push(page);
        }
        if pages.len() == S::SPEC.batch_pages || (left == 0 && !pages.is_empty()) {
            let batch = Batch { source: source.clone(), pages: std::mem::take(&mut pages) };
            give(handling, &batch, replayed).await?;
        }
    }
    handling.settle(&source).await.map_err(BusError::Stage)?;
    Ok(())
}

async fn give<S: Stage>(handling: &Handling<'_, S>, batch: &Batch, replayed: &mut Replayed) -> Result<(), BusError> {
    let Some(output) = handling.handle(batch).await.map_err(BusError::Stage)? else { return Ok(()) };
    replayed.pages += batch.pages.len() as u64;
    replayed.rejected += output.rejected.len() as u64;
    handling.stage.stored(&batch.source, batch.last_sequence()).await.map_err(BusError::Stage)
}
