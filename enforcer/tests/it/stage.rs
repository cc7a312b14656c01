//! The stage over batches, and a bundle that changes meanwhile.

use std::sync::Arc;

use elava_bus::{Batch, Page, Source, Stage};
use elava_enforcer::{Bundle, Dialect, Enforcer, LiveBundle};
use elava_schemas::config::Config;
use elava_schemas::{Change, ChangeId, ChangeType, EvaluationRequest, Message, PolicyResult, Subject};
use serde_json::json;

use crate::support::{appeared, folder, resource, tags, write};

const WARNS: &str = "package day2.a\n\nwarn contains \"one\" if input.tags_known\n";

fn batch(messages: Vec<Message>) -> Batch {
    let mut body = Vec::new();
    for message in messages {
        body.extend(message.to_line());
        body.push(b'\n');
    }
    body.extend_from_slice(b"nonsense\n");
    let page =
        Page { sequence: 7, subject: "-".into(), first_line: 1, received_at: Default::default(), body: body.into() };
    Batch { source: Source::Pipe, pages: vec![page] }
}

fn version(change: &Change, version: &str, number: &str) -> Message {
    let id = ChangeId::of(&[number]);
    Change { id, version: version.into(), change_type: ChangeType::Modified, ..change.clone() }.into()
}

fn results(messages: &[elava_bus::Emit]) -> Vec<PolicyResult> {
    messages
        .iter()
        .map(|emit| match emit.message().expect("a message") {
            Message::PolicyResult(result) => *result,
            other => panic!("{}", other.kind()),
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_become_results() {
    let policies = folder(&[("a.rego", WARNS)]);
    let live = Arc::new(LiveBundle::open(policies.path().to_owned(), Dialect::PerFile).expect("it loads"));
    let stage = Enforcer::new(&Config::default(), Arc::clone(&live));
    let change = appeared(resource("ec2:vpc", tags(&[("team", "net")]), json!({})));
    let gone = Change {
        id: ChangeId::of(&["gone"]),
        change_type: ChangeType::Disappeared,
        previous: change.current.clone(),
        current: None,
        ..change.clone()
    };
    let batch = batch(vec![
        version(&change, "v1", "1"),
        version(&change, "v1", "2"), // tags and status at once: one evaluation
        version(&change, "v2", "3"),
        version(&change, "v1", "4"), // the old version again: what counts is the last
        gone.into(),
        EvaluationRequest::default().into(),
    ]);

    let output = stage.handle(&batch).await.expect("it is handled");
    let found = results(&output.messages);
    let told: Vec<_> = found.iter().map(|r| (r.version.as_str(), r.subject, r.compliant, r.violations.len())).collect();
    assert_eq!(
        told,
        [
            ("v1", Subject::Present, false, 1),
            ("v2", Subject::Present, false, 1),
            ("v1", Subject::Present, false, 1),
            ("v1", Subject::Gone, true, 0),
        ]
    );
    assert_eq!(found[0].caused_by, Some(ChangeId::of(&["1"])));
    assert_eq!(found[3].resource.tags, tags(&[("team", "net")]));
    assert!(
        found.iter().all(|result| result.bundle == live.current().hash() && result.evaluated_at == change.detected_at)
    );
    assert!(output.messages.iter().all(|emit| emit.sequence == 7));
    let lines: Vec<u64> = output.rejected.iter().map(|rejection| rejection.line).collect();
    assert_eq!(lines, [6, 7], "a request that is asked elsewhere, and nonsense");

    let again = stage.handle(&batch).await.expect("it is handled");
    assert_eq!(results(&again.messages), found, "a replay gives the same bytes");
}

/// What has not changed is evaluated again for these.
#[test]
fn what_policies_look_at() {
    for (rule, time, previous) in [
        ("warn contains \"a\" if input.tags.Owner", false, false),
        ("warn contains \"a\" if input.tags.known", false, false),
        ("warn contains \"a\" if time.parse_rfc3339_ns(input.now) > 0", true, false),
        ("warn contains \"a\" if input[\"now\"]", true, false),
        ("warn contains \"a\" if input.context.resource_age_days > 3", true, false),
        ("warn contains \"a\" if input.resource.history.previous.name", false, true),
    ] {
        let policies = folder(&[("a.rego", &format!("package day2.a\n\n{rule}\n")), ("data.json", "{\"now\": 1}")]);
        let bundle = Bundle::load(policies.path(), Dialect::PerFile).expect(rule);
        assert_eq!((bundle.reads_time(), bundle.reads_previous()), (time, previous), "{rule}");
    }
}

#[test]
fn a_new_bundle_takes_over_and_a_broken_one_does_not() {
    let policies = folder(&[("a.rego", WARNS)]);
    let live = LiveBundle::open(policies.path().to_owned(), Dialect::PerFile).expect("it loads");
    let first = live.current().hash().to_owned();
    assert!(!live.look());

    write(&policies, "b.rego", "package day2.b\n\nwarn contains {\n");
    assert!(!live.look());
    assert_eq!(live.current().hash(), first);

    write(&policies, "b.rego", "package day2.b\n\nwarn contains \"two\"\n");
    let held = live.current();
    assert!(live.look());
    assert_ne!(live.current().hash(), first);
    assert_eq!(live.current().packages().len(), 2);
    assert_eq!(held.packages().len(), 1, "who holds the old one keeps it whole");

    drop(policies);
    assert!(!live.look(), "a folder that is gone changes nothing");
    assert_eq!(live.current().packages().len(), 2);
}

#[test]
fn many_evaluate_at_once() {
    let policies = folder(&[("a.rego", WARNS)]);
    let live = Arc::new(LiveBundle::open(policies.path().to_owned(), Dialect::PerFile).expect("it loads"));
    let stage = Enforcer::new(&Config::default(), live);
    let change = appeared(resource("ec2:vpc", tags(&[]), json!({})));
    let batch = batch(vec![version(&change, "v1", "1")]);
    let outputs = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| stage.evaluate(&batch))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Vec<_>>()
    });
    assert!(outputs.iter().all(|output| results(&output.messages) == results(&outputs[0].messages)));
}
