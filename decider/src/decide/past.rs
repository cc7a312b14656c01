//! Findings that were over not long ago: what comes and goes too often is a finding of its own.

use elava_schemas::{DecisionState, Timestamp};

use super::case::{Case, delta, finding_metadata};
use super::telling::telling;
use crate::finding::{Cause, Finding, Past, Quiet, flapping_of};

impl Case<'_> {
    /// A finding ends: from now on it has a past.
    pub(super) fn ended(&mut self, finding: &Finding) {
        if !self.past.iter().any(|past| past.fingerprint == finding.fingerprint) {
            let transitions = vec![finding.opened_at];
            self.past.push(Past { fingerprint: finding.fingerprint.clone(), transitions, flapping: None });
        }
        self.moved(finding);
    }

    /// A finding with a past opens or ends: too often, and that is a finding of its own.
    pub(super) fn moved(&mut self, finding: &Finding) {
        let limit = self.config().behavior.flapping;
        let Some(past) = self.past.iter_mut().find(|past| past.fingerprint == finding.fingerprint) else { return };
        // when it arrived: what is forgotten is measured by the same clock
        past.transitions.push(self.context.now);
        let kept = limit.transitions as usize + 1;
        let surplus = past.transitions.len().saturating_sub(kept);
        past.transitions.drain(..surplus);
        let is_often = past.transitions.len() == kept && past.transitions[0] + delta(limit.within) > self.context.now;
        // what holds others back is told each time
        if !is_often || past.flapping.is_some() || finding.cause == Cause::Breaker {
            return;
        }
        past.flapping = Some(finding.severity);
        let what = (flapping_of(&finding.fingerprint), DecisionState::New, telling(finding.severity));
        let message = format!("Comes and goes, {kept} times within {}: {}", limit.within, finding.message);
        let mut metadata = finding_metadata(Cause::Flapping, finding.policy.as_deref(), finding.rule.as_deref());
        metadata.insert("finding".to_owned(), finding.fingerprint.as_str().into());
        self.push(what, self.id, finding.severity, &message, metadata);
    }
}

/// What has come and gone, and was quiet for long enough.
pub(super) fn quiet_again(case: &mut Case) {
    let within = delta(case.config().behavior.flapping.within);
    let now = case.context.now;
    let over = |past: &Past| past.transitions.last().is_none_or(|last| *last + within <= now);
    let (over, kept): (Vec<Past>, Vec<Past>) = std::mem::take(&mut case.past).into_iter().partition(over);
    case.past = kept;
    for past in over {
        let Some(severity) = past.flapping else { continue };
        let open = case.position(&past.fingerprint);
        let now = if open.is_some() { "open" } else { "over" };
        let message = format!("Has not come or gone for {}, and is {now}", case.config().behavior.flapping.within);
        let last = past.transitions.last().map(Timestamp::to_rfc3339).unwrap_or_default();
        let what = (flapping_of(&past.fingerprint), DecisionState::Resolved, telling(severity));
        let metadata = finding_metadata(Cause::Flapping, None, None);
        case.push(what, &last, severity, &message, metadata);
        if let Some(index) = open {
            let mut finding = case.findings.remove(index);
            if finding.quiet == Some(Quiet::Flapping) {
                case.tell(&mut finding);
            }
            case.findings.insert(index, finding);
        }
    }
}
