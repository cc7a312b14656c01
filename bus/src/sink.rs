//! Where a source of messages writes them: standard output or JetStream.
use elava_schemas::Message;
use crate::cli::StageArgs;
/// Why a message could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum SinkError { /// x
 #[error("x")] X }
/// Where a source of messages (the observer) writes them. Cheap to clone; all clones share one connection.
#[derive(Clone, Debug)]
pub struct Sink;
impl Sink {
    /// Opens standard output, or JetStream when `--nats` is given (streams are created if missing).
    pub async fn open(_name: &'static str, _args: &StageArgs) -> Result<Self, SinkError> { Err(SinkError::X) }
    /// Adds messages of one scope, in order. Waits while too much is unacknowledged (back-pressure,
    /// a full stream): memory stays bounded. Nothing counts as stored before `flush`.
    pub async fn send(&self, _messages: Vec<Message>) -> Result<(), SinkError> { Err(SinkError::X) }
    /// Waits until everything sent through this sink handle for `subject scope` is stored durably.
    pub async fn flush(&self) -> Result<(), SinkError> { Err(SinkError::X) }
    /// Core NATS requests on `subject` (queue group = name); `None` at once in a pipe.
    pub async fn requests(&self, _subject: &str) -> Option<tokio::sync::mpsc::Receiver<Asked>> { None }
}
/// One request and the place for its answer.
#[derive(Debug)]
pub struct Asked { /// Its body.
 pub body: bytes::Bytes, /// Where the answer goes (NDJSON lines).
 pub answer: tokio::sync::oneshot::Sender<Vec<bytes::Bytes>> }
