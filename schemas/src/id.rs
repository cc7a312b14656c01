//! Deterministic ids: a hash of what caused a message, so that a replay makes the same ids.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Hashes named parts into an id. Parts are length-prefixed: `("ab","c")` and `("a","bc")` differ.
#[derive(Default)]
pub struct IdHasher(blake3::Hasher);

impl IdHasher {
    /// Starts an id of one kind; the kind is part of the hash.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        Self::default().part(kind)
    }

    /// Adds one part.
    #[must_use]
    pub fn part(mut self, part: impl AsRef<[u8]>) -> Self {
        let bytes = part.as_ref();
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// The first 128 bits, as 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.finalize().to_hex()[..32].to_owned()
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id of what these parts caused.
            #[must_use]
            pub fn of(parts: &[&str]) -> Self {
                let hasher = parts.iter().fold(IdHasher::new($prefix), |hasher, part| hasher.part(part));
                Self(format!(concat!($prefix, "_{}"), hasher.hex()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// One scan of one scope.
    ScanId "scan";
    /// One detected change.
    ChangeId "chg";
    /// One evaluation of one resource version by one policy bundle.
    ResultId "res";
    /// A finding's fingerprint: the same resource and cause give the same id for ever.
    FindingId "fnd";
    /// One decision.
    DecisionId "dec";
    /// One approval or denial.
    ApprovalId "apr";
    /// One execution of a decision.
    ExecutionId "exe";
    /// One delivery of a decision to one channel.
    DeliveryId "dlv";
}
