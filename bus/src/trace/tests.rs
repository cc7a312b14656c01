use std::fmt::Write as _;

use bytes::Bytes;
use elava_schemas::{Message, Timestamp};
use expect_test::{Expect, expect};
use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::Sampler;
use serde_json::{Value, json};

use super::*;
use crate::{Page, Source};

const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp(1_760_000_000 + seconds, 0).expect("an instant")
}

fn key() -> Value {
    json!({ "provider": "aws", "account": "1", "region": "eu-west-1", "type": "ec2:instance", "id": "i-1" })
}

fn change(id: &str, word: &str, baseline: bool) -> Value {
    json!({ "kind": "change", "v": 1, "id": id, "type": word, "baseline": baseline, "resource_key": key(),
        "version": "v1", "previous": null, "current": { "key": key(), "attributes": { "secret": "hunter2" } },
        "detected_at": at(0), "scan_id": "scan_1", "details": "a secret" })
}

fn policy_result(id: &str, cause: Option<&str>, violated: bool, errors: usize) -> Value {
    let violation = json!({ "policy": "day2.tags", "rule": "owner", "severity": "warning", "message": "a secret" });
    let error = json!({ "policy": "day2.tags", "message": "a secret" });
    json!({ "kind": "policy_result", "v": 1, "id": id, "resource_key": key(), "version": "v1", "subject": "present",
        "compliant": !violated && errors == 0, "violations": if violated { vec![violation] } else { Vec::new() },
        "errors": vec![error; errors], "bundle": "b1", "evaluated_at": at(0), "caused_by": cause })
}

fn decision(id: &str, cause: &str, caused_by: &str) -> Value {
    json!({ "kind": "decision", "v": 1, "id": id, "action": "alert", "resource_key": key(), "severity": "critical",
        "reason": "a secret", "finding": "fnd_1", "state": "new", "caused_by": [caused_by], "decided_at": at(0),
        "metadata": { "cause": cause, "previous_tags": { "secret": "hunter2" } } })
}

fn delivery(id: &str, decision: &str, outcome: &str) -> Value {
    json!({ "kind": "delivery", "v": 1, "id": id, "decision_id": decision, "channel": "slack:#alerts",
        "outcome": outcome, "attempts": 2, "at": at(5), "error": "a secret" })
}

/// One page of one partition of `input`, with or without a header.
fn batch(input: Stream, rows: &[Value]) -> Batch {
    let body: Vec<String> = rows.iter().map(Value::to_string).collect();
    let page = Page {
        sequence: 7,
        subject: "elava.observation.3.aws.1.eu-west-1.ec2:instance".to_owned(),
        first_line: 1,
        received_at: at(2),
        body: Bytes::from(body.join("\n")),
    };
    Batch { source: Source::Partition { stream: input, partition: 3 }, pages: vec![page] }
}

fn emits(rows: &[Value]) -> Vec<Emit> {
    let emit = |row: &Value| Emit::new(7, &Message::parse(row.to_string().as_bytes()).expect("a message"));
    rows.iter().map(emit).collect()
}

fn drawn(output: Stream, batch: &Batch, headers: &[(u64, String)], rows: &[Value]) -> Vec<Traced> {
    let mut inputs = Inputs::new("stage", Some(output), batch, headers);
    emits(rows).iter().map(|emit| inputs.draw(emit).unwrap_or_default()).collect()
}

fn spans(traced: impl IntoIterator<Item = Traced>) -> String {
    let mut text = String::new();
    let scope = InstrumentationScope::builder("elava").build();
    for span in traced.into_iter().flat_map(|traced| traced.spans) {
        let span = span.ended(at(9), &scope);
        let short = |id: SpanId| if id == SpanId::INVALID { "-".to_owned() } else { id.to_string()[..6].to_owned() };
        let second = |time: std::time::SystemTime| Timestamp::from(time).timestamp() - at(0).timestamp();
        let context = &span.span_context;
        writeln!(
            text,
            "{} {} {}<{} {}..{} {:?}",
            span.name,
            &context.trace_id().to_string()[..6],
            short(context.span_id()),
            short(span.parent_span_id),
            second(span.start_time),
            second(span.end_time),
            span.status,
        )
        .expect("writes");
        for link in span.links.iter() {
            let context = &link.span_context;
            writeln!(text, "  → {} {}", &context.trace_id().to_string()[..6], short(context.span_id()))
                .expect("writes");
        }
        for attribute in &span.attributes {
            let name = attribute.key.as_str();
            // where they come from is the same in every row of this table
            if !name.starts_with("cloud.") && !name.starts_with("messaging.") && !name.starts_with("elava.stream") {
                writeln!(text, "  {name}={}", attribute.value).expect("writes");
            }
        }
    }
    assert!(!text.contains("secret") && !text.contains("hunter2"), "no payload: {text}");
    text
}

fn check(output: Stream, inputs: &[Value], rows: &[Value], expected: &Expect) {
    let input = if output == Stream::Change { Stream::Observation } else { Stream::Change };
    expected.assert_eq(&spans(drawn(output, &batch(input, inputs), &[], rows)));
}

#[test]
fn changes_are_within_their_observation() {
    let rows = [change("chg_1", "modified", false), change("chg_2", "tag_drift", false)];
    check(
        Stream::Change,
        &[],
        &rows,
        &expect![[r#"
        observe ec2:instance 928042 c29260<- 0..2 Unset
          → 9e16b5 7fc324
          elava.resource.key=aws/1/eu-west-1/ec2:instance/i-1
          elava.resource.type=ec2:instance
          elava.scan.id=scan_1
        detect modified 928042 828275<c29260 2..9 Unset
          → 9e16b5 7fc324
          elava.resource.key=aws/1/eu-west-1/ec2:instance/i-1
          elava.resource.type=ec2:instance
          elava.change.id=chg_1
          elava.change.type=modified
          elava.version=v1
          elava.scan.id=scan_1
        detect tag_drift 928042 efa3fc<c29260 2..9 Unset
          → 9e16b5 7fc324
          elava.resource.key=aws/1/eu-west-1/ec2:instance/i-1
          elava.resource.type=ec2:instance
          elava.change.id=chg_2
          elava.change.type=tag_drift
          elava.version=v1
          elava.scan.id=scan_1
    "#]],
    );
    check(Stream::Change, &[], &[change("chg_3", "appeared", true)], &expect![[""]]);
    // passed on in a pipe, by a stage that does not make them
    check(Stream::Execution, &[], &rows, &expect![[""]]);
}

#[test]
fn policy_results_are_within_their_change() {
    let news = [change("chg_1", "modified", false)];
    check(
        Stream::Policy,
        &news,
        &[policy_result("res_1", Some("chg_1"), true, 0)],
        &expect![[r#"
        evaluate policies 928042 90ebda<828275 2..9 Unset
          → 9e16b5 7fc324
          elava.resource.key=aws/1/eu-west-1/ec2:instance/i-1
          elava.resource.type=ec2:instance
          elava.policy_result.id=res_1
          elava.policy.compliant=false
          elava.policy.violations=1
          elava.policy.bundle=b1
          elava.version=v1
          elava.policy.severity=warning
    "#]],
    );
    check(
        Stream::Policy,
        &news,
        &[policy_result("res_1", Some("chg_1"), false, 1)],
        &expect![[r#"
        evaluate policies 928042 90ebda<828275 2..9 Error { description: "a policy could not be evaluated" }
          → 9e16b5 7fc324
          elava.resource.key=aws/1/eu-west-1/ec2:instance/i-1
          elava.resource.type=ec2:instance
          elava.policy_result.id=res_1
          elava.policy.compliant=false
          elava.policy.violations=0
          elava.policy.bundle=b1
          elava.version=v1
    "#]],
    );
    check(
        Stream::Policy,
        &news,
        &[policy_result("res_1", Some("chg_1"), false, 0)],
        &expect![[r#"
        evaluate policies 928042 90ebda<828275 2..9 Unset
          → 9e16b5 7fc324
          elava.resource.key=aws/1/eu-west-1/ec2:instance/i-1
          elava.resource.type=ec2:instance
          elava.policy_result.id=res_1
          elava.policy.compliant=true
          elava.policy.violations=0
          elava.policy.bundle=b1
          elava.version=v1
    "#]],
    );
    let first_look = [change("chg_1", "appeared", true)];
    check(
        Stream::Policy,
        &first_look,
        &[policy_result("res_1", Some("chg_1"), true, 0)],
        &expect![[r#"
        evaluate policies 928042 90ebda<- 2..9 Unset
          → 9e16b5 7fc324
          elava.resource.key=aws/1/eu-west-1/ec2:instance/i-1
          elava.resource.type=ec2:instance
          elava.policy_result.id=res_1
          elava.policy.compliant=false
          elava.policy.violations=1
          elava.policy.bundle=b1
          elava.version=v1
          elava.policy.severity=warning
    "#]],
    );
    check(Stream::Policy, &first_look, &[policy_result("res_1", Some("chg_1"), false, 0)], &expect![[""]]);
    check(
        Stream::Policy,
        &[],
        &[policy_result("res_1", None, true, 0)],
        &expect![[r#"
        evaluate policies 928042 90ebda<- 2..9 Unset
          elava.resource.key=aws/1/eu-west-1/ec2:instance/i-1
          elava.resource.type=ec2:instance
          elava.policy_result.id=res_1
          elava.policy.compliant=false
          elava.policy.violations=1
          elava.policy.bundle=b1
          elava.version=v1
          elava.policy.severity=warning
    "#]],
    );
}

#[test]
fn decisions_are_within_their_cause_and_deliveries_within_their_decision() {
    check(
        Stream::Decision,
        &[],
        &[decision("dec_1", "modified", "chg_1")],
        &expect![[r#"
        decide alert 928042 3d1551<828275 2..9 Unset
          elava.resource.key=aws/1/eu-west-1/ec2:instance/i-1
          elava.resource.type=ec2:instance
          elava.decision.id=dec_1
          elava.decision.action=alert
          elava.decision.severity=critical
          elava.decision.state=new
          elava.finding.id=fnd_1
    "#]],
    );
    check(
        Stream::Decision,
        &[],
        &[decision("dec_2", "violation", "res_1")],
        &expect![[r#"
        decide alert 928042 9ea0ea<90ebda 2..9 Unset
          elava.resource.key=aws/1/eu-west-1/ec2:instance/i-1
          elava.resource.type=ec2:instance
          elava.decision.id=dec_2
          elava.decision.action=alert
          elava.decision.severity=critical
          elava.decision.state=new
          elava.finding.id=fnd_1
    "#]],
    );
    check(Stream::Decision, &[], &[decision("dec_3", "baseline", "chg_1")], &expect![[""]]);
    let decisions = [decision("dec_2", "violation", "res_1")];
    check(
        Stream::Execution,
        &decisions,
        &[delivery("dlv_1", "dec_2", "delivered")],
        &expect![[r#"
        deliver slack 928042 b07a1b<9ea0ea 2..9 Unset
          elava.resource.key=aws/1/eu-west-1/ec2:instance/i-1
          elava.resource.type=ec2:instance
          elava.decision.id=dec_2
          elava.delivery.id=dlv_1
          elava.delivery.channel=slack:#alerts
          elava.delivery.outcome=delivered
          elava.delivery.attempts=2
    "#]],
    );
    check(
        Stream::Execution,
        &decisions,
        &[delivery("dlv_1", "dec_2", "failed")],
        &expect![[r#"
        deliver slack 928042 b07a1b<9ea0ea 2..9 Error { description: "the channel refused it" }
          elava.resource.key=aws/1/eu-west-1/ec2:instance/i-1
          elava.resource.type=ec2:instance
          elava.decision.id=dec_2
          elava.delivery.id=dlv_1
          elava.delivery.channel=slack:#alerts
          elava.delivery.outcome=failed
          elava.delivery.attempts=2
    "#]],
    );
    check(Stream::Execution, &decisions, &[delivery("dlv_1", "dec_9", "delivered")], &expect![[""]]);
}

#[test]
fn a_scan_is_a_trace_of_its_own() {
    let report = json!({ "kind": "scan_report", "scan_id": "scan_1", "started_at": at(-3), "finished_at": at(1),
        "scope": { "provider": "aws", "account": "1", "region": "eu-west-1", "type": "ec2:instance" },
        "outcome": "partial", "observed": 12, "api_calls": 3,
        "errors": [{ "operation": "ec2:DescribeInstances", "code": "Throttling", "message": "a secret" }] });
    let Ok(Message::ScanReport(report)) = Message::parse(report.to_string().as_bytes()) else { panic!("a report") };
    expect![[r#"
        scan ec2:instance 9e16b5 7fc324<- -3..9 Error { description: "the listing did not reach its end" }
          elava.resource.type=ec2:instance
          elava.scan.id=scan_1
          elava.scan.outcome=partial
          elava.scan.observed=12
          elava.scan.api_calls=3
          elava.scan.errors=1
          error.type=Throttling
    "#]]
    .assert_eq(&spans([draw::scan(&report)]));
}

#[test]
fn headers_are_linked_to_once() {
    let rows = [change("chg_1", "modified", false)];
    let links = |header: &str| {
        let batch = batch(Stream::Observation, &[]);
        let traced = drawn(Stream::Change, &batch, &[(7, header.to_owned())], &rows);
        traced[0].spans[0].links.iter().map(|link| link.header()).collect::<Vec<_>>()
    };
    let scan = draw::observation(&"scan_1".to_owned().into()).context.expect("a scan's").header();
    assert_eq!(links(HEADER), [scan.as_str(), HEADER]);
    assert_eq!(links(&scan), [scan.as_str()]);
    assert_eq!(links("nonsense"), [scan.as_str()]);
}

#[test]
fn attributes_say_where_it_came_from() {
    let traced = drawn(Stream::Change, &batch(Stream::Observation, &[]), &[], &[change("chg_1", "modified", false)]);
    let all: Vec<String> = traced[0].spans[1]
        .attributes
        .iter()
        .map(|attribute| format!("{}={}", attribute.key, attribute.value))
        .filter(|attribute| !attribute.starts_with("elava.change"))
        .collect();
    expect![[r#"
        elava.resource.key=aws/1/eu-west-1/ec2:instance/i-1
        elava.resource.type=ec2:instance
        cloud.provider=aws
        cloud.account.id=1
        cloud.region=eu-west-1
        elava.version=v1
        elava.scan.id=scan_1
        messaging.system=nats
        messaging.operation.name=process
        messaging.operation.type=process
        messaging.consumer.group.name=stage
        messaging.destination.partition.id=3
        elava.stream=OBSERVATION
        messaging.destination.name=elava.observation.aws.1.eu-west-1.ec2:instance
        elava.stream.sequence=7"#]]
    .assert_eq(&all.join("\n"));
}

#[test]
fn a_page_of_one_trace_says_so() {
    let header_of = |rows: &[Value]| {
        let mut emits = emits(rows);
        let traced = drawn(Stream::Change, &batch(Stream::Observation, &[]), &[], rows);
        for (emit, traced) in emits.iter_mut().zip(traced) {
            emit.traced = traced;
        }
        header(&emits)
    };
    let mut other = change("chg_4", "modified", false);
    other["resource_key"]["id"] = "i-2".into();
    let (first, second) = (change("chg_1", "modified", false), change("chg_2", "tag_drift", false));
    let of_first = header_of(std::slice::from_ref(&first));
    assert!(of_first.is_some());
    assert_eq!(header_of(&[first.clone(), second]), of_first, "one observation");
    assert_eq!(header_of(&[first.clone(), other]), None, "two resources");
    assert_eq!(header_of(&[first, change("chg_3", "appeared", true)]), None, "one is not traced");
    assert_eq!(header_of(&[]), None);
}

#[test]
fn sampling_is_by_trace() {
    let trace = |number: u128| TraceId::from_bytes((number << 64 | (number * 0x0517_cc1b_7272_20a9)).to_be_bytes());
    let sampled = |sampler: &Sampler| (1..=1000).filter(|number| samples(sampler, trace(*number))).count();
    assert_eq!(sampled(&Sampler::AlwaysOn), 1000);
    assert_eq!(sampled(&Sampler::AlwaysOff), 0);
    let quarter = sampled(&Sampler::TraceIdRatioBased(0.25));
    assert!((200..300).contains(&quarter), "{quarter}");
}
