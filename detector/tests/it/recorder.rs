//! What the later stages said is kept, once.

use elava_bus::{Batch, Page, Source, Stage, Stream};
use expect_test::expect;
use serde_json::{Value, json};

use crate::harness::{Bench, page, report, seen, time};

fn send(bench: &Bench, stream: Stream, sequence: u64, rows: &[Value]) {
    let subject = "elava.x".to_owned();
    let pages = vec![Page { subject, ..page(sequence, rows) }];
    let output = bench.handle(&Batch { source: Source::Partition { stream, partition: 0 }, pages });
    assert_eq!(output.rejected, []);
    assert!(output.messages.is_empty());
}

fn result(id: &str, minute: i64, fields: Value) -> Value {
    let mut result = json!({
        "kind": "policy_result", "id": id, "resource_key": "aws/1/r/ec2:instance/i-1", "version": "v",
        "subject": "present", "compliant": false, "bundle": "b", "evaluated_at": time(minute),
    });
    result.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    result
}

fn violation(rule: &str, severity: &str) -> Value {
    json!({"policy": "day2.tags", "rule": rule, "severity": severity, "message": format!("{rule} is {severity}")})
}

#[test]
fn violations_open_change_and_close() {
    let mut bench = Bench::new();
    let open = "SELECT rule, severity, opened_by FROM open_violations ORDER BY rule";
    let error = json!([{"policy": "day2.tags", "message": "division by zero"}]);
    for (sequence, row, expected) in [
        (
            1,
            result("r1", 1, json!({"violations": [violation("a", "warning"), violation("b", "info")]})),
            expect![[r#"
            a | warning | r1
            b | info | r1
        "#]],
        ),
        (
            2,
            result("r2", 2, json!({"violations": [violation("a", "critical")]})),
            expect![[r#"
            a | critical | r1
        "#]],
        ),
        // an error is never a pass
        (
            3,
            result("r3", 3, json!({"errors": error})),
            expect![[r#"
            a | critical | r1
        "#]],
        ),
        (4, result("r4", 4, json!({"compliant": true})), expect![""]),
        (
            5,
            result("r5", 5, json!({"violations": [violation("a", "info")]})),
            expect![[r#"
            a | info | r5
        "#]],
        ),
        (6, result("r6", 6, json!({"subject": "gone", "compliant": true})), expect![""]),
    ] {
        send(&bench, Stream::Policy, sequence, &[row]);
        expected.assert_eq(&bench.sql(open));
    }
    expect![[r#"
        a | r1 | r4
        a | r5 | r6
        b | r1 | r2
    "#]]
    .assert_eq(&bench.sql("SELECT rule, opened_by, closed_by FROM violations ORDER BY ALL"));
    // the severity is that of the last evaluation
    let mut lines = String::new();
    for since in ["2026-01-01T00:01:30Z", "2026-01-01T00:03:00Z", "2026-01-01T00:04:30Z"] {
        let question = json!({"query": "violations_over_time", "since": since, "step_seconds": u32::MAX});
        for row in bench.ask(&question) {
            lines += &format!("{} {} {}\n", row["as_of"], row["severity"], row["violations"]);
        }
    }
    expect![[r#"
        "2026-01-01T00:01:30.000000Z" "critical" 1
        "2026-01-01T00:01:30.000000Z" "info" 1
        "2026-01-01T00:03:00.000000Z" "critical" 1
        "2026-01-01T00:04:30.000000Z" null 0
    "#]]
    .assert_eq(&lines);
    expect![[r#"
        r3 | division by zero
    "#]]
    .assert_eq(&bench.sql("SELECT result_id, message FROM policy_errors"));
    expect![[r#"
        POLICY | 0 | 6 | 7
    "#]]
    .assert_eq(&bench.sql("SELECT * FROM positions"));
}

#[test]
fn a_violation_of_one_batch_can_close_in_it() {
    let mut bench = Bench::new();
    let rows =
        [result("r1", 1, json!({"violations": [violation("a", "info")]})), result("r2", 2, json!({"compliant": true}))];
    send(&bench, Stream::Policy, 1, &rows);
    assert_eq!(bench.sql("SELECT rule, opened_by, closed_by FROM violations"), "a | r1 | r2\n");
}

#[test]
fn decisions_and_what_follows_are_kept_once() {
    let mut bench = Bench::new();
    let output = bench.send(&[seen(None, "i-1", json!({}))]);
    let Ok(elava_schemas::Message::Change(change)) = output.messages[0].message() else { panic!("a change") };
    let decision = json!({
        "kind": "decision", "id": "d1", "action": "notify", "resource_key": "aws/1/r/ec2:instance/i-1",
        "severity": "warning", "reason": "because", "finding": "f", "state": "new", "caused_by": [change.id],
        "decided_at": time(1), "metadata": {"cause": "x"},
    });
    let delivery = json!({
        "kind": "delivery", "id": "l1", "decision_id": "d1", "channel": "stdout", "outcome": "delivered",
        "attempts": 1, "at": time(2),
    });
    let approval =
        json!({"kind": "approval", "id": "a1", "decision_id": "d1", "by": "me", "verdict": "approved", "at": time(2)});
    let execution = json!({
        "kind": "execution", "id": "e1", "decision_id": "d1", "resource_key": "aws/1/r/ec2:instance/new",
        "outcome": "executed", "before": {"a": 1}, "at": time(3),
    });
    for sequence in 1..=2 {
        send(&bench, Stream::Decision, sequence, &[decision.clone(), decision.clone()]);
        send(&bench, Stream::Execution, sequence, &[delivery.clone(), approval.clone(), execution.clone()]);
    }
    for (sql, expected) in [
        (
            "SELECT id, action, severity, state, len(caused_by), requires_approval, metadata FROM decisions",
            expect![[r#"
            d1 | notify | warning | new | 1 | false | {"cause":"x"}
        "#]],
        ),
        (
            "SELECT id, channel, outcome, attempts FROM deliveries",
            expect![[r#"
            l1 | stdout | delivered | 1
        "#]],
        ),
        (
            "SELECT id, person, verdict FROM approvals",
            expect![[r#"
            a1 | me | approved
        "#]],
        ),
        (
            "SELECT e.id, k.id, before FROM executions e JOIN keys k USING (resource_id)",
            expect![[r#"
            e1 | new | {"a":1}
        "#]],
        ),
        (
            "SELECT count(*), count(DISTINCT key) FROM keys",
            expect![[r#"
            2 | 2
        "#]],
        ),
    ] {
        expected.assert_eq(&bench.sql(sql));
    }
    let summary = bench.ask(&json!({"query": "summary"}));
    let median = summary.iter().find(|row| row["name"] == "median").expect("a time to detect");
    assert_eq!(median["value"], json!(60.0));
}

#[test]
fn a_pipe_carries_everything() {
    let mut bench = Bench::new();
    let rows = [
        seen(Some("s"), "i-1", json!({})),
        report("s", 0, "complete", 1),
        result("r1", 1, json!({"violations": [violation("a", "info")]})),
        json!({"kind": "change", "id": "c1", "type": "modified", "resource_key": "aws/1/r/ec2:instance/other",
            "version": "v", "detected_at": time(1), "details": "from elsewhere"}),
    ];
    let output = bench.handle(&Batch { source: Source::Pipe, pages: vec![page(1, &rows)] });
    assert_eq!((output.messages.len(), output.rejected.len()), (1, 0));
    assert_eq!(bench.sql("SELECT details FROM changes ORDER BY ALL"), "from elsewhere\ninstance i-1 appeared\n");
    assert_eq!(bench.sql("SELECT rule FROM open_violations"), "a\n");
    let resume = bench.block(bench.stage().resume(&Source::Pipe, None, Vec::new())).expect("a start");
    assert_eq!(resume.from, 1);
}
