//! Ten kinds of bad input: each ends as a dead letter or a clear rejection, everything else arrives.

use chrono::{TimeDelta, Utc};
use elava_e2e::{Estate, changes, pipe, publish, publish_raw, scan_lines, stored, until};
use elava_schemas::micros;
use expect_test::expect;
use serde_json::{Value, json};

use crate::{settled, started};

const SUBJECT: &str = "elava.observation.aws.100000000000.us-east-1.ec2:instance";

fn observation(id: &str, edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let key = format!("aws/100000000000/us-east-1/ec2:instance/{id}");
    let mut row = json!({"kind": "observation", "v": 1, "resource": {"key": key, "tags": {}, "attributes": {}}});
    edit(&mut row);
    row.to_string().into_bytes()
}

/// What is wrong, and the bytes.
fn bad() -> Vec<(&'static str, Vec<u8>)> {
    let now = micros(Utc::now());
    let report = json!({
        "kind": "scan_report", "v": 1, "scan_id": "scan_wrong_count", "outcome": "complete", "observed": 5,
        "scope": {"provider": "aws", "account": "100000000000", "region": "us-east-1", "type": "ec2:instance"},
        "started_at": now, "finished_at": now,
    });
    let mut utf8 = observation("i-utf8", |_| {});
    let at = utf8.windows(6).position(|bytes| bytes == b"i-utf8").expect("the id is there");
    utf8[at] = 0xff;
    vec![
        ("not JSON", b"{\"kind\":\"observation\",".to_vec()),
        ("wrong kind", b"{\"kind\":\"gossip\",\"v\":1}".to_vec()),
        ("missing field", b"{\"kind\":\"observation\",\"v\":1}".to_vec()),
        ("wrong type", observation("i-type", |row| row["resource"]["tags"] = json!("none"))),
        ("invalid UTF-8", utf8),
        ("future", observation("i-future", |row| row["observed_at"] = json!(now + TimeDelta::days(2)))),
        ("wrong count", report.to_string().into_bytes()),
        ("unknown provider", observation("i-cloud", |row| row["resource"]["key"] = json!("azure/1/r/t/i"))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_the_stream() {
    let (server, mut pipeline) = started();
    let url = server.url();
    let lines = scan_lines(&Estate::new(1, 20), micros(Utc::now() - TimeDelta::minutes(5)));
    publish(&url, &lines).await;
    for (_, body) in bad() {
        publish_raw(&url, SUBJECT, body).await;
    }
    // Duplicate ids: the same lines again, without our message ids.
    let duplicate = lines.join("\n").into_bytes();
    publish_raw(&url, SUBJECT, duplicate).await;
    publish_raw(&url, SUBJECT, observation("i-last", |_| {})).await;
    until("the last row", async || {
        stored(&url, "CHANGE", "elava.change.>").await.iter().any(|change| change["resource_key"]["id"] == "i-last")
    })
    .await;
    settled(&url).await;

    let letters = stored(&url, "DEAD", "elava.dead.detector").await;
    let reasons: Vec<String> = bad()
        .iter()
        .zip(&letters)
        .map(|((what, _), letter)| {
            let reason = letter["reason"].as_str().unwrap_or_default();
            let known = reason.find("; known").map_or(reason, |at| &reason[..at]);
            let stable = known.split(" 20").next().unwrap_or_default();
            format!("{what}: {stable}")
        })
        .collect();
    expect![[r#"
        not JSON: not a message: EOF while parsing a value at line 1 column 22
        wrong kind: unknown kind `gossip`
        missing field: bad observation: missing field `resource` at line 1 column 28
        wrong type: bad observation: resource.tags: invalid type: string "none", expected a map at line 1 column 108
        invalid UTF-8: not UTF-8 at byte 87
        future: observed_at
        wrong count: scan report says 5 were sent, 0 were received; absence is unknown
        unknown provider: bad observation: resource.key: unknown provider `azure`; allowed: aws, gcp at line 1 column 61"#]].assert_eq(&reasons.join("\n"));
    assert_eq!(letters.len(), bad().len(), "{letters:#?}");
    for letter in &letters {
        assert_eq!(letter["stage"], "detector");
        assert!(letter["subject"].as_str().expect("a subject").ends_with("ec2:instance"));
    }
    pipeline.stop();
    let appeared = changes(&pipeline.db()).iter().filter(|change| change.contains("appeared")).count();
    assert_eq!(appeared, 21, "everything good arrived, once");
}

#[test]
fn in_a_pipe() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lines = scan_lines(&Estate::new(1, 20), micros(Utc::now() - TimeDelta::minutes(5)));
    let mut input = Vec::new();
    for (_, body) in bad() {
        input.extend(body);
        input.push(b'\n');
    }
    input.extend(vec![b'x'; 10 * 1024 * 1024]);
    input.push(b'\n');
    input.extend(lines.join("\n").into_bytes());
    std::fs::write(folder.path().join("in"), input).expect("the folder can be written");
    let (out, err, code) = pipe(folder.path(), "elava-detector --db h.duckdb --dead-letters dead < in");
    assert_eq!(code, 1, "some records were rejected: {err}");
    assert_eq!(out.lines().filter(|line| line.contains("\"appeared\"")).count(), 20, "{err}");
    let dead = std::fs::read_to_string(folder.path().join("dead")).expect("dead letters");
    let too_long = dead.lines().filter(|line| line.contains("at most 1048576 are read")).count();
    assert_eq!((dead.lines().count(), too_long), (bad().len() + 1, 1), "{dead:.2000}");
}
