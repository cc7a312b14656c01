//! How a stage runs: one function over batches, two transports (NDJSON on standard input and
//! output, NATS JetStream), and the delivery rules that hold for all stages alike.
//!
//! No domain rules here, and no async-nats outside of here.

pub mod access;
pub mod cli;
mod dead;
mod handling;
mod health;
mod healthcheck;
mod instance;
mod lease;
mod metrics;
mod nats;
mod page;
mod peers;
mod pipe;
mod replay;
mod request;
mod run;
mod service;
mod sink;
mod stage;
mod subject;
mod tenure;
pub mod time;
mod topology;
mod trace;

pub use handling::panic_text;
pub use healthcheck::{HealthcheckArgs, HealthcheckError, StageCommand};
pub use lease::Lease;
pub use lease::claim::{Claim, Claims};
pub use lease::name::host;
pub use nats::{NatsAccess, NatsError, NatsOptions};
pub use page::{MAX_LINE_BYTES, MAX_PAGE_BYTES, MAX_PAGE_ROWS, Page, Pager};
pub use peers::Peers;
pub use replay::{Replayed, replay};
pub use request::{Client, Lines, LivingInstance, Progress, RequestError, ServedGroup, Usage};
pub use run::{BusError, filter, run, run_when_leased, stop_on_signals};
pub use sink::{Asked, Sink, SinkError};
pub use stage::{
    Batch, Consumes, Emit, Failure, Output, Patience, Position, Rejection, Resume, Source, Stage, StageSpec,
    StateChange,
};
pub use subject::{change_subject, group_of_scope, message_subject, scope_subject_matches};
pub use topology::{PARTITIONS, Stream, ask, reads};

/// Re-exported so that stages can watch for shutdown without naming tokio-util.
pub use tokio_util::sync::CancellationToken;
