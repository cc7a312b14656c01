//! The key-value bucket that leases are in.
//!
//! Every write says which revision of its key it follows. A renewal is such a write with a time to
//! live: an update of a key-value client would drop that time.

use std::time::Duration;

use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_TTL};
use async_nats::{HeaderMap, StatusCode};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use super::{Lease, ttl};
use crate::nats::publish::{NotStored, Outgoing};
use crate::nats::streams::LEASE_BUCKET;
use crate::nats::{Nats, NatsError};

/// The body of a lease, for people and for those who want it too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Body {
    /// Who has it.
    pub(crate) instance: String,
    pub(crate) since: DateTime<Utc>,
    /// Of how many partitions, where it is of partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) partitions: Option<u16>,
    /// How its holder is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) about: Option<String>,
}

impl Body {
    fn text(&self) -> Bytes {
        serde_json::to_vec(self).expect("a lease serialises").into()
    }
}

/// A key as it was found.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) revision: u64,
    /// None where it was given up.
    pub(crate) value: Option<Bytes>,
}

impl Entry {
    /// The lease that it is.
    pub(crate) fn body(&self) -> Option<Body> {
        serde_json::from_slice(self.value.as_ref()?).ok()
    }
}

/// A lease of ours, and what renewing it needs.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) key: String,
    pub(crate) revision: u64,
    pub(crate) lease: Lease,
    pub(crate) body: Body,
}

/// The bucket, as one instance uses it.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    nats: Nats,
    /// Our name.
    pub(crate) instance: String,
    pub(crate) ttl: Duration,
}

impl Bucket {
    pub(crate) fn new(nats: Nats, ttl: Duration) -> Self {
        Self { nats, instance: super::name::instance(), ttl }
    }

    /// Takes a key whose last revision is `after`, 0 where there is none. `None`: somebody was faster.
    pub(crate) async fn take(&self, key: &str, partitions: Option<u16>, after: u64) -> Result<Option<Held>, NatsError> {
        let body = Body { instance: self.instance.clone(), since: Utc::now(), partitions, about: None };
        let asked = Instant::now();
        let Some(revision) = self.write(self.lasting(key, body.text(), after)).await? else { return Ok(None) };
        let lease = Lease::until(asked + ttl::certain(self.ttl));
        Ok(Some(Held { key: key.to_owned(), revision, lease, body }))
    }

    /// Renews one; `false`: it is ours no longer.
    pub(crate) async fn renew(&self, held: &mut Held) -> Result<bool, NatsError> {
        loop {
            let asked = Instant::now();
            if let Some(revision) = self.write(self.lasting(&held.key, held.body.text(), held.revision)).await? {
                self.renewed(held, asked, revision);
                return Ok(true);
            }
            if !self.learn(held).await? {
                return Ok(false);
            }
        }
    }

    /// After a write of ours was stored without our being told: learns its revision. `false`: the key is
    /// another's, or gone.
    async fn learn(&self, held: &mut Held) -> Result<bool, NatsError> {
        let found = self.list(std::slice::from_ref(&held.key)).await?;
        let ours = |entry: &&Entry| entry.body().is_some_and(|body| body.instance == self.instance);
        let Some(entry) = found.first().filter(ours) else { return Ok(false) };
        let is_news = entry.revision > held.revision;
        held.revision = held.revision.max(entry.revision);
        Ok(is_news)
    }

    /// Renews all or none; `false`: one of them is not what we think it is.
    pub(crate) async fn renew_all(&self, all: &mut [&mut Held]) -> Result<bool, NatsError> {
        let asked = Instant::now();
        let batch = all.iter().map(|held| self.lasting(&held.key, held.body.text(), held.revision)).collect();
        let Some(last) = self.judge(timeout(self.patience(), self.nats.publish_atomically(batch)).await)? else {
            return Ok(false);
        };
        // stored one after the other
        let first = last + 1 - all.len() as u64;
        for (held, revision) in all.iter_mut().zip(first..) {
            self.renewed(held, asked, revision);
        }
        Ok(true)
    }

    fn renewed(&self, held: &mut Held, asked: Instant, revision: u64) {
        held.revision = revision;
        held.lease.extend(asked + ttl::certain(self.ttl));
    }

    /// Gives a lease back, so that others can have it at once. What cannot be given back ends by itself.
    pub(crate) async fn release(&self, held: Held) {
        if let Err(error) = self.write(self.removal(&held)).await {
            tracing::debug!(key = held.key, error = %crate::cli::chain(&error), "a lease ends by itself");
        }
        held.lease.end();
    }

    /// Gives a lease back and stores something else, both or nothing; `false`: it is ours no longer.
    pub(crate) async fn release_with(&self, held: &mut Held, also: Outgoing) -> Result<bool, NatsError> {
        loop {
            let batch = vec![also.clone(), self.removal(held)];
            let stored = timeout(self.patience(), self.nats.publish_atomically(batch)).await;
            if self.judge(stored)?.is_some() {
                return Ok(true);
            }
            if !self.learn(held).await? {
                return Ok(false);
            }
        }
    }

    /// The message that gives a lease back.
    fn removal(&self, held: &Held) -> Outgoing {
        let mut removal = self.lasting(&held.key, Bytes::new(), held.revision);
        removal.headers.insert("KV-Operation", "DEL");
        removal
    }

    /// A write that must follow `after`, and that the server removes by itself.
    fn lasting(&self, key: &str, body: Bytes, after: u64) -> Outgoing {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, after.to_string().as_str());
        headers.insert(NATS_MESSAGE_TTL, format!("{}s", self.ttl.as_secs()).as_str());
        Outgoing { subject: subject(key), body, headers }
    }

    /// Its revision; `None` when it did not follow what it was to follow.
    async fn write(&self, outgoing: Outgoing) -> Result<Option<u64>, NatsError> {
        self.judge(timeout(self.patience(), self.nats.publish(outgoing)).await)
    }

    fn judge(
        &self,
        written: Result<Result<u64, NotStored>, tokio::time::error::Elapsed>,
    ) -> Result<Option<u64>, NatsError> {
        match written {
            Ok(Ok(revision)) => Ok(Some(revision)),
            Ok(Err(NotStored::Conflict(_))) => Ok(None),
            Ok(Err(error)) => Err(NatsError::request("writing a lease", error.into_error())),
            Err(elapsed) => Err(NatsError::request("writing a lease", elapsed)),
        }
    }

    /// A server that takes longer is asked again: leases end meanwhile.
    fn patience(&self) -> Duration {
        self.ttl / 2
    }

    /// The keys that match, with what they hold.
    pub(crate) async fn list(&self, filters: &[String]) -> Result<Vec<Entry>, NatsError> {
        let listed = timeout(self.patience(), self.nats.leases(filters)).await;
        listed.unwrap_or_else(|elapsed| Err(NatsError::request("reading the leases", elapsed)))
    }
}

pub(super) fn subject(key: &str) -> String {
    format!("$KV.{LEASE_BUCKET}.{key}")
}

impl Nats {
    /// The leases whose keys match, at most 1,024: one request, all of one moment (NATS ADR-31).
    pub(crate) async fn leases(&self, filters: &[String]) -> Result<Vec<Entry>, NatsError> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| NatsError::request("reading the leases", error);
        let subjects: Vec<String> = filters.iter().map(|filter| subject(filter)).collect();
        let body = serde_json::to_vec(&serde_json::json!({ "multi_last": subjects })).expect("strings serialise");
        let inbox = self.client.new_inbox();
        let mut found = self.client.subscribe(inbox.clone()).await.map_err(|error| failed(error.into()))?;
        let ask = format!("$JS.API.DIRECT.GET.KV_{LEASE_BUCKET}");
        self.client.publish_with_reply(ask, inbox, body.into()).await.map_err(|error| failed(error.into()))?;
        let mut entries = Vec::new();
        while let Some(message) = found.next().await {
            match message.status {
                None => entries.extend(entry(&message)),
                // the end, or nothing at all
                Some(status) if status.as_u16() == 204 || status == StatusCode::NOT_FOUND => return Ok(entries),
                Some(status) => {
                    let text = message.description.unwrap_or_default();
                    return Err(failed(format!("{status} {text}").into()));
                }
            }
        }
        Err(failed("the connection was closed".into()))
    }
}

fn entry(message: &async_nats::Message) -> Option<Entry> {
    let headers = message.headers.as_ref()?;
    let key = headers.get("Nats-Subject")?.as_str().strip_prefix(&subject(""))?.to_owned();
    let revision = headers.get("Nats-Sequence")?.as_str().parse().ok()?;
    let value = headers.get("KV-Operation").is_none().then(|| message.payload.clone());
    Some(Entry { key, revision, value })
}
