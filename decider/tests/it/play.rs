//! Plays events in words, through the stage, with a clock of its own.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::TimeDelta;
use elava_bus::{Batch, Output, Page, Source, Stage, StateChange};
use elava_decider::Decider;
use elava_schemas::config::{Config, Duration};
use elava_schemas::{
    Action, Approval, ApprovalId, Baseline, ChangeId, ChangeType, Decision, DecisionId, Execution, ExecutionId,
    ExecutionOutcome, Message, ResultId, ScanId, Subject, Timestamp, Verdict,
};

use crate::given::{change, config, key, now, resource, result_with};

const FILE: &str = "exceptions.yaml";
/// The events that change the file.
const BEGIN: &str = "the exceptions begin";
const END: &str = "the exceptions end";

/// All required tags.
const COMPLETE: &str = "elava:managed=yes,elava:owner=me,environment=prod";

/// A decider, and what time it is.
pub(crate) struct Play {
    decider: Decider,
    now: Timestamp,
    sequence: u64,
    scans: u32,
    /// Everything decided so far.
    decided: Vec<Decision>,
    last: Vec<Message>,
    config: Config,
    /// What it would find again after a restart.
    stored: BTreeMap<String, Bytes>,
    /// The file of exceptions, and what is to be in it.
    folder: tempfile::TempDir,
    exceptions: String,
}

impl Play {
    /// With these settings; `exceptions` are a file of their own.
    pub(crate) fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (exceptions, settings): (Vec<&str>, Vec<&str>) =
            settings.split("<br>").partition(|line| line.starts_with("exceptions:"));
        let mut config: Config = config(&settings.join("\n"));
        config.policies.exceptions = Some(folder.path().join(FILE).display().to_string());
        Self {
            decider: Decider::new(config.clone()),
            now: "2026-01-01T00:00:00Z".parse().expect("a time"),
            sequence: 0,
            scans: 0,
            decided: Vec::new(),
            last: Vec::new(),
            config,
            stored: BTreeMap::new(),
            folder,
            exceptions: exceptions.join("\n"),
        }
    }

    /// Restarts it with these exceptions: what it looks for in the file every two seconds it finds at its start.
    fn restart(&mut self, exceptions: &str) {
        std::fs::write(self.folder.path().join(FILE), exceptions).expect("writes");
        self.decider = Decider::open(self.config.clone()).expect("exceptions");
        let stored = self.stored.clone().into_iter().collect();
        now(self.decider.resume(&Source::Pipe, None, stored)).expect("what was stored is read");
    }

    /// What the last of these events leads to.
    pub(crate) fn run(mut self, events: &str) -> Vec<String> {
        let mut before = 0;
        let exceptions = self.exceptions.clone();
        self.restart(if events.contains(BEGIN) { "" } else { &exceptions });
        for event in events.split(" ▸ ") {
            if let Some(time) = event.strip_prefix('+') {
                before = self.decided.len();
                let time: Duration = time.parse().expect("a duration");
                self.wait_until(self.now + TimeDelta::from_std(time.get()).expect("short"));
                continue;
            }
            self.wait_until(self.now + TimeDelta::minutes(1));
            before = self.decided.len();
            if event == BEGIN || event == END {
                self.restart(if event == BEGIN { &exceptions } else { "" });
                self.wait_until(self.now);
            } else {
                self.give(event);
            }
        }
        let mut lines: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for (place, decision) in self.decided[before..].iter().enumerate() {
            lines.entry(line(decision)).or_insert((place, 0)).1 += 1;
        }
        let mut lines: Vec<(usize, String)> = lines
            .into_iter()
            .map(|(line, (place, count))| (place, if count > 1 { format!("{count} × {line}") } else { line }))
            .collect();
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    fn wait_until(&mut self, until: Timestamp) {
        while let Some(due) = self.decider.due(&Source::Pipe).filter(|due| *due <= until) {
            self.now = self.now.max(due);
            let output = now(self.decider.tick(&Source::Pipe, self.now)).expect("deciding does not fail");
            self.take(output);
        }
        self.now = until;
    }

    fn give(&mut self, event: &str) {
        let messages = if event == "again" { self.last.clone() } else { self.messages(event) };
        self.last.clone_from(&messages);
        let page = |message: Message| {
            self.sequence += 1;
            Page {
                sequence: self.sequence,
                subject: "-".to_owned(),
                first_line: 1,
                received_at: self.now,
                body: message.to_line().into(),
            }
        };
        let pages = messages.into_iter().map(page).collect();
        let output = now(self.decider.handle(&Batch { source: Source::Pipe, pages })).expect("deciding does not fail");
        assert_eq!(output.rejected, []);
        self.take(output);
    }

    fn take(&mut self, output: Output) {
        for StateChange { key, value } in output.state {
            match value {
                Some(value) => self.stored.insert(key, value),
                None => self.stored.remove(&key),
            };
        }
        for emit in output.messages {
            let Ok(Message::Decision(decision)) = emit.message() else { panic!("not a decision") };
            self.decided.push(*decision);
        }
    }

    /// The inputs that an event stands for.
    fn messages(&mut self, event: &str) -> Vec<Message> {
        let (is_first, scanned) = match event.strip_prefix("first ") {
            Some(rest) if rest.starts_with("scan") => (true, rest),
            _ => (false, event),
        };
        let Some(scan) = scanned.strip_prefix("scan of ") else { return vec![self.message(event, 1)] };
        let (of, what) = scan.split_once(": ").expect("what was seen");
        let (size, region) = of.split_once(" in ").unwrap_or((of, "us-east-1"));
        let (count, what) = what.split_once(" × ").expect("how often");
        self.scans += 1;
        let id = ScanId::from(format!("scan-{}", self.scans));
        let number = |text: &str| text.parse::<u64>().expect("a number");
        let mut messages: Vec<Message> = (1..=number(count)).map(|resource| self.message(what, resource)).collect();
        for message in &mut messages {
            let (scan_id, size) = (Some(id.clone()), Some(number(size)));
            match message {
                Message::Change(change) => {
                    (change.scan_id, change.scope_resources) = (scan_id, size);
                    region.clone_into(&mut change.resource_key.region);
                }
                Message::PolicyResult(result) => {
                    region.clone_into(&mut result.resource_key.region);
                    (result.scan_id, result.scope_resources) = (scan_id, size);
                    result.baseline = Baseline::from(is_first);
                }
                other => panic!("{} is not scanned", other.kind()),
            }
        }
        messages
    }

    /// One input about one resource.
    fn message(&self, event: &str, number: u64) -> Message {
        let id = format!("db-{number}");
        let tags = |text: &str| {
            text.trim()
                .strip_prefix('[')
                .and_then(|text| text.strip_suffix(']'))
                .expect(event)
                .replace("complete", COMPLETE)
        };
        let of = |tags: &str, cost: Option<f64>| resource(&id, tags, cost);
        let costs = |text: &str| {
            let (before, after) = text.split_once(" → ").expect(event);
            [before, after].map(|cost| Some(cost.parse().expect("an amount")))
        };
        let mut message: Message = if let Some(text) = event.strip_prefix("appears ") {
            change(ChangeType::Appeared, None, Some(of(&tags(text), None))).into()
        } else if let Some(text) = event.strip_prefix("disappears ") {
            change(ChangeType::Disappeared, Some(of(&tags(text), None)), None).into()
        } else if let Some(text) = event.strip_prefix("first look ") {
            let mut first = change(ChangeType::Appeared, None, Some(of(&tags(text), None)));
            first.baseline = Baseline::Yes;
            first.into()
        } else if let Some(text) = event.strip_prefix("tags ") {
            let (before, after) = text.split_once(" → ").expect(event);
            change(ChangeType::TagDrift, Some(of(&tags(before), None)), Some(of(&tags(after), None))).into()
        } else if let Some(text) = event.strip_prefix("changes, costs ") {
            let [before, after] = costs(text);
            change(ChangeType::Modified, Some(of("", before)), Some(of("", after))).into()
        } else if let Some(text) = event.strip_prefix("costs ") {
            let [before, after] = costs(text);
            change(ChangeType::CostIncrease, Some(of("", before)), Some(of("", after))).into()
        } else if let Some(text) = event.strip_prefix("policies say") {
            let (tagged, text) = text.split_once(": ").expect(event);
            let tags = if tagged.is_empty() { String::new() } else { tags(tagged) };
            policies(&tags, text)
        } else if let Some(text) = event.strip_prefix("execution ") {
            execution(text)
        } else if let Some(by) = event.strip_suffix(" approves") {
            self.approval(by, Verdict::Approved)
        } else if let Some(by) = event.strip_suffix(" denies") {
            self.approval(by, Verdict::Denied)
        } else {
            panic!("no such event: {event}")
        };
        let at = self.now.to_rfc3339();
        match &mut message {
            Message::Change(change) => {
                (change.id, change.detected_at) = (ChangeId::of(&[change.id.as_str(), &id, &at]), self.now);
            }
            Message::PolicyResult(result) => {
                result.resource_key = key(&id);
                (result.id, result.evaluated_at) = (ResultId::of(&[result.id.as_str(), &id, &at]), self.now);
            }
            Message::Execution(execution) => {
                (execution.id, execution.at) = (ExecutionId::of(&[execution.id.as_str(), &at]), self.now);
            }
            _ => {}
        }
        message
    }

    /// Of the last decision.
    fn approval(&self, by: &str, verdict: Verdict) -> Message {
        let awaits = |decision: &&Decision| decision.requires_approval || decision.metadata.contains_key("breaker");
        let asked = self.decided.iter().rev().filter(|decision| decision.action != Action::Audit).find(awaits);
        let decision_id = asked.expect("something can be approved").id.clone();
        let id = ApprovalId::of(&[decision_id.as_str(), by, verdict.as_str()]);
        Approval { id, decision_id, by: by.into(), verdict, reason: None, at: self.now }.into()
    }
}

/// `critical day2.a/x: Bad; day2.b fails; it is gone`
fn policies(tags: &str, text: &str) -> Message {
    let (mut violated, mut failing, mut subject) = (Vec::new(), Vec::new(), Subject::Present);
    for part in text.split("; ").filter(|part| *part != "fine") {
        match part.strip_suffix(" fails") {
            Some(policy) => failing.push(policy),
            None if part == "it is gone" => subject = Subject::Gone,
            None => violated.push(part),
        }
    }
    result_with(tags, &violated.join(";"), &failing, subject)
}

fn execution(text: &str) -> Message {
    let (outcome, error) = text.split_once(": ").map_or((text, None), |(outcome, error)| (outcome, Some(error)));
    let outcome = match outcome {
        "failed" => ExecutionOutcome::Failed,
        "executed" => ExecutionOutcome::Executed,
        "skipped" => ExecutionOutcome::Skipped,
        other => panic!("no such outcome: {other}"),
    };
    Execution {
        id: ExecutionId::of(&[text]),
        decision_id: DecisionId::of(&["decided"]),
        resource_key: key("db-1"),
        outcome,
        before: None,
        after: None,
        error: error.map(str::to_owned),
        at: Timestamp::UNIX_EPOCH,
    }
    .into()
}

/// `alert critical new: Blessed resource disappeared`: a decision without the resource's name.
fn line(decision: &Decision) -> String {
    let (reason, _) = decision.reason.rsplit_once(": ").expect(&decision.reason);
    let flag = |name: &str| decision.metadata.get(name) == Some(&true.into());
    let flags = [
        (decision.requires_approval, " approval"),
        (decision.not_before.is_some(), " waits"),
        (flag("blessed"), " blessed"),
        (flag("dry_run"), " dry-run"),
    ];
    let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
    let (action, severity) = (decision.action.as_str(), decision.severity.as_str());
    format!("{action} {severity} {}{flags}: {reason}", decision.state.as_str())
}
