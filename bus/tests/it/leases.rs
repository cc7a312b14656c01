//! Several instances of one stage: they share its partitions, and nobody's writes are lost to another.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use elava_bus::cli::Finished;
use elava_bus::{BusError, Client, Sink};
use elava_harness::Server;
use elava_schemas::Timestamp;
use tokio::task::JoinHandle;

use crate::copier::{Copier, observation};
use crate::delivery::{assert_exact, expected};
use crate::{args_with, changes, client, jetstream, publish, publish_scopes, run, server, until};

/// How many partitions each living instance has, sorted.
async fn shares(client: &Client) -> Vec<u16> {
    let mut shares: Vec<u16> =
        client.instances().await.expect("an answer").iter().map(|instance| instance.partitions).collect();
    shares.sort_unstable();
    shares
}

/// A server, and an instance that has all partitions.
async fn one_at_work() -> (Server, Client, Copier, JoinHandle<Result<Finished, BusError>>) {
    let server = server();
    let client = client(&server).await;
    let stage = Copier::default();
    let task = run(&server, &stage);
    until("all for one", async || shares(&client).await == [16]).await;
    (server, client, stage, task)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_living_share_the_partitions_and_take_over_those_of_the_dead() {
    let (server, client, stage, first) = one_at_work().await;
    publish_scopes(&server, 20, 300).await;
    let second = run(&server, &stage);
    until("halves", async || shares(&client).await == [8, 8]).await;
    let third = run(&server, &stage);
    until("thirds", async || {
        let shares = shares(&client).await;
        shares.len() == 3 && shares.iter().sum::<u16>() == 16 && shares[2] <= 6
    })
    .await;
    publish(&server, vec![observation(0, "i-0-99997"), observation(1, "i-1-99998")]).await;
    // as by SIGKILL
    first.abort();
    until("two are left", async || shares(&client).await == [8, 8]).await;
    second.abort();
    until("one is left", async || shares(&client).await == [16]).await;
    publish(&server, vec![observation(2, "i-2-99999")]).await;
    let last = ["chg_i-0-99997", "chg_i-1-99998", "chg_i-2-99999"].map(str::to_owned);
    let expected: BTreeSet<String> = expected(20, 300).into_iter().chain(last).collect();
    until("everything", async || changes(&server).await.len() >= expected.len()).await;
    assert_exact(&changes(&server).await, &expected);
    third.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_taken_away_by_hand_is_taken_again_and_nothing_is_repeated() {
    let (server, client, _, task) = one_at_work().await;
    let since = client.instances().await.expect("an answer")[0].since;
    let kv = jetstream(&server).await.get_key_value("elava_leases").await.expect("the bucket");
    let found = kv.get("group.detector.03").await.expect("an answer").expect("a lease");
    let body: serde_json::Value = serde_json::from_slice(&found).expect("JSON");
    let mut names: Vec<&str> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["instance", "partitions", "since"]);

    publish_scopes(&server, 20, 100).await;
    for group in 0..16 {
        kv.delete(format!("group.detector.{group:02}")).await.expect("removed");
    }
    until("all again", async || {
        let instances = client.instances().await.expect("an answer");
        shares(&client).await == [16] && instances.first().is_some_and(|one| one.since == since)
    })
    .await;
    publish(&server, (0..20).map(|scope| observation(scope, &format!("i-{scope}-00100"))).collect()).await;
    until("everything", async || changes(&server).await.len() >= 20 * 101).await;
    assert_exact(&changes(&server).await, &expected(20, 101));
    task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_that_somebody_else_has_written_is_not_overwritten_but_read_again() {
    let server = server();
    let stage = Copier::default();
    let task = run(&server, &stage);
    publish(&server, vec![observation(0, "i-1")]).await;
    let state = async |key: &str| {
        let kv = jetstream(&server).await.get_key_value("elava_state").await.expect("the bucket");
        let mut keys = Vec::new();
        for partition in 0..16 {
            let key = format!("detector.OBSERVATION.{partition}.{key}");
            keys.extend(kv.entry(&key).await.expect("an answer").map(|entry| (key, entry)));
        }
        keys.pop()
    };
    until("its state", async || state("position").await.is_some()).await;
    // as a holder of before does that was frozen before it had written this
    let (key, entry) = state("position").await.expect("a position");
    let kv = jetstream(&server).await.get_key_value("elava_state").await.expect("the bucket");
    kv.put(&key, entry.value.clone()).await.expect("written");
    assert_eq!(stage.handled.load(Ordering::Relaxed), 1);
    publish(&server, vec![observation(0, "i-2")]).await;
    until("its state", async || state("i-2").await.is_some()).await;
    until("where that is", async || state("position").await.is_some_and(|(_, entry)| entry.value == "2")).await;
    assert_eq!(stage.handled.load(Ordering::Relaxed), 3, "once more, with what was stored");
    assert_eq!(changes(&server).await, ["chg_i-1", "chg_i-2"]);
    assert_eq!(state("i-1").await.map(|(_, entry)| entry.value), Some(Bytes::from_static(b"seen")));
    task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_is_one_instances_and_ends_when_it_is_not_renewed() {
    let server = server();
    let mut sinks = Vec::new();
    for _ in 0..2 {
        sinks.push(Sink::open("test", &args_with(&server, "9s")).await.expect("opens"));
    }
    let [one, other] = [0, 1].map(|index: usize| sinks[index].claims().expect("over NATS"));
    let began = |second| Timestamp::from_timestamp(second, 0).expect("a time");

    let mut first = one.claim("aws.1.r.ec2:vpc").await.expect("an answer").expect("it is free");
    assert!(other.claim("aws.1.r.ec2:vpc").await.expect("an answer").is_none(), "taken");
    assert!(other.claim("aws.1.r.ec2:volume").await.expect("an answer").is_some(), "another one");
    // kept for longer than it lasts by itself: each renewal says how long
    let kept = tokio::time::timeout(Duration::from_secs(11), first.keep()).await;
    assert!(kept.is_err() && first.lease().is_held());
    assert!(other.claim("aws.1.r.ec2:vpc").await.expect("an answer").is_none(), "still taken");

    first.lease().lost().await;
    until("it ends by itself", async || other.claim("aws.1.r.ec2:vpc").await.expect("an answer").is_some()).await;
    let renewed = tokio::time::timeout(Duration::from_secs(4), first.keep()).await;
    assert!(renewed.is_err() && !first.lease().is_held(), "what is another's is not renewed");
    assert!(!first.done(began(1)).await.expect("an answer"), "nor ended");
    assert_eq!(other.last("aws.1.r.ec2:vpc").await.expect("an answer"), None);

    // its own, whose handle was dropped above
    let second = other.claim("aws.1.r.ec2:vpc").await.expect("an answer").expect("its own");
    assert!(second.done(began(2)).await.expect("an answer"));
    assert_eq!(one.last("aws.1.r.ec2:vpc").await.expect("an answer"), Some(began(2)));
    let third = one.claim("aws.1.r.ec2:vpc").await.expect("an answer").expect("free at once");
    third.release().await;
    assert!(other.claim("aws.1.r.ec2:vpc").await.expect("an answer").is_some(), "given back as it was");
    assert_eq!(other.last("aws.1.r.ec2:vpc").await.expect("an answer"), Some(began(2)));
}
