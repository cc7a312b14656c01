//! Several observers: each scope is scanned by one of them, once an interval, also when one dies.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use chrono::{DateTime, TimeDelta, Utc};
use elava_e2e::{Heard, Moto, Pipeline, StandIn, binary, server, stored, streams, until};

/// When the complete scans of each scope began, in order.
async fn scans(url: &str) -> BTreeMap<String, Vec<DateTime<Utc>>> {
    let mut scans: BTreeMap<String, Vec<DateTime<Utc>>> = BTreeMap::new();
    for row in stored(url, "OBSERVATION", "elava.observation.>").await {
        if row["kind"] == "scan_report" && row["outcome"] == "complete" {
            let begun = row["started_at"].as_str().and_then(|text| text.parse().ok());
            scans.entry(row["scope"].to_string()).or_default().push(begun.expect("a time"));
        }
    }
    scans.values_mut().for_each(|begun| begun.sort());
    scans
}

/// How often the scope scanned least often was scanned after `since`, where all are known.
async fn rounds(url: &str, scopes: usize, since: DateTime<Utc>) -> usize {
    let scans = scans(url).await;
    let after = |begun: &Vec<DateTime<Utc>>| begun.iter().filter(|begun| **begun > since).count();
    if scans.len() < scopes { 0 } else { scans.values().map(after).min().unwrap_or(0) }
}

/// Who scanned what last.
async fn scanners(url: &str) -> BTreeSet<String> {
    let js = streams(url).await;
    let kv = js.get_key_value("elava_leases").await.expect("the bucket");
    let stream = js.get_stream("KV_elava_leases").await.expect("its stream");
    let subjects = stream.info_with_subjects("$KV.elava_leases.scanned.>").await.expect("subjects");
    let mut scanners = BTreeSet::new();
    for subject in futures::TryStreamExt::try_collect::<Vec<_>>(subjects).await.expect("all") {
        let key = subject.0.trim_start_matches("$KV.elava_leases.").to_owned();
        let value = kv.get(&key).await.expect("an answer").expect("a value");
        let body: serde_json::Value = serde_json::from_slice(&value).expect("JSON");
        scanners.insert(body["instance"].as_str().expect("a name").to_owned());
    }
    scanners
}

const SCOPES: usize = 13;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_scope_is_scanned_once_an_interval() {
    let moto = Moto::start();
    moto.estate("seed");
    let server = server();
    let url = server.url();
    let mut pipeline = Pipeline::new(url.clone());
    let endpoint = moto.url();
    let place = [
        "--regions",
        "us-east-1",
        "--endpoint-url",
        &endpoint,
        "--interval",
        "4s",
        "--concurrency",
        "2",
        "--lease-ttl",
        "10s",
    ];
    let begun = Utc::now();
    for _ in 0..2 {
        pipeline.start("observer", &place);
    }
    until("three rounds", async || rounds(&url, SCOPES, begun).await >= 3).await;
    until("both are at work", async || scanners(&url).await.len() == 2).await;

    // whoever answers, all scopes are asked for, and scanned although they are not due
    let asked = Utc::now();
    let answer = Command::new(binary("elava")).args(["scan", "--nats", &url]).output().expect("elava runs");
    assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), format!("{{\"scopes\":{SCOPES}}}"));
    for begun in scans(&url).await.values().flat_map(|begun| begun.windows(2)) {
        // four seconds less a tenth, and less what lies between a claim and its scan's first call
        assert!(begun[1] - begun[0] > TimeDelta::milliseconds(3500) || begun[1] > asked, "{begun:?}");
    }
    until("what was asked for", async || rounds(&url, SCOPES, asked).await >= 1).await;

    pipeline.kill("observer");
    let killed = Utc::now();
    until("two rounds of the other", async || rounds(&url, SCOPES, killed).await >= 2).await;
    pipeline.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_one_was_scanning_is_taken_over() {
    let cloud = StandIn::start(1050, 5000);
    let server = server();
    let url = server.url();
    let mut pipeline = Pipeline::new(url.clone());
    let what = ["--types", "ec2:instance", "--regions", "us-east-1", "--interval", "1h"];
    let place = [&what[..], &["--endpoint-url", cloud.url(), "--lease-ttl", "6s"]].concat();
    let begun = async || {
        let rows = stored(&url, "OBSERVATION", "elava.observation.>").await;
        rows.iter().map(|row| row["scan_id"].to_string()).collect::<BTreeSet<_>>().len()
    };
    let mut observations = Heard::on(&url, "elava.observation.>").await;
    pipeline.start("observer", &place);
    observations.text(r#""kind":"observation""#).await;
    pipeline.start("observer", &place);
    pipeline.kill("observer");
    assert!(scans(&url).await.is_empty(), "in the middle of it");
    until("the other scans it", async || scans(&url).await.len() == 1).await;
    assert_eq!(begun().await, 2);

    // broken off in good order, it is somebody else's at once
    pipeline.start("observer", &place);
    let asked = Command::new(binary("elava")).args(["scan", "--nats", &url]).output().expect("elava runs");
    assert!(asked.status.success());
    until("it scans again", async || begun().await == 3).await;
    pipeline.stop();
}
