//! The decision table, row by row.

use elava_schemas::{ChangeType, Message, Subject};

use crate::given::{config, dearer, decide, drift, first, gone, line, modified, new, result, result_with};

const ALL: &str = "elava:managed=yes,elava:owner=me,environment=prod";
const ON: &str = "policies: {enforcement_mode: enforce, auto_remediate: {tag_violations: true}}";
const DRY: &str = "policies: {enforcement_mode: dry_run, auto_remediate: {tag_violations: true}}";
const AUTO_TAG: &str = "actions: {tagging: {auto_tag_untagged: true}}";
const NO_APPROVAL: &str = "behavior: {require_approval: false}";
const OPEN: &str = "critical day2.security/public: Open to the world";

/// What the last of these inputs leads to, and how many findings are open afterwards.
fn check(configured: &str, inputs: &[Message], decisions: &[&str], open: usize) {
    let config = config(configured);
    let mut findings = Vec::new();
    let mut last = Vec::new();
    for input in inputs {
        (last, findings) = decide(input, findings, &config);
    }
    let found: Vec<String> = last.iter().map(line).collect();
    assert_eq!(found, decisions, "{configured} {inputs:#?}");
    assert_eq!(findings.len(), open, "open findings of {configured} {inputs:#?}");
}

#[rustfmt::skip]
#[test]
fn lifecycle() {
    // the first look
    check("", &[first(ChangeType::Appeared, "")], &["audit info new: First look"], 0);
    check("", &[first(ChangeType::Appeared, "blessed=yes")], &["audit info new blessed: First look"], 0);
    check(AUTO_TAG, &[first(ChangeType::Appeared, "")], &["audit info new: First look"], 0);
    check("", &[first(ChangeType::TagDrift, "a=1")], &["audit info new: First look"], 0);
    // disappeared
    check("", &[gone("elava:blessed=true")], &[
        "alert critical new blessed: Blessed resource disappeared",
        "protect critical new approval blessed: Protect what remains of a blessed resource",
    ], 1);
    check(NO_APPROVAL, &[gone("blessed=yes")], &[
        "alert critical new blessed: Blessed resource disappeared",
        "protect critical new blessed: Protect what remains of a blessed resource",
    ], 1);
    check("policies: {enforcement_mode: dry_run}", &[gone("blessed=yes")], &[
        "alert critical new blessed: Blessed resource disappeared",
        "protect critical new approval blessed dry-run: Protect what remains of a blessed resource",
    ], 1);
    check("policies: {auto_remediate: {blessed_protection: false}}", &[gone("blessed=yes")],
        &["alert critical new blessed: Blessed resource disappeared"], 1);
    check("change_detection: {alert_on: {disappeared_blessed: info}}\npolicies: {auto_remediate: {blessed_protection: false}}",
        &[gone("blessed=yes")], &["alert info new blessed: Blessed resource disappeared"], 1);
    check("change_detection: {alert_on: {disappeared_blessed: off}}", &[gone("blessed=yes")],
        &["audit info new blessed: Blessed resource disappeared"], 0);
    check("actions: {protection: {respect_blessed: false}}", &[gone("blessed=yes")],
        &["notify info new blessed: Resource disappeared"], 1);
    check("", &[gone("blessed=no")], &["notify info new: Resource disappeared"], 1);
    check("", &[gone("elava:managed=true")], &["notify warning new: Managed resource disappeared"], 1);
    check("change_detection: {alert_on: {disappeared_managed: critical}}", &[gone("elava:managed=true")],
        &["alert critical new: Managed resource disappeared"], 1);
    check("change_detection: {alert_on: {disappeared: off}}", &[gone("")], &["audit info new: Resource disappeared"], 0);
    check("", &[gone("")], &["notify info new: Resource disappeared"], 1);
    check("", &[gone("?")], &["notify info new: Resource disappeared"], 1);
    check("", &[gone(""), gone("")], &[], 1);
    // back
    check("", &[gone("blessed=yes"), new(ALL)], &["alert critical resolved: Resource is back"], 0);
    check("", &[gone(""), new(ALL)], &["notify info resolved: Resource is back"], 0);
    check("", &[gone(""), new("environment=x")], &[
        "notify info resolved: Resource is back",
        "notify info new: New resource lacks required tags (elava:managed, elava:owner)",
    ], 1);
    // appeared
    check("", &[new(ALL)], &["audit info new: Resource appeared"], 0);
    check("change_detection: {alert_on: {appeared: warning}}", &[new(ALL)], &["notify warning new: Resource appeared"], 0);
    check("", &[new("?")], &["audit info new: Resource appeared"], 0);
    check("actions: {tagging: {required_tags: []}}", &[new("")], &["audit info new: Resource appeared"], 0);
    // modified
    check("", &[modified(1.0, 1.0)], &["audit info new: Resource modified"], 0);
    check("change_detection: {alert_on: {modified: critical}}", &[modified(1.0, 1.0)], &["alert critical new: Resource modified"], 0);
}

#[rustfmt::skip]
#[test]
fn tags() {
    let mended = format!("{ALL},x=1");
    // untagged
    check("", &[new("environment=prod,elava:owner=me")], &["notify info new: New resource lacks required tags (elava:managed)"], 1);
    check(AUTO_TAG, &[new("environment=prod,elava:owner=me")],
        &["auto_tag info new approval: New resource lacks required tags (elava:managed)"], 1);
    check(AUTO_TAG, &[new("environment=prod,elava:owner=me,blessed=yes")],
        &["notify info new blessed: New resource lacks required tags (elava:managed)"], 1);
    check("change_detection: {alert_on: {new_untagged: off}}", &[new("environment=prod,elava:owner=me")],
        &["audit info new: New resource lacks required tags (elava:managed)"], 0);
    check("", &[new("x=1"), drift("x=1", &mended)], &[
        "notify info resolved: All required tags are there",
        "audit info new: Required tags added",
    ], 0);
    check(AUTO_TAG, &[new("x=1"), drift("x=1", &mended)], &[
        "notify info resolved: All required tags are there",
        "audit info new: Required tags added",
    ], 0);
    check("", &[new("x=2"), drift("x=2", &mended)], &[
        "notify info resolved: All required tags are there",
        "notify warning new: Tags drifted (x: 2 → 1, elava:managed added (yes), elava:owner added (me), environment added (prod))",
    ], 1);
    check("", &[new("x=1"), drift("x=1", "x=1,environment=prod")],
        &["notify warning new: Tags drifted (environment added (prod))"], 2);
    // drift
    check("", &[drift("a=1", "a=2")], &["notify warning new: Tags drifted (a: 1 → 2)"], 1);
    check("", &[drift("a=1,b=1,c=1,d=1,e=1", "")], &["notify warning new: Tags drifted (a removed, b removed, c removed, d removed, 1 more)"], 1);
    check("", &[drift("a=1", "a=2"), drift("a=1", "a=2")], &[], 1);
    check("", &[drift("a=1", "a=2"), drift("a=2", "a=3")], &["notify warning changed: Tags drifted (a: 2 → 3)"], 1);
    check("", &[drift("a=1", "a=2"), drift("a=2", "a=1")], &["notify warning resolved: Tags are again as they were"], 0);
    check("", &[drift("a=1", "a=2"), drift("a=2", "a=3"), drift("a=3", "a=1")],
        &["notify warning resolved: Tags are again as they were"], 0);
    check(ON, &[drift("a=1", "a=2")], &["enforce_policy warning new approval: Tags drifted (a: 1 → 2)"], 1);
    check(DRY, &[drift("a=1", "a=2")], &["enforce_policy warning new approval dry-run: Tags drifted (a: 1 → 2)"], 1);
    check("policies: {auto_remediate: {tag_violations: true}}", &[drift("a=1", "a=2")],
        &["notify warning new: Tags drifted (a: 1 → 2)"], 1);
    check("policies: {enforcement_mode: enforce}", &[drift("a=1", "a=2")], &["notify warning new: Tags drifted (a: 1 → 2)"], 1);
    check(ON, &[drift("a=1", "a=2"), drift("a=2", "a=1")], &["notify warning resolved: Tags are again as they were"], 0);
    check(ON, &[drift("blessed=yes", "a=2")], &["notify warning new blessed: Tags drifted (blessed removed, a added (2))"], 1);
    check("change_detection: {alert_on: {tag_drift: critical}}", &[drift("a=1", "")], &["alert critical new: Tags drifted (a removed)"], 1);
    check("change_detection: {alert_on: {tag_drift: off}}", &[drift("a=1", "")], &["audit info new: Tags drifted (a removed)"], 0);
    check("", &[drift("a=1", "?")], &["audit info new: Tags changed"], 0);
    check("", &[drift("a=1", ""), gone("")], &[
        "audit warning resolved: Gone with its resource: Tags drifted (a removed)",
        "notify info new: Resource disappeared",
    ], 1);
}

#[rustfmt::skip]
#[test]
fn cost() {
    check("", &[dearer(10.0, 25.5)], &["notify warning new: Estimated cost rose from $10.00 to $25.50 a month"], 1);
    check("", &[dearer(10.0, 20.0), dearer(20.0, 30.0)], &["notify warning changed: Estimated cost rose from $20.00 to $30.00 a month"], 1);
    check("", &[dearer(10.0, 20.0), modified(20.0, 15.0)], &["audit info new: Resource modified"], 1);
    check("", &[dearer(10.0, 20.0), modified(20.0, 10.0)], &[
        "notify warning resolved: Estimated cost is down again to $10.00 a month",
        "audit info new: Resource modified",
    ], 0);
    check("change_detection: {alert_on: {cost_increase: off}}", &[dearer(10.0, 20.0)],
        &["audit info new: Estimated cost rose from $10.00 to $20.00 a month"], 0);
}

#[rustfmt::skip]
#[test]
fn violations() {
    let warning = "warning day2.tags/owner: No owner";
    let info = "info day2.tags/owner: No owner";
    check("", &[result("")], &[], 0);
    check("", &[result(OPEN)], &["alert critical new: Open to the world"], 1);
    check("", &[result(warning)], &["notify warning new: No owner"], 1);
    check("", &[result(info)], &["audit info new: No owner"], 1);
    check("", &[result(OPEN), result(OPEN)], &[], 1);
    check("", &[result(OPEN), result(&format!("{OPEN};{warning}"))], &["notify warning new: No owner"], 2);
    check("", &[result(warning), result("warning day2.tags/owner: Two owners")], &["notify warning changed: Two owners"], 1);
    check("", &[result(warning), result("critical day2.tags/owner: No owner")], &["alert critical changed: No owner"], 1);
    check("", &[result(warning), result(info)], &["notify info changed: No owner"], 1);
    check("", &[result(OPEN), result("")], &["alert critical resolved: Mended: Open to the world"], 0);
    check("", &[result(info), result("")], &["audit info resolved: Mended: No owner"], 0);
    check("", &[result(OPEN), result_with("", "", &["day2.security"], Subject::Present)], &[], 1);
    check("", &[result(OPEN), result_with("", "", &["day2"], Subject::Present)], &[], 1);
    check("", &[result(OPEN), result_with("", "", &["day2.tags"], Subject::Present)], &["alert critical resolved: Mended: Open to the world"], 0);
    check("", &[result(OPEN), result_with("", "", &[], Subject::Gone)], &["alert critical resolved: Gone with its resource: Open to the world"], 0);
    check("", &[result(OPEN), result_with("", "", &["day2.security"], Subject::Gone)],
        &["alert critical resolved: Gone with its resource: Open to the world"], 0);
    check("", &[result_with("blessed=1", OPEN, &[], Subject::Present)], &["alert critical new blessed: Open to the world"], 1);
    check("", &[result("critical day2.orphans/volume: Nobody uses it")], &["notify critical new: Nobody uses it"], 1);
    check("", &[result("info day2.orphans/volume: Nobody uses it")], &["audit info new: Nobody uses it"], 1);
    check("policies: {severity_actions: {critical: enforce_policy}}", &[result("critical day2.orphans.volume/x: Nobody uses it")],
        &["notify critical new: Nobody uses it"], 1);
    check("policies: {severity_actions: {critical: enforce_policy}}", &[result(OPEN)], &["enforce_policy critical new approval: Open to the world"], 1);
    check("policies: {severity_actions: {critical: enforce_policy}}", &[result_with("blessed=1", OPEN, &[], Subject::Present)],
        &["notify critical new blessed: Open to the world"], 1);
    check("policies: {severity_actions: {critical: protect}}", &[result_with("blessed=1", OPEN, &[], Subject::Present)],
        &["protect critical new approval blessed: Open to the world"], 1);
    check("policies: {severity_actions: {info: notify}}", &[result(warning)], &["notify warning new: No owner"], 1);
    check("change_detection: {alert_on: {policy_violation: info}}", &[result(OPEN)], &["audit info new: Open to the world"], 1);
    check("change_detection: {alert_on: {policy_violation: off}}", &[result(OPEN)], &["audit critical new: Open to the world"], 1);
}

#[test]
fn metadata_says_what_is_known() {
    let config = config(ON);
    let (first, open) = decide(&drift("a=1", "a=2"), Vec::new(), &config);
    let (second, _) = decide(&drift("a=2", "a=3"), open, &config);
    let (violated, _) = decide(&result(OPEN), Vec::new(), &config);
    let (untagged, _) = decide(&new("environment=x,elava:owner=me"), Vec::new(), &config);
    let metadata = [first, second, violated, untagged]
        .map(|decisions| serde_json::to_string(&decisions[0].metadata).expect("metadata serialises"));
    expect_test::expect![[r#"
        {"cause":"tag_drift","details":"as detected","previous_tags":{"a":"1"},"current_tags":{"a":"2"},"action":"restore_tags"}
        {"cause":"tag_drift","details":"as detected","previous_tags":{"a":"1"},"current_tags":{"a":"3"},"action":"restore_tags"}
        {"cause":"violation","policy":"day2.security","rule":"public","suggestion":"Mend it"}
        {"cause":"new_untagged","details":"as detected","missing_tags":["elava:managed"]}"#]].assert_eq(&metadata.join("\n"));
}
