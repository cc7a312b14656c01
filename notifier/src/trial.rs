//! Trying a channel: a message that says it is one.

use elava_schemas::{
    Action, Decision, DecisionId, DecisionState, FindingId, Provider, ResourceKey, ResourceLabel, Severity, Timestamp,
    micros,
};

use crate::Notifier;
use crate::channel::{Context, Refusal};
use crate::notice::Notice;

/// Why a trial did not reach anybody.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The configuration names no such channel, or it is switched off.
    #[error("there is no channel `{name}` that is switched on; there are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The channel did not take it.
    #[error("{channel} did not take it: {error}")]
    Refused {
        /// The channel.
        channel: String,
        /// What it said; without secrets.
        error: String,
    },
}

impl Notifier {
    /// Sends a message that says it is a trial; returns what the channel answered.
    pub async fn test(&self, name: &str) -> Result<String, TrialError> {
        let Some(desk) = self.desks.iter().find(|desk| desk.name == name) else {
            let known: Vec<&str> = self.desks.iter().map(|desk| desk.name.as_str()).collect();
            return Err(TrialError::Unknown { name: name.to_owned(), known: known.join(", ") });
        };
        let decision = Decision { severity: desk.min_severity, ..example(chrono::Utc::now()) };
        let mut notice = Notice::of(&decision);
        if let Some(words) = &desk.words {
            words.apply(&mut notice);
        }
        let channel = desk.channel.place(&desk.name, decision.severity);
        match desk.channel.tell(&notice, &Context::default()).await {
            Ok(taken) => Ok(format!("{channel}: {}", taken.answer)),
            Err(Refusal::Later { error, .. } | Refusal::Never { error }) => Err(TrialError::Refused { channel, error }),
            Err(Refusal::Closed(error)) => Err(TrialError::Refused { channel, error: error.to_string() }),
        }
    }
}

/// A decision to try channels and templates on.
pub(crate) fn example(now: Timestamp) -> Decision {
    let id = now.timestamp_micros().to_string();
    let metadata = [
        ("cause", "violation"),
        ("policy", "day2.example"),
        ("rule", "trial"),
        ("suggestion", "Nothing to do: this is a trial of elava-notifier"),
    ];
    Decision {
        id: DecisionId::of(&["trial", &id]),
        action: Action::Notify,
        resource_key: ResourceKey {
            provider: Provider::Aws,
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            kind: "ec2:instance".to_owned(),
            id: "i-0123456789abcdef0".to_owned(),
        },
        resource: ResourceLabel { name: Some("trial".to_owned()), tags: None },
        severity: Severity::Info,
        reason: "This is a trial of a channel: nothing has happened".to_owned(),
        finding: FindingId::of(&["trial", &id]),
        state: DecisionState::New,
        caused_by: Vec::new(),
        requires_approval: false,
        not_before: None,
        approve_by: None,
        decided_at: micros(now),
        metadata: metadata.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect(),
    }
}
