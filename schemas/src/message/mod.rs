//! Every message there is, and how one line of JSON becomes one of them.

pub(crate) mod approval;
pub(crate) mod change;
pub(crate) mod dead_letter;
pub(crate) mod decision;
pub(crate) mod delivery;
pub(crate) mod execution;
pub(crate) mod observation;
mod place;
pub(crate) mod policy_result;
pub(crate) mod request;
pub(crate) mod scan_report;

use std::borrow::Cow;
use std::fmt;

use schemars::Schema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    Approval, Change, DeadLetter, Decision, Delivery, EvaluationRequest, Execution, Observation, PolicyResult,
    Provider, ScanReport, ScanRequest, Scope,
};

/// The version of every message kind written today. A line without `v` is read as this version.
pub const CURRENT_VERSION: u32 = 1;

macro_rules! messages {
    ($($(#[$doc:meta])* $kind:ident $text:literal;)*) => {
        /// What a message is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// JSON Schema of its lines, `kind` and `v` included. Aliases and the flat form of a
            /// resource are read too, but are not what we write, and are not described.
            #[must_use]
            pub fn json_schema(self) -> Schema {
                match self {
                    $(Self::$kind => line_schema($text, schemars::schema_for!($kind)),)*
                }
            }

            /// As written in the `kind` field.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $text,)*
                }
            }
        }

        /// Any message.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Message {
            $($(#[$doc])* $kind(Box<$kind>),)*
        }

        impl Message {
            /// What it is.
            #[must_use]
            pub fn kind(&self) -> Kind {
                match self {
                    $(Self::$kind(_) => Kind::$kind,)*
                }
            }

            /// Reads one line. Unknown fields are ignored: a newer producer may add some.
            ///
            /// # Errors
            /// [`ParseError`], whose text names what is wrong and where.
            pub fn parse(line: &[u8]) -> Result<Self, ParseError> {
                match peek_kind(line)? {
                    $(Kind::$kind => body(Kind::$kind, line).map(|body| Self::$kind(Box::new(body))),)*
                }
            }

            /// Writes one line, without the line feed.
            #[must_use]
            pub fn to_line(&self) -> Vec<u8> {
                match self {
                    $(Self::$kind(body) => to_line(Kind::$kind, body.as_ref()),)*
                }
            }
        }

        $(impl From<$kind> for Message {
            fn from(body: $kind) -> Self {
                Self::$kind(Box::new(body))
            }
        })*
    };
}

messages! {
    /// One resource as seen once.
    Observation "observation";
    /// How one scan of one scope ended.
    ScanReport "scan_report";
    /// One difference between two observations.
    Change "change";
    /// What the policies say of one resource version.
    PolicyResult "policy_result";
    /// What is to be done, or told.
    Decision "decision";
    /// A person's word on a decision.
    Approval "approval";
    /// What was done to the cloud.
    Execution "execution";
    /// Who was told.
    Delivery "delivery";
    /// Something that could not be handled, and why.
    DeadLetter "dead_letter";
    /// Asks an observer to scan now.
    ScanRequest "scan_request";
    /// Asks for the current resources to be evaluated again.
    EvaluationRequest "evaluation_request";
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a line is not a message. The text is what a dead letter carries.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Not UTF-8.
    #[error("not UTF-8 at byte {0}")]
    NotUtf8(usize),
    /// Not a JSON object with a `kind`.
    #[error("not a message: {0}")]
    NotAMessage(String),
    /// A kind nobody reads.
    #[error("unknown kind `{0}`; known: {known}", known = known_kinds())]
    UnknownKind(String),
    /// A version newer than this build reads.
    #[error("{kind} version {version} is newer than this build reads ({CURRENT_VERSION})")]
    NewerVersion {
        /// Which message.
        kind: Kind,
        /// Its version.
        version: u32,
    },
    /// The right kind, with a wrong or missing field.
    #[error("bad {kind}: {error}")]
    BadBody {
        /// Which message.
        kind: Kind,
        /// Names the field, its column in the line, and what is wrong or allowed.
        error: String,
    },
}

fn known_kinds() -> String {
    Kind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(default = "current_version")]
    v: u32,
}

fn current_version() -> u32 {
    CURRENT_VERSION
}

/// What a line says it is, without reading its body.
///
/// Lines that our own stages write begin with the kind, which is looked at first; every other
/// spelling of JSON is read properly.
///
/// # Errors
/// [`ParseError`] where it is not UTF-8, not an object with a kind, or of a kind or version not read here.
pub fn peek_kind(line: &[u8]) -> Result<Kind, ParseError> {
    let ours = line.strip_prefix(br#"{"kind":""#).and_then(|rest| {
        Kind::ALL.iter().copied().find(|kind| {
            rest.strip_prefix(kind.as_str().as_bytes()).is_some_and(|rest| rest.starts_with(br#"","v":1,"#))
        })
    });
    if let Some(kind) = ours {
        return Ok(kind);
    }
    let text = std::str::from_utf8(line).map_err(|error| ParseError::NotUtf8(error.valid_up_to()))?;
    if !text.trim_start().starts_with('{') {
        return Err(ParseError::NotAMessage("expected a JSON object".to_owned()));
    }
    let head: Head = serde_json::from_str(text).map_err(|error| ParseError::NotAMessage(error.to_string()))?;
    let kind = Kind::ALL
        .iter()
        .copied()
        .find(|kind| kind.as_str() == head.kind)
        .ok_or_else(|| ParseError::UnknownKind(head.kind.chars().take(80).collect()))?;
    if head.v > CURRENT_VERSION {
        return Err(ParseError::NewerVersion { kind, version: head.v });
    }
    Ok(kind)
}

fn body<'a, T: Deserialize<'a>>(kind: Kind, line: &'a [u8]) -> Result<T, ParseError> {
    serde_json::from_slice(line).map_err(|error| match std::str::from_utf8(line) {
        Ok(text) => ParseError::BadBody { kind, error: place::with_field(text, &error) },
        Err(error) => ParseError::NotUtf8(error.valid_up_to()),
    })
}

/// Adds what [`to_line`] adds. `v` may be missing in a line: it is the current version then.
fn line_schema(kind: &str, mut schema: Schema) -> Schema {
    let object = schema.ensure_object();
    let mut properties = Map::new();
    properties.insert("kind".to_owned(), json!({"const": kind, "description": "What this message is."}));
    properties.insert("v".to_owned(), json!({"const": CURRENT_VERSION, "description": "The version of this kind."}));
    if let Some(Value::Object(body)) = object.remove("properties") {
        properties.extend(body);
    }
    let mut required = vec![json!("kind")];
    if let Some(Value::Array(body)) = object.remove("required") {
        required.extend(body);
    }
    object.insert("properties".to_owned(), properties.into());
    object.insert("required".to_owned(), required.into());
    // definitions last: what the line itself looks like is read first
    if let Some(definitions) = object.remove("$defs") {
        object.insert("$defs".to_owned(), definitions);
    }
    schema
}

/// Writes one message as a line, without the line feed: `kind` and `v` first.
///
/// # Panics
/// Never: our message types have string keys and no failing serialisers.
#[must_use]
pub fn to_line<T: Serialize>(kind: Kind, message: &T) -> Vec<u8> {
    #[derive(Serialize)]
    struct Line<'a, T> {
        kind: &'a str,
        v: u32,
        #[serde(flatten)]
        body: &'a T,
    }
    serde_json::to_vec(&Line { kind: kind.as_str(), v: CURRENT_VERSION, body: message })
        .expect("messages have string keys and infallible serialisers")
}

/// The four tokens by which a message is routed and partitioned, borrowed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeRef<'a> {
    /// Which cloud.
    pub provider: Provider,
    /// Account or project.
    pub account: &'a str,
    /// Region.
    pub region: &'a str,
    /// Resource type.
    pub kind: &'a str,
}

impl<'a> From<&'a crate::ResourceKey> for ScopeRef<'a> {
    fn from(key: &'a crate::ResourceKey) -> Self {
        Self { provider: key.provider, account: &key.account, region: &key.region, kind: &key.kind }
    }
}

impl<'a> From<&'a Scope> for ScopeRef<'a> {
    fn from(scope: &'a Scope) -> Self {
        Self { provider: scope.provider, account: &scope.account, region: &scope.region, kind: &scope.kind }
    }
}
