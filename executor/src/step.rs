//! One write, as the values before and after it. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Reality;

/// A part of what a resource is like: what one write is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Some of its tags; `None` where there is no such tag.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, Option<String>>,
    /// Whether it is protected from being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<bool>,
}

impl Part {
    /// The same part of what is there now.
    #[must_use]
    pub fn now(&self, reality: &Reality) -> Self {
        let tags = self.tags.keys().map(|tag| (tag.clone(), reality.tags.get(tag).cloned()));
        let deletion_protection = self.deletion_protection.and(reality.deletion_protection);
        Self { tags: tags.collect(), deletion_protection }
    }

    /// All tags.
    #[must_use]
    pub fn all_tags(reality: &Reality) -> Self {
        let tags = reality.tags.iter().map(|(tag, value)| (tag.clone(), Some(value.clone())));
        Self { tags: tags.collect(), deletion_protection: None }
    }

    /// As a record tells it.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("texts and booleans serialise")
    }
}

/// One write: the same part before and after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What was there.
    pub before: Part,
    /// What is to be there.
    pub after: Part,
}

/// How far a step has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not begun, or in part: everything is as before or as after it.
    Open,
    /// Everything is as after it.
    Done,
    /// Something is neither as before nor as after it: somebody else has written.
    Elsewhere,
}

impl Step {
    /// From what is there to what is to be there.
    #[must_use]
    pub fn to(after: Part, reality: &Reality) -> Self {
        Self { before: after.now(reality), after }
    }

    /// What takes it back.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self { before: self.after.clone(), after: self.before.clone() }
    }

    /// How far it has come, seen from what is there.
    #[must_use]
    pub fn standing(&self, reality: &Reality) -> Standing {
        let now = self.after.now(reality);
        let is_known = |(tag, value): (&String, &Option<String>)| {
            self.before.tags.get(tag) == Some(value) || self.after.tags.get(tag) == Some(value)
        };
        let protection = [self.before.deletion_protection, self.after.deletion_protection];
        match () {
            () if now == self.after => Standing::Done,
            () if now.tags.iter().all(is_known) && protection.contains(&now.deletion_protection) => Standing::Open,
            () => Standing::Elsewhere,
        }
    }

    /// What of it is still to be written.
    #[must_use]
    pub fn rest(&self, reality: &Reality) -> Part {
        let now = self.after.now(reality);
        let differs = |(tag, value): &(&String, &Option<String>)| now.tags.get(*tag) != Some(value);
        let tags = self.after.tags.iter().filter(differs).map(|(tag, value)| (tag.clone(), value.clone()));
        let protection = self.after.deletion_protection.filter(|wanted| now.deletion_protection != Some(*wanted));
        Part { tags: tags.collect(), deletion_protection: protection }
    }
}
