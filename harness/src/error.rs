//! What can go wrong.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why a server or a process is of no use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not there.
    #[error("there is no {0}: run `make setup`, or name one")]
    Missing(String),
    /// A file or folder cannot be used.
    #[error("cannot use {0}")]
    File(PathBuf, #[source] io::Error),
    /// A program cannot be started.
    #[error("cannot start {0}")]
    Start(String, #[source] io::Error),
    /// A process cannot be asked about, signalled or waited for.
    #[error("cannot reach the process of {0}")]
    Process(String, #[source] io::Error),
    /// It has ended, or not as it should.
    #[error("{name} has ended with {status}\n{last_words}")]
    Ended {
        /// Whose process.
        name: String,
        /// How.
        status: ExitStatus,
        /// The end of its log.
        last_words: String,
    },
    /// It takes too long.
    #[error("{name} has not {what} within {patience:?}\n{last_words}")]
    TooLong {
        /// Whose process.
        name: String,
        /// What it is to do.
        what: &'static str,
        /// How long it had.
        patience: Duration,
        /// The end of its log.
        last_words: String,
    },
    /// A stream cannot be read.
    #[error("cannot read stream {stream}")]
    Stream {
        /// Which stream.
        stream: String,
        /// Why.
        source: async_nats::Error,
    },
}
