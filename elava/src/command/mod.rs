//! One file a command: its flags, its question, how its answer looks.

pub mod approvals;
pub mod approve;
pub mod audit;
pub mod changes;
pub mod cost;
pub mod coverage;
pub mod diff;
pub mod evaluate;
pub mod exceptions;
pub mod explain;
pub mod export;
mod fields;
pub mod flapping;
pub mod history;
pub mod nats;
pub mod orphans;
pub mod replay;
pub mod report;
pub mod resources;
pub mod scan;
pub mod status;
pub mod summary;
pub mod violations;

use elava_bus::{Client, RequestError};
use serde::Serialize;
use serde_json::Value;

use crate::args::Nats;
use crate::ask::AskError;
use crate::show::{self, Row};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no answer.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The running pipeline does not answer.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// It would be void.
    #[error(transparent)]
    Word(#[from] approve::WordError),
    /// What is asked for is not known, or not one thing.
    #[error(transparent)]
    Explain(#[from] explain::ExplainError),
    /// The answer cannot be written.
    #[error("cannot write to standard output")]
    Write(#[from] std::io::Error),
    /// The file cannot be written.
    #[error("cannot write {file}")]
    File {
        /// Which file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// There is no export.
    #[error(transparent)]
    Export(#[from] elava_detector::export::ExportError),
    /// There are no keys.
    #[error(transparent)]
    Access(#[from] elava_bus::access::AccessError),
    /// The configuration or the exceptions cannot be read.
    #[error(transparent)]
    Config(#[from] elava_schemas::config::ConfigError),
    /// A time before the other one.
    #[error("--until must not be before --since")]
    Backwards,
    /// There is no such resource.
    #[error("nothing is known of a resource `{0}`")]
    Unknown(String),
    /// The question cannot be written.
    #[error("cannot write the request as JSON")]
    Json(#[from] serde_json::Error),
}

/// Asks the stages, and shows their answer as it is.
async fn ask_and_show(nats: &Nats, subject: &str, request: &impl Serialize) -> Result<(), CommandError> {
    let body = serde_json::to_vec(request)?;
    for line in Client::connect(&nats.options()).await?.request(subject, body.into()).await? {
        show::print(&format!("{}\n", String::from_utf8_lossy(&line)))?;
    }
    Ok(())
}

/// An object as a row.
fn row(value: Value) -> Row {
    match value {
        Value::Object(row) => row,
        _ => Row::new(),
    }
}
