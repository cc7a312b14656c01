//! Publishes pages as an observer does: with an id, in order, so many unacknowledged at a time.

use std::future::IntoFuture;

use async_nats::jetstream::Context;
use async_nats::jetstream::message::PublishMessage;
use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::estate::Page;

/// Pages in flight: 16 MB at most.
const WINDOW: usize = 64;

/// Publishes pages under `prefix` and waits until all of them are stored. `scan` keeps the ids apart.
pub(crate) async fn publish(js: &Context, pages: &[Page], prefix: &str, scan: &str) -> anyhow::Result<()> {
    let mut in_flight = FuturesUnordered::new();
    for (number, page) in pages.iter().enumerate() {
        let message = PublishMessage::build().payload(page.body.clone()).message_id(format!("{scan}-{number}"));
        let stored = js.send_publish(format!("{prefix}{}", page.subject), message).await?;
        in_flight.push(stored.into_future());
        if in_flight.len() >= WINDOW {
            in_flight.next().await.transpose()?;
        }
    }
    while in_flight.next().await.transpose()?.is_some() {}
    Ok(())
}
