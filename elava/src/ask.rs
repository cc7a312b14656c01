//! Asks the history: the running detector over NATS, or a file that nobody holds.

use std::path::Path;

use bytes::Bytes;
use elava_bus::{Client, RequestError};
use elava_detector::History;
use elava_detector::query::{QUERY_SUBJECT, Query};
use serde::Serialize;

use crate::args::{From, Nats, Place};
use crate::show::Row;

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
    Asked::open(&from.place).await?.ask(query).await
}

/// A history that is asked several times: opened, or connected to, once.
pub(crate) enum Asked<'a> {
    /// A file that nobody holds.
    File(&'a Path, History),
    /// The running detector.
    Running(Box<Client>),
}

impl<'a> Asked<'a> {
    pub(crate) async fn open(place: &'a Place) -> Result<Self, AskError> {
        match &place.db {
            Some(path) => {
                let history = History::open_read_only(path).map_err(|error| AskError::file(path, error))?;
                Ok(Self::File(path, history))
            }
            None => Ok(Self::Running(Box::new(Client::connect(&place.nats.options()).await?))),
        }
    }

    /// The rows that answer a query.
    pub(crate) async fn ask(&self, query: &Query) -> Result<Vec<Row>, AskError> {
        match self {
            Self::File(path, history) => {
                elava_detector::query::run(history, query).map_err(|error| AskError::file(path, error))
            }
            Self::Running(client) => rows(client, QUERY_SUBJECT, query).await,
        }
    }
}

/// The rows that the running detector answers with.
pub(crate) async fn request(from: &From, subject: &str, body: &impl Serialize) -> Result<Vec<Row>, AskError> {
    request_from(&from.place.nats, subject, body).await
}

/// The same, where only the running detector can be asked.
pub(crate) async fn request_from(nats: &Nats, subject: &str, body: &impl Serialize) -> Result<Vec<Row>, AskError> {
    rows(&Client::connect(&nats.options()).await?, subject, body).await
}

async fn rows(client: &Client, subject: &str, body: &impl Serialize) -> Result<Vec<Row>, AskError> {
    let body = serde_json::to_vec(body).map_err(AskError::Answer)?;
    let lines = client.request(subject, Bytes::from(body)).await?;
    lines.iter().map(|line| serde_json::from_slice(line).map_err(AskError::Answer)).collect()
}

impl AskError {
    /// It is about this file.
    pub(crate) fn file(file: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::File { file: file.display().to_string(), source: source.into() }
    }
}
