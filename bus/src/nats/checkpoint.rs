//! How far a stage has come: the position of the input whose outputs are stored, in the same
//! atomic batch as those outputs and in the same stream. What follows from the time alone moves it on
//! in time, at the same position.

use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_TTL, NATS_ROLLUP};
use async_nats::jetstream::stream::DirectGetErrorKind;
use bytes::Bytes;
use elava_schemas::Timestamp;
use serde::{Deserialize, Serialize};

use super::publish::Outgoing;
use super::{Nats, NatsError};
use crate::{Source, Stream};

/// The checkpoint of one stage and source, as last read or written.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    output: Stream,
    subject: String,
    /// The sequence of the checkpoint message itself, which the next one must follow.
    revision: u64,
    /// Up to where outputs are stored.
    pub(crate) mark: Option<Mark>,
}

/// A place in the input, and in time. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    /// The last input position whose outputs are stored.
    pub(crate) position: u64,
    /// Until when time has passed since.
    pub(crate) ticked: Option<Timestamp>,
}

impl Mark {
    /// An input position.
    pub(crate) fn at(position: u64) -> Self {
        Self { position, ticked: None }
    }
}

#[derive(Serialize, Deserialize)]
struct Body {
    kind: String,
    v: u32,
    sequence: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ticked: Option<Timestamp>,
}

impl Checkpoint {
    /// The last input position whose outputs are stored.
    pub(crate) fn position(&self) -> Option<u64> {
        self.mark.map(|mark| mark.position)
    }

    /// The message that moves the checkpoint on; refused if somebody else moved it.
    pub(crate) fn moved_to(&self, mark: Mark) -> Outgoing {
        let body = Body { kind: "checkpoint".to_owned(), v: 1, sequence: mark.position, ticked: mark.ticked };
        let body = serde_json::to_vec(&body).expect("a checkpoint serialises");
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, self.revision.to_string().as_str());
        if self.output.rolls_up_checkpoints() {
            // It takes the place of the one before, and does not age with the stream.
            headers.insert(NATS_ROLLUP, "sub");
            headers.insert(NATS_MESSAGE_TTL, "never");
        }
        Outgoing { subject: self.subject.clone(), body: Bytes::from(body), headers }
    }

    /// Notes that the move was stored as message `revision`.
    pub(crate) fn was_moved(&mut self, mark: Mark, revision: u64) {
        self.mark = Some(mark);
        self.revision = revision;
    }

    /// Which one.
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }
}

impl Nats {
    /// Reads where `stage` is with `source`.
    pub(crate) async fn checkpoint(
        &self,
        stage: &str,
        output: Stream,
        source: &Source,
    ) -> Result<Checkpoint, NatsError> {
        let mut checkpoint =
            Checkpoint { output, subject: format!("elava.checkpoint.{stage}.{source}"), revision: 0, mark: None };
        self.read_checkpoint(&mut checkpoint).await?;
        Ok(checkpoint)
    }

    /// Reads it anew.
    pub(crate) async fn read_checkpoint(&self, checkpoint: &mut Checkpoint) -> Result<(), NatsError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
            NatsError::request(format!("reading {}", checkpoint.subject), source)
        };
        let stream =
            self.js.get_stream_no_info(checkpoint.output.name()).await.map_err(|error| failed(error.into()))?;
        match stream.direct_get_last_for_subject(checkpoint.subject.as_str()).await {
            Ok(message) => {
                let body: Body = serde_json::from_slice(&message.payload).map_err(|error| failed(error.into()))?;
                let mark = Mark { position: body.sequence, ticked: body.ticked };
                checkpoint.was_moved(mark, message.sequence);
                Ok(())
            }
            // Never written.
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => {
                checkpoint.revision = 0;
                Ok(())
            }
            Err(error) => Err(failed(error.into())),
        }
    }
}
