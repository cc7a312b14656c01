//! What is too much to be true is one message, and what was not looked at is none: real binaries, and what the channel
//! receives.

use std::process::{Command, Output};

use chrono::{TimeDelta, Utc};
use elava_e2e::{Estate, Pipeline, Receiver, Server, binary, publish, scalar, scan_lines, server, stored, until};
use elava_schemas::{Tags, Timestamp, micros};
use serde_json::{Value, json};

use crate::settled;

/// A server, all stages, and somebody who reads.
struct World {
    server: Server,
    pipeline: Pipeline,
    receiver: Receiver,
    begun: Timestamp,
    _folder: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        Self::with("").await
    }

    /// With these settings of the breaker.
    async fn with(breaker: &str) -> Self {
        let (server, receiver) = (server(), Receiver::start().await);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("elava.yaml");
        let slack = format!("slack: {{enabled: true, webhook: '{}'}}", receiver.url());
        let text = format!(
            "version: \"2.0\"\nbehavior: {{breaker: {{{breaker}}}}}\nactions:\n  notifications:\n    stdout: {{enabled: false}}\n    grouping: {{window: 8s, longest: 8s}}\n    {slack}\n"
        );
        std::fs::write(&config, text).expect("written");
        let mut pipeline = Pipeline::new(server.url());
        for stage in elava_e2e::STAGES {
            pipeline.start(stage, &["--config", config.to_str().expect("text")]);
        }
        Self { server, pipeline, receiver, begun: micros(Utc::now() - TimeDelta::hours(1)), _folder: folder }
    }

    /// When scans of this number are made.
    fn at(&self, number: i64) -> Timestamp {
        self.begun + TimeDelta::minutes(number)
    }

    /// Publishes a scan, and waits until everybody has heard what there is to hear.
    async fn scan(&self, number: i64, estate: &Estate) {
        self.publish(&lines(estate, self.at(number))).await;
    }

    async fn publish(&self, lines: &[String]) {
        publish(&self.server.url(), lines).await;
        settled(&self.server.url()).await;
    }

    /// Waits until people have heard so much, and nothing else is on its way.
    async fn hears(&self, expected: &[&str]) {
        until("people to hear it", async || self.receiver.headlines().len() >= expected.len()).await;
        settled(&self.server.url()).await;
        assert_eq!(told(self), expected);
    }

    /// Decisions with this action and state.
    async fn decided(&self, action: &str, state: &str) -> Vec<Value> {
        let rows = stored(&self.server.url(), "DECISION", "elava.decision.>").await;
        rows.into_iter().filter(|row| row["action"] == action && row["state"] == state).collect()
    }

    /// How many findings were held.
    async fn held(&self) -> usize {
        self.decided("audit", "new").await.iter().filter(|row| row["metadata"]["breaker"].is_string()).count()
    }

    /// Says a word on the breaker's one alert.
    async fn say(&self, word: &str, more: &[&str]) {
        until("an alert", async || !self.decided("alert", "new").await.is_empty()).await;
        let alerts = self.decided("alert", "new").await;
        let id = alerts.last().expect("an alert")["id"].as_str().expect("an id").to_owned();
        let run = || {
            let mut command = Command::new(binary("elava"));
            command.args([word, &id, "--by", "ann", "--nats", &self.server.url()]).args(more).output().expect("it runs")
        };
        // the recorder may not have come to it yet
        until("it is known", async || {
            let Output { status, stderr, .. } = run();
            let error = String::from_utf8_lossy(&stderr).into_owned();
            assert!(status.success() || error.contains("no decision begins with"), "{error}");
            status.success()
        })
        .await;
    }
}

/// A scan of the volumes.
fn lines(estate: &Estate, at: Timestamp) -> Vec<String> {
    scan_lines(estate, at).into_iter().filter(|line| line.contains("ec2:volume")).collect()
}

/// So many volumes of one scope with which nothing is wrong.
fn volumes(count: usize) -> Estate {
    let mut estate = Estate::new(2, count);
    estate.resources.retain(|resource| resource.key.kind == "ec2:volume");
    for resource in &mut estate.resources {
        resource.status = Some("in-use".to_owned());
        resource.tags = Some(Tags::from([("Owner".to_owned(), "shop".to_owned())]));
        resource.attributes.insert("Encrypted".to_owned(), true.into());
    }
    estate
}

fn without_tags(estate: &Estate) -> Estate {
    let mut bare = estate.clone();
    bare.resources.iter_mut().for_each(|resource| resource.tags = Some(Tags::new()));
    bare
}

/// What people are told, without how many there were when the breaker tripped.
fn told(world: &World) -> Vec<String> {
    let told = world.receiver.headlines().into_iter();
    told.map(|line| match line.split_once(" × ") {
        Some((alert, sort)) => format!("{} × {sort}", alert.trim_end_matches(|digit: char| digit.is_ascii_digit())),
        None => line,
    })
    .collect()
}

/// The breaker's alert.
const ALERT: &str = "🔴 CRITICAL: One scan shows more than can be true; held back until somebody releases it:  × tag_drift: volume * (ec2:volume, us-east-1)";

/// How it ended.
fn ended(how: &str) -> String {
    format!("🟢 RESOLVED: {how}: volume * (ec2:volume, us-east-1)")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_that_lose_their_tags_are_one_message() {
    let mut world = World::start().await;
    let estate = volumes(10_000);
    world.scan(0, &estate).await;
    assert_eq!(world.receiver.headlines(), Vec::<String>::new());
    world.scan(1, &without_tags(&estate)).await;
    world.hears(&[ALERT]).await;
    assert_eq!(world.held().await, 10_000);
    // the next look shows that nothing was wrong
    world.scan(2, &estate).await;
    world.hears(&[ALERT, &ended("All that was held back is over")]).await;
    world.pipeline.stop();
    assert_eq!(scalar(&world.pipeline.db(), "SELECT count(*) FROM deliveries"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_is_released_or_denied() {
    let mut world = World::start().await;
    let estate = volumes(1000);
    world.scan(0, &estate).await;
    world.scan(1, &without_tags(&estate)).await;
    world.say("deny", &["--reason", "our own script"]).await;
    let denied = ended("Denied by ann (our own script); what was held back is not told");
    world.hears(&[ALERT, &denied]).await;
    // nobody heard that they had opened, nor that they are over
    world.scan(2, &estate).await;
    world.hears(&[ALERT, &denied]).await;

    // it happens again, and is true
    world.scan(3, &without_tags(&estate)).await;
    world.hears(&[ALERT, &denied, ALERT]).await;
    world.say("release", &[]).await;
    until("what was released", async || world.receiver.headlines().len() >= 5).await;
    let mut released = world.receiver.headlines().split_off(3);
    released.sort();
    // without tags they have no owner
    let expected = ["🟡 WARNING: 1,000 findings open again: tag drift".to_owned(), ended("Released by ann")];
    assert_eq!(released, expected);
    // and the end of a thousand is one message
    world.scan(4, &estate).await;
    until("the end", async || world.receiver.headlines().len() >= 6).await;
    let resolved = "🟢 RESOLVED: 1,000 findings resolved: tag drift (owner shop)";
    assert_eq!(world.receiver.headlines()[5..], [resolved]);
    settled(&world.server.url()).await;
    world.pipeline.stop();
    assert_eq!(scalar(&world.pipeline.db(), "SELECT count(*) FROM deliveries"), 2004);
}

/// Forty scopes, in none of which it is too much.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_with_an_account_is_one_message() {
    let mut world = World::with("settle: 15s, account: {findings: 100}").await;
    let estate = volumes(600).in_regions(40);
    world.scan(0, &estate).await;
    world.scan(1, &without_tags(&estate)).await;
    let alert = "🔴 CRITICAL: An account shows more than can be true; held back until somebody releases it:  × tag_drift: account 100000000001";
    world.hears(&[alert]).await;
    assert_eq!(world.held().await, 600);
    world.say("release", &[]).await;
    until("what was released", async || world.receiver.headlines().len() >= 3).await;
    let mut released = world.receiver.headlines().split_off(1);
    released.sort();
    let expected = ["🟡 WARNING: 600 new findings: tag drift", "🟢 RESOLVED: Released by ann: account 100000000001"];
    assert_eq!(released, expected);
    settled(&world.server.url()).await;
    world.pipeline.stop();
    assert_eq!(scalar(&world.pipeline.db(), "SELECT count(*) FROM deliveries"), 602);
}

/// A listing fails half-way: what was not looked at is not gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_listing_makes_nothing_disappear() {
    let mut world = World::start().await;
    let estate = volumes(1000);
    world.scan(0, &estate).await;
    for (number, outcome, seen) in [(1, "partial", 500), (2, "failed", 0), (3, "partial", 999)] {
        let mut lines = lines(&estate, world.at(number));
        let mut report: Value = serde_json::from_str(&lines.pop().expect("a report")).expect("JSON");
        lines.truncate(seen);
        report["outcome"] = outcome.into();
        report["observed"] = seen.into();
        report["errors"] = json!([{"operation": "ec2:DescribeVolumes", "code": "timeout", "message": "no answer"}]);
        lines.push(report.to_string());
        world.publish(&lines).await;
    }
    assert_eq!(world.receiver.headlines(), Vec::<String>::new());
    world.pipeline.stop();
    let db = world.pipeline.db();
    for (sql, expected) in [
        ("SELECT count(*) FROM changes WHERE type = 'disappeared'", 0),
        ("SELECT count(*) FROM resources", 1000),
        ("SELECT count(*) FROM scans", 4),
        ("SELECT count(*) FROM decisions WHERE action <> 'audit'", 0),
    ] {
        assert_eq!(scalar(&db, sql), expected, "{sql}");
    }
}
