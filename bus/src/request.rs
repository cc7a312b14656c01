//! Requests and answers over core NATS: NDJSON pages to the asker's inbox, the last one marked. While an answer is
//! made, empty pages tell the asker so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::{HeaderMap, StatusCode, Subject, Subscriber};
use bytes::{Bytes, BytesMut};
use elava_schemas::{Timestamp, micros};
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::access::User;
use crate::lease::bucket::Entry;
use crate::nats::consumer::partitions;
use crate::nats::publish::Outgoing;
use crate::nats::streams::{lease_stream, state_stream};
use crate::nats::{Nats, NatsError, NatsOptions};
use crate::service::{Endpoint, Service};
use crate::tenure::group_of;
use crate::{MAX_PAGE_BYTES, PARTITIONS, Stage, Stream, message_subject, reads};

/// The header of every page of an answer: `more`, `ok` (the last one) or `error` (the body says why).
const STATUS: &str = "Elava-Status";
/// How long to wait for the next page of an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the asker is told that an answer is being made.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
/// How many requests on one subject are answered at once; more wait.
const AT_ONCE: usize = 4;

/// An answer: NDJSON lines, or an error for the asker.
pub type Lines = Result<Vec<Bytes>, String>;

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// NATS cannot be used.
    #[error(transparent)]
    Nats(#[from] NatsError),
    /// No stage listens.
    #[error("nobody answers {0}; is the stage running?")]
    Nobody(String),
    /// No answer in time.
    #[error("no answer to {subject} within {} s", PATIENCE.as_secs())]
    TimedOut {
        /// The request's subject.
        subject: String,
    },
    /// The stage refused.
    #[error("{0}")]
    Refused(String),
}

/// Who serves a group of a stage's partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedGroup {
    /// The instance.
    pub instance: String,
    /// How many groups there are.
    pub groups: u16,
    /// How it is reached: [`Stage::about`].
    pub about: Option<String>,
}

/// A person's side of the bus.
#[derive(Clone, Debug)]
pub struct Client {
    nats: Nats,
}

/// How far one stage is with one partition of one stream.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Progress {
    /// The stage.
    pub stage: String,
    /// The stream it reads.
    pub stream: String,
    /// The partition; the first one, where several are read together.
    pub partition: u16,
    /// How many are read together.
    pub partitions: u16,
    /// Messages still to be read.
    pub pending: u64,
    /// Messages read, and not yet handled.
    pub in_progress: u64,
    /// Whether somebody is reading.
    pub reading: bool,
}

/// One living instance of a stage.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct LivingInstance {
    /// The stage.
    pub stage: String,
    /// Its name: host, process, and what tells it from all others.
    pub instance: String,
    /// Since when it lives.
    pub since: Timestamp,
    /// How many partitions it has; none where it stands by.
    pub partitions: u16,
}

/// How full one stream is.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Usage {
    /// The stream.
    pub stream: String,
    /// How many messages it holds.
    pub messages: u64,
    /// What they take.
    pub bytes: u64,
    /// Where it is full; none where it has no limit.
    pub limit_bytes: Option<u64>,
    /// On how many servers it lies.
    pub replicas: usize,
    /// How many of its messages are gone; none where that is as it should be, in a stream that is no audit trail.
    pub missing: Option<u64>,
}

impl Progress {
    /// Whether somebody reads it, and nothing is left to be done.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.reading && self.pending == 0 && self.in_progress == 0
    }

    /// Whether all that the stages read is idle, where the history is in so many shards. A partition that nobody has begun to read is missing.
    #[must_use]
    pub fn are_idle(all: &[Self], shards: u16) -> bool {
        // whoever may write to the cloud need not be there
        let read = all.iter().filter(|one| one.stage != User::Executor.name());
        let read: usize = read.map(|one| usize::from(one.partitions)).sum();
        read == reads::partitions(shards) && all.iter().all(Self::is_idle)
    }
}

impl Client {
    /// Connects, or fails within a few seconds.
    ///
    /// # Errors
    /// When NATS cannot be reached.
    pub async fn connect(options: &NatsOptions) -> Result<Self, RequestError> {
        Self::connect_as(User::Elava, options).await
    }

    /// The same, for a stage that asks another one.
    ///
    /// # Errors
    /// When NATS cannot be reached.
    pub async fn connect_as(user: User, options: &NatsOptions) -> Result<Self, RequestError> {
        let name = match user {
            User::Elava => "elava".to_owned(),
            stage => format!("elava-{}", stage.name()),
        };
        Ok(Self { nats: Nats::connect(&name, options, Duration::from_secs(2)).await? })
    }

    /// Asks the instance of `stage` that has a partition.
    ///
    /// # Errors
    /// [`RequestError`]; also where nobody has it.
    pub async fn request_of(
        &self,
        (stage, partition): (User, u16),
        subject: &str,
        body: Bytes,
    ) -> Result<Vec<Bytes>, RequestError> {
        let served = self.groups(stage.name()).await?;
        let groups = served.values().map(|group| group.groups).max();
        let group = groups.map(|groups| group_of(partition, groups)).filter(|group| served.contains_key(group));
        let group = group.ok_or_else(|| RequestError::Nobody(format!("{subject} for partition {partition}")))?;
        self.request(&format!("{subject}.{group}"), body).await
    }

    /// Asks, and gathers the whole answer.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn request(&self, subject: &str, body: Bytes) -> Result<Vec<Bytes>, RequestError> {
        self.nats.denials.unless_denied(subject, self.ask(subject, body)).await?
    }

    async fn ask(&self, subject: &str, body: Bytes) -> Result<Vec<Bytes>, RequestError> {
        let failed =
            |error: Box<dyn std::error::Error + Send + Sync>| NatsError::request(format!("asking {subject}"), error);
        let inbox = self.nats.client.new_inbox();
        let mut answers = self.nats.client.subscribe(inbox.clone()).await.map_err(|error| failed(error.into()))?;
        self.nats
            .client
            .publish_with_reply(subject.to_owned(), inbox, body)
            .await
            .map_err(|error| failed(error.into()))?;
        let mut lines = Vec::new();
        loop {
            let page = tokio::time::timeout(PATIENCE, answers.next())
                .await
                .map_err(|_| RequestError::TimedOut { subject: subject.to_owned() })?
                .ok_or_else(|| RequestError::Nobody(subject.to_owned()))?;
            if page.status == Some(StatusCode::NO_RESPONDERS) {
                return Err(RequestError::Nobody(subject.to_owned()));
            }
            let status =
                page.headers.as_ref().and_then(|headers| headers.get(STATUS)).map_or("ok", |status| status.as_str());
            if status == "error" {
                return Err(RequestError::Refused(String::from_utf8_lossy(&page.payload).into_owned()));
            }
            let rows = page.payload.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            lines.extend(rows.map(|line| page.payload.slice_ref(line)));
            if status == "ok" {
                return Ok(lines);
            }
        }
    }

    /// Stores one message on its subject.
    ///
    /// # Errors
    /// When it was not stored.
    pub async fn publish(&self, message: &elava_schemas::Message) -> Result<(), RequestError> {
        let subject = message_subject(message);
        let outgoing = Outgoing::new(subject.clone(), message.to_line().into()).with_id();
        let stored = self.nats.publish(outgoing).await;
        stored
            .map(drop)
            .map_err(|error| NatsError::request(format!("publishing on {subject}"), error.into_error()).into())
    }

    /// Makes every stream that is missing, and brings those of older versions up to date.
    ///
    /// # Errors
    /// When this user may not, or JetStream does not answer.
    pub async fn make_streams(&self) -> Result<(), RequestError> {
        Ok(self.nats.make_streams().await?)
    }

    /// When three quarters of a stream are full, removes the older half of it, as far as `stage` has
    /// handled it; returns the first sequence that is kept. Nothing unread is ever removed.
    ///
    /// # Errors
    /// When JetStream does not answer.
    pub async fn make_room(&self, stage: &str, stream: Stream) -> Result<Option<u64>, RequestError> {
        Ok(self.nats.make_room(stage, stream).await?)
    }

    /// How far every stage is, from the consumers of every stream.
    ///
    /// # Errors
    /// When JetStream does not answer.
    pub async fn progress(&self) -> Result<Vec<Progress>, RequestError> {
        let mut progress = Vec::new();
        for stream in Stream::ALL {
            let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
                NatsError::request(format!("asking about stream {}", stream.name()), error)
            };
            let Ok(handle) = self.nats.js.get_stream(stream.name()).await else { continue };
            let mut consumers = handle.consumers();
            while let Some(info) = consumers.try_next().await.map_err(|error| failed(error.into()))? {
                let Some((stage, rest)) = info.name.split_once('-') else { continue };
                // `all-02` where a group reads the whole stream
                let Some(Ok(partition)) = rest.rsplit('-').next().map(str::parse) else { continue };
                progress.push(Progress {
                    stage: stage.to_owned(),
                    stream: stream.name().to_owned(),
                    partition,
                    partitions: partitions(stream, &info),
                    pending: info.num_pending,
                    in_progress: info.num_ack_pending as u64,
                    reading: info.num_waiting > 0,
                });
            }
        }
        Ok(progress)
    }

    /// Who is at work: the instances of every stage, and how they share its partitions.
    ///
    /// # Errors
    /// When JetStream does not answer.
    pub async fn instances(&self) -> Result<Vec<LivingInstance>, RequestError> {
        let entries = self.leases(&["instance.>", "group.>"].map(str::to_owned)).await?;
        let mut instances = BTreeMap::new();
        for entry in &entries {
            let (Some(body), Some(stage)) = (entry.body(), entry.key.split('.').nth(1)) else { continue };
            let found = instances.entry((stage.to_owned(), body.instance.clone())).or_insert_with(|| LivingInstance {
                stage: stage.to_owned(),
                instance: body.instance,
                since: micros(body.since),
                partitions: 0,
            });
            found.partitions += body.partitions.unwrap_or(0);
            found.since = found.since.min(micros(body.since));
        }
        Ok(instances.into_values().collect())
    }

    /// Who serves which group of a stage's partitions, by the number of the group.
    ///
    /// # Errors
    /// When JetStream does not answer.
    pub async fn groups(&self, stage: &str) -> Result<BTreeMap<u16, ServedGroup>, RequestError> {
        let entries = self.leases(&[format!("group.{stage}.>")]).await?;
        let group = |entry: &Entry| {
            let (number, body) = (entry.key.rsplit('.').next()?.parse().ok()?, entry.body()?);
            let groups = PARTITIONS / body.partitions.filter(|partitions| *partitions > 0)?;
            Some((number, ServedGroup { instance: body.instance, groups, about: body.about }))
        };
        Ok(entries.iter().filter_map(group).collect())
    }

    /// The leases whose keys match; none where nobody ever took one.
    async fn leases(&self, filters: &[String]) -> Result<Vec<Entry>, RequestError> {
        match self.nats.js.get_stream(lease_stream()).await {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), GetStreamErrorKind::JetStream(_)) => return Ok(Vec::new()),
            Err(error) => return Err(NatsError::request("asking about the leases", error).into()),
        }
        match tokio::time::timeout(PATIENCE, self.nats.leases(filters)).await {
            Ok(entries) => Ok(entries?),
            Err(elapsed) => Err(NatsError::request("reading the leases", elapsed).into()),
        }
    }

    /// How full every stream is, and the bucket of the stages' state. Those that are not there are left out.
    ///
    /// # Errors
    /// When JetStream does not answer.
    pub async fn usage(&self) -> Result<Vec<Usage>, RequestError> {
        let mut usage = Vec::new();
        let audit_trails = Stream::ALL.map(|stream| (stream.name().to_owned(), stream.is_audit_trail()));
        for (name, is_audit_trail) in audit_trails.into_iter().chain([(state_stream(), false)]) {
            let handle = match self.nats.js.get_stream(&name).await {
                Ok(handle) => handle,
                Err(error) if matches!(error.kind(), GetStreamErrorKind::JetStream(_)) => continue,
                Err(error) => return Err(NatsError::request(format!("asking about stream {name}"), error).into()),
            };
            let found = handle.cached_info();
            usage.push(Usage {
                messages: found.state.messages,
                bytes: found.state.bytes,
                limit_bytes: u64::try_from(found.config.max_bytes).ok().filter(|limit| *limit > 0),
                replicas: found.config.num_replicas,
                missing: is_audit_trail.then(|| found.state.last_sequence.saturating_sub(found.state.messages)),
                stream: name,
            });
        }
        Ok(usage)
    }
}

/// Answers the requests that a stage takes, until `cancel`; the stage is let go of then. One that serves a group is
/// also asked by the number of it: `elava.history.export.2`.
pub(crate) async fn answer_for<S: Stage>(
    nats: Nats,
    stage: Arc<S>,
    service: Arc<Service>,
    group: Option<u16>,
    cancel: CancellationToken,
) -> Result<(), NatsError> {
    let name = S::SPEC.name;
    let of_one = stage.subjects().iter().flat_map(|subject| {
        let own = group.map(|group| format!("{subject}.{group}"));
        own.into_iter().chain([(*subject).to_owned()]).map(|asked_on| (*subject, asked_on, name))
    });
    let of_all = stage.heard_by_all().iter().map(|subject| (*subject, (*subject).to_owned(), ""));
    let mut subjects = JoinSet::new();
    for (subject, asked_on, queue) in of_one.chain(of_all) {
        let asked = match queue {
            "" => nats.client.subscribe(asked_on.clone()).await,
            queue => nats.client.queue_subscribe(asked_on.clone(), queue.to_owned()).await,
        };
        let asked = asked.map_err(|error| NatsError::request(format!("subscribing to {asked_on}"), error))?;
        let endpoint = service.endpoint(&asked_on, queue);
        let (client, stage) = (nats.client.clone(), Arc::clone(&stage));
        subjects.spawn(answer_all(client, stage, subject, asked, endpoint, cancel.clone()));
    }
    drop(stage);
    while subjects.join_next().await.is_some() {}
    Ok(())
}

/// Answers what is asked on one subject.
async fn answer_all<S: Stage>(
    client: async_nats::Client,
    stage: Arc<S>,
    subject: &'static str,
    mut asked: Subscriber,
    endpoint: Arc<Endpoint>,
    cancel: CancellationToken,
) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut answers = JoinSet::new();
    let mut next = async || {
        let turn = Arc::clone(&turns).acquire_owned().await.ok()?;
        Some((turn, asked.next().await?))
    };
    while let Some((turn, message)) = cancel.run_until_cancelled(next()).await.flatten() {
        while answers.try_join_next().is_some() {}
        let (client, stage, cancel) = (client.clone(), Arc::clone(&stage), cancel.clone());
        let endpoint = Arc::clone(&endpoint);
        answers.spawn(async move {
            answer(&client, stage.as_ref(), subject, &endpoint, message, &cancel).await;
            drop(turn);
        });
    }
    while answers.join_next().await.is_some() {}
}

/// Answers one request; gives up when the stage is told to stop.
async fn answer<S: Stage>(
    client: &async_nats::Client,
    stage: &S,
    subject: &str,
    endpoint: &Endpoint,
    message: async_nats::Message,
    cancel: &CancellationToken,
) {
    let Some(inbox) = message.reply else { return };
    let begun = Instant::now();
    let lines = stage.answer(subject, message.payload);
    tokio::pin!(lines);
    let lines = loop {
        tokio::select! {
            lines = &mut lines => break lines,
            () = cancel.cancelled() => break Err(format!("the {} is stopping", S::SPEC.name)),
            () = tokio::time::sleep(SIGN_OF_LIFE) => send(client, &inbox, "more", Bytes::new()).await,
        }
    };
    endpoint.answered(begun.elapsed(), lines.as_ref().err().map(String::as_str));
    reply(client, &inbox, lines).await;
}

/// Sends an answer in pages.
pub(crate) async fn reply(client: &async_nats::Client, inbox: &Subject, lines: Lines) {
    let lines = match lines {
        Ok(lines) => lines,
        Err(error) => return refuse(client, inbox, error).await,
    };
    let mut page = BytesMut::new();
    for line in lines {
        if !page.is_empty() && page.len() + line.len() >= MAX_PAGE_BYTES {
            send(client, inbox, "more", page.split().freeze()).await;
        }
        page.extend_from_slice(&line);
        page.extend_from_slice(b"\n");
    }
    send(client, inbox, "ok", page.freeze()).await;
}

/// Says why there is no answer: to our own askers in the body, to others in the headers of every NATS service.
async fn refuse(client: &async_nats::Client, inbox: &Subject, error: String) {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Service-Error", error.replace(['\r', '\n'], " ").as_str());
    headers.insert("Nats-Service-Error-Code", "500");
    send_with(client, inbox, headers, "error", error.into()).await;
}

async fn send(client: &async_nats::Client, inbox: &Subject, status: &'static str, body: Bytes) {
    send_with(client, inbox, HeaderMap::new(), status, body).await;
}

async fn send_with(
    client: &async_nats::Client,
    inbox: &Subject,
    mut headers: HeaderMap,
    status: &'static str,
    body: Bytes,
) {
    headers.insert(STATUS, status);
    if let Err(error) = client.publish_with_headers(inbox.clone(), headers, body).await {
        warn!(error = %error, "cannot answer");
    }
}
