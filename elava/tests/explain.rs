//! `elava explain`, the real process, over a history that has been told a story.

mod told;

use std::path::Path;
use std::process::{Command, Stdio};

use expect_test::expect;

const STORY: &str = include_str!("../../detector/tests/story.ndjson");
/// What it is then.
const NOW: &str = "2026-11-16T12:00:00Z";

fn explain(history: &Path, arguments: &[&str]) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_elava"))
        .args(["explain", "--db"])
        .arg(history)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the binary");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_story_is_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = folder.path().join("history.duckdb");
    told::tell(&history, STORY, NOW);
    let (page, err) = explain(&history, &["d-batch-2"]);
    assert_eq!(err, "");
    expect![[r#"
        aws/111111111111/eu-west-1/ec2:instance/i-batch

        batch has no owner
          finding f-batch · warning · reminder
          2026-11-11 10:00:00  seen          version 64e41eef, status running, name batch, tags Environment=production Team=data
          2026-11-11 10:00:00  tag_drift     i-batch (batch): tag Owner removed, was "data-team"
                                             seen by s07 of 2026-11-11 10:00:00 (complete)
                                             tag Owner  data-team → (none)
          2026-11-11 10:00:21  violated      day2.tags.owner: batch has no owner
                                             suggestion: Add the tag Owner
                                             warning, policy bundle b1
          2026-11-16 09:00:00  decided       enforce_policy, warning, reminder   d-batch-2
                               told          nobody: d-batch-3 has taken its place
          2026-11-16 09:10:00  approved      by grace: as before
          2026-11-16 09:10:02  executed
                                             tag Owner  (none) → data-team
          2026-11-16 09:15:00  seen          version fe9976cb, status running, name batch, tags Environment=production Owner=data-team Team=data
          2026-11-16 09:15:00  tag_drift     i-batch (batch): tag Owner added: "data-team"
                                             seen by s25 of 2026-11-16 09:15:00 (complete)
                                             tag Owner  (none) → data-team
          2026-11-16 09:15:21  mended        day2.tags.owner: batch has no owner
                                             policy bundle b1
    "#]]
    .assert_eq(&page);
    let (page, _) = explain(&history, &["f-db"]);
    expect![[r#"
        aws/111111111111/eu-west-1/rds:db/orders

        orders can no longer be reached from the internet
          finding f-db · critical · resolved
          2026-11-15 13:50:00  seen          version f258a2af, status modifying, name orders, tags Environment=production Owner=orders-team Team=orders elava:blessed=true
          2026-11-15 13:50:00  modified      orders: status changed from "available" to "modifying"; DBInstanceClass changed from "db.t3.medium" to "db.t3.small"; and 1 more
                                             seen by s20 of 2026-11-15 13:50:00 (complete)
                                             status              available → modifying
                                             DBInstanceClass     db.t3.medium → db.t3.small
                                             PubliclyAccessible  false → true
          2026-11-15 13:50:21  violated      day2.security.public_database: orders can be reached from the internet
                                             suggestion: Set PubliclyAccessible to false
                                             critical, policy bundle b1
          2026-11-15 13:50:22  decided       alert, critical, new   d-db-1
          2026-11-15 13:50:23  not told      slack:#security after 5 attempts: 503 Service Unavailable
          2026-11-15 14:40:00  seen          version 86613214, status available, name orders, tags Environment=production Owner=orders-team Team=orders elava:blessed=true
          2026-11-15 14:40:00  modified      orders: status changed from "modifying" to "available"; DBInstanceClass changed from "db.t3.small" to "db.t3.medium"; and 1 more
                                             seen by s22 of 2026-11-15 14:40:00 (complete)
                                             status              modifying → available
                                             DBInstanceClass     db.t3.small → db.t3.medium
                                             PubliclyAccessible  true → false
          2026-11-15 14:40:21  mended        day2.security.public_database: orders can be reached from the internet
                                             policy bundle b1
          2026-11-15 14:40:22  decided       alert, critical, resolved   d-db-2
          2026-11-15 14:40:23  told          slack:#security
    "#]]
    .assert_eq(&page);
    // a resource: all its findings, and what nobody decided about
    let (of_finding, _) = explain(&history, &["f-sg"]);
    let (of_resource, _) = explain(&history, &["sg-admin"]);
    assert!(of_resource.contains("What no decision was made about"), "{of_resource}");
    for line in of_finding.lines() {
        assert!(of_resource.contains(line), "{line}\n{of_resource}");
    }
    let (rows, _) = explain(&history, &["--json", "e-batch"]);
    let steps: Vec<String> = rows
        .lines()
        .map(|row| serde_json::from_str::<serde_json::Value>(row).expect("JSON")["step"].to_string())
        .collect();
    expect![[r#""observation" "change" "policy result" "decision" "approval" "execution" "observation" "change" "policy result""#]].assert_eq(&steps.join(" "));
    for (id, expected) in [
        ("nope", "elava: no finding, decision, execution, change or resource is called `nope`, or begins so\n"),
        ("d-sg-", "elava: `d-sg-` is the beginning of 2 ids: d-sg-1, d-sg-2; write more of the one that is meant\n"),
    ] {
        assert_eq!(explain(&history, &[id]), (String::new(), expected.to_owned()), "{id}");
    }
}
