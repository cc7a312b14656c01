//! Policies that change while everything runs: what has not changed is evaluated again.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::Command;

use chrono::{TimeDelta, Utc};
use elava_e2e::{Estate, Heard, Pipeline, binary, publish, scalar, scan_lines, server, stored, until};
use elava_schemas::micros;

use crate::settled;

/// Tells groups as one line each.
const CONFIG: &str = r#"
version: "2.0"
policies: {evaluate_every: 5s}
actions:
  notifications:
    stdout: {enabled: false}
    grouping: {evaluated: 20s}
    channels:
      all:
        file: {path: "TOLD", format: text}
        templates: {title: "{{ kind }} {{ count }} {{ state }} {{ owner }}"}
"#;

const NOTHING: &str = "package day2.a\n\nwarn contains \"never\" if input.type == \"none\"\n";
const ENCRYPTED: &str = "package day2.b\n\nwarn contains {\"rule\": \"b\", \"msg\": \"Encrypted\"} if input.resource.attributes.Encrypted\n";

/// Reads the time.
const OLD: &str = "package day2.b\n\nwarn contains \"old\" if input.context.resource_age_days > 365\n";

fn start(pipeline: &mut Pipeline, folder: &Path) {
    std::fs::create_dir(folder.join("policies")).expect("a folder");
    std::fs::write(folder.join("policies/a.rego"), NOTHING).expect("written");
    let told = folder.join("told");
    std::fs::write(folder.join("elava.yaml"), CONFIG.replace("TOLD", told.to_str().expect("text"))).expect("written");
    pipeline.set("ELAVA_CONFIG", folder.join("elava.yaml").to_str().expect("text"));
    for stage in ["detector", "decider", "notifier"] {
        pipeline.start(stage, &[]);
    }
    start_enforcer(pipeline, folder);
}

fn start_enforcer(pipeline: &mut Pipeline, folder: &Path) {
    pipeline.start("enforcer", &["--policies", folder.join("policies").to_str().expect("text")]);
}

/// How many results were made for each reason.
async fn triggers(url: &str) -> Vec<(String, usize)> {
    let results = stored(url, "POLICY", "elava.policy.>").await;
    let mut counts = BTreeMap::new();
    for result in results.iter().filter(|row| row["kind"] == "policy_result") {
        *counts.entry(result["trigger"].as_str().unwrap_or("change").to_owned()).or_default() += 1;
    }
    counts.into_iter().collect()
}

fn open_violations(pipeline: &Pipeline) -> i64 {
    scalar(&pipeline.db(), "SELECT count(*) FROM open_violations")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_policy_opens_many_findings_and_each_owner_hears_once() {
    let server = server();
    let folder = tempfile::tempdir().expect("a folder");
    let mut pipeline = Pipeline::new(server.url());
    start(&mut pipeline, folder.path());
    let estate = Estate::new(4, 1000);
    publish(&server.url(), &scan_lines(&estate, micros(Utc::now() - TimeDelta::hours(1)))).await;
    settled(&server.url()).await;
    let told = || std::fs::read_to_string(folder.path().join("told")).unwrap_or_default();
    assert_eq!(told(), "", "nothing is wrong yet");

    std::fs::write(folder.path().join("policies/b.rego"), ENCRYPTED).expect("written");
    until("all to be evaluated again", async || {
        triggers(&server.url()).await == [("change".to_owned(), 4000), ("policies".to_owned(), 4000)]
    })
    .await;
    until("all to be told", async || stored(&server.url(), "EXECUTION", "elava.delivery.>").await.len() == 3000).await;
    // behind the time and the severity
    let message = |line: &str| Some(line.split_once("WARNING   group ")?.1.to_owned());
    let mut lines: Vec<String> = told().lines().filter_map(message).collect();
    lines.sort();
    assert_eq!(told().matches("WARNING").count(), lines.len());
    assert_eq!(told().matches("has not changed: the policies have").count(), lines.len());
    expect_test::expect![[r#"
        200 new None
        400 new team-0
        400 new team-1
        400 new team-2
        400 new team-3
        400 new team-4
        400 new team-5
        400 new team-6"#]]
    .assert_eq(&lines.join("\n"));

    pipeline.stop();
    assert_eq!(open_violations(&pipeline), 3000);
}

/// What policies find of an estate of three scopes, one of them large, while the enforcer is killed in the middle of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_everything_is_evaluated_again_once_more() {
    let server = server();
    let url = server.url();
    let folder = tempfile::tempdir().expect("a folder");
    let mut pipeline = Pipeline::new(url.clone());
    start(&mut pipeline, folder.path());
    let mut estate = Estate::new(1, 5000);
    estate.add(&Estate::new(3, 100));
    let resources = estate.resources.len();
    publish(&url, &scan_lines(&estate, micros(Utc::now() - TimeDelta::hours(1)))).await;
    settled(&url).await;

    // a change of its text alone makes other policies of them: killed too late is tried again
    let mut attempt = 0;
    loop {
        attempt += 1;
        assert!(attempt < 6, "it was always killed too late");
        let before = evaluated(&url, "policies").await;
        let mut results = Heard::on(&url, "elava.policy.>").await;
        std::fs::write(folder.path().join("policies/b.rego"), format!("# {attempt}\n{ENCRYPTED}")).expect("written");
        results.text(r#""trigger":"policies""#).await;
        pipeline.kill("enforcer");
        if evaluated(&url, "policies").await < before + resources {
            break;
        }
        start_enforcer(&mut pipeline, folder.path());
    }
    start_enforcer(&mut pipeline, folder.path());
    until("all of each attempt", async || evaluated(&url, "policies").await >= attempt * resources).await;
    let encrypted = || estate.resources.iter().filter(|resource| resource.attributes["Encrypted"] == true).count();
    until("all to be open", async || open(&url).await == encrypted()).await;
    settled(&url).await;

    // people ask for one resource; policies that are gone find nothing any more; time passes
    let key = estate.resources[0].key.to_string();
    let asked = Command::new(binary("elava")).args(["evaluate", &key, "--nats", &url]).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&asked.stdout), "{\"partitions\":1}\n");
    until("one to be evaluated", async || triggers(&url).await.contains(&("request".to_owned(), 1))).await;
    std::fs::write(folder.path().join("policies/b.rego"), OLD).expect("written");
    until("all is mended", async || open(&url).await == 0).await;
    until("time", async || {
        triggers(&url).await.iter().any(|(trigger, count)| trigger == "time" && *count >= resources)
    })
    .await;
    pipeline.stop();
    assert_eq!(open_violations(&pipeline), 0);
}

/// How many results were made for this reason.
async fn evaluated(url: &str, trigger: &str) -> usize {
    let triggers = triggers(url).await;
    triggers.iter().find(|(name, _)| name == trigger).map_or(0, |(_, count)| *count)
}

/// How many findings are open, as decisions say.
async fn open(url: &str) -> usize {
    let decisions = stored(url, "DECISION", "elava.decision.>").await;
    let states = decisions.iter().filter(|row| row["metadata"]["policy"] == "day2.b");
    let states: HashMap<&str, &str> =
        states.map(|row| (row["finding"].as_str().expect("a text"), row["state"].as_str().expect("a text"))).collect();
    states.values().filter(|state| **state != "resolved").count()
}
