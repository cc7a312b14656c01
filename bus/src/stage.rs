//! The stage contract.
//!
//! A stage is a function over batches. It MUST be idempotent: after a crash it is given again what
//! it may already have handled. It MUST NOT write its outputs anywhere itself: it returns them, and
//! the bus stores them downstream before the input counts as handled. What it cannot handle it
//! returns as rejected rows, never as an error.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use elava_schemas::{Kind, Message, ParseError, Timestamp};

use crate::trace::Traced;
use crate::{Lease, Page, Stream, message_subject};

/// A stage of the pipeline.
pub trait Stage: Send + Sync + 'static {
    /// What it is, reads and writes.
    const SPEC: StageSpec;

    /// Handles one batch: pages of one source, in order. Called for several sources at once.
    fn handle(&self, batch: &Batch) -> impl Future<Output = Result<Output, Failure>> + Send;

    /// When [`Stage::tick`] is to be called for `source` though nothing arrives. Asked after each batch, and every
    /// second.
    fn due(&self, source: &Source) -> Option<Timestamp> {
        let _ = source;
        None
    }

    /// Called when something is due, never in the middle of a batch: what follows from the time alone. Everything that
    /// was given before is stored by then, state included.
    ///
    /// After a crash it can be called a second time with the same state and the same `now`, and its outputs are
    /// dropped then: what they say must follow from those two.
    fn tick(&self, source: &Source, now: Timestamp) -> impl Future<Output = Result<Output, Failure>> + Send {
        let _ = (source, now);
        async { Ok(Output::default()) }
    }

    /// Called before [`Stage::resume`]: this instance works on `source` now, for as long as the lease is
    /// held. A stage with effects that cannot be taken back asks it right before each.
    fn taken(&self, source: &Source, lease: &Lease) {
        let _ = (source, lease);
    }

    /// Called before this instance gives `source` back in good order, when no batch of it is being handled: what of its
    /// state is not stored yet.
    fn parting(&self, source: &Source) -> impl Future<Output = Vec<StateChange>> + Send {
        let _ = source;
        async { Vec::new() }
    }

    /// This instance works on `source` no longer; what it remembers of it may be forgotten.
    fn left(&self, source: &Source) {
        let _ = source;
    }

    /// Called before the first batch of a source, and again when it is taken again: where to go on, and
    /// what is still to be sent.
    ///
    /// `checkpoint` is the last input position whose outputs are stored downstream, `state` what
    /// the stage last returned as [`Output::state`] for this source. The default goes on after
    /// the checkpoint.
    fn resume(
        &self,
        source: &Source,
        checkpoint: Option<u64>,
        state: Vec<(String, Bytes)>,
    ) -> impl Future<Output = Result<Resume, Failure>> + Send {
        let _ = (source, state);
        async move { Ok(Resume::after(checkpoint)) }
    }

    /// Called once the outputs caused by inputs up to `sequence` are stored downstream.
    fn stored(&self, source: &Source, sequence: u64) -> impl Future<Output = Result<(), Failure>> + Send {
        let _ = (source, sequence);
        async { Ok(()) }
    }

    /// Makes durable what [`Stage::handle`] has put off for `source`. Called within the time that it named, or earlier;
    /// what has failed is tried again.
    fn settle(&self, source: &Source) -> impl Future<Output = Result<(), Failure>> + Send {
        let _ = source;
        async { Ok(()) }
    }

    /// What others must know to reach it, such as an address: told with the lease ([`crate::Peers`]).
    fn about(&self) -> Option<String> {
        None
    }

    /// NATS subjects on which requests are answered (core NATS, queue group = name).
    fn subjects(&self) -> &'static [&'static str] {
        &[]
    }

    /// Subjects on which every instance answers for itself; of several answers, the asker takes the first.
    fn heard_by_all(&self) -> &'static [&'static str] {
        &[]
    }

    /// Answers a request with NDJSON lines, or with an error for the asker.
    fn answer(&self, subject: &str, body: Bytes) -> impl Future<Output = Result<Vec<Bytes>, String>> + Send {
        let _ = (subject, body);
        async { Err("not answered by this stage".to_owned()) }
    }

    /// Called at the end of piped input, or when draining: what was held back.
    fn finish(&self) -> impl Future<Output = Result<Output, Failure>> + Send {
        async { Ok(Output::default()) }
    }
}

/// What a stage is, reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct StageSpec {
    /// Its name: `detector`. The binary is `elava-<name>`.
    pub name: &'static str,
    /// The streams it reads.
    pub inputs: &'static [Stream],
    /// The stream it writes.
    pub output: Option<Stream>,
    /// What it does with each kind of message in a pipe. From a stream, what it does not consume is rejected.
    pub consumes: fn(Kind) -> Consumes,
    /// Who remembers how far it has read.
    pub position: Position,
    /// How many pages it is given at most at once.
    pub batch_pages: usize,
    /// How many batches are handled and stored at once, over all sources: bounds memory.
    pub in_flight: usize,
    /// The default port of its health endpoint.
    pub health_port: u16,
}

/// What a stage does with a kind of message in a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumes {
    /// Handles it; nobody later needs it.
    Takes,
    /// Handles it and passes it on, before its own outputs.
    TakesAndPasses,
    /// Passes it on untouched.
    Passes,
}

/// Who remembers how far a stage has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The bus: every batch's outputs and a checkpoint are stored in one atomic batch.
    Checkpoint,
    /// The stage, in one transaction with its own effects; a checkpoint is written only with outputs.
    Own,
}

/// Where a batch comes from. The unit of order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// Standard input.
    Pipe,
    /// One partition of one stream.
    Partition {
        /// The stream.
        stream: Stream,
        /// The partition, from 0.
        partition: u16,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pipe => f.write_str("pipe"),
            Self::Partition { stream, partition } => write!(f, "{}.{partition}", stream.name()),
        }
    }
}

/// Pages of one source, in order.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Where they come from.
    pub source: Source,
    /// Never empty.
    pub pages: Vec<Page>,
}

impl Batch {
    /// The position of the last page.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.pages.last().map_or(0, |page| page.sequence)
    }

    /// Every line: which page, which line of it (from 1), its bytes.
    pub fn lines(&self) -> impl Iterator<Item = (&Page, u64, &[u8])> {
        self.pages.iter().flat_map(|page| page.lines().map(move |(number, line)| (page, number, line)))
    }

    /// Every message that `spec` consumes; what cannot be read, or does not belong here, goes to `rejected`.
    pub fn messages<'a>(
        &'a self,
        spec: &'a StageSpec,
        rejected: &'a mut Vec<Rejection>,
    ) -> impl Iterator<Item = (&'a Page, u64, Message)> + 'a {
        self.lines().filter_map(move |(page, number, line)| {
            let reason = match Message::parse(line) {
                Ok(message) if (spec.consumes)(message.kind()) != Consumes::Passes => {
                    return Some((page, number, message));
                }
                Ok(message) => format!("{} is not read by {}", message.kind(), spec.name),
                Err(error) => error.to_string(),
            };
            rejected.push(Rejection { sequence: page.sequence, line: number, reason });
            None
        })
    }
}

/// What handling a batch led to.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// What goes downstream, in order.
    pub messages: Vec<Emit>,
    /// What could not be handled.
    pub rejected: Vec<Rejection>,
    /// What the stage wants to find again after a restart (kept in a KV bucket, or a file when piped).
    pub state: Vec<StateChange>,
    /// Set where what the batch led to is not durable yet: within that time it is to be ([`Stage::settle`]), and before
    /// that the input is not acknowledged. Only for a stage that keeps its own position.
    pub settle_within: Option<Patience>,
}

/// How long what a batch led to may wait before it is made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Where little or nothing more is to be read.
    pub caught_up: Duration,
    /// While much is.
    pub behind: Duration,
}

impl Output {
    /// Adds a message caused by the page at `sequence`.
    pub fn emit(&mut self, sequence: u64, message: impl Into<Message>) {
        self.messages.push(Emit::new(sequence, &message.into()));
    }
}

/// One message for downstream, written already: a line takes a tenth of what a message takes in memory.
#[derive(Clone, Debug)]
pub struct Emit {
    /// The position of the page that caused it.
    pub sequence: u64,
    /// What it is.
    pub kind: Kind,
    /// Where it goes.
    pub subject: String,
    /// One line of JSON, without the line feed.
    pub line: Vec<u8>,
    /// The page that caused it, where that came in an earlier batch.
    pub(crate) cause: Option<Page>,
    pub(crate) traced: Traced,
}

impl Emit {
    /// A message caused by the page at `sequence`.
    #[must_use]
    pub fn new(sequence: u64, message: &Message) -> Self {
        Self::of_line(sequence, message.kind(), message_subject(message), message.to_line())
    }

    /// A message written already, caused by the page at `sequence`.
    #[must_use]
    pub fn of_line(sequence: u64, kind: Kind, subject: String, line: Vec<u8>) -> Self {
        Self { sequence, kind, subject, line, cause: None, traced: Traced::default() }
    }

    /// The same, caused by a row of an earlier batch: a page with that row alone, or with what of it identifies it.
    #[must_use]
    pub fn with_cause(self, page: Page) -> Self {
        Self { cause: Some(page), ..self }
    }

    /// The message.
    ///
    /// # Errors
    /// When the line is none, which a stage does not write.
    pub fn message(&self) -> Result<Message, ParseError> {
        Message::parse(&self.line)
    }
}

/// One row that could not be handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The position of its page.
    pub sequence: u64,
    /// The line of the page, from 1.
    pub line: u64,
    /// Why, for a person.
    pub reason: String,
}

/// One entry of a stage's state.
#[derive(Clone, Debug)]
pub struct StateChange {
    /// Letters, digits, `-`, `_`, `=` and `.` between tokens.
    pub key: String,
    /// `None` removes it.
    pub value: Option<Bytes>,
}

/// Where a stage goes on.
#[derive(Clone, Debug)]
pub struct Resume {
    /// The first position to be given.
    pub from: u64,
    /// Outputs that may not have been stored downstream: those after the checkpoint are sent first.
    pub pending: Vec<Emit>,
    /// Rows refused before, whose dead letters may not have been stored: they are made again.
    pub rejected: Vec<Rejection>,
}

impl Resume {
    /// After a position, with nothing still to be sent; from the first one where there is none.
    #[must_use]
    pub fn after(position: Option<u64>) -> Self {
        let from = position.map_or(1, |position| position + 1);
        Self { from, pending: Vec::new(), rejected: Vec::new() }
    }
}

/// Why a batch could not be handled.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Something outside is not there: a full disk, a server. Retried with back-off until it is.
    #[error("unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// This input cannot be handled. After five attempts its pages are tried one by one, and the
    /// rows of those that fail still are dead letters. A panic counts as this.
    #[error("cannot handle the input")]
    Poison(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It makes no sense to go on, such as a history written by a newer version.
    #[error("cannot go on")]
    Fatal(#[source] Box<dyn std::error::Error + Send + Sync>),
}
