//! Whose turn it is: rows of what was decided and said, and what follows at a time.

use chrono::TimeDelta;
use elava_bus::StateChange;
use elava_schemas::config::{EnforcementMode, Protection, Tagging};
use elava_schemas::{Approval, Decision, Message, Timestamp};
use expect_test::expect;
use serde_json::{Value, json};

use crate::job::{Job, Rules, Turn};
use crate::jobs::{self, Jobs};
use crate::words::Words;
use crate::{Reality, Step};

fn at(minutes: i64) -> Timestamp {
    "2026-01-01T00:00:00Z".parse::<Timestamp>().expect("a time") + TimeDelta::minutes(minutes)
}

fn rules() -> Rules {
    Rules {
        mode: EnforcementMode::Enforce,
        tagging: Tagging::default(),
        protection: Protection::default(),
        max_per_hour: 2,
    }
}

/// Protection of an instance of account 1, with some fields of another kind.
fn decision(id: &str, fields: Value) -> Decision {
    let mut line = json!({
        "kind": "decision", "id": id, "action": "protect", "resource_key": format!("aws/1/us-east-1/ec2:instance/{id}"),
        "severity": "warning", "reason": "because", "finding": format!("fnd_{id}"), "state": "new",
        "caused_by": [format!("chg_{id}")], "decided_at": at(0),
    });
    line.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    match Message::parse(line.to_string().as_bytes()) {
        Ok(Message::Decision(decision)) => *decision,
        other => panic!("{other:?}"),
    }
}

fn approval(decision: &str, verdict: &str, minute: i64) -> Approval {
    let line = json!({
        "kind": "approval", "id": "apr", "decision_id": decision, "by": "ada", "verdict": verdict, "at": at(minute),
    });
    match Message::parse(line.to_string().as_bytes()) {
        Ok(Message::Approval(approval)) => *approval,
        other => panic!("{other:?}"),
    }
}

fn reality(key: &str, protected: bool) -> Reality {
    let tags = [("elava:protected".to_owned(), "true".to_owned())].into_iter().filter(|_| protected).collect();
    let key = key.parse().expect("a key");
    Reality { key, arn: None, tags, vpc_tags: None, deletion_protection: Some(protected) }
}

/// Everything that a source keeps, as it would be stored.
#[derive(Default)]
struct Bench {
    jobs: Jobs,
    words: Words,
    told: Vec<String>,
}

impl Bench {
    fn decide(&mut self, decision: Decision) -> Vec<StateChange> {
        self.jobs.decide(decision, true, at(0))
    }

    fn say(&mut self, decision: &str, verdict: &str, minute: i64) -> bool {
        self.words.hear(approval(decision, verdict, minute), at(minute)).is_some()
    }

    /// Does what is due, where reality is as it should be or not, until nothing is; what was told.
    fn run(&mut self, rules: &Rules, minute: i64, protected: bool) -> String {
        let mut steps = 0;
        while let Some((from, number, turn)) = self.jobs.next(&self.words, rules, at(minute)) {
            if from > at(minute) {
                self.told.push(format!("due {}", from.format("%H:%M")));
                break;
            }
            steps += 1;
            assert!(steps < 100, "it goes on for ever with {turn:?}");
            if turn == Turn::Tell {
                for emit in self.jobs.tell(at(minute)).messages {
                    let line: Value = serde_json::from_slice(&emit.line).expect("JSON");
                    let error = line["error"].as_str().map(|error| format!(" ({error})")).unwrap_or_default();
                    self.told.push(format!(
                        "{} {}{error}",
                        line["decision_id"].as_str().expect("an id"),
                        line["outcome"]
                    ));
                }
                continue;
            }
            let mut job = self.jobs.get(number).expect("a job");
            step(&mut job, &turn, rules, at(minute), protected);
            self.jobs.put(job, at(minute));
        }
        std::mem::take(&mut self.told).join(", ").replace('"', "")
    }
}

fn step(job: &mut Job, turn: &Turn, rules: &Rules, now: Timestamp, protected: bool) {
    let key = job.decision.resource_key.to_string();
    let found = reality(&key, protected);
    match turn {
        Turn::Skip(reason) => job.skip(reason.clone(), None, now),
        Turn::Plan => job.plan(Some(&found), rules, now),
        Turn::PlanUndo(asked) => job.plan_undo(Some(&found), *asked, rules, now),
        Turn::Write => {
            let done = job.step().map(|Step { after, .. }| after.deletion_protection == Some(true)).expect("a step");
            assert!(!job.settle(Some(&reality(&key, done)), now), "it reads as written");
        }
        Turn::Tell => {}
    }
}

#[test]
fn what_is_due() {
    let asks = |id| decision(id, json!({"requires_approval": true, "approve_by": at(60)}));
    let mut lines = String::new();
    let mut row = |name: &str, mode: EnforcementMode, minute, setup: &dyn Fn(&mut Bench)| {
        let mut bench = Bench::default();
        setup(&mut bench);
        let said = bench.run(&Rules { mode, ..rules() }, minute, false);
        lines += &format!("{name}: {said}\n");
    };
    let enforce = EnforcementMode::Enforce;
    row("needs none", enforce, 1, &|bench| drop(bench.decide(decision("a", json!({})))));
    row("not yet", enforce, 1, &|bench| drop(bench.decide(decision("a", json!({"not_before": at(5)})))));
    row("nobody said anything", enforce, 1, &|bench| drop(bench.decide(asks("a"))));
    row("nobody did in time", enforce, 60, &|bench| drop(bench.decide(asks("a"))));
    row("no time is set", enforce, 9000, &|bench| {
        drop(bench.decide(decision("a", json!({"requires_approval": true}))))
    });
    row("approved before it is read", enforce, 2, &|bench| {
        bench.say("a", "approved", 1);
        bench.decide(asks("a"));
    });
    row("approved in the last instant", enforce, 61, &|bench| {
        bench.decide(asks("a"));
        bench.say("a", "approved", 60);
        bench.say("a", "approved", 61);
    });
    row("approved too late", enforce, 62, &|bench| {
        bench.decide(asks("a"));
        bench.say("a", "approved", 61);
    });
    row("approved, then denied", enforce, 3, &|bench| {
        bench.decide(asks("a"));
        bench.say("a", "approved", 1);
        bench.say("a", "denied", 2);
    });
    row("superseded", enforce, 3, &|bench| {
        bench.decide(asks("a"));
        bench.say("a", "approved", 1);
        bench.decide(decision("b", json!({"finding": "fnd_a", "action": "notify", "state": "resolved"})));
    });
    row("two of one transition", enforce, 3, &|bench| {
        bench.decide(decision("a", json!({})));
        bench.decide(decision("b", json!({"finding": "fnd_a", "action": "alert", "caused_by": ["chg_a"]})));
    });
    row("given again", enforce, 3, &|bench| {
        bench.decide(decision("a", json!({})));
        assert!(bench.decide(decision("a", json!({}))).is_empty());
    });
    row("dry run asks nobody", EnforcementMode::DryRun, 3, &|bench| drop(bench.decide(asks("a"))));
    row("decided in a dry run", enforce, 3, &|bench| {
        drop(bench.decide(decision("a", json!({"metadata": {"dry_run": true}}))))
    });
    row("elsewhere", enforce, 3, &|bench| {
        bench.decide(decision("a", json!({"resource_key": "gcp/p/r/x/i"})));
        bench.decide(decision("b", json!({"resource_key": "aws/1/r/s3:bucket/i"})));
    });
    row("the third of an hour waits", enforce, 3, &|bench| {
        for id in ["a", "b", "c"] {
            bench.decide(decision(id, json!({})));
        }
        bench.decide(decision("other", json!({"resource_key": "aws/2/us-east-1/ec2:instance/i-9"})));
    });
    expect![[r#"
        needs none: a executing, a executed
        not yet: due 00:05
        nobody said anything: due 01:00
        nobody did in time: a skipped (approval expired)
        no time is set: 
        approved before it is read: a executing, a executed
        approved in the last instant: a executing, a executed
        approved too late: a skipped (approval expired)
        approved, then denied: a skipped (denied by ada)
        superseded: a skipped (superseded by b)
        two of one transition: a executing, a executed
        given again: a executing, a executed
        dry run asks nobody: a skipped (dry run: nothing is written)
        decided in a dry run: a skipped (dry run: nothing is written)
        elsewhere: a skipped (nothing can be written to gcp yet), b skipped (unknown resource type s3:bucket)
        the third of an hour waits: a executing, a executed, b executing, b executed, other executing, other executed, due 01:03
    "#]].assert_eq(&lines);
}

#[test]
fn undone_once_and_only_what_was_done() {
    let (rules, mut bench) = (rules(), Bench::default());
    bench.decide(decision("a", json!({"requires_approval": true})));
    let mut lines = Vec::new();
    lines.push(bench.run(&rules, 1, false));
    bench.say("a", "approved", 2);
    lines.push(bench.run(&rules, 3, false));
    // it reads as before: there is nothing to take back
    bench.say("a", "undo", 60);
    lines.push(bench.run(&rules, 61, false));
    bench.say("a", "undo", 70);
    lines.push(bench.run(&rules, 71, true));
    bench.say("a", "undo", 80);
    lines.push(bench.run(&rules, 81, true));
    expect![[r#"

        a executing, a executed
        a skipped (not undone: it is as before already)
        a executing, a undone
    "#]]
    .assert_eq(&lines.join("\n"));
}

/// Whatever was stored is what goes on, in the same order.
#[test]
fn state_is_all_there_is() {
    let (rules, mut bench) = (rules(), Bench::default());
    let mut state = Vec::new();
    for id in ["a", "b", "c"] {
        state.extend(bench.decide(decision(id, json!({ "finding": "fnd_same", "caused_by": ["chg"] }))));
    }
    let (_, number, turn) = bench.jobs.next(&bench.words, &rules, at(1)).expect("the first");
    let mut job = bench.jobs.get(number).expect("a job");
    step(&mut job, &turn, &rules, at(1), false);
    state.extend(bench.jobs.put(job, at(1)).state);

    let mut again = Bench::default();
    let latest: std::collections::BTreeMap<_, _> =
        state.into_iter().map(|change| (change.key, change.value.expect("kept"))).collect();
    for value in latest.iter().filter(|(key, _)| key.starts_with(jobs::PREFIX)).map(|(_, value)| value) {
        again.jobs.restore(value).expect("it reads");
    }
    assert_eq!(again.run(&rules, 2, false), bench.run(&rules, 2, false));
    // what is untold is told again in just the same way
    let decided = again.jobs.decide(decision("d", json!({"finding": "fnd_same", "state": "resolved"})), true, at(3));
    assert_eq!(decided.len(), 2, "c, which waits for its turn, is superseded; d is new");
    assert_eq!(again.jobs.sweep(at(60 * 24 * 31)).len(), 2, "what is over and told is forgotten");
}
