//! Claims: what one of several instances does for a while, such as a scan, and when it was last done.
//!
//! Keys are `scan.<name>`, a lease, and `scanned.<name>`, which stays: when the last work that came to
//! its end began. That time and the end of the lease are stored together, and only while it is ours.

use std::convert::Infallible;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tracing::debug;

use super::bucket::{Bucket, Entry, Held, subject};
use super::{Lease, ttl};
use crate::nats::NatsError;
use crate::nats::publish::Outgoing;

/// What the instances of a program share by claims.
#[derive(Clone, Debug)]
pub struct Claims {
    bucket: Bucket,
}

/// Something that is ours to do. Dropped, it ends by itself a while later.
#[derive(Debug)]
pub struct Claim {
    bucket: Bucket,
    name: String,
    held: Held,
}

/// The body of `scanned.<name>`.
#[derive(Serialize, Deserialize)]
struct Done {
    instance: String,
    begun: DateTime<Utc>,
}

impl Claims {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self { bucket }
    }

    /// When the last work on `name` that came to its end began.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn last(&self, name: &str) -> Result<Option<DateTime<Utc>>, NatsError> {
        let found = self.bucket.list(&[done_key(name)]).await?;
        let value = found.first().and_then(|entry| entry.value.as_ref());
        Ok(value.and_then(|value| serde_json::from_slice::<Done>(value).ok()).map(|done| done.begun))
    }

    /// Claims `name`; `None` while another instance has it.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn claim(&self, name: &str) -> Result<Option<Claim>, NatsError> {
        let key = key(name);
        let found = self.bucket.list(std::slice::from_ref(&key)).await?;
        if found.first().and_then(Entry::body).is_some_and(|body| body.instance != self.bucket.instance) {
            return Ok(None);
        }
        let held = self.bucket.take(&key, None, found.first().map_or(0, |entry| entry.revision)).await?;
        Ok(held.map(|held| Claim { bucket: self.bucket.clone(), name: name.to_owned(), held }))
    }

    /// How long to wait before trying again to claim what another instance has.
    #[must_use]
    pub fn pause(&self) -> std::time::Duration {
        ttl::renewal(self.bucket.ttl)
    }
}

impl Claim {
    /// Whether it is still ours.
    #[must_use]
    pub fn lease(&self) -> &Lease {
        &self.held.lease
    }

    /// Renews it for as long as this is polled.
    pub async fn keep(&mut self) -> Infallible {
        loop {
            tokio::time::sleep(ttl::renewal(self.bucket.ttl)).await;
            match self.bucket.renew(&mut self.held).await {
                Ok(true) => {}
                Ok(false) => {
                    self.held.lease.end();
                    return std::future::pending().await;
                }
                Err(error) => debug!(name = self.name, error = %crate::cli::chain(&error), "claim not renewed yet"),
            }
        }
    }

    /// The work is done that began then. Whether that was stored: not when the claim was lost.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn done(mut self, begun: DateTime<Utc>) -> Result<bool, NatsError> {
        let done = Done { instance: self.bucket.instance.clone(), begun };
        let body = Bytes::from(serde_json::to_vec(&done).expect("a time serialises"));
        let done = Outgoing::new(subject(&done_key(&self.name)), body);
        self.bucket.release_with(&mut self.held, done).await
    }

    /// Gives it back as it was.
    pub async fn release(self) {
        self.bucket.release(self.held).await;
    }
}

fn key(name: &str) -> String {
    format!("scan.{}", plain(name))
}

fn done_key(name: &str) -> String {
    format!("scanned.{}", plain(name))
}

/// What a key may be made of.
fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '=' | '.') { c } else { '_' };
    name.chars().map(plain).collect()
}
