//! One decision on its way to being carried out. Pure: times, words and what is there are arguments.

use elava_schemas::config::{EnforcementMode, Protection, Tagging};
use elava_schemas::{Decision, Execution, ExecutionId, ExecutionOutcome, Timestamp, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::{self, Plan};
use crate::words::Word;
use crate::{Part, Reality, Standing, Step};

/// How the reason begins for which something was not taken back. It can be asked for again then.
const NOT_UNDONE: &str = "not undone";
const DRY_RUN: &str = "dry run: nothing is written";

/// What holds for all decisions.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) mode: EnforcementMode,
    pub(crate) tagging: Tagging,
    pub(crate) protection: Protection,
    pub(crate) max_per_hour: u32,
}

/// A decision that acts, and how far it has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Its place among the others.
    pub(crate) number: u64,
    pub(crate) decision: Decision,
    pub(crate) phase: Phase,
    /// When its writes were begun, for the limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) begun: Vec<Timestamp>,
    /// The last undo that was seen to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undo_seen: Option<Timestamp>,
    /// When the last of it happened.
    pub(crate) touched: Timestamp,
    /// Records that are not told yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) untold: Vec<Execution>,
}

/// How far a decision has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// For approval, its time, its turn.
    Waiting,
    /// It is being written: that it may have been is known.
    Begun(Step),
    /// It is written, and can be taken back.
    Executed(Step),
    /// It is being taken back, as was asked then.
    Undoing(Step, Timestamp),
    /// Nothing more follows from it.
    Over,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Tell what is untold.
    Tell,
    /// Nothing is to be done, for this reason.
    Skip(String),
    /// Find out what is to be written.
    Plan,
    /// Find out what is to be taken back, as was asked then.
    PlanUndo(Timestamp),
    /// Write it, or see that it is written.
    Write,
}

impl Job {
    pub(crate) fn new(number: u64, decision: Decision, now: Timestamp) -> Self {
        let untold = Vec::new();
        Self { number, decision, phase: Phase::Waiting, begun: Vec::new(), undo_seen: None, touched: now, untold }
    }

    /// What is to be done, and from when on. `free` is when the account's next write may begin.
    pub(crate) fn turn(&self, word: Option<&Word>, rules: &Rules, free: Timestamp) -> Option<(Timestamp, Turn)> {
        let at_once = Timestamp::default();
        if !self.untold.is_empty() {
            return Some((at_once, Turn::Tell));
        }
        match &self.phase {
            Phase::Begun(_) | Phase::Undoing(..) => Some((at_once, Turn::Write)),
            Phase::Over => None,
            Phase::Executed(_) => {
                let asked = word?.undo.as_ref()?.at;
                self.undo_seen.is_none_or(|seen| asked > seen).then_some((free, Turn::PlanUndo(asked)))
            }
            Phase::Waiting => self.waiting(word, rules, free),
        }
    }

    fn waiting(&self, word: Option<&Word>, rules: &Rules, free: Timestamp) -> Option<(Timestamp, Turn)> {
        let at_once = Timestamp::default();
        if let Some(reason) = action::refusal(&self.decision) {
            return Some((at_once, Turn::Skip(reason)));
        }
        let not_before = self.decision.not_before.unwrap_or(at_once);
        let said = word.and_then(|word| word.verdict.as_ref());
        match said {
            Some(said) if said.verdict == Verdict::Denied => {
                let reason = said.reason.iter().map(|reason| format!(": {reason}")).collect::<String>();
                Some((at_once, Turn::Skip(format!("denied by {}{reason}", said.by))))
            }
            // what is not written needs no approval
            _ if self.is_dry_run(rules) => Some((not_before, Turn::Plan)),
            _ if !self.decision.requires_approval => Some((not_before.max(free), Turn::Plan)),
            Some(said) if self.decision.approve_by.is_none_or(|until| said.at <= until) => {
                Some((not_before.max(free), Turn::Plan))
            }
            _ => Some((self.decision.approve_by?, Turn::Skip("approval expired".to_owned()))),
        }
    }

    fn is_dry_run(&self, rules: &Rules) -> bool {
        let flag = self.decision.metadata.get("dry_run").and_then(Value::as_bool);
        rules.mode == EnforcementMode::DryRun || flag.unwrap_or(false)
    }

    /// Nothing is done.
    pub(crate) fn skip(&mut self, reason: String, found: Option<&Part>, now: Timestamp) {
        self.phase = Phase::Over;
        self.tell(ExecutionOutcome::Skipped, found, None, Some(reason), now);
    }

    /// What is there is known: what is to be written is decided, and told before it is.
    pub(crate) fn plan(&mut self, reality: Option<&Reality>, rules: &Rules, now: Timestamp) {
        match action::plan(&self.decision, reality, &rules.tagging, &rules.protection) {
            Plan::Skip { reason, found } => self.skip(reason, found.as_ref(), now),
            Plan::Write(step) if self.is_dry_run(rules) => {
                self.phase = Phase::Over;
                self.would(&step, DRY_RUN.to_owned(), now);
            }
            Plan::Write(step) => {
                self.tell(ExecutionOutcome::Executing, Some(&step.before), Some(&step.after), None, now);
                self.begin(Phase::Begun(step), now);
            }
        }
    }

    /// The same for taking back what was written.
    pub(crate) fn plan_undo(&mut self, reality: Option<&Reality>, asked: Timestamp, rules: &Rules, now: Timestamp) {
        let Phase::Executed(done) = &self.phase else { return };
        let step = done.reversed();
        self.undo_seen = Some(asked);
        let Some(reality) = reality else {
            return self.keep("it is gone".to_owned(), None, now);
        };
        let found = step.after.now(reality);
        if let Some(Plan::Skip { reason, .. }) = action::untouchable(self.decision.action, reality, &rules.protection) {
            return self.keep(reason, Some(&found), now);
        }
        match step.standing(reality) {
            Standing::Done => self.keep("it is as before already".to_owned(), Some(&found), now),
            Standing::Elsewhere => self.keep("somebody has changed it since".to_owned(), Some(&found), now),
            Standing::Open if rules.mode == EnforcementMode::DryRun => {
                self.would(&step, format!("{NOT_UNDONE}: {DRY_RUN}"), now);
            }
            Standing::Open => {
                self.tell(ExecutionOutcome::Executing, Some(&found), Some(&step.after), None, now);
                self.begin(Phase::Undoing(step, asked), now);
            }
        }
    }

    /// What is being written.
    pub(crate) fn step(&self) -> Option<&Step> {
        match &self.phase {
            Phase::Begun(step) | Phase::Undoing(step, _) => Some(step),
            Phase::Waiting | Phase::Executed(_) | Phase::Over => None,
        }
    }

    /// What is there is known, while it is being written; whether there is more to be written.
    pub(crate) fn settle(&mut self, reality: Option<&Reality>, now: Timestamp) -> bool {
        let Some(step) = self.step().cloned() else { return false };
        let standing = reality.map_or(Standing::Elsewhere, |reality| step.standing(reality));
        let found = reality.map(|reality| step.after.now(reality));
        match standing {
            Standing::Open => return true,
            Standing::Done => {
                let outcome = match self.phase {
                    Phase::Undoing(..) => ExecutionOutcome::Undone,
                    _ => ExecutionOutcome::Executed,
                };
                self.tell(outcome, Some(&step.before), found.as_ref(), None, now);
                self.phase = if outcome == ExecutionOutcome::Undone { Phase::Over } else { Phase::Executed(step) };
            }
            Standing::Elsewhere => {
                let what = if found.is_some() { "somebody else has written it" } else { "it is gone" };
                self.end(ExecutionOutcome::Skipped, found.as_ref(), format!("reality has moved on: {what}"), now);
            }
        }
        false
    }

    /// The cloud refuses.
    pub(crate) fn fail(&mut self, turn: &Turn, found: Option<&Part>, error: String, now: Timestamp) {
        if let Turn::PlanUndo(asked) = turn {
            self.undo_seen = Some(*asked);
        }
        self.end(ExecutionOutcome::Failed, found, error, now);
    }

    /// It was not written. What was to be taken back still can be, once somebody asks again.
    fn end(&mut self, outcome: ExecutionOutcome, found: Option<&Part>, error: String, now: Timestamp) {
        let before = self.step().map(|step| step.before.clone());
        let is_undo = matches!(self.phase, Phase::Undoing(..) | Phase::Executed(_));
        let error = if is_undo { format!("{NOT_UNDONE}: {error}") } else { error };
        self.tell(outcome, before.as_ref(), found, Some(error), now);
        self.phase = match &self.phase {
            Phase::Undoing(step, _) => Phase::Executed(step.reversed()),
            Phase::Executed(step) => Phase::Executed(step.clone()),
            _ => Phase::Over,
        };
    }

    /// It is not taken back.
    fn keep(&mut self, reason: String, found: Option<&Part>, now: Timestamp) {
        self.tell(ExecutionOutcome::Skipped, found, None, Some(format!("{NOT_UNDONE}: {reason}")), now);
    }

    fn would(&mut self, step: &Step, reason: String, now: Timestamp) {
        self.tell(ExecutionOutcome::Skipped, Some(&step.before), Some(&step.after), Some(reason), now);
    }

    fn begin(&mut self, phase: Phase, now: Timestamp) {
        self.phase = phase;
        self.begun.push(now);
    }

    /// The id of a record is a hash of decision and outcome; what came of an undo, and of which, is part of that.
    fn tell(
        &mut self,
        outcome: ExecutionOutcome,
        before: Option<&Part>,
        after: Option<&Part>,
        error: Option<String>,
        now: Timestamp,
    ) {
        let decision = &self.decision;
        let asked = self.undo_seen.filter(|_| outcome != ExecutionOutcome::Undone).map(|at| at.to_rfc3339());
        let mut cause = vec![decision.id.as_str(), outcome.as_str()];
        cause.extend(asked.as_deref());
        self.untold.push(Execution {
            id: ExecutionId::of(&cause),
            decision_id: decision.id.clone(),
            resource_key: decision.resource_key.clone(),
            outcome,
            before: before.map(Part::to_json),
            after: after.map(Part::to_json),
            error,
            at: now,
        });
        self.touched = now;
    }
}
