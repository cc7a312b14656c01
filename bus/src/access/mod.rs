//! Who may do what on NATS: one user a stage, one for people, one for the operator.
//!
//! [`permissions`] is the table, made of the topology; [`files`] keeps the users' keys and writes what
//! the server includes.

mod files;
mod permissions;

pub use files::{AccessError, CONFIG, Key, Layout, write};
pub use permissions::{Grant, Permissions};

/// Who takes part, each with a user of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum User {
    /// Lists what exists.
    Observer,
    /// Keeps the history.
    Detector,
    /// Evaluates policies.
    Enforcer,
    /// Decides.
    Decider,
    /// Tells people.
    Notifier,
    /// Writes to the cloud.
    Executor,
    /// People, by the command line.
    Elava,
    /// Who operates the streams.
    Admin,
}

impl User {
    /// Every user.
    pub const ALL: [Self; 8] = [
        Self::Observer,
        Self::Detector,
        Self::Enforcer,
        Self::Decider,
        Self::Notifier,
        Self::Executor,
        Self::Elava,
        Self::Admin,
    ];

    /// Its name; of a stage, the stage's.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Observer => "observer",
            Self::Detector => "detector",
            Self::Enforcer => "enforcer",
            Self::Decider => "decider",
            Self::Notifier => "notifier",
            Self::Executor => "executor",
            Self::Elava => "elava",
            Self::Admin => "admin",
        }
    }
}

/// Where answers go.
pub(crate) const INBOX: &str = "_INBOX.";

/// Where answers to a user go; nobody else may listen there.
pub(crate) fn inbox(user: &str) -> String {
    format!("{INBOX}{user}")
}
