//! Every instance is a NATS service (ADR-32): `nats micro` finds, describes and counts it, and it tells its status.
//!
//! By hand, because a service of async-nats answers a request with one message and shows for ever what it has
//! once served. Ours answer in pages, and some of what they serve they serve only while they hold a lease.

mod endpoint;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use chrono::Utc;
use elava_schemas::{Timestamp, micros};
use futures::StreamExt;
use futures::stream::select_all;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

pub(crate) use endpoint::Endpoint;

use crate::metrics::{Metrics, Status};
use crate::nats::{Nats, NatsError};
use crate::{StageSpec, Stream};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where every instance of a stage tells its status.
pub(crate) fn status_of(stage: &str) -> String {
    format!("elava.{stage}.status")
}

/// Where instances of a stage are asked what they are: with all services, by name, or each by its own.
pub(crate) fn discovery_of(stage: &str) -> [String; 3] {
    let name = name_of(stage);
    ["$SRV.*".to_owned(), format!("$SRV.*.{name}"), format!("$SRV.*.{name}.*")]
}

fn name_of(stage: &str) -> String {
    format!("elava-{stage}")
}

/// One instance, as others find it.
#[derive(Debug)]
pub(crate) struct Service {
    /// Of the stage: `elava-detector`.
    name: String,
    description: String,
    instance: String,
    started: Timestamp,
    metrics: Arc<Metrics>,
    /// Where it tells its status; every instance of the stage does.
    status: Arc<Endpoint>,
    /// Those that are dropped are served no longer.
    endpoints: Mutex<Vec<Weak<Endpoint>>>,
}

/// What an instance is asked about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Ping,
    Info,
    Stats,
    Status,
}

impl Service {
    /// An instance of a stage.
    pub(crate) fn of_stage(spec: &StageSpec, instance: String, metrics: Arc<Metrics>) -> Arc<Self> {
        let inputs: Vec<&str> = spec.inputs.iter().map(|stream| stream.name()).collect();
        let writes = spec.output.map(|stream| format!(", writes {}", stream.name())).unwrap_or_default();
        Self::new(spec.name, format!("reads {}{writes}", inputs.join(", ")), instance, metrics)
    }

    /// An instance of a source of messages.
    pub(crate) fn of_source(name: &str, instance: String, metrics: Arc<Metrics>) -> Arc<Self> {
        Self::new(name, format!("writes {}", Stream::Observation.name()), instance, metrics)
    }

    fn new(stage: &str, description: String, instance: String, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            name: name_of(stage),
            description,
            instance,
            started: micros(Utc::now()),
            metrics,
            status: Arc::new(Endpoint::new(status_of(stage), "")),
            endpoints: Mutex::default(),
        })
    }

    /// A subject that is served until what this returns is dropped.
    pub(crate) fn endpoint(&self, subject: &str, queue: &'static str) -> Arc<Endpoint> {
        let endpoint = Arc::new(Endpoint::new(subject.to_owned(), queue));
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        endpoints.retain(|endpoint| endpoint.strong_count() > 0);
        endpoints.push(Arc::downgrade(&endpoint));
        endpoint
    }

    fn served(&self) -> Vec<Arc<Endpoint>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect()
    }

    /// Answers whoever asks about it, until `cancel`.
    pub(crate) async fn run(self: Arc<Self>, nats: Nats, cancel: CancellationToken) {
        if let Err(error) = self.answer_all(&nats.client, &cancel).await {
            warn!(error = %crate::cli::chain(&error), "this instance is not found by `nats micro`");
        }
    }

    async fn answer_all(&self, client: &async_nats::Client, cancel: &CancellationToken) -> Result<(), NatsError> {
        let mut asked = Vec::new();
        for (question, subject) in self.subjects() {
            let messages = client.subscribe(subject.clone()).await;
            let messages = messages.map_err(|error| NatsError::request(format!("subscribing to {subject}"), error))?;
            asked.push(messages.map(move |message| (question, message)));
        }
        let mut asked = select_all(asked);
        while let Some((question, message)) = cancel.run_until_cancelled(asked.next()).await.flatten() {
            let Some(inbox) = message.reply else { continue };
            let begun = Instant::now();
            let answer = self.answer(question).to_string();
            if question == Question::Status {
                self.status.answered(begun.elapsed(), None);
            }
            if let Err(error) = client.publish(inbox, answer.into()).await {
                warn!(error = %error, "cannot answer");
            }
        }
        Ok(())
    }

    /// All services are asked at once, those of a name, or one.
    fn subjects(&self) -> Vec<(Question, String)> {
        let Self { name, instance, .. } = self;
        let verbs = [(Question::Ping, "PING"), (Question::Info, "INFO"), (Question::Stats, "STATS")];
        let discovery = verbs.into_iter().flat_map(|(question, verb)| {
            let all = format!("$SRV.{verb}");
            let one = format!("{all}.{name}.{instance}");
            [(question, format!("{all}.{name}")), (question, all), (question, one)]
        });
        discovery.chain([(Question::Status, self.status.subject.clone())]).collect()
    }

    fn answer(&self, question: Question) -> Value {
        let served = self.served();
        let mut answer = json!({
            "name": self.name,
            "id": self.instance,
            "version": VERSION,
            "metadata": { "instance": self.instance },
        });
        match question {
            Question::Ping => answer["type"] = "io.nats.micro.v1.ping_response".into(),
            Question::Info => {
                answer["type"] = "io.nats.micro.v1.info_response".into();
                answer["description"] = self.description.as_str().into();
                answer["endpoints"] =
                    [&self.status].into_iter().chain(&served).map(|endpoint| endpoint.info()).collect();
            }
            Question::Stats => {
                let mut status = self.status.stats();
                status["data"] = self.answer(Question::Status);
                answer["type"] = "io.nats.micro.v1.stats_response".into();
                answer["started"] = json!(self.started);
                answer["endpoints"] =
                    [status].into_iter().chain(served.iter().map(|endpoint| endpoint.stats())).collect();
            }
            Question::Status => return self.status(),
        }
        answer
    }

    fn status(&self) -> Value {
        json!(Told {
            stage: self.name.trim_start_matches("elava-"),
            instance: &self.instance,
            version: VERSION,
            status: self.metrics.status(),
        })
    }
}

/// What an instance says of itself.
#[derive(Serialize)]
struct Told<'a> {
    stage: &'a str,
    instance: &'a str,
    version: &'static str,
    #[serde(flatten)]
    status: Status,
}
