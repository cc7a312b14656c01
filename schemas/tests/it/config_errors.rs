//! A wrong configuration is refused with file, line, field and what is allowed.

use elava_schemas::config;
use expect_test::{Expect, expect};

fn check(text: &str, error: Expect) {
    let got = config::parse("elava.yaml", text, &|_| Ok(None));
    error.assert_eq(&got.map_or_else(|error| error.to_string(), |config| format!("{config:?}")));
}

/// With the version above it, which is then line 1.
fn check_below_version(text: &str, error: Expect) {
    check(&format!("version: \"2.0\"\n{text}"), error);
}

#[test]
fn version() {
    check("version: \"1.0\"\n", expect![["elava.yaml:1: version: unknown variant `1.0`, expected one of 2.0"]]);
    check("provider: aws\n", expect![["elava.yaml:1: version: is missing"]]);
    check("", expect![["elava.yaml:1: unexpected end of input"]]);
}

#[test]
fn unknown_field() {
    check_below_version(
        "regoin: us-east-1\n",
        expect![[
            "elava.yaml:2: regoin: unknown field `regoin`, expected one of version, provider, region, regions, scanning, change_detection, history, policies, actions, behavior"
        ]],
    );
    check_below_version(
        "behavior:\n  grace_period: 1h\n  grace_perod: 2h\n",
        expect![
            "elava.yaml:4: behavior.grace_perod: unknown field `grace_perod`, expected one of grace_period, auto_delete, require_approval, approval_expires, remind_after, expire_after, flapping, breaker"
        ],
    );
    check_below_version(
        "scanning:\n  tiers:\n    critical:\n      scan_interval: 5m\n      patterns:\n        - kind: rds\n",
        expect![[
            "elava.yaml:7: scanning.tiers.critical.patterns.kind: unknown field `kind`, expected one of type, tags, status, region, account"
        ]],
    );
}

#[test]
fn missing_field() {
    check_below_version(
        "scanning:\n  tiers:\n    critical:\n      patterns: []\n  interval: 5m\n",
        expect![["elava.yaml:5: scanning.tiers.critical.scan_interval: is missing"]],
    );
}

#[test]
fn wrong_type() {
    check_below_version(
        "scanning:\n  enabled: perhaps\n",
        expect![["elava.yaml:3: scanning.enabled: not a boolean; allowed: true, false"]],
    );
    check_below_version(
        "scanning: often\n",
        expect![["elava.yaml:2: scanning: not a map; write its fields below it, indented"]],
    );
    check_below_version(
        "regions: us-east-1\n",
        expect![["elava.yaml:2: regions: not a list; write [a, b], or `- a` on lines below"]],
    );
    check_below_version(
        "change_detection:\n  cost_increase_percent: a lot\n",
        expect![["elava.yaml:3: change_detection.cost_increase_percent: not a number"]],
    );
}

#[test]
fn wrong_value() {
    check_below_version(
        "provider: azure\n",
        expect![["elava.yaml:2: provider: unknown variant `azure`, expected one of aws, gcp"]],
    );
    check_below_version(
        "change_detection:\n  alert_on:\n    tag_drift: loud\n",
        expect![[
            "elava.yaml:4: change_detection.alert_on.tag_drift: unknown variant `loud`, expected one of critical, warning, info, severity_based, off"
        ]],
    );
    check_below_version(
        "change_detection:\n  track:\n    - tag_changes\n    - weather\n",
        expect![[
            "elava.yaml:5: change_detection.track: unknown variant `weather`, expected one of resource_lifecycle, tag_changes, status_changes, cost_changes, configuration_drift"
        ]],
    );
    check_below_version(
        "policies:\n  severity_actions:\n    fatal: alert\n",
        expect![[
            "elava.yaml:4: policies.severity_actions.fatal: unknown variant `fatal`, expected one of info, warning, critical"
        ]],
    );
    check_below_version(
        "behavior:\n  auto_delete: true\n",
        expect![["elava.yaml:3: behavior.auto_delete: Elava never deletes; the only allowed value is false"]],
    );
}

#[test]
fn retention() {
    check_below_version(
        "history:\n  retain:\n    - types: [\"*\"]\n",
        expect![["elava.yaml:3: history.retain: unknown field `retain`, expected one of retention"]],
    );
    check_below_version(
        "history:\n  retention:\n    - types: [\"*\"]\n      thin: 30d\n",
        expect![["elava.yaml:5: history.retention.thin: unknown field `thin`, expected one of types, thin_after"]],
    );
    check_below_version(
        "history:\n  retention:\n    - thin_after: 30d\n",
        expect![["elava.yaml:4: history.retention.types: is missing"]],
    );
    check_below_version(
        "history:\n  retention:\n    - types: []\n      thin_after: 30d\n",
        expect![[r#"elava.yaml:4: history.retention.types: names no type; write ["*"] for all"#]],
    );
    check_below_version(
        "history:\n  retention:\n    - types: [\"*\"]\n      thin_after: 12h\n",
        expect![[
            "elava.yaml:5: history.retention.thin_after: `12h` is too short; versions are thinned by the day: 1d or longer"
        ]],
    );
    check_below_version(
        "history:\n  retention:\n    - types: ec2:snapshot\n",
        expect![["elava.yaml:4: history.retention.types: not a list; write [a, b], or `- a` on lines below"]],
    );
}

#[test]
fn durations() {
    check_below_version(
        "behavior:\n  grace_period: 1 day\n",
        expect![[
            "elava.yaml:3: behavior.grace_period: `1 day` is not a duration; write a whole number and one of ms, s, m, h, d, such as 15m"
        ]],
    );
    check_below_version(
        "behavior:\n  grace_period: 15\n",
        expect![[
            "elava.yaml:3: behavior.grace_period: `15` is not a duration; write a whole number and one of ms, s, m, h, d, such as 15m"
        ]],
    );
    check_below_version(
        "scanning:\n  interval: 0s\n",
        expect![["elava.yaml:3: scanning.interval: `0s` is not an interval; it must be longer than zero"]],
    );
    check_below_version(
        "scanning:\n  tiers:\n    critical:\n      scan_interval: 0m\n",
        expect![[
            "elava.yaml:5: scanning.tiers.critical.scan_interval: `0s` is not an interval; it must be longer than zero"
        ]],
    );
}

#[test]
fn environment() {
    check_below_version(
        "actions:\n  notifications:\n    slack:\n      enabled: true\n      webhook: ${SLACK_WEBHOOK}\n",
        expect![
            "elava.yaml:6: environment variable `SLACK_WEBHOOK` is not set; set it, name a file by `SLACK_WEBHOOK_FILE`, or write ${SLACK_WEBHOOK:-default}"
        ],
    );
}

#[test]
fn not_yaml() {
    check_below_version(
        "scanning: [\n",
        expect![["elava.yaml:2: scanning: not a map; write its fields below it, indented"]],
    );
    check_below_version(
        "scanning:\n  enabled: true\n enabled: false\n",
        expect![["elava.yaml:4: while parsing a block mapping, did not find expected key"]],
    );
    check_below_version("provider: aws\nprovider: gcp\n", expect![["elava.yaml:3: provider: is there twice"]]);
    check_below_version(
        "scanning:\n\tenabled: true\n",
        expect![["elava.yaml:3: tabs disallowed within this context (block indentation)"]],
    );
}

#[test]
fn no_file() {
    let error = config::load(std::path::Path::new("no/such/elava.yaml")).expect_err("there is no such file");
    expect![["cannot read configuration no/such/elava.yaml"]].assert_eq(&error.to_string());
}
