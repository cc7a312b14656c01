//! Rows of decision and reality, and the plan that follows.

use elava_executor::action::{Plan, plan};
use elava_executor::{Reality, Standing};
use elava_schemas::config::Config;
use elava_schemas::{Decision, Message, Tags};
use expect_test::expect;
use serde_json::{Value, json};

fn decision(action: &str, metadata: Value) -> Decision {
    let line = json!({
        "kind": "decision", "id": "dec_1", "action": action, "resource_key": "aws/1/us-east-1/ec2:instance/i-1",
        "severity": "warning", "reason": "because", "finding": "fnd_1", "state": "new", "caused_by": ["chg_1"],
        "decided_at": "2026-01-01T00:00:00Z", "metadata": metadata,
    });
    match Message::parse(line.to_string().as_bytes()) {
        Ok(Message::Decision(decision)) => *decision,
        other => panic!("{other:?}"),
    }
}

fn tags(value: &Value) -> Tags {
    serde_json::from_value(value.clone()).expect("texts")
}

fn reality(own: &Value, vpc: Option<Value>, deletion_protection: Option<bool>) -> Reality {
    Reality {
        key: "aws/1/us-east-1/ec2:instance/i-1".parse().expect("a key"),
        arn: None,
        tags: tags(own),
        vpc_tags: vpc.as_ref().map(tags),
        deletion_protection,
    }
}

fn config() -> Config {
    let rules = json!({
        "owner": {"from_tags": ["Owner", "team"], "value": "nobody"},
        "environment": {"from_vpc": true},
        "aws:stack": {"value": "x"},
    });
    let mut config = Config::default();
    config.actions.tagging.rules = serde_json::from_value(rules).expect("rules");
    config
}

/// A plan on one line.
fn said(plan: &Plan) -> String {
    match plan {
        Plan::Write(step) => format!("write {} -> {}", step.before.to_json(), step.after.to_json()),
        Plan::Skip { reason, found: None } => reason.clone(),
        Plan::Skip { reason, found: Some(found) } => format!("{reason} {}", found.to_json()),
    }
}

#[test]
fn plans() {
    let config = config();
    let missing = |names: Value| decision("auto_tag", json!({ "missing_tags": names }));
    let drift = |previous: Value, current: Value| {
        let metadata = json!({"action": "restore_tags", "previous_tags": previous, "current_tags": current});
        decision("enforce_policy", metadata)
    };
    let protect = || decision("protect", json!({}));
    let plain = |own: Value| Some(reality(&own, None, None));
    let rows: Vec<(Decision, Option<Reality>)> = vec![
        // values by rules: other tags in their order, the VPC, a fixed value
        (missing(json!(["owner"])), plain(json!({"team": "web", "Owner": ""}))),
        (missing(json!(["owner"])), plain(json!({"Owner": "ada", "team": "web"}))),
        (missing(json!(["owner"])), plain(json!({}))),
        (missing(json!(["environment"])), Some(reality(&json!({}), Some(json!({"environment": "prod"})), None))),
        (missing(json!(["environment"])), Some(reality(&json!({}), Some(json!({})), None))),
        (missing(json!(["owner", "cost-centre", "environment"])), plain(json!({}))),
        (missing(json!(["cost-centre"])), plain(json!({}))),
        (missing(json!(["aws:stack"])), plain(json!({}))),
        (missing(json!(["owner"])), plain(json!({"owner": "ada"}))),
        (missing(json!(["owner", "environment"])), plain(json!({"owner": "ada"}))),
        (decision("auto_tag", json!({})), plain(json!({}))),
        // restored: a value, one that is gone, one that was added; others and the cloud's own stay
        (
            drift(json!({"a": "1", "b": "2", "same": "s"}), json!({"a": "9", "c": "3", "same": "s", "aws:x": "y"})),
            plain(json!({"a": "9", "c": "3", "same": "s", "aws:x": "z"})),
        ),
        (drift(json!({"a": "1"}), json!({"a": "2"})), plain(json!({"a": "3"}))),
        (drift(json!({"a": "1"}), json!({"a": "2"})), plain(json!({"a": "2", "new": "x"}))),
        (drift(json!({"a": "1"}), json!({"a": "2"})), plain(json!({"a": "1"}))),
        (decision("enforce_policy", json!({"policy": "day2.tags"})), plain(json!({}))),
        (decision("enforce_policy", json!({"action": "restore_tags"})), plain(json!({}))),
        // protected
        (protect(), Some(reality(&json!({}), None, Some(false)))),
        (protect(), Some(reality(&json!({"elava:protected": "true"}), None, Some(false)))),
        (protect(), Some(reality(&json!({"elava:protected": "true"}), None, Some(true)))),
        (protect(), plain(json!({"elava:protected": "no"}))),
        // blessed: only ever protected
        (missing(json!(["owner"])), plain(json!({"elava:blessed": "true"}))),
        (protect(), plain(json!({"elava:blessed": "true"}))),
        (protect(), None),
        (decision("notify", json!({})), plain(json!({}))),
    ];
    let lines = rows.iter().map(|(decision, reality)| {
        let plan = plan(decision, reality.as_ref(), &config.actions.tagging, &config.actions.protection);
        format!("{}: {}\n", decision.action.as_str(), said(&plan))
    });
    expect![[r#"
        auto_tag: write {"tags":{"owner":null}} -> {"tags":{"owner":"web"}}
        auto_tag: write {"tags":{"owner":null}} -> {"tags":{"owner":"ada"}}
        auto_tag: write {"tags":{"owner":null}} -> {"tags":{"owner":"nobody"}}
        auto_tag: write {"tags":{"environment":null}} -> {"tags":{"environment":"prod"}}
        auto_tag: no rule has a value for environment
        auto_tag: write {"tags":{"owner":null}} -> {"tags":{"owner":"nobody"}}
        auto_tag: no rule has a value for cost-centre
        auto_tag: no rule has a value for aws:stack
        auto_tag: it is as wanted already {"tags":{"owner":"ada"}}
        auto_tag: reality has moved on: some of the missing tags are there {"tags":{"environment":null,"owner":"ada"}}
        auto_tag: the decision does not say which tags are missing (missing_tags)
        enforce_policy: write {"tags":{"a":"9","b":null,"c":"3"}} -> {"tags":{"a":"1","b":"2","c":null}}
        enforce_policy: reality has moved on: its tags are not those that the decision saw {"tags":{"a":"3"}}
        enforce_policy: reality has moved on: its tags are not those that the decision saw {"tags":{"a":"2","new":"x"}}
        enforce_policy: it is as wanted already {"tags":{"a":"1"}}
        enforce_policy: only tags can be restored (metadata.action: restore_tags)
        enforce_policy: the decision does not say which tags to restore (previous_tags, current_tags)
        protect: write {"tags":{"elava:protected":null},"deletion_protection":false} -> {"tags":{"elava:protected":"true"},"deletion_protection":true}
        protect: write {"tags":{"elava:protected":"true"},"deletion_protection":false} -> {"tags":{"elava:protected":"true"},"deletion_protection":true}
        protect: it is as wanted already {"tags":{"elava:protected":"true"},"deletion_protection":true}
        protect: write {"tags":{"elava:protected":"no"}} -> {"tags":{"elava:protected":"true"}}
        auto_tag: it is blessed, and blessed resources are only ever protected
        protect: write {"tags":{"elava:protected":null}} -> {"tags":{"elava:protected":"true"}}
        protect: reality has moved on: it is gone
        notify: the decision does not act
    "#]].assert_eq(&lines.collect::<String>());
}

#[test]
fn steps_are_known_by_what_is_there() {
    let config = config();
    let metadata =
        json!({"action": "restore_tags", "previous_tags": {"a": "1", "b": "2"}, "current_tags": {"a": "9", "c": "3"}});
    let decision = decision("enforce_policy", metadata);
    let seen = reality(&json!({"a": "9", "c": "3"}), None, None);
    let Plan::Write(step) = plan(&decision, Some(&seen), &config.actions.tagging, &config.actions.protection) else {
        panic!("a step")
    };
    for (now, standing, undo) in [
        (json!({"a": "9", "c": "3"}), Standing::Open, Standing::Done),
        (json!({"a": "1", "b": "2"}), Standing::Done, Standing::Open),
        // killed between two calls
        (json!({"a": "1", "b": "2", "c": "3"}), Standing::Open, Standing::Open),
        // what it is not about does not matter
        (json!({"a": "1", "b": "2", "other": "x"}), Standing::Done, Standing::Open),
        (json!({"a": "5", "b": "2"}), Standing::Elsewhere, Standing::Elsewhere),
        (json!({"a": "1"}), Standing::Open, Standing::Open),
    ] {
        let reality = reality(&now, None, None);
        assert_eq!((step.standing(&reality), step.reversed().standing(&reality)), (standing, undo), "{now}");
    }
    let rest = step.rest(&reality(&json!({"a": "1", "c": "3"}), None, None));
    assert_eq!(rest.to_json(), json!({"tags": {"b": "2", "c": null}}));
}
