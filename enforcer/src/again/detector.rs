//! The detector, asked for the current resources of a partition.

use bytes::Bytes;
use elava_bus::access::User;
use elava_bus::{Client, NatsOptions, RequestError, ask};
use elava_schemas::{CurrentHead, CurrentRequest, Timestamp};
use tokio::sync::{OnceCell, Semaphore};

use super::record::Run;

/// How many partitions are asked for at once: answers are a few megabytes.
const AT_ONCE: usize = 2;

/// Where current resources come from.
pub(super) struct Detector {
    options: NatsOptions,
    /// Made when it is first needed.
    client: OnceCell<Client>,
    turns: Semaphore,
}

/// What it says of a part.
pub(super) struct Answer {
    pub(super) head: CurrentHead,
    /// A line a resource.
    pub(super) lines: Vec<Bytes>,
}

/// Why it says nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Others are being answered.
    #[error("others are being answered")]
    Busy,
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("the detector's answer cannot be read")]
    Head(#[source] serde_json::Error),
}

impl Detector {
    pub(super) fn new(options: NatsOptions) -> Self {
        Self { options, client: OnceCell::new(), turns: Semaphore::new(AT_ONCE) }
    }

    /// Asks for what a run is at.
    pub(super) async fn ask(
        &self,
        (partition, at): (u16, Timestamp),
        run: &Run,
        previous: bool,
    ) -> Result<Answer, NoAnswer> {
        let _turn = self.turns.try_acquire().map_err(|_| NoAnswer::Busy)?;
        let client = self.client.get_or_try_init(|| Client::connect_as(User::Enforcer, &self.options)).await?;
        let request =
            CurrentRequest { partition, part: run.part.clone(), resource_key: run.only.clone(), at, previous };
        let body = serde_json::to_vec(&request).expect("it has string keys");
        let asked = client.request_of((User::Detector, partition), ask::CURRENT, body.into());
        let mut lines = asked.await?.into_iter();
        let head = lines.next().unwrap_or_default();
        let head = serde_json::from_slice(&head).map_err(NoAnswer::Head)?;
        Ok(Answer { head, lines: lines.collect() })
    }
}
