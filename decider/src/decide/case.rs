//! One input, or a moment, being decided: what was open before, and what came of it.

use chrono::TimeDelta;
use elava_schemas::config::{Config, Duration, EnforcementMode};
use elava_schemas::{
    Action, Decision, DecisionId, DecisionState, FindingId, ResourceKey, ResourceLabel, ScanId, Severity, Timestamp,
    Trigger,
};
use serde_json::{Map, Value};

use super::telling::{as_told, is_acting, opened, telling, telling_of};
use super::text;
use crate::exceptions::{Exceptions, Facts};
use crate::finding::{About, Cause, Entry, Finding, Origin, Past, Quiet, fingerprint};

/// More about a decision's cause.
pub(super) type Metadata = Map<String, Value>;

/// Who has said that nobody is told.
const DENIED_BY: &str = "denied_by";
/// How often an exception has begun to cover a finding.
const TIMES: &str = "times";
/// When an alarm was last over that the same scan has led to again.
pub(super) const LAST_OVER: &str = "last_over";
/// What of the metadata tells decisions apart that are otherwise the same.
const WHICH: [&str; 4] = ["reminder", TIMES, DENIED_BY, LAST_OVER];

/// What is decided by, besides the input.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// What is accepted for a while.
    pub exceptions: &'a Exceptions,
    /// When the input arrived; or what time it is.
    pub now: Timestamp,
}

/// Whether the resource is blessed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Blessing {
    Blessed,
    None,
}

/// The scan that an input came of.
#[derive(Clone, Copy)]
pub(super) struct Scan<'a> {
    pub(super) id: &'a ScanId,
    /// How many resources its scope had.
    pub(super) resources: Option<u64>,
}

/// One input being decided.
pub(super) struct Case<'a> {
    pub(super) context: &'a Context<'a>,
    /// The id of the input.
    pub(super) id: &'a str,
    pub(super) at: Timestamp,
    pub(super) key: &'a ResourceKey,
    pub(super) label: ResourceLabel,
    pub(super) blessing: Blessing,
    /// Not in a first look, in which everything is new.
    pub(super) scan: Option<Scan<'a>>,
    /// Why policies were evaluated.
    pub(super) trigger: Trigger,
    pub(super) findings: Vec<Finding>,
    pub(super) past: Vec<Past>,
    pub(super) decisions: Vec<Decision>,
}

/// A finding as this input shows it.
pub(super) struct Raise<'a> {
    pub(super) cause: Cause,
    pub(super) policy: Option<&'a str>,
    pub(super) rule: Option<&'a str>,
    pub(super) severity: Severity,
    pub(super) action: Action,
    pub(super) message: String,
    pub(super) metadata: Metadata,
    pub(super) origin: Option<Origin>,
    /// How long it may be over by itself before anybody is told.
    pub(super) grace: Option<Duration>,
}

impl<'a> Case<'a> {
    /// An input that is of no scan, about a resource of which no more is known than its key.
    pub(super) fn new(
        context: &'a Context<'a>,
        (id, at): (&'a str, Timestamp),
        key: &'a ResourceKey,
        before: &Entry,
    ) -> Self {
        Self {
            context,
            id,
            at,
            key,
            label: ResourceLabel::default(),
            blessing: Blessing::None,
            scan: None,
            trigger: Trigger::Change,
            findings: before.findings.clone(),
            past: before.past.clone(),
            decisions: Vec::new(),
        }
    }

    pub(super) fn config(&self) -> &'a Config {
        self.context.config
    }

    /// What came of it: decisions, and what is kept.
    pub(super) fn finish(self, before: &Entry) -> (Vec<Decision>, Entry) {
        let about = About { key: self.key.clone(), label: self.label };
        let (findings, past) = (self.findings, self.past);
        let last = before.last.clone();
        (self.decisions, Entry { sequence: before.sequence, last, about: Some(about), findings, past })
    }

    /// Opens a finding, or changes the open one. What this very input has already led to is not said again.
    pub(super) fn raise(&mut self, raise: Raise) {
        let fingerprint = fingerprint(self.key, raise.cause, raise.policy, raise.rule);
        match self.position(&fingerprint) {
            None => self.open(fingerprint, raise),
            Some(index) if self.findings[index].caused_by == self.id => {}
            Some(index) => self.change(index, raise),
        }
    }

    fn open(&mut self, fingerprint: FindingId, raise: Raise) {
        let config = self.config();
        let lasts = matches!(raise.cause, Cause::TagDrift | Cause::CostIncrease);
        let reopened = self.past.iter().any(|past| past.fingerprint == fingerprint);
        let mut finding = Finding {
            fingerprint,
            cause: raise.cause,
            policy: raise.policy.map(str::to_owned),
            rule: raise.rule.map(str::to_owned),
            severity: raise.severity,
            message: raise.message,
            action: self.permitted(raise.action),
            opened_at: self.at,
            caused_by: self.id.to_owned(),
            seen_at: Some(self.at),
            origin: raise.origin,
            told: false,
            quiet: None,
            reopened,
            grace_until: raise.grace.filter(|grace| !grace.get().is_zero()).map(|grace| self.at + delta(grace)),
            released: false,
            scan: self.scan.map(|scan| scan.id.clone()),
            remind_at: None,
            reminders: 0,
            suppressions: 0,
            expires_at: lasts.then(|| self.context.now + delta(config.behavior.expire_after)),
            metadata: raise.metadata,
        };
        self.moved(&finding);
        match self.quiet(&finding) {
            Some(quiet) => self.hush(&mut finding, quiet),
            None => self.tell(&mut finding),
        }
        self.findings.push(finding);
    }

    fn change(&mut self, index: usize, raise: Raise) {
        let permitted = self.permitted(raise.action);
        let mut finding = self.findings.remove(index);
        // Whoever was told of a finding is also told that it has become milder.
        let was_told = finding.told && finding.action != Action::Audit;
        finding.severity = raise.severity;
        finding.message = raise.message;
        finding.metadata = raise.metadata;
        finding.action = if was_told && permitted == Action::Audit { Action::Notify } else { permitted };
        self.id.clone_into(&mut finding.caused_by);
        finding.seen_at = Some(self.at);
        if finding.quiet.is_none() {
            self.decide(&finding, DecisionState::Changed, finding.action, Metadata::new());
            self.remind(&mut finding);
        }
        self.findings.insert(index, finding);
    }

    /// Why nobody is to be told of a new finding yet.
    fn quiet(&self, finding: &Finding) -> Option<Quiet> {
        if let Some(quiet) = self.excused(finding) {
            return Some(quiet);
        }
        if self.past.iter().any(|past| past.fingerprint == finding.fingerprint && past.flapping.is_some()) {
            return Some(Quiet::Flapping);
        }
        let breaker = &self.config().behavior.breaker;
        match self.scan.filter(|_| breaker.enabled && finding.action != Action::Audit) {
            Some(scan) => {
                Some(Quiet::Settling { until: self.context.now + delta(breaker.settle), resources: scan.resources })
            }
            None => finding.grace_until.map(|until| Quiet::Grace { until }),
        }
    }

    /// The exception that covers a finding now.
    pub(super) fn excused(&self, finding: &Finding) -> Option<Quiet> {
        let facts = Facts {
            key: self.key,
            tags: self.label.tags.as_ref(),
            cause: finding.cause,
            policy: finding.policy.as_deref(),
            rule: finding.rule.as_deref(),
        };
        let exception = self.context.exceptions.covering(&facts, self.context.now)?;
        let warn_at = Some(exception.warn_at()).filter(|at| *at > self.context.now);
        Some(Quiet::Suppressed { exception: exception.id.clone(), until: exception.expires, warn_at })
    }

    /// Notes why nobody is told.
    pub(super) fn hush(&mut self, finding: &mut Finding, quiet: Quiet) {
        self.decided_at(finding);
        finding.remind_at = None;
        let note = |name: &str, value: Value| Metadata::from_iter([(name.to_owned(), value)]);
        match &quiet {
            Quiet::Suppressed { exception, until, .. } => {
                finding.suppressions += 1;
                let mut note = note("exception", exception.as_str().into());
                note.insert("exception_until".to_owned(), until.format("%Y-%m-%d").to_string().into());
                note.extend(again(finding));
                self.decide(finding, DecisionState::Suppressed, as_told(finding), note);
            }
            Quiet::Grace { until } => {
                self.decide(finding, DecisionState::New, Action::Audit, Metadata::new());
                self.decisions.last_mut().expect("decided above").not_before = Some(*until);
            }
            Quiet::Flapping => {
                let note = note("flapping", true.into());
                self.decide(finding, opened(finding), Action::Audit, note);
            }
            // said once it is known how many there are
            Quiet::Settling { .. } => {}
            Quiet::Held { breaker } => {
                let note = note("breaker", breaker.as_str().into());
                self.decide(finding, opened(finding), Action::Audit, note);
            }
            Quiet::Denied { breaker, by, reason } => {
                let mut note = note("breaker", breaker.as_str().into());
                note.insert(DENIED_BY.to_owned(), by.as_str().into());
                note.extend(reason.iter().map(|reason| ("denied_because".to_owned(), reason.as_str().into())));
                self.decide(finding, opened(finding), Action::Audit, note);
            }
        }
        finding.quiet = Some(quiet);
    }

    /// Tells people of an open finding.
    pub(super) fn tell(&mut self, finding: &mut Finding) {
        self.tell_as(finding, opened(finding), Metadata::new());
    }

    /// Tells people of an open finding, in so many words.
    pub(super) fn tell_as(&mut self, finding: &mut Finding, state: DecisionState, note: Metadata) {
        self.decided_at(finding);
        finding.quiet = None;
        finding.told = finding.action != Action::Audit;
        self.decide(finding, state, finding.action, note);
        self.remind(finding);
        self.protect_rest(finding, state);
    }

    /// What remains of a blessed resource that is gone is protected.
    fn protect_rest(&mut self, finding: &Finding, state: DecisionState) {
        let config = self.config();
        let is_guarded = self.blessing == Blessing::Blessed && config.actions.protection.respect_blessed;
        if finding.cause != Cause::Disappeared || !is_guarded || !config.policies.auto_remediate.blessed_protection {
            return;
        }
        let what = (finding.fingerprint.clone(), state, Action::Protect);
        let message = "Protect what remains of a blessed resource";
        self.push(what, &finding.caused_by, finding.severity, message, finding.metadata.clone());
    }

    /// Whenever it is that a finding which has waited is decided on: the time is that for which it has waited, or that of
    /// its input, so that it is the same each time.
    fn decided_at(&mut self, finding: &Finding) {
        match finding.quiet {
            Some(Quiet::Settling { .. }) => self.at = finding.seen_at.unwrap_or(self.at),
            Some(Quiet::Grace { until }) => self.at = until,
            _ => {}
        }
    }

    /// Sets when people are reminded next.
    pub(super) fn remind(&self, finding: &mut Finding) {
        let after = self.config().behavior.remind_after.of(finding.severity).filter(|_| finding.told);
        finding.remind_at = after.map(|after| self.context.now + delta(after));
    }

    /// Decides on an event that has no life of its own: no finding is kept. `None` is `off`.
    pub(super) fn record(&mut self, cause: Cause, severity: Option<Severity>, message: String, metadata: Metadata) {
        let fingerprint = fingerprint(self.key, cause, None, None);
        let action = severity.map_or(Action::Audit, telling);
        let severity = severity.unwrap_or(Severity::Info);
        self.push((fingerprint, DecisionState::New, action), self.id, severity, &message, metadata);
    }

    /// Ends one finding and tells it as the finding was told.
    pub(super) fn resolve(&mut self, finding: Finding, message: String) {
        let action = telling_of(&finding);
        self.resolve_as(finding, action, message);
    }

    /// Ends one finding.
    pub(super) fn resolve_as(&mut self, finding: Finding, action: Action, message: String) {
        self.ended(&finding);
        let action = match finding.quiet {
            // nothing was ever said of it
            Some(Quiet::Settling { .. }) if !finding.told => return,
            Some(Quiet::Flapping) => Action::Audit,
            _ if finding.told => action,
            _ => Action::Audit,
        };
        let mut metadata = finding_metadata(finding.cause, finding.policy.as_deref(), finding.rule.as_deref());
        metadata.extend(finding.metadata.get(LAST_OVER).map(|over| (LAST_OVER.to_owned(), over.clone())));
        let what = (finding.fingerprint, DecisionState::Resolved, action);
        self.push(what, self.id, finding.severity, &message, metadata);
    }

    /// Takes the open finding of a cause out, if it is over.
    pub(super) fn take(&mut self, cause: Cause, is_over: impl Fn(&Finding) -> bool) -> Option<Finding> {
        let index = self.findings.iter().position(|finding| finding.cause == cause && is_over(finding))?;
        Some(self.findings.remove(index))
    }

    /// The open finding with this fingerprint.
    pub(super) fn position(&self, fingerprint: &FindingId) -> Option<usize> {
        self.findings.iter().position(|finding| finding.fingerprint == *fingerprint)
    }

    /// Adds one decision about a finding.
    pub(super) fn decide(&mut self, finding: &Finding, state: DecisionState, action: Action, note: Metadata) {
        let mut metadata = finding.metadata.clone();
        metadata.extend(note);
        let what = (finding.fingerprint.clone(), state, action);
        self.push(what, &finding.caused_by, finding.severity, &finding.message, metadata);
    }

    /// Adds one decision; its reason is the message and the resource. Action is part of its id, since one transition can ask for two.
    pub(super) fn push(
        &mut self,
        (finding, state, action): (FindingId, DecisionState, Action),
        cause: &str,
        severity: Severity,
        message: &str,
        mut metadata: Metadata,
    ) {
        let acting = is_acting(action);
        let config = self.config();
        if acting && config.policies.enforcement_mode == EnforcementMode::DryRun {
            metadata.insert("dry_run".to_owned(), true.into());
        }
        if self.blessing == Blessing::Blessed {
            metadata.insert("blessed".to_owned(), true.into());
        }
        if self.trigger != Trigger::Change {
            metadata.insert("trigger".to_owned(), self.trigger.as_str().into());
        }
        let requires_approval = acting && config.behavior.require_approval;
        let which: Vec<String> = WHICH.iter().filter_map(|name| metadata.get(*name)).map(Value::to_string).collect();
        let mut parts = vec![finding.as_str(), state.as_str(), action.as_str(), cause];
        parts.extend(which.iter().map(String::as_str));
        self.decisions.push(Decision {
            id: DecisionId::of(&parts),
            action,
            resource_key: self.key.clone(),
            resource: self.label.clone(),
            severity,
            reason: format!("{message}: {}", text::resource(self.key, &self.label)),
            finding,
            state,
            caused_by: vec![cause.to_owned()],
            requires_approval,
            not_before: None,
            approve_by: requires_approval.then(|| self.approve_by()),
            decided_at: self.at,
            metadata,
        });
    }

    /// Until when it can be approved; where that time is over already, because the input comes late, from now on.
    fn approve_by(&self) -> Timestamp {
        let expires = delta(self.config().behavior.approval_expires);
        let in_time = self.at + expires;
        if in_time > self.context.now { in_time } else { self.context.now + expires }
    }

    /// Whether drifted tags are restored rather than told of. A dry run says so, and writes nothing.
    pub(super) fn remediates_tags(&self) -> bool {
        self.config().policies.auto_remediate.tag_violations
            && self.config().policies.enforcement_mode != EnforcementMode::Notify
            && self.permitted(Action::EnforcePolicy) == Action::EnforcePolicy
    }

    /// Blessed resources are never written to, except to protect them.
    fn permitted(&self, action: Action) -> Action {
        let guarded = self.blessing == Blessing::Blessed && self.config().actions.protection.respect_blessed;
        match action {
            Action::EnforcePolicy | Action::AutoTag if guarded => Action::Notify,
            other => other,
        }
    }
}

/// The how manieth time an exception covers a finding, or has ended, from the second on.
pub(super) fn again(finding: &Finding) -> Option<(String, Value)> {
    (finding.suppressions > 1).then(|| (TIMES.to_owned(), finding.suppressions.into()))
}

/// Notes by which settings something is decided.
pub(super) fn because(metadata: &mut Metadata, settings: &[&str]) {
    let why = metadata.entry("why").or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(why) = why {
        why.extend(settings.iter().map(|setting| Value::from(*setting)));
    }
}

/// What every decision says of its cause.
pub(super) fn finding_metadata(cause: Cause, policy: Option<&str>, rule: Option<&str>) -> Metadata {
    let named = [("cause", Some(cause.as_str())), ("policy", policy), ("rule", rule)];
    named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
}

/// A configured length of time, for calculating; one that no calendar holds is a thousand years.
pub(crate) fn delta(duration: Duration) -> TimeDelta {
    const LONGEST: TimeDelta = TimeDelta::days(365_000);
    TimeDelta::from_std(duration.get()).map_or(LONGEST, |delta| delta.min(LONGEST))
}
