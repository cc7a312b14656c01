//! What goes into a policy and what comes out: input, members, data, types, hash.

use elava_enforcer::{Bundle, Dialect, PolicyFiles, input};
use elava_schemas::Resource;
use expect_test::expect;
use regorus::{Engine, Value};
use serde_json::json;

use crate::support::{appeared, at, environment_tags, evaluate, folder, key, lines, load, resource, tags, write};

fn full() -> Resource {
    Resource {
        name: Some("web-1".into()),
        arn: Some("arn:aws:ec2:eu-west-1:111122223333:instance/i-1".into()),
        status: Some("running".into()),
        created_at: Some(at("2026-01-01T00:00:00Z")),
        monthly_cost_usd: Some(8.5),
        monthly_cost_source: Some("aws 2026-01".into()),
        relations: vec![elava_schemas::Relation { relation: "vpc".into(), to: key("ec2:vpc", "vpc-1") }],
        ..resource(
            "ec2:instance",
            tags(&[("elava:managed", "true"), ("Env", "prod"), ("a-b", "1"), ("a_b", "raw"), ("on", "false")]),
            json!({"Cpu": {"Cores": 2, "Share": 0.5}, "Groups": ["a", "b"], "Big": u64::MAX, "Nothing": null}),
        )
    }
}

fn as_json(value: &Value) -> serde_json::Value {
    serde_json::to_value(value).expect("it serialises")
}

#[test]
fn input_shows_the_resource_as_messages_do() {
    let mut change = appeared(full());
    change.previous = Some(resource("ec2:instance", None, json!({})));
    let input = as_json(&input::build(&change, &environment_tags()).expect("it is there"));
    let mut shown = input["resource"].clone();
    let history = shown.as_object_mut().expect("an object").remove("history").expect("it has a history");
    assert_eq!(shown, serde_json::to_value(full()).expect("it serialises"));
    assert_eq!(history["previous"], serde_json::to_value(&change.previous).expect("it serialises"));

    let mut rest = input;
    rest.as_object_mut().expect("an object").remove("resource");
    expect![[r#"
        {
          "context": {
            "account": "111122223333",
            "blessed": false,
            "changes_30d": 5,
            "changes_7d": 2,
            "environment": "prod",
            "managed": true,
            "region": "eu-west-1",
            "resource_age_days": 59
          },
          "now": "2026-03-01T12:00:00Z",
          "type": "ec2:instance",
          "tags": {
            "Env": "prod",
            "a-b": "1",
            "a_b": "raw",
            "elava:managed": "true",
            "elava_managed": true,
            "on": "false"
          },
          "tags_known": true
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&rest).expect("it serialises"));
}

#[test]
fn input_conforms_to_its_schema() {
    let schema = Value::from_json_str(include_str!("../../input.schema.json")).expect("the schema is JSON");
    let mut engine = Engine::new();
    engine
        .add_policy("match.rego".into(), "package s\n\nout := json.match_schema(input.doc, input.schema)\n".into())
        .expect("it compiles");
    let mut matches = |doc: Value| {
        let fields = [(Value::from("doc"), doc), (Value::from("schema"), schema.clone())];
        engine.set_input(Value::from(std::collections::BTreeMap::from(fields)));
        as_json(&engine.eval_rule("data.s.out".into()).expect("it evaluates")[0])
    };
    let mut unknown = appeared(resource("rds:db", None, json!({})));
    unknown.history = None;
    for change in [appeared(full()), unknown] {
        let found = matches(input::build(&change, &environment_tags()).expect("it is there"));
        assert_eq!(found, json!(true));
    }
    assert_eq!(matches(Value::new_object()), json!(false), "the schema requires something");
    let mut wrong = as_json(&input::build(&appeared(full()), &environment_tags()).expect("it is there"));
    wrong["context"]["surprise"] = json!(1);
    assert_eq!(matches(Value::from(wrong)), json!(false), "a field that is not in the schema");
}

#[test]
fn members() {
    let policy = r#"
# METADATA
# title: Members
# custom:
#   suggestion: The default.
package day2.members

deny contains "Plain text, with: punctuation!"
deny contains {"message": "other name"}
deny contains {"msg": "milder", "severity": "info", "rule": "mild"}
warn contains {"msg": "own", "suggestion": "Its own.", "rule": "same"}
warn contains {"msg": "second", "rule": "same", "owner": "ignored"}
info contains {"msg": "third", "rule": "same"}
info contains "A message so long that its name must end somewhere, which is after sixty characters"
"#;
    let bundle = load(&[("m.rego", policy)]).expect("it loads");
    expect![[r#"
        info day2.members a_message_so_long_that_its_name_must_end_somewhere_which_is: A message so long that its name must end somewhere, which is after sixty characters (The default.)
        info day2.members mild: milder (The default.)
        critical day2.members other_name: other name (The default.)
        critical day2.members plain_text_with_punctuation: Plain text, with: punctuation! (The default.)
        info day2.members same: third (The default.)
        warning day2.members same#2: own (Its own.)
        warning day2.members same#3: second (The default.)
    "#]].assert_eq(&lines(&evaluate(&bundle, resource("ec2:vpc", tags(&[]), json!({})))));
}

#[test]
fn data_lies_below_its_folder_and_types_are_respected() {
    let files = [
        ("limits/disk/data.yaml", "max: 5\n"),
        ("limits/data.json", r#"{"net": {"max": 3}}"#),
        ("data.yml", "top: 1\n"),
        (
            "a.rego",
            "package day2.a\n\nwarn contains sprintf(\"%v %v %v\", [data.limits.disk.max, data.limits.net.max, data.top])\n",
        ),
        (
            "b.rego",
            "# METADATA\n# custom:\n#   types: [\"rds:*\", \"ec2:vpc\"]\npackage day2.b\n\nwarn contains \"b\"\n",
        ),
        ("b_test.rego", "this is not even rego"),
    ];
    let bundle = load(&files).expect("it loads");
    for (kind, expected) in [
        ("ec2:instance", "warning day2.a 5_3_1: 5 3 1\n"),
        ("ec2:vpc", "warning day2.a 5_3_1: 5 3 1\nwarning day2.b b: b\n"),
        ("rds:cluster", "warning day2.a 5_3_1: 5 3 1\nwarning day2.b b: b\n"),
    ] {
        assert_eq!(lines(&evaluate(&bundle, resource(kind, tags(&[]), json!({})))), expected, "{kind}");
    }
}

#[test]
fn packages_may_ask_each_other() {
    let files = [
        ("lib.rego", "package lib.names\n\nlong if count(input.type) > 3\n"),
        ("a.rego", "package day2.a\n\nwarn contains \"long\" if data.lib.names.long\n"),
        ("b.rego", "package day2.b\n\nimport data.day2.a\n\ninfo contains \"a warns\" if count(a.warn) > 0\n"),
        ("c.rego", "package day2.c\n\ninfo contains name if some name in data[\"day2\"].a.warn\n"),
    ];
    let bundle = load(&files).expect("it loads");
    expect![[r#"
        warning day2.a long: long
        info day2.b a_warns: a warns
        info day2.c long: long
    "#]]
    .assert_eq(&lines(&evaluate(&bundle, resource("ec2:vpc", tags(&[]), json!({})))));
}

#[test]
fn the_hash_is_of_what_decides() {
    let folder = folder(&[("a.rego", "package day2.a\n\nwarn contains \"x\"\n"), (".hidden/b.rego", "x")]);
    let hash = || PolicyFiles::read(folder.path()).expect("it is read").hash();
    let first = hash();
    assert_eq!(first.len(), 32);
    assert_eq!(first, Bundle::load(folder.path(), Dialect::PerFile).expect("it loads").hash());
    write(&folder, "a_test.rego", "package day2.a_test\n");
    write(&folder, "README.md", "nothing");
    assert_eq!(hash(), first);
    write(&folder, "data.json", "{}");
    assert_ne!(hash(), first);
}
