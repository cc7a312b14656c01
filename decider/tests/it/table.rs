//! `docs/decisions.md`, row by row. With `UPDATE_EXPECT=1` its last column is written anew.

use std::fmt::Write as _;
use std::path::Path;

use crate::given::{config, dearer, decide_all, drift, modified};
use crate::play::Play;

const DOC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/decisions.md");

/// A row of a table: settings, events, decisions.
fn cells(line: &str) -> Option<[&str; 3]> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
    let [settings, events, decisions] = cells[..] else { panic!("three cells: {line}") };
    (settings != "settings").then_some([settings.trim().trim_matches('`'), events.trim(), decisions.trim()])
}

#[test]
fn every_row_holds() {
    let text = std::fs::read_to_string(Path::new(DOC)).expect("the document");
    let (mut found, mut rows) = (String::new(), 0);
    for line in text.lines() {
        let Some([settings, events, _]) = cells(line) else {
            writeln!(found, "{line}").expect("a String");
            continue;
        };
        rows += 1;
        let decisions = Play::new(settings).run(events).join("<br>");
        let settings = if settings.is_empty() { String::new() } else { format!("`{settings}`") };
        writeln!(found, "| {settings} | {events} | {decisions} |").expect("a String");
    }
    assert!(rows >= 60, "{rows} rows");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(DOC, &found).expect("writes");
    }
    for (line, found) in text.lines().zip(found.lines()) {
        assert_eq!(line, found);
    }
}

#[test]
fn metadata_says_what_is_known() {
    let config = config("policies: {enforcement_mode: enforce, auto_remediate: {tag_violations: true}}");
    let violated = crate::given::result("critical day2.security/public: Open to the world");
    let inputs = [
        vec![drift("a=1", "a=2")],
        vec![drift("a=1", "a=2"), drift("a=2", "a=3")],
        vec![violated],
        vec![crate::given::new("environment=x,elava:owner=me")],
        vec![dearer(1.0, 2.0), modified(2.0, 1.0)],
    ];
    let metadata = inputs.map(|inputs| {
        let last = decide_all(&inputs, &config).pop().expect("decisions");
        serde_json::to_string(&last[0].metadata).expect("metadata serialises")
    });
    expect_test::expect![[r#"
        {"cause":"tag_drift","details":"as detected","previous_tags":{"a":"1"},"current_tags":{"a":"2"},"why":["change_detection.alert_on.tag_drift","policies.auto_remediate.tag_violations","policies.enforcement_mode"],"action":"restore_tags"}
        {"cause":"tag_drift","details":"as detected","previous_tags":{"a":"1"},"current_tags":{"a":"3"},"why":["change_detection.alert_on.tag_drift","policies.auto_remediate.tag_violations","policies.enforcement_mode"],"action":"restore_tags"}
        {"cause":"violation","policy":"day2.security","rule":"public","why":["change_detection.alert_on.policy_violation","policies.severity_actions.critical"],"suggestion":"Mend it"}
        {"cause":"new_untagged","details":"as detected","missing_tags":["elava:managed"],"why":["change_detection.alert_on.new_untagged","actions.tagging.required_tags","actions.tagging.auto_tag_untagged"]}
        {"cause":"cost_increase"}"#]].assert_eq(&metadata.join("\n"));
}
