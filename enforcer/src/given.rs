//! Resources as the history tells of them: what its question `replay` answers and `elava replay` writes, and what it
//! answers when current resources are evaluated again.

use std::borrow::Cow;

use elava_schemas::{Change, ChangeHistory, ChangeId, ChangeType, Resource, ResourceKey, Severity, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Between which times is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Window {
    /// The first instant.
    pub since: Timestamp,
    /// The last one, excluded; none where it is the end of what is known.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// A line that is none of these.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// It cannot be read.
    #[error("not a line of `elava replay`: {line}…")]
    Wrong {
        /// Its beginning.
        line: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It is of a later version.
    #[error("a line of `elava replay` is of the unknown step `{0}`")]
    Step(String),
}

/// One line.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    step: Cow<'a, str>,
    at: Timestamp,
    #[serde(borrow)]
    details: &'a RawValue,
}

/// What one line says of a resource.
pub(crate) enum Row {
    Version(Box<Version>),
    Violation(Recorded),
}

/// A resource at one time.
#[derive(Deserialize)]
pub(crate) struct Version {
    #[serde(skip)]
    pub(crate) at: Timestamp,
    /// It was so when the window began.
    pub(crate) at_start: bool,
    /// It disappeared.
    pub(crate) gone: bool,
    baseline: bool,
    version: Option<String>,
    first_seen: Option<Timestamp>,
    changes_7d: Option<u64>,
    changes_30d: Option<u64>,
    /// None where it disappeared, and where the history no longer has the version.
    pub(crate) resource: Option<Resource>,
    /// Where it is not what the line before says.
    pub(crate) previous: Option<Resource>,
}

/// A violation as it was recorded.
#[derive(Deserialize)]
pub(crate) struct Recorded {
    pub(crate) policy: String,
    pub(crate) rule: String,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) opened_at: Timestamp,
    pub(crate) closed_at: Option<Timestamp>,
}

impl Row {
    pub(crate) fn parse(line: &[u8]) -> Result<Self, RowError> {
        let wrong = |source| RowError::Wrong { line: excerpt(line), source };
        let Line { step, at, details } = serde_json::from_slice(line).map_err(wrong)?;
        match step.as_ref() {
            "version" => {
                let mut version: Box<Version> = serde_json::from_str(details.get()).map_err(wrong)?;
                version.at = at;
                Ok(Self::Version(version))
            }
            "violation" => Ok(Self::Violation(serde_json::from_str(details.get()).map_err(wrong)?)),
            other => Err(RowError::Step(other.to_owned())),
        }
    }
}

/// Whose line it is; none of a window.
pub(crate) fn key_of(line: &[u8]) -> Result<Option<String>, RowError> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(default)]
        key: Option<String>,
    }
    let head: Head = serde_json::from_slice(line).map_err(|source| RowError::Wrong { line: excerpt(line), source })?;
    Ok(head.key)
}

impl Version {
    /// The change message that the enforcer was given, as far as policies see it.
    pub(crate) fn change(self, key: &ResourceKey, previous: Option<Resource>) -> Change {
        let history = self.first_seen.filter(|_| !self.baseline).map(|first_seen| ChangeHistory {
            first_seen,
            changes_7d: self.changes_7d.unwrap_or(0),
            changes_30d: self.changes_30d.unwrap_or(0),
        });
        Change {
            id: ChangeId::from(String::new()),
            change_type: ChangeType::Modified,
            baseline: self.baseline.into(),
            resource_key: key.clone(),
            version: self.version.unwrap_or_default(),
            previous: self.previous.or(previous),
            current: self.resource,
            diff: Vec::new(),
            detected_at: self.at,
            scan_id: None,
            details: String::new(),
            cause: None,
            earlier_life: None,
            scope_resources: None,
            history,
        }
    }
}

fn excerpt(line: &[u8]) -> String {
    String::from_utf8_lossy(line).chars().take(80).collect()
}
