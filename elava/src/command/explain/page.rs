//! The chain as one page: a section for each finding, a line for each step.

use std::fmt::Write as _;

use elava_schemas::{FieldDiff, Timestamp, field_diffs};
use serde_json::Value;

use super::words::{self, Step};
use crate::clean::one_line;
use crate::command::fields::write_fields;
use crate::paint::{Color, Painter};
use crate::show::Row;

/// Where the text of a line begins, and what belongs to it.
const WORD: usize = 12;
const INDENT: usize = 2 + 19 + 2 + WORD + 2;

/// All of it; `now` says what is still waited for.
pub(super) fn page(rows: &[Row], now: Timestamp, painter: Painter) -> String {
    let steps: Vec<Step> = rows.iter().map(Step).collect();
    let mut out = String::new();
    for resource in steps.chunk_by(|a, b| a.text("key") == b.text("key")) {
        writeln!(out, "{}", painter.bold(&one_line(resource[0].text("key")))).expect("a string");
        for section in resource.chunk_by(|a, b| a.text("finding") == b.text("finding")) {
            out.push('\n');
            heading(&mut out, section, painter);
            for step in section {
                line(&mut out, step, painter);
                if step.text("step") == "decision" {
                    consequences(&mut out, step, section, now);
                }
            }
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

/// What the finding is, as it was last decided.
fn heading(out: &mut String, section: &[Step], painter: Painter) {
    let Some(last) = section.iter().rev().find(|step| step.text("step") == "decision") else {
        writeln!(out, "{}", painter.bold("What no decision was made about")).expect("a string");
        return;
    };
    let severity = last.detail("severity");
    let severity = match severity {
        "critical" => painter.paint(severity, Color::Red),
        "warning" => painter.paint(severity, Color::Yellow),
        other => other.to_owned(),
    };
    writeln!(out, "{}", painter.bold(&one_line(last.detail("reason")))).expect("a string");
    writeln!(out, "  finding {} · {severity} · {}", last.text("finding"), last.detail("state")).expect("a string");
}

fn line(out: &mut String, step: &Step, painter: Painter) {
    let word = format!("{:WORD$}", step.word());
    let word = match step.color() {
        Some(color) => painter.paint(&word, color),
        None => word,
    };
    let text = format!("  {:19}  {word}  {}", step.time(), one_line(&step.what()));
    writeln!(out, "{}", text.trim_end()).expect("a string");
    let below = |out: &mut String, text: &str| {
        writeln!(out, "{:INDENT$}{}", "", one_line(text)).expect("a string");
    };
    for text in step.below() {
        below(out, &text);
    }
    match step.text("step") {
        "change" => {
            write_fields(out, step.details()["diff"].as_array().into_iter().flatten(), INDENT, painter);
        }
        "execution" => {
            let fields: Vec<Value> = written(step.details()).into_iter().map(field).collect();
            write_fields(out, &fields, INDENT, painter);
        }
        _ => {}
    }
}

/// What an execution has changed.
fn written(details: &Value) -> Vec<FieldDiff> {
    let mut fields = Vec::new();
    match (&details["before"], &details["after"]) {
        (Value::Null, Value::Null) => {}
        (before, after) => field_diffs("", before, after, &mut fields),
    }
    fields
}

fn field(field: FieldDiff) -> Value {
    serde_json::to_value(field).expect("a difference has string keys")
}

/// What of a decision is known by what is not there: nobody was told, nobody has approved.
fn consequences(out: &mut String, decision: &Step, section: &[Step], now: Timestamp) {
    let follows = |name: &str| {
        let of_it = |step: &&Step| step.text("step") == name && step.text("decision_id") == decision.text("id");
        section.iter().any(|step| of_it(&step))
    };
    let mut say = |word: &str, text: String| {
        writeln!(out, "  {:19}  {word:WORD$}  {}", "", one_line(&text)).expect("a string");
    };
    if !follows("delivery") {
        say("told", format!("nobody: {}", words::why_nobody(decision.details(), now)));
    }
    if decision.details()["requires_approval"] == true && !follows("approval") {
        say("approval", words::why_not_approved(decision.details(), now));
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn rows(steps: Vec<Value>) -> Vec<Row> {
        steps.into_iter().map(|step| step.as_object().expect("an object").clone()).collect()
    }

    fn step(at: &str, finding: Option<&str>, decision: Option<&str>, step: &str, id: &str, details: Value) -> Value {
        let key = "aws/1/eu-west-1/ec2:instance/i-1";
        let at = format!("2026-11-11T{at}.000000Z");
        json!({"key": key, "finding": finding, "decision_id": decision, "happened_at": at, "step": step, "id": id, "details": details})
    }

    fn decision(rest: Value) -> Value {
        let mut decision = json!({
            "action": "notify", "severity": "warning", "state": "new", "reason": "batch has no owner",
            "caused_by": ["res_1"], "requires_approval": false, "approve_by": null, "not_before": null,
            "metadata": {"cause": "violation"}, "superseded_by": null,
        });
        decision.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
        decision
    }

    #[test]
    fn a_chain_reads_well() {
        let f = Some("fnd_1");
        let why = json!({"cause": "violation", "why": ["change_detection.alert_on.policy_violation", "policies.severity_actions.warning"]});
        let steps = vec![
            step(
                "10:00:00",
                f,
                None,
                "observation",
                "0123456789abcdef",
                json!({"status": "running", "name": "batch", "scan_id": "scan_7", "tags": {"Team": "data"}}),
            ),
            step(
                "10:00:00",
                f,
                None,
                "change",
                "chg_1",
                json!({
                    "change": "tag_drift", "baseline": false, "details": "i-1: tag Owner removed, was \"data\"",
                    "diff": [{"path": "/tags/Owner", "before": "data"}], "cause": {"principal": "bob", "operation": "DeleteTags"},
                    "scan_id": "scan_7", "scan_started_at": "2026-11-11T09:59:58.000000Z", "scan_outcome": "complete", "scan_verdict": "proved",
                }),
            ),
            step(
                "10:00:00",
                f,
                None,
                "policy result",
                "res_1",
                json!({"outcome": "violated", "policy": "day2.tags.owner", "rule": "owner", "severity": "warning",
                    "message": "batch has no owner", "suggestion": "Add the tag Owner", "bundle": "0123456789abcdef"}),
            ),
            step("10:00:00", f, Some("dec_1"), "decision", "dec_1", decision(json!({"metadata": why}))),
            step(
                "10:00:01",
                f,
                Some("dec_1"),
                "delivery",
                "dlv_1",
                json!({"channel": "slack:#data", "outcome": "delivered", "attempts": 2, "error": null}),
            ),
            step(
                "11:00:00",
                f,
                Some("dec_2"),
                "decision",
                "dec_2",
                decision(
                    json!({"action": "auto_tag", "state": "changed", "requires_approval": true, "approve_by": "2026-11-12T11:00:00.000000Z"}),
                ),
            ),
            step(
                "12:00:00",
                f,
                Some("dec_3"),
                "decision",
                "dec_3",
                decision(
                    json!({"action": "audit", "state": "suppressed", "metadata": {"exception": "batch-is-special"}}),
                ),
            ),
            step(
                "13:00:00",
                f,
                Some("dec_2"),
                "approval",
                "apr_1",
                json!({"verdict": "denied", "person": "grace", "reason": null}),
            ),
            step(
                "14:00:00",
                f,
                Some("dec_2"),
                "execution",
                "exe_1",
                json!({"outcome": "executed", "before": {"tags": {}}, "after": {"tags": {"Owner": "data"}}, "error": null}),
            ),
        ];
        let now = "2026-11-11T15:00:00Z".parse().expect("a time");
        expect![[r#"
            aws/1/eu-west-1/ec2:instance/i-1

            batch has no owner
              finding fnd_1 · warning · suppressed
              2026-11-11 10:00:00  seen          version 01234567, status running, name batch, tags Team=data
              2026-11-11 10:00:00  tag_drift     i-1: tag Owner removed, was "data"
                                                 by bob (DeleteTags)
                                                 seen by scan_7 of 2026-11-11 09:59:58 (complete)
                                                 tag Owner  data → (none)
              2026-11-11 10:00:00  violated      day2.tags.owner: batch has no owner
                                                 suggestion: Add the tag Owner
                                                 warning, policy bundle 01234567
              2026-11-11 10:00:00  decided       notify, warning, new   dec_1
                                                 because of change_detection.alert_on.policy_violation, policies.severity_actions.warning
              2026-11-11 10:00:01  told          slack:#data after 2 attempts
              2026-11-11 11:00:00  decided       auto_tag, warning, changed   dec_2
                                   told          nobody: no delivery is recorded; the notifier has not come to it, or has no channel
              2026-11-11 12:00:00  decided       audit, warning, suppressed   dec_3
                                                 exception batch-is-special
                                   told          nobody: the exception batch-is-special covers it
              2026-11-11 13:00:00  denied        by grace
              2026-11-11 14:00:00  executed
                                                 tag Owner  (none) → data
        "#]]
        .assert_eq(&page(&rows(steps), now, Painter::Plain));
    }

    #[test]
    fn what_is_waited_for() {
        let now = "2026-11-11T15:00:00Z".parse().expect("a time");
        let of = |rest: Value| {
            let steps = vec![step("10:00:00", Some("fnd_1"), Some("dec_1"), "decision", "dec_1", decision(rest))];
            let page = page(&rows(steps), now, Painter::Plain);
            page.lines().filter(|line| line.starts_with("       ")).map(str::trim).collect::<Vec<_>>().join(" | ")
        };
        for (rest, expected) in [
            (json!({"action": "audit"}), "told          nobody: it is only recorded (audit)"),
            (
                json!({"not_before": "2026-11-11T16:00:00.000000Z"}),
                "told          nobody: it is told on 2026-11-11 16:00:00 unless it is over by then",
            ),
            (
                json!({"action": "audit", "not_before": "2026-11-11T16:00:00.000000Z"}),
                "told          nobody: it is told on 2026-11-11 16:00:00 unless it is over by then",
            ),
            (
                json!({"action": "audit", "metadata": {"breaker": "fnd_9"}}),
                "told          nobody: the breaker holds it until it is over, released or denied; `elava explain fnd_9` has the id",
            ),
            (
                json!({"action": "audit", "metadata": {"breaker": "fnd_9", "denied_by": "ann", "denied_because": "a script"}}),
                "told          nobody: the breaker held it, and ann has said that nobody is told: a script",
            ),
            (json!({"state": "expired"}), "told          nobody: it counts as how things are"),
            (json!({"superseded_by": "dec_2"}), "told          nobody: dec_2 has taken its place"),
            (
                json!({}),
                "told          nobody: no delivery is recorded; the notifier has not come to it, or has no channel",
            ),
            (
                json!({"action": "auto_tag", "requires_approval": true, "approve_by": "2026-11-11T14:00:00.000000Z"}),
                "told          nobody: no delivery is recorded; the notifier has not come to it, or has no channel | approval      nobody's, and too late since 2026-11-11 14:00:00",
            ),
        ] {
            assert_eq!(of(rest.clone()), expected, "{rest}");
        }
    }
}
