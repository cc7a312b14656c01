//! What people said of decisions. Pure.

use std::collections::HashMap;

use bytes::Bytes;
use chrono::TimeDelta;
use elava_bus::StateChange;
use elava_schemas::{Approval, DecisionId, IdHasher, Timestamp, Verdict};
use serde::{Deserialize, Serialize};

/// Longer than a decision is remembered: nothing can follow from an older word.
const REMEMBERED: TimeDelta = TimeDelta::days(31);
/// Where the keys of the state begin.
pub(crate) const PREFIX: &str = "word.";

/// What was said of one decision. An approval may be there before its decision is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Word {
    decision: DecisionId,
    /// Approved or denied, the later of the two.
    pub(crate) verdict: Option<Said>,
    /// What was done is to be taken back.
    pub(crate) undo: Option<Said>,
}

/// One saying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) verdict: Verdict,
    pub(crate) by: String,
    pub(crate) reason: Option<String>,
    /// When it was stored.
    pub(crate) at: Timestamp,
}

/// Everything that was said lately.
#[derive(Debug, Default)]
pub(crate) struct Words {
    words: HashMap<DecisionId, Word>,
    swept: Option<Timestamp>,
}

impl Words {
    pub(crate) fn of(&self, decision: &DecisionId) -> Option<&Word> {
        self.words.get(decision)
    }

    /// Takes one in, as it was stored `at`; whether that changes anything. Given again it changes nothing.
    pub(crate) fn hear(&mut self, approval: Approval, at: Timestamp) -> Option<StateChange> {
        let id = approval.decision_id.clone();
        let word = Word { decision: id.clone(), verdict: None, undo: None };
        let word = self.words.entry(id.clone()).or_insert(word);
        let Approval { by, verdict, reason, .. } = approval;
        let place = if verdict == Verdict::Undo { &mut word.undo } else { &mut word.verdict };
        let is_known = place.as_ref().is_some_and(|said| match verdict {
            // asked again after it could not be taken back
            Verdict::Undo => said.at >= at,
            // the first one counts, which was given in time
            Verdict::Approved | Verdict::Denied => said.verdict == verdict || said.at >= at,
        });
        if is_known {
            return None;
        }
        *place = Some(Said { verdict, by, reason, at });
        Some(self.change(&id))
    }

    /// Forgets what is too old to matter, seen from `now`.
    pub(crate) fn sweep(&mut self, now: Timestamp) -> Vec<StateChange> {
        if self.swept.is_some_and(|swept| now - swept < TimeDelta::hours(1)) {
            return Vec::new();
        }
        self.swept = Some(now);
        let is_old = |word: &&Word| word.verdict.iter().chain(&word.undo).all(|said| now - said.at > REMEMBERED);
        let mut old: Vec<DecisionId> = self.words.values().filter(is_old).map(|word| word.decision.clone()).collect();
        old.sort_unstable();
        old.iter().for_each(|id| drop(self.words.remove(id)));
        old.iter().map(|id| self.change(id)).collect()
    }

    /// Reads one entry of the state.
    pub(crate) fn restore(&mut self, value: &[u8]) -> serde_json::Result<()> {
        let word: Word = serde_json::from_slice(value)?;
        self.words.insert(word.decision.clone(), word);
        Ok(())
    }

    fn change(&self, id: &DecisionId) -> StateChange {
        let value = self.words.get(id).map(|word| serde_json::to_vec(word).expect("a word serialises"));
        StateChange { key: key(PREFIX, id), value: value.map(Bytes::from) }
    }
}

/// The key of what is kept of a decision, whose id may hold anything.
pub(crate) fn key(prefix: &str, id: &DecisionId) -> String {
    format!("{prefix}{}", IdHasher::new("executor").part(id.as_str()).hex())
}
