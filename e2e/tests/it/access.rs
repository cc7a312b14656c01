//! The whole flow with a user a stage: each can do its work, and is denied nothing that it tries.

use std::process::{Command, Output};

use elava_bus::{Client, NatsAccess, NatsOptions};
use elava_e2e::{Pipeline, STAGES, Server, StandIn, binary, guarded, key, scalar, until};

use crate::settled_for;

/// `program`, with the key of `user`.
fn run(server: &Server, program: &str, user: &str, args: &[&str]) -> Output {
    let mut command = Command::new(binary(program));
    command.args(args).args(["--nats", &server.url(), "--nats-nkey", &key(server, user)]);
    command.output().expect("it runs")
}

fn said(server: &Server, args: &[&str]) -> String {
    let Output { status, stdout, stderr } = run(server, "elava", "elava", args);
    assert!(status.success(), "{args:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("UTF-8")
}

async fn people(server: &Server) -> Client {
    let access = NatsAccess { nats_nkey: Some(key(server, "elava").into()), ..NatsAccess::default() };
    Client::connect(&NatsOptions { access, ..NatsOptions::new(server.url()) }).await.expect("connects")
}

/// So many messages in a stream.
async fn messages(client: &Client, stream: &str) -> u64 {
    let usage = client.usage().await.expect("usage");
    usage.iter().find(|one| one.stream == stream).map_or(0, |one| one.messages)
}

fn start(pipeline: &mut Pipeline, server: &Server, stage: &'static str, extra: &[&str]) {
    pipeline.start(stage, &[&["--nats-nkey", &key(server, stage)], extra].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_flow_with_a_user_a_stage() {
    let cloud = StandIn::start(300, 0);
    let server = guarded();
    let mut pipeline = Pipeline::new(server.url());
    STAGES.iter().chain(&["executor"]).for_each(|stage| start(&mut pipeline, &server, stage, &[]));
    until("a stage waits for the streams", async || pipeline.log("decider").contains("`elava nats streams` does"))
        .await;
    let made = run(&server, "elava", "admin", &["nats", "streams"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let place =
        ["--types", "ec2:instance", "--regions", "us-east-1", "--endpoint-url", cloud.url(), "--interval", "1h"];
    start(&mut pipeline, &server, "observer", &place);
    let client = people(&server).await;
    until("people are told", async || messages(&client, "EXECUTION").await > 0).await;
    settled_for(&client, 1, async || false).await;
    let told = messages(&client, "EXECUTION").await;

    // what a stage keeps is found again by the next instance
    for stage in STAGES {
        pipeline.terminate(stage);
        start(&mut pipeline, &server, stage, &[]);
    }
    cloud.mutate(10);
    // answered by the observer
    assert!(said(&server, &["scan"]).contains("\"scopes\":1"));
    until("people are told of what changed", async || messages(&client, "EXECUTION").await > told).await;
    settled_for(&client, 1, async || false).await;
    let evaluated = messages(&client, "POLICY").await;
    until("the enforcer hears people", async || said(&server, &["evaluate"]).contains("\"partitions\":16")).await;
    until("the enforcer is answered by the detector", async || messages(&client, "POLICY").await > evaluated).await;
    assert!(said(&server, &["status", "--json"]).contains("at work"), "people see who is");
    assert_eq!(said(&server, &["resources", "--json"]).lines().count(), 300, "the detector answers people");
    assert_eq!(messages(&client, "DEAD").await, 0);

    let rebuilt = tempfile::tempdir().expect("a temporary folder");
    let rebuilt = rebuilt.path().join("rebuilt.duckdb");
    let again = run(&server, "elava-detector", "admin", &["rebuild", "--db", rebuilt.to_str().expect("text")]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    pipeline.stop();
    let versions = "SELECT count(*) FROM versions";
    assert_eq!(scalar(&rebuilt, versions), scalar(&pipeline.db(), versions));
    for stage in STAGES.into_iter().chain(["observer", "executor"]) {
        let log = pipeline.log(stage);
        let denied = log.lines().filter(|line| line.contains("does not allow") && !line.contains("STREAM.CREATE"));
        assert_eq!(denied.collect::<Vec<_>>(), Vec::<&str>::new(), "{stage}");
    }
}
