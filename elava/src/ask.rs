//! Asks the history: the running detector over NATS, or a file that nobody holds.

use bytes::Bytes;
use elava_bus::{Client, RequestError};
use elava_detector::{History, Query};

use crate::args::From;
use crate::show::Row;

/// The subject on which the detector answers.
const SUBJECT: &str = "elava.history.query";

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The detector.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The file.
    #[error("cannot read {file}")]
    File {
        /// Which file.
        file: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An answer that is not rows.
    #[error("the detector's answer is not JSON rows")]
    Answer(#[source] serde_json::Error),
}

/// The rows that answer a query.
///
/// # Errors
/// [`AskError`].
pub async fn ask(from: &From, query: &Query) -> Result<Vec<Row>, AskError> {
    if let Some(path) = &from.db {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| AskError::File {
            file: path.display().to_string(),
            source,
        };
        let history = History::open_read_only(path).map_err(|error| failed(error.into()))?;
        return elava_detector::query::run(&history, query).map_err(|error| failed(error.into()));
    }
    let client = Client::connect(&from.nats.options()).await?;
    let body = serde_json::to_vec(query).map_err(AskError::Answer)?;
    let lines = client.request(SUBJECT, Bytes::from(body)).await?;
    lines.iter().map(|line| serde_json::from_slice(line).map_err(AskError::Answer)).collect()
}
