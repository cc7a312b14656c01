//! Something that could not be handled, and why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Something that could not be handled. Nothing is lost: it can be read, mended and published again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// The stage that could not handle it, such as `detector`.
    pub stage: String,
    /// Why, for a person.
    pub reason: String,
    /// The subject it was published on, where it can be published again, or the file name (`-` for standard input).
    pub subject: String,
    /// Its sequence in the stream; absent for files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Which line of the body or file, from 1.
    pub line: u64,
    /// The line itself; invalid UTF-8 replaced, cut at 64 KiB.
    pub body: String,
    /// The line in hexadecimal, where it was not UTF-8; cut at 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_hex: Option<String>,
    /// Length of the whole line in bytes.
    pub bytes: u64,
    /// When it was received.
    pub at: Timestamp,
}
