//! Over JetStream: every row once and in order, whatever is killed; bad rows aside.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use elava_schemas::DeadLetter;

use crate::copier::{Copier, observation};
use crate::{BRIEF, changes, publish_scopes, run, run_with, server, stored, until};

pub(crate) fn expected(scopes: usize, count: usize) -> BTreeSet<String> {
    let rows = |scope| (0..count).map(move |row| format!("chg_i-{scope}-{row:05}"));
    (0..scopes).flat_map(rows).collect()
}

/// All of `expected`, each once, and each scope in order.
pub(crate) fn assert_exact(found: &[String], expected: &BTreeSet<String>) {
    let distinct: BTreeSet<String> = found.iter().cloned().collect();
    assert_eq!(found.len(), distinct.len(), "nothing twice");
    assert_eq!(&distinct, expected, "nothing lost");
    let scope = |id: &String| id.split('-').nth(1).expect("a scope").to_owned();
    for one in found.iter().map(scope).collect::<BTreeSet<_>>() {
        let rows: Vec<_> = found.iter().filter(|id| scope(id) == one).collect();
        assert!(rows.is_sorted(), "scope {one} is in order");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_once_and_in_order_over_stage_and_server_crashes() {
    let mut server = server();
    let stage = Copier::default();
    publish_scopes(&server, 20, 1500).await;
    let expected = expected(20, 1500);
    for round in 0..6 {
        let task = run_with(&server, &stage, BRIEF);
        let handled = || stage.handled.load(Ordering::Relaxed);
        let before = handled();
        let enough = || handled() > before + 1000 || handled() >= expected.len() as u64 || round == 5;
        until("progress", async || enough()).await;
        if round % 2 == 1 {
            server.restart().expect("nats-server starts again");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        if round == 5 {
            until("the end", async || changes(&server).await.len() >= expected.len()).await;
        }
        // Aborted wherever it is, as by SIGKILL; the runtime's other tasks of this stage go on for a moment.
        task.abort();
    }
    assert_exact(&changes(&server).await, &expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_rows_become_dead_letters_and_the_rest_goes_on() {
    let server = server();
    let stage = Copier::default();
    let task = run(&server, &stage);
    publish_scopes(&server, 1, 1).await;
    let client = async_nats::connect(server.url()).await.expect("connects");
    let subject = "elava.observation.aws.000000000000.us-east-1.ec2:instance";
    let good = |id| String::from_utf8(observation(0, id).to_line()).expect("UTF-8");
    let bodies: [Vec<u8>; 6] = [
        b"not json".to_vec(),
        br#"{"kind":"observation","v":1}"#.to_vec(),
        br#"{"kind":"surprise"}"#.to_vec(),
        [b"{\"kind\":\"observation\",\"x\":\"\xff\"}\n".as_slice(), good("i-0-00001").as_bytes()].concat(),
        good("panic-1").into_bytes(),
        [good("flaky-1"), good("i-0-00002")].join("\n").into_bytes(),
    ];
    for body in bodies {
        client.publish(subject, body.into()).await.expect("publishes");
    }
    client.flush().await.expect("flushes");
    until("the last row", async || changes(&server).await.iter().any(|id| id == "chg_i-0-00002")).await;
    let letters = stored(&server, "DEAD", "elava.dead.detector").await;
    let letters: Vec<DeadLetter> =
        letters.into_iter().map(|letter| serde_json::from_value(letter).expect("a dead letter")).collect();
    let reasons: Vec<&str> = letters.iter().map(|letter| letter.reason.as_str()).collect();
    expect_test::expect![[r#"
        [
            "not a message: expected a JSON object",
            "bad observation: missing field `resource` at line 1 column 28",
            "unknown kind `surprise`; known: observation, scan_report, change, policy_result, decision, approval, execution, delivery, dead_letter, scan_request, evaluation_request",
            "not UTF-8 at byte 27",
            "failed 5 times: cannot handle the input: panicked: told to",
        ]
    "#]].assert_debug_eq(&reasons);
    assert!(letters.iter().all(|letter| letter.subject.ends_with("ec2:instance") && letter.sequence.is_some()));
    assert!(letters[3].body_hex.is_some(), "bytes that are not UTF-8 are kept");
    task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_instance_cannot_write_twice() {
    let server = server();
    let (one, two) = (Copier::default(), Copier::default());
    let first = run(&server, &one);
    let second = run(&server, &two);
    publish_scopes(&server, 20, 300).await;
    let expected = expected(20, 300);
    until("everything", async || changes(&server).await.len() >= expected.len()).await;
    assert_exact(&changes(&server).await, &expected);
    first.abort();
    second.abort();
}
