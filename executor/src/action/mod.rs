//! What is to be written because of a decision. Pure: the decision, what is there now, the configuration.

mod auto_tag;
mod enforce_policy;
mod protect;

use elava_schemas::config::{Protection, Tagging};
use elava_schemas::{Action, Decision, Provider, Tags, blessed};

use crate::reality::is_writable;
use crate::{Part, Reality, Step};

/// What is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// This.
    Write(Step),
    /// Nothing.
    Skip {
        /// Why, for a person.
        reason: String,
        /// What was found.
        found: Option<Part>,
    },
}

impl Plan {
    fn skip(reason: impl Into<String>) -> Self {
        Self::Skip { reason: reason.into(), found: None }
    }

    fn moved_on(what: &str, found: Part) -> Self {
        Self::Skip { reason: format!("reality has moved on: {what}"), found: Some(found) }
    }

    /// The way to `wanted`, unless that is how it is.
    fn towards(wanted: Part, reality: &Reality) -> Self {
        let step = Step::to(wanted, reality);
        if step.before == step.after {
            return Self::Skip { reason: "it is as wanted already".to_owned(), found: Some(step.before) };
        }
        Self::Write(step)
    }
}

/// What is to be written because of `decision`, where `reality` is what is there; `None` where nothing is.
#[must_use]
pub fn plan(decision: &Decision, reality: Option<&Reality>, tagging: &Tagging, protection: &Protection) -> Plan {
    let Some(reality) = reality else { return Plan::skip("reality has moved on: it is gone") };
    if let Some(skip) = untouchable(decision.action, reality, protection) {
        return skip;
    }
    match decision.action {
        Action::AutoTag => auto_tag::plan(decision, reality, tagging),
        Action::EnforcePolicy => enforce_policy::plan(decision, reality),
        Action::Protect => protect::plan(reality),
        Action::Notify | Action::Alert | Action::Audit => Plan::skip("the decision does not act"),
    }
}

/// Why nothing is written whatever it would be.
pub(crate) fn untouchable(action: Action, reality: &Reality, protection: &Protection) -> Option<Plan> {
    let is_left_alone = protection.respect_blessed && action != Action::Protect && blessed(&reality.tags);
    is_left_alone.then(|| Plan::skip("it is blessed, and blessed resources are only ever protected"))
}

/// Whether the executor can carry it out at all; the reason where it cannot.
pub(crate) fn refusal(decision: &Decision) -> Option<String> {
    let key = &decision.resource_key;
    match () {
        () if key.provider != Provider::Aws => Some(format!("nothing can be written to {} yet", key.provider)),
        () if elava_observer::aws::kind(&key.kind).is_none() => Some(format!("unknown resource type {}", key.kind)),
        () => None,
    }
}

/// Whether a decision is one to act on.
pub(crate) fn acts(action: Action) -> bool {
    matches!(action, Action::AutoTag | Action::EnforcePolicy | Action::Protect)
}

/// Whether the tags of the resource's VPC are needed.
pub(crate) fn needs_vpc(decision: &Decision, tagging: &Tagging) -> bool {
    decision.action == Action::AutoTag && tagging.rules.values().any(|rule| rule.from_vpc)
}

/// Tags from a decision's metadata, without the cloud's own.
fn tags_of(decision: &Decision, name: &str) -> Option<Tags> {
    let mut tags: Tags = serde_json::from_value(decision.metadata.get(name)?.clone()).ok()?;
    tags.retain(|tag, _| is_writable(tag));
    Some(tags)
}
