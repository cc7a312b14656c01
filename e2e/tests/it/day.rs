//! The day of operations that `make demo` plays: every event appears as the right change, decision
//! and notification, nothing else does, and a failing region makes nothing disappear.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use elava_e2e::{Moto, Pipeline, changes, scalar, server, stored, until};
use expect_test::expect;
use serde_json::Value;

use crate::settled;

fn observe(pipeline: &mut Pipeline, moto: &Moto) {
    let url = moto.url();
    pipeline.start("observer", &["--interval", "1s", "--regions", "us-east-1,eu-west-1", "--endpoint-url", &url]);
}

/// What there is to be looked at in each region.
const SCOPES: usize = 13;

/// Reports of scans so far, of one region: complete ones, or the others.
async fn reports(url: &str, region: &str, complete: bool) -> Vec<Value> {
    let mut rows = stored(url, "OBSERVATION", "elava.observation.>").await;
    rows.retain(|row| row["kind"] == "scan_report" && row["scope"]["region"] == region);
    rows.retain(|row| (row["outcome"] == "complete") == complete);
    rows
}

/// How often what was looked at least often in a region was looked at since, where all is known.
async fn looks(url: &str, region: &str, since: DateTime<Utc>) -> usize {
    let mut scopes: BTreeMap<String, usize> = BTreeMap::new();
    for report in reports(url, region, true).await {
        let begun: DateTime<Utc> = report["started_at"].as_str().and_then(|text| text.parse().ok()).expect("a time");
        *scopes.entry(report["scope"].to_string()).or_default() += usize::from(begun > since);
    }
    if scopes.len() < SCOPES { 0 } else { scopes.into_values().min().unwrap_or(0) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_operations() {
    let moto = Moto::start();
    moto.estate("seed");
    let server = server();
    let url = server.url();
    let mut pipeline = Pipeline::started(url.clone());
    let begun = Utc::now();
    observe(&mut pipeline, &moto);
    until("a first look at everything", async || {
        looks(&url, "us-east-1", begun).await >= 1 && looks(&url, "eu-west-1", begun).await >= 1
    })
    .await;
    // seen before and after, not in between: what is on its way between two states is seen so, or not, by chance
    pipeline.kill("observer");
    for step in ["launch", "drift", "open-ssh", "delete-blessed", "orphan", "resize"] {
        moto.estate(step);
    }
    let played = Utc::now();
    observe(&mut pipeline, &moto);
    until("two more looks at everything", async || looks(&url, "us-east-1", played).await >= 2).await;

    let body = r#"{"region":"eu-west-1","mode":"error"}"#;
    let fail = format!("curl -sf -X POST {}/__fail -d '{body}'", moto.url());
    let (_, err, code) = elava_e2e::pipe(std::path::Path::new("/"), &fail);
    assert_eq!(code, 0, "{err}");
    let failed = reports(&url, "eu-west-1", false).await.len();
    until("failed looks at one region", async || reports(&url, "eu-west-1", false).await.len() > failed + 2).await;
    let failing = Utc::now();
    until("the other region goes on", async || looks(&url, "us-east-1", failing).await >= 1).await;

    pipeline.kill("observer");
    settled(&url).await;
    pipeline.stop();
    let db = pipeline.db();
    let mut played: Vec<String> = changes(&db)
        .into_iter()
        .filter(|change| change.contains("\"baseline\":false"))
        .map(|change| anonymous(&change))
        .collect();
    played.sort();
    expect![[r#"
        appeared aws/123456789012/us-east-1/ec2:instance/i-…: instance i-… appeared (c6i.4xlarge)
        appeared aws/123456789012/us-east-1/ec2:network-interface/eni-…: network interface eni-… appeared
        appeared aws/123456789012/us-east-1/ec2:volume/vol-…: volume vol-… appeared (gp2, 8 GiB)
        cost_increase aws/123456789012/us-east-1/ec2:instance/i-…: i-… (worker-2): estimated cost rose
        disappeared aws/123456789012/us-east-1/rds:db/orders-db: db orders-db disappeared (db.m6g.large, postgres, 100 GiB)
        disappeared aws/123456789012/us-east-1/rds:snapshot/rds:orders-db-…-…-…-…-…: snapshot rds:orders-db-…-…-…-…-… disappeared (postgres, 100 GiB)
        modified aws/123456789012/us-east-1/ec2:instance/i-…: i-… (api-1): BlockDeviceMappings changed
        modified aws/123456789012/us-east-1/ec2:instance/i-…: i-… (worker-2): InstanceType changed
        modified aws/123456789012/us-east-1/ec2:security-group/sg-…: sg-… (shop-admin): IpPermissions.0.IpRanges changed
        modified aws/123456789012/us-east-1/ec2:volume/vol-…: vol-… (search-index): status changed
        tag_drift aws/123456789012/us-east-1/ec2:instance/i-…: i-… (worker-1): tag elava:owner changed"#]].assert_eq(&played.join("\n"));
    let disappeared = "SELECT count(*) FROM changes WHERE type = 'disappeared' AND region = 'eu-west-1'";
    assert_eq!(scalar(&db, disappeared), 0, "a failing region makes nothing disappear");
    let decided = "SELECT action, severity, state, k.key, reason FROM decisions JOIN keys k USING (resource_id) WHERE action <> 'audit'";
    let mut decided: Vec<String> = elava_e2e::dump(&db, decided).iter().map(|row| decision(row)).collect();
    decided.sort();
    expect![[r#"
        alert critical new aws/123456789012/eu-west-1/rds:db/reporting-db: Database has no automated backups
        alert critical new aws/123456789012/eu-west-1/rds:db/reporting-db: Database is publicly accessible
        alert critical new aws/123456789012/us-east-1/ec2:security-group/sg-…: Security group is open to the internet on port 22 (SSH)
        alert critical new aws/123456789012/us-east-1/rds:db/orders-db: Blessed resource disappeared
        notify info new aws/123456789012/us-east-1/ec2:instance/i-…: New resource lacks required tags (elava:managed, elava:owner, environment)
        notify info new aws/123456789012/us-east-1/ec2:network-interface/eni-…: New resource lacks required tags (elava:managed, elava:owner, environment)
        notify info new aws/123456789012/us-east-1/ec2:volume/vol-…: New resource lacks required tags (elava:managed, elava:owner, environment)
        notify warning new aws/123456789012/eu-west-1/ec2:instance/i-…: Managed resource has no owner tag
        notify warning new aws/123456789012/eu-west-1/ec2:snapshot/snap-…: Snapshot is not encrypted
        notify warning new aws/123456789012/eu-west-1/ec2:volume/vol-…: Managed resource has no owner tag
        notify warning new aws/123456789012/eu-west-1/rds:db/reporting-db: Database has no deletion protection
        notify warning new aws/123456789012/eu-west-1/rds:db/reporting-db: Database storage is not encrypted
        notify warning new aws/123456789012/eu-west-1/rds:db/reporting-db: Managed resource has no owner tag
        notify warning new aws/123456789012/eu-west-1/rds:db/reporting-db: Production database is in a single availability zone
        notify warning new aws/123456789012/eu-west-1/rds:snapshot/rds:reporting-db-…-…-…-…-…: Snapshot is not encrypted
        notify warning new aws/123456789012/us-east-1/ec2:instance/i-…: Estimated cost rose from $62.05 to $496.40 a month
        notify warning new aws/123456789012/us-east-1/ec2:instance/i-…: Instance metadata can be read without a session token (IMDSv1)
        notify warning new aws/123456789012/us-east-1/ec2:instance/i-…: Owner tag elava:owner names nobody
        notify warning new aws/123456789012/us-east-1/ec2:instance/i-…: Tags drifted (elava:owner: shop → nobody)
        notify warning new aws/123456789012/us-east-1/ec2:snapshot/snap-…: Snapshot is not encrypted
        notify warning new aws/123456789012/us-east-1/ec2:snapshot/snap-…: Snapshot is not encrypted
        notify warning new aws/123456789012/us-east-1/ec2:volume/vol-…: Volume is attached to nothing
        notify warning new aws/123456789012/us-east-1/ec2:volume/vol-…: Volume is attached to nothing
        notify warning new aws/123456789012/us-east-1/ec2:volume/vol-…: Volume is not encrypted
        notify warning new aws/123456789012/us-east-1/ec2:volume/vol-…: Volume is not encrypted
        notify warning new aws/123456789012/us-east-1/rds:db/catalog-db: Production database is in a single availability zone
        notify warning new aws/123456789012/us-east-1/rds:db/orders-db: Database has no deletion protection
        notify warning new aws/123456789012/us-east-1/rds:db/orders-db: Production database is in a single availability zone
        notify warning resolved aws/123456789012/us-east-1/rds:db/orders-db: Gone with its resource: Database has no deletion protection
        notify warning resolved aws/123456789012/us-east-1/rds:db/orders-db: Gone with its resource: Production database is in a single availability zone
        protect critical new aws/123456789012/us-east-1/rds:db/orders-db: Protect what remains of a blessed resource"#]].assert_eq(&decided.join("\n"));
    let told = pipeline.notifications();
    let alerts =
        told.lines().filter(|line| line.contains("\"action\":\"alert\"") && line.contains("orders-db")).count();
    assert_eq!(alerts, 1, "the blessed database is alerted once");
    let undelivered =
        "SELECT count(*) FROM decisions WHERE action <> 'audit' AND id NOT IN (SELECT decision_id FROM deliveries)";
    assert_eq!(scalar(&db, undelivered), 0, "everything decided to be told was told");
}

/// Type, resource and what differs; without values, and without what the emulator draws by chance.
fn anonymous(row: &str) -> String {
    let row: serde_json::Value = serde_json::from_str(row).expect("a row");
    let text = |name: &str| row[name].as_str().expect("a text").to_owned();
    let details = text("details").split(" from ").next().map(hide).unwrap_or_default();
    format!("{} {}: {details}", text("type"), hide(&text("key")))
}

/// Action, severity, state, resource, and why.
fn decision(row: &str) -> String {
    let row: serde_json::Value = serde_json::from_str(row).expect("a row");
    let text = |name: &str| row[name].as_str().expect("a text").to_owned();
    let (action, severity, state) = (text("action"), text("severity"), text("state"));
    let reason = text("reason");
    let reason = reason.rsplit_once(": ").map_or(&*reason, |(reason, _resource)| reason);
    format!("{action} {severity} {state} {}: {reason}", hide(&text("key")))
}

/// Replaces runs of eight and more digits, hexadecimal ones after a `-`, and dates of snapshots.
fn hide(text: &str) -> String {
    let parts = text.split('-').enumerate().map(|(index, part)| {
        let drawn = part.chars().take_while(char::is_ascii_hexdigit).count();
        let digits = part.chars().take_while(char::is_ascii_digit).count();
        let of_date = text.contains("rds:") && text.contains("-db-") && matches!(digits, 2 | 4);
        match index {
            1.. if of_date => format!("…{}", &part[digits..]),
            1.. if drawn >= 8 => format!("…{}", &part[drawn..]),
            _ => part.to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join("-")
}
