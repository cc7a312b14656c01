//! Several instances of every stage: they join, leave, die and freeze, and the outcome is that of one
//! undisturbed instance of each.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use elava_bus::{Client, LivingInstance, NatsOptions, PARTITIONS};
use elava_e2e::{Pipeline, Signal, binary, free_port, stored, until};
use elava_schemas::micros;

use crate::crashes::{assert_same, run, scans};

const SHARING: [&str; 3] = ["enforcer", "decider", "notifier"];

/// Those that live; none where the server is too busy to say.
async fn instances(url: &str) -> Vec<LivingInstance> {
    let Ok(client) = Client::connect(&NatsOptions::new(url)).await else { return Vec::new() };
    client.instances().await.unwrap_or_default()
}

/// How many partitions each instance of a stage has, sorted.
async fn shares(url: &str, stage: &str) -> Vec<u16> {
    let mut shares: Vec<u16> =
        instances(url).await.iter().filter(|one| one.stage == stage).map(|one| one.partitions).collect();
    shares.sort_unstable();
    shares
}

/// The detectors that have the lease.
async fn at_work(url: &str) -> Vec<String> {
    let instances = instances(url).await.into_iter();
    instances.filter(|one| one.stage == "detector" && one.partitions > 0).map(|one| one.instance).collect()
}

/// So many instances of each stage have all partitions, none more than its share.
async fn shared(url: &str, instances: usize) {
    let share = u16::try_from(usize::from(PARTITIONS).div_ceil(instances)).expect("few");
    for stage in SHARING {
        until(&format!("an even share of {stage}"), async || {
            let shares = shares(url, stage).await;
            shares.len() == instances
                && shares.iter().sum::<u16>() == PARTITIONS
                && shares.iter().all(|partitions| *partitions <= share)
        })
        .await;
    }
}

/// Longer than a lease lasts.
async fn frozen(pipeline: &mut Pipeline, stages: &[&str]) {
    stages.iter().for_each(|stage| pipeline.signal(stage, Signal::STOP));
    tokio::time::sleep(Duration::from_secs(8)).await;
    stages.iter().for_each(|stage| pipeline.signal(stage, Signal::CONT));
}

/// No message of a stream is there twice.
async fn assert_once(url: &str, stream: &str, filter: &str) {
    let rows = stored(url, stream, filter).await;
    let ids: BTreeSet<String> = rows.iter().map(|row| row["id"].to_string()).collect();
    assert_eq!(ids.len(), rows.len(), "{stream}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_come_and_go() {
    let scans = scans(micros(Utc::now() - TimeDelta::hours(1)));
    let undisturbed = run(&scans, async |_, _, _| {}).await;
    let disturbed = run(&scans, async |number, server, pipeline| {
        let url = server.url();
        match number {
            0 => {
                for stage in SHARING.into_iter().chain(SHARING) {
                    pipeline.start(stage, &[]);
                }
                shared(&url, 3).await;
            }
            1 => {
                SHARING.iter().for_each(|stage| pipeline.terminate(stage));
                shared(&url, 2).await;
                SHARING.iter().for_each(|stage| pipeline.start(stage, &[]));
                SHARING.iter().for_each(|stage| pipeline.kill(stage));
            }
            _ => {
                frozen(pipeline, &SHARING).await;
                shared(&url, 2).await;
                for (stream, filter) in
                    [("POLICY", "elava.policy.>"), ("DECISION", "elava.decision.>"), ("EXECUTION", "elava.delivery.>")]
                {
                    assert_once(&url, stream, filter).await;
                }
            }
        }
    })
    .await;
    assert_same(&disturbed, &undisturbed, "instances that come and go");
}

/// What a process says of its health.
pub(crate) fn health(address: &str) -> String {
    let output = Command::new("curl").args(["-s", &format!("http://{address}/readyz")]).output();
    String::from_utf8_lossy(&output.expect("curl runs").stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_detector_stands_by_and_takes_over() {
    let scans = scans(micros(Utc::now() - TimeDelta::hours(1)));
    let undisturbed = run(&scans, async |_, _, _| {}).await;
    let address = format!("127.0.0.1:{}", free_port());
    let address = &address;
    let disturbed = run(&scans, async |number, server, pipeline| {
        let url = server.url();
        match number {
            0 => {
                pipeline.start("detector", &["--health-addr", address]);
                until("a stand-by", async || shares(&url, "detector").await == [0, 16]).await;
                until("its health", async || health(address) == "ready, standing by").await;
                until("elava status shows both", async || {
                    let output = Command::new(binary("elava")).args(["status", "--nats", &url]).output();
                    let status = String::from_utf8_lossy(&output.expect("elava runs").stdout).into_owned();
                    status.contains("standing by") && status.contains("at work")
                })
                .await;
            }
            1 => {
                pipeline.kill("detector");
                until("the other takes over", async || shares(&url, "detector").await == [16]).await;
                until("its health", async || health(address) == "ready, 16 of 16 partitions").await;
            }
            _ => {
                pipeline.start("detector", &[]);
                until("a stand-by", async || shares(&url, "detector").await == [0, 16]).await;
                // The history stays open meanwhile; whoever has the lease afterwards goes on with it.
                frozen(pipeline, &["detector"]).await;
                let frozen = format!("-{}-", pipeline.pid("detector"));
                let begun = Instant::now();
                loop {
                    assert!(begun.elapsed() < Duration::from_secs(600), "it neither ends nor has the lease");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    if let Some(code) = pipeline.ended("detector") {
                        assert_eq!(code, 1);
                        assert!(pipeline.log("detector").contains("has taken over as detector"));
                        break;
                    }
                    if at_work(&url).await.iter().any(|instance| instance.contains(&frozen)) {
                        break;
                    }
                }
                until("one at work", async || at_work(&url).await.len() == 1).await;
            }
        }
    })
    .await;
    assert_same(&disturbed, &undisturbed, "a detector that took over");
}
