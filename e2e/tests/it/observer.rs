//! The observer, started before what it needs is there; and killed in mid-scan and started again: the scan
//! proves nothing, and after the next whole one the history is that of an undisturbed run.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use elava_bus::{Client, NatsOptions};
use elava_e2e::{Heard, Pipeline, StandIn, binary, dump, free_port, guarded, key, scalar, stored, until};
use elava_harness::{Process, command};

use crate::instances::health;
use crate::{settled, started};

/// Two pages of the API.
const INSTANCES: u32 = 1050;
/// Milliseconds from the first page to the second.
const LATENCY: u32 = 4000;

/// Scans that have sent something, and those of them that have ended.
async fn scans(url: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let rows = stored(url, "OBSERVATION", "elava.observation.>").await;
    let ids = |ended: bool| {
        let rows = rows.iter().filter(|row| !ended || row["kind"] == "scan_report");
        rows.map(|row| row["scan_id"].as_str().expect("an id").to_owned()).collect()
    };
    (ids(false), ids(true))
}

/// Starts an observer; what was scanned already is not due, and asked for.
async fn observe(pipeline: &mut Pipeline, cloud: &StandIn, url: &str) {
    let place = ["--types", "ec2:instance", "--regions", "us-east-1", "--endpoint-url", cloud.url()];
    // a scan is not to be cut short where the machine has much to do
    let lease = ["--interval", "1h", "--lease-ttl", "6s"];
    pipeline.start("observer", &[&place[..], &lease].concat());
    if scans(url).await.1.is_empty() {
        return;
    }
    let client = Client::connect(&NatsOptions::new(url)).await.expect("NATS is there");
    until("an answer", async || client.request("elava.scan.request", Bytes::new()).await.is_ok()).await;
}

/// A first look, and another one after a tenth has changed; each one killed in the middle, if so
/// wanted, and begun again. Returns what the history holds, without times and scans.
async fn history(killed: bool) -> Vec<Vec<String>> {
    let cloud = StandIn::start(INSTANCES, LATENCY);
    let (server, mut pipeline) = started();
    let url = server.url();
    for look in 1..=2 {
        let mut observations = Heard::on(&url, "elava.observation.>").await;
        observe(&mut pipeline, &cloud, &url).await;
        if killed {
            observations.text(r#""kind":"observation""#).await;
            pipeline.kill("observer");
            let (begun, ended) = scans(&url).await;
            assert_eq!((begun.len(), ended.len()), (2 * look - 1, look - 1), "killed in the middle");
            observe(&mut pipeline, &cloud, &url).await;
        }
        until("a whole scan", async || scans(&url).await.1.len() == look).await;
        pipeline.kill("observer");
        settled(&url).await;
        cloud.mutate(10);
    }
    pipeline.stop();

    let db = pipeline.db();
    let count = |outcome: &str| scalar(&db, &format!("SELECT count(*) FROM scans WHERE outcome = '{outcome}'"));
    assert_eq!((count("complete"), count("abandoned")), (2, if killed { 2 } else { 0 }));
    assert_eq!(scalar(&db, "SELECT count(*) FROM changes WHERE type = 'disappeared'"), 0, "nothing is gone");
    assert_eq!(scalar(&db, "SELECT count(*) FROM resources"), i64::from(INSTANCES));
    [
        "SELECT key, version, name, status, tags, attributes, relations, valid_to IS NULL AS is_current \
         FROM versions ORDER BY key, valid_from",
        "SELECT k.key, c.type, c.baseline, c.previous_version, c.current_version, c.diff, c.details \
         FROM changes c JOIN keys k USING (resource_id) ORDER BY ALL",
        "SELECT k.key, v.policy, v.rule, v.severity, v.message, v.closed_at IS NULL AS is_open \
         FROM violations v JOIN keys k USING (resource_id) ORDER BY ALL",
        "SELECT k.key, d.action, d.severity, d.state, d.reason \
         FROM decisions d JOIN keys k USING (resource_id) ORDER BY ALL",
    ]
    .map(|sql| dump(&db, sql))
    .to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_mid_scan_it_makes_nothing_disappear() {
    let undisturbed = history(false).await;
    assert!(undisturbed.iter().all(|rows| rows.len() >= 105), "the undisturbed run has everything");
    for (found, expected) in history(true).await.iter().zip(&undisturbed) {
        let differs = found.iter().zip(expected).find(|(found, expected)| found != expected);
        assert_eq!(differs, None, "first differing row");
        assert_eq!(found.len(), expected.len(), "rows");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stays_and_says_what_it_waits_for() {
    let (cloud, server) = (StandIn::start(20, 0), guarded());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [config, credentials] = ["config", "credentials"].map(|name| folder.path().join(name));
    let address = format!("127.0.0.1:{}", free_port());
    let mut observer = command(binary("elava-observer"));
    observer.args(["--nats", &server.url(), "--nats-nkey", &key(&server, "observer"), "--health-addr", &address]);
    observer.args(["--types", "ec2:instance", "--endpoint-url", cloud.url()]);
    observer.env("AWS_CONFIG_FILE", &config).env("AWS_SHARED_CREDENTIALS_FILE", &credentials);
    observer.env("AWS_EC2_METADATA_DISABLED", "true");
    let mut observer = Process::spawn("observer", observer, folder.path()).expect("it starts");
    let says = async |what: &str| until(what, async || health(&address).starts_with(what)).await;

    says("not ready: waiting for the streams; NATS does not allow this user to publish").await;
    let mut streams = Command::new(binary("elava"));
    streams.args(["nats", "streams", "--nats", &server.url(), "--nats-nkey", &key(&server, "admin")]);
    assert!(streams.status().expect("elava runs").success());
    says("not ready: no region: use --regions").await;
    std::fs::write(&config, "[default]\nregion = us-east-1\n").expect("written");
    says("not ready: no AWS credentials (").await;
    std::fs::write(&credentials, "[default]\naws_access_key_id = a\naws_secret_access_key = b\n").expect("written");
    until("it is ready", async || health(&address) == "ready").await;
    let log = || std::fs::read_to_string(folder.path().join("observer.log")).expect("its log");
    until("a scan", async || log().contains("\"outcome\":\"complete\"")).await;
    assert!(log().contains("nothing can be listed; trying again\",\"error\":\"no region"), "{}", log());
    observer.terminate(Duration::from_secs(60)).expect("it ends well");
}
