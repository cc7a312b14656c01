//! Who was told of a finding: the end of it is told to the same.

use std::collections::BTreeMap;

use elava_schemas::{Decision, DecisionId, DecisionState, FindingId, IdHasher, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{Member, Memory};
use crate::notice::ends;

/// Findings remembered of one source. What has no end (a resource has appeared) is forgotten when there are more.
const KEPT: usize = 50_000;

/// Who was told of a finding.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) finding: FindingId,
    /// The decision that came last.
    pub(crate) last: DecisionId,
    /// When that was decided.
    at: Timestamp,
    /// Whether it is over, and those who were told of it are about to hear so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    closed: bool,
    /// By channel.
    pub(crate) contacts: BTreeMap<String, Contact>,
}

/// What one channel was told.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Contact {
    /// Whether anything was; otherwise it is held for it.
    pub(crate) told: bool,
    /// Where the first message is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) thread: Option<String>,
}

/// The key of an entry. Hashed, since ids written by hand hold what a key must not.
pub(super) fn key(finding: &FindingId) -> String {
    format!("told.{}", IdHasher::new("told").part(finding.as_str()).hex())
}

/// The channels that were not told before.
fn fresh(channels: &[String], known: &BTreeMap<String, Contact>) -> Vec<(String, Contact)> {
    let fresh = channels.iter().filter(|channel| !known.contains_key(*channel));
    fresh.map(|channel| (channel.clone(), Contact::default())).collect()
}

impl Memory {
    /// What a channel was told of a finding.
    pub(crate) fn contact(&self, finding: &FindingId, channel: &str) -> Option<&Contact> {
        self.told.get(finding)?.contacts.get(channel)
    }

    /// Whether a channel was told of a finding.
    pub(crate) fn was_told(&self, finding: &FindingId, channel: &str) -> bool {
        self.contact(finding, channel).is_some_and(|contact| contact.told)
            || self.of(finding, channel).any(|member| member.receipt.is_some())
    }

    /// Where a channel was first told of a finding.
    pub(crate) fn thread(&self, finding: &FindingId, channel: &str) -> Option<String> {
        let noted = self.contact(finding, channel).and_then(|contact| contact.thread.clone());
        noted.or_else(|| self.of(finding, channel).find_map(|member| member.receipt.as_ref()?.thread.clone()))
    }

    /// The channels that were told of a finding, or are about to be; `None` where that is not known.
    pub(crate) fn told_of(&self, finding: &FindingId) -> Option<Vec<String>> {
        match self.told.get(finding) {
            Some(told) => Some(told.contacts.keys().cloned().collect()),
            None => self.is_complete.then(Vec::new),
        }
    }

    /// Whether other findings that a channel was told of in the same message are open.
    pub(crate) fn others_open(&self, finding: &FindingId, channel: &str, thread: &str) -> bool {
        let shares =
            |told: &&Told| told.contacts.get(channel).is_some_and(|contact| contact.thread.as_deref() == Some(thread));
        self.told.values().filter(|told| told.finding != *finding && !told.closed).any(|told| shares(&told))
    }

    /// Notes to whom a decision goes.
    pub(crate) fn note(&mut self, decision: &Decision, channels: &[String]) {
        let is_over = matches!(decision.state, DecisionState::Resolved | DecisionState::Expired);
        if (is_over || channels.is_empty()) && !self.told.contains_key(&decision.finding) {
            // Nothing to remember, unless nobody would know later that nobody was told.
            if is_over || self.is_complete {
                return;
            }
        }
        let told = self.told.entry(decision.finding.clone()).or_insert_with(|| Told {
            finding: decision.finding.clone(),
            last: decision.id.clone(),
            at: decision.decided_at,
            closed: false,
            contacts: BTreeMap::new(),
        });
        told.last = decision.id.clone();
        told.at = decision.decided_at;
        told.closed = is_over;
        if is_over {
            told.contacts.retain(|channel, _| channels.contains(channel));
        } else {
            told.contacts.extend(fresh(channels, &told.contacts));
        }
        self.changed.findings.insert(decision.finding.clone());
        if is_over && self.told.get(&decision.finding).is_some_and(|told| told.contacts.is_empty()) {
            self.told.remove(&decision.finding);
        }
        self.forget_oldest();
    }

    /// A channel hears no more of a finding.
    pub(crate) fn forget_contact(&mut self, finding: &FindingId, channel: &str) {
        let Some(told) = self.told.get_mut(finding) else { return };
        told.contacts.remove(channel);
        self.changed.findings.insert(finding.clone());
        if told.closed && told.contacts.is_empty() {
            self.told.remove(finding);
        }
    }

    /// Nobody hears of a finding any more.
    pub(crate) fn forget(&mut self, finding: &FindingId) {
        if self.told.remove(finding).is_some() {
            self.changed.findings.insert(finding.clone());
        }
    }

    /// Notes that a channel was told something.
    pub(super) fn note_told(&mut self, channel: &str, member: &Member) {
        let Some(told) = self.told.get_mut(&member.finding) else { return };
        let thread = member.receipt.as_ref().and_then(|receipt| receipt.thread.clone());
        // an exception may have ended meanwhile, and the finding been told again
        let is_last = told.closed || (member.state == DecisionState::Suppressed && told.last == member.id);
        if ends(member.state) && is_last {
            return self.forget_contact(&member.finding, channel);
        }
        let Some(contact) = told.contacts.get_mut(channel) else { return };
        if !contact.told || (contact.thread.is_none() && thread.is_some()) {
            contact.told = true;
            contact.thread = contact.thread.take().or(thread);
            self.changed.findings.insert(member.finding.clone());
        }
    }

    fn forget_oldest(&mut self) {
        if self.told.len() <= KEPT {
            return;
        }
        let mut by_age: Vec<(Timestamp, FindingId)> =
            self.told.values().map(|told| (told.at, told.finding.clone())).collect();
        by_age.sort_unstable();
        by_age.truncate(KEPT / 10);
        warn!(count = by_age.len(), "more is open than can be remembered; who was told of the oldest is forgotten");
        for (_, finding) in by_age {
            self.forget(&finding);
        }
        self.changed.format |= std::mem::take(&mut self.is_complete);
    }
}
