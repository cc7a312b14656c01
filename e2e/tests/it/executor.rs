//! The executor against an AWS emulator: what is approved is written, what has moved on is not, and everything can be
//! taken back; killed in the middle of it, it writes and records everything once.

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use elava_e2e::{Heard, Moto, Pipeline, binary, publish, server, stored, until};
use elava_schemas::{Timestamp, micros};
use serde_json::{Value, json};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";

/// The configuration of everything that is started here.
const CONFIG: &str = r#"
version: "2.0"
policies:
  enforcement_mode: enforce
  auto_remediate: {tag_violations: true}
actions:
  tagging:
    required_tags: ["elava:owner"]
    rules:
      elava:owner: {from_tags: [Team], value: nobody}
      environment: {from_vpc: true, value: unknown}
  writing: {max_per_hour: 100}
"#;

/// An emulator, a server, stages, and somebody with a command line.
struct World {
    moto: Moto,
    _server: elava_e2e::Server,
    url: String,
    pipeline: Pipeline,
    folder: tempfile::TempDir,
}

impl World {
    fn start(stages: &[&'static str]) -> Self {
        let (moto, server) = (Moto::start(), server());
        let url = server.url();
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("elava.yaml"), CONFIG).expect("written");
        let pipeline = Pipeline::new(url.clone());
        let mut world = Self { moto, _server: server, url, pipeline, folder };
        stages.iter().for_each(|stage| world.run(stage));
        world
    }

    fn run(&mut self, stage: &'static str) {
        let config = self.folder.path().join("elava.yaml");
        let url = self.moto.url();
        let mut extra = vec!["--config", config.to_str().expect("text")];
        match stage {
            "observer" => {
                let place =
                    ["--interval", "1s", "--regions", REGION, "--types", "ec2:instance", "--endpoint-url", &url];
                extra.extend(place);
                self.pipeline.start(stage, &extra);
            }
            "executor" => {
                extra.extend(["--endpoint-url", &url]);
                self.pipeline.start(stage, &extra);
            }
            _ => self.pipeline.start(stage, &extra),
        }
    }

    fn elava(&self, args: &[&str]) -> Output {
        let mut command = Command::new(binary("elava"));
        command.args(args).args(["--nats", &self.url]).output().expect("it runs")
    }

    /// Says something about a decision; what is answered.
    fn say(&self, args: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.elava(args);
        assert!(status.success(), "{args:?}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).expect("UTF-8")
    }

    /// What it says where it refuses.
    fn refused(&self, args: &[&str]) -> String {
        let Output { status, stderr, .. } = self.elava(args);
        assert_eq!(status.code(), Some(1), "{args:?} is refused");
        String::from_utf8(stderr).expect("UTF-8")
    }

    /// Waits until the recorder has so much of a decision that `elava` says `what` of it.
    async fn recorded(&self, args: &[&str], what: &str) {
        until(what, async || {
            let Output { stdout, stderr, .. } = self.elava(args);
            let said = [stdout, stderr].concat();
            String::from_utf8_lossy(&said).contains(what)
        })
        .await;
    }

    /// Outcomes and reasons of a decision's executions, in order.
    async fn outcomes(&self, decision: &str) -> Vec<String> {
        let rows = stored(&self.url, "EXECUTION", "elava.execution.>").await;
        let of_decision = rows.iter().filter(|row| row["decision_id"] == decision);
        let outcome = |row: &Value| match row["error"].as_str() {
            Some(error) => format!("{}: {error}", row["outcome"].as_str().expect("an outcome")),
            None => row["outcome"].as_str().expect("an outcome").to_owned(),
        };
        of_decision.map(outcome).collect()
    }

    async fn ends_with(&self, decision: &str, outcome: &str) {
        until(&format!("{outcome} of {decision}"), async || {
            self.outcomes(decision).await.last().is_some_and(|last| last.starts_with(outcome))
        })
        .await;
    }

    /// An instance with these tags.
    fn instance(&self, tags: &Value) -> String {
        let parameters = json!({"ImageId": "ami-12345678", "MinCount": 1, "MaxCount": 1});
        let made = self.moto.call("ec2", "run_instances", &parameters);
        let id = made["Instances"][0]["InstanceId"].as_str().expect("an id").to_owned();
        self.tag(&id, tags);
        id
    }

    fn tag(&self, id: &str, tags: &Value) {
        let tags: Vec<Value> =
            pairs(tags).into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        if !tags.is_empty() {
            self.moto.call("ec2", "create_tags", &json!({"Resources": [id], "Tags": tags}));
        }
    }

    fn tags(&self, id: &str) -> Value {
        let found =
            self.moto.call("ec2", "describe_tags", &json!({"Filters": [{"Name": "resource-id", "Values": [id]}]}));
        let tags = found["Tags"].as_array().expect("tags");
        tags.iter().map(|tag| (tag["Key"].as_str().expect("a key").to_owned(), tag["Value"].clone())).collect()
    }

    async fn decide(&self, decision: &Value) {
        publish(&self.url, &[decision.to_string()]).await;
    }
}

fn pairs(tags: &Value) -> BTreeMap<String, Value> {
    tags.as_object().expect("an object").clone().into_iter().collect()
}

fn now() -> Timestamp {
    micros(Utc::now())
}

/// A decision published by hand.
fn decision(id: &str, action: &str, key: &str, metadata: &Value) -> Value {
    json!({
        "kind": "decision", "id": format!("dec_{id}"), "action": action, "resource_key": key, "severity": "warning",
        "reason": format!("test of {action}"), "finding": format!("fnd_{id}"), "state": "new", "caused_by": [id],
        "decided_at": now(), "metadata": metadata,
    })
}

fn key(kind: &str, id: &str) -> String {
    format!("aws/{ACCOUNT}/{REGION}/{kind}/{id}")
}

/// As a filter: what it would write, and what it writes.
#[test]
fn a_filter_says_what_it_would_write_and_writes_it() {
    let moto = Moto::start();
    let made = moto.call("ec2", "create_vpc", &json!({"CidrBlock": "10.0.0.0/16"}));
    let vpc = made["Vpc"]["VpcId"].as_str().expect("an id");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("enforce.yaml", CONFIG);
    write("dry.yaml", &CONFIG.replace("mode: enforce", "mode: dry_run"));
    write("notify.yaml", &CONFIG.replace("mode: enforce", "mode: notify"));
    let mut asked = decision("1", "auto_tag", &key("ec2:vpc", vpc), &json!({"missing_tags": ["elava:owner"]}));
    asked["requires_approval"] = true.into();
    asked["approve_by"] = json!(now() + TimeDelta::hours(1));
    let approved = json!({
        "kind": "approval", "id": "a", "decision_id": "dec_1", "by": "ada", "verdict": "approved", "at": now(),
    });
    write("in", &format!("{approved}\n{asked}\n"));
    write("undo", &approved.to_string().replace("approved", "undo"));
    let run = |config: &str, input: &str| {
        let url = moto.url();
        let script = format!("elava-executor -c {config}.yaml --endpoint-url {url} --state {config}.json < {input}");
        let (out, err, code) = elava_e2e::pipe(folder.path(), &script);
        assert_eq!(code, 0, "{err}");
        let rows = out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        rows.map(|row| format!("{} {} {} {}", row["kind"], row["outcome"], row["before"], row["after"]))
            .collect::<Vec<_>>()
    };
    let passed = [r#""approval" null null null"#, r#""decision" null null null"#];
    let (without, with) = (r#"{"tags":{"elava:owner":null}}"#, r#"{"tags":{"elava:owner":"nobody"}}"#);
    let told = |outcome: &str, before: &str, after: &str| format!(r#""execution" "{outcome}" {before} {after}"#);
    assert_eq!(run("notify", "in"), passed);
    assert_eq!(run("dry", "in")[2..], [told("skipped", without, with)]);
    assert_eq!(run("enforce", "in")[2..], [told("executing", without, with), told("executed", without, with)]);
    assert_eq!(run("enforce", "in")[2..], [""; 0], "what is done is known");
    assert_eq!(run("enforce", "undo")[1..], [told("executing", with, without), told("undone", with, without)]);
}

/// From the drift in the cloud to the drift restored, and back: every stage, and a person.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drift_is_restored_once_it_is_approved() {
    let mut world = World::start(&["detector", "enforcer", "decider", "executor"]);
    let id = world.instance(&json!({"elava:owner": "ada", "Name": "web"}));
    world.run("observer");
    let url = world.url.clone();
    let reports = async || {
        let rows = stored(&url, "OBSERVATION", "elava.observation.>").await;
        rows.iter().filter(|row| row["kind"] == "scan_report").count()
    };
    until("a first look", async || reports().await > 0).await;
    world.tag(&id, &json!({"elava:owner": "eve", "added": "x"}));
    let acting = async || stored(&url, "DECISION", "elava.decision.*.enforce_policy.>").await;
    until("a decision to restore", async || !acting().await.is_empty()).await;
    world.pipeline.kill("observer");

    let dec = acting().await[0]["id"].as_str().expect("an id").to_owned();
    world.recorded(&["approvals", "--json"], &dec).await;
    assert_eq!(world.outcomes(&dec).await, Vec::<String>::new(), "it waits");
    assert!(world.refused(&["undo", &dec]).contains("has not been carried out"));
    assert!(world.refused(&["approve", "dec_nope"]).contains("no decision begins with dec_nope"));
    let said = world.say(&["approve", &dec[..12], "--by", "ada", "--reason", "seen"]);
    assert!(said.starts_with("approved by ada: enforce_policy, ") && said.contains(&id), "{said}");

    world.ends_with(&dec, "executed").await;
    assert_eq!(world.outcomes(&dec).await, ["executing", "executed"]);
    assert_eq!(world.tags(&id), json!({"elava:owner": "ada", "Name": "web"}));
    let told = stored(&url, "EXECUTION", "elava.execution.>").await;
    assert_eq!(told[1]["before"], json!({"tags": {"added": "x", "elava:owner": "eve"}}));
    assert_eq!(told[1]["after"], json!({"tags": {"added": null, "elava:owner": "ada"}}));
    world.recorded(&["approve", &dec], "is executed already").await;
    assert_eq!(world.say(&["approvals", "--json"]), "");

    world.say(&["undo", told[1]["id"].as_str().expect("an id")]);
    world.ends_with(&dec, "undone").await;
    assert_eq!(world.tags(&id), json!({"elava:owner": "eve", "Name": "web", "added": "x"}));
    world.recorded(&["undo", &dec], "cannot be taken back, it is undone").await;
    assert!(world.say(&["audit", &id, "--json"]).contains("approved by ada: seen"));
    world.pipeline.stop();
}

/// What is decided by hand: skipped, tagged, protected, and taken back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_moved_on_is_left_alone_and_the_rest_can_be_taken_back() {
    let mut world = World::start(&["detector", "executor"]);
    let restore = json!({"action": "restore_tags", "previous_tags": {"a": "1"}, "current_tags": {"a": "2"}});

    // somebody has changed it once more
    let moved = world.instance(&json!({"a": "3"}));
    world.decide(&decision("moved", "enforce_policy", &key("ec2:instance", &moved), &restore)).await;
    world.ends_with("dec_moved", "skipped: reality has moved on: its tags are not those").await;
    assert_eq!(world.tags(&moved), json!({"a": "3"}));
    let found = stored(&world.url, "EXECUTION", "elava.execution.>").await;
    assert_eq!(found[0]["before"], json!({"tags": {"a": "3"}}), "what was found is told");

    // gone, and blessed
    world.decide(&decision("gone", "protect", &key("ec2:instance", "i-0123456789abcdef0"), &json!({}))).await;
    world.ends_with("dec_gone", "skipped: reality has moved on: it is gone").await;
    let blessed = world.instance(&json!({"elava:blessed": "true", "a": "2"}));
    world.decide(&decision("blessed", "enforce_policy", &key("ec2:instance", &blessed), &restore)).await;
    world.ends_with("dec_blessed", "skipped: it is blessed").await;

    // nobody approved it in time
    let mut late = decision("late", "protect", &key("ec2:instance", &moved), &json!({}));
    late["requires_approval"] = true.into();
    late["approve_by"] = json!(now() - TimeDelta::minutes(1));
    world.decide(&late).await;
    world.ends_with("dec_late", "skipped: approval expired").await;
    world.recorded(&["approve", "dec_late"], "is skipped already").await;

    // an instance without tags: one from another tag, one from its VPC, which has none, one without a rule
    let untagged = world.instance(&json!({"Team": "shop"}));
    let missing = json!({"missing_tags": ["elava:owner", "environment", "cost-centre"]});
    world.decide(&decision("untagged", "auto_tag", &key("ec2:instance", &untagged), &missing)).await;
    world.ends_with("dec_untagged", "executed").await;
    assert_eq!(world.tags(&untagged), json!({"Team": "shop", "elava:owner": "shop", "environment": "unknown"}));

    // a production database, and an instance; moto knows the protection of both
    let database = json!({
        "DBInstanceIdentifier": "orders", "DBInstanceClass": "db.t3.micro", "Engine": "postgres",
        "AllocatedStorage": 20, "MasterUsername": "u", "MasterUserPassword": "not-a-secret",
        "Tags": [{"Key": "environment", "Value": "production"}],
    });
    world.moto.call("rds", "create_db_instance", &database);
    let orders = || world.moto.call("rds", "describe_db_instances", &json!({}))["DBInstances"][0].clone();
    let tagged = |database: &Value| database["TagList"].to_string().contains("elava:protected");
    world.decide(&decision("database", "protect", &key("rds:db", "orders"), &json!({}))).await;
    world.decide(&decision("instance", "protect", &key("ec2:instance", &untagged), &json!({}))).await;
    world.ends_with("dec_database", "executed").await;
    world.ends_with("dec_instance", "executed").await;
    assert_eq!((orders()["DeletionProtection"].clone(), tagged(&orders())), (json!(true), true));
    let protection = json!({"InstanceId": untagged, "Attribute": "disableApiTermination"});
    let is_protected = || {
        let found = world.moto.call("ec2", "describe_instance_attribute", &protection);
        found["DisableApiTermination"]["Value"].clone()
    };
    assert_eq!(is_protected(), true);

    // each taken back; one cannot be, until it is as it was left
    world.tag(&untagged, &json!({"elava:owner": "somebody"}));
    for name in ["dec_untagged", "dec_database", "dec_instance"] {
        until(name, async || world.elava(&["undo", name]).status.success()).await;
    }
    world.ends_with("dec_untagged", "skipped: not undone: somebody has changed it since").await;
    world.ends_with("dec_database", "undone").await;
    world.ends_with("dec_instance", "undone").await;
    assert_eq!((orders()["DeletionProtection"].clone(), tagged(&orders())), (json!(false), false));
    assert_eq!(is_protected(), false);
    world.tag(&untagged, &json!({"elava:owner": "shop"}));
    until("it can be asked for again", async || world.elava(&["undo", "dec_untagged"]).status.success()).await;
    world.ends_with("dec_untagged", "undone").await;
    assert_eq!(world.tags(&untagged), json!({"Team": "shop"}));
    world.pipeline.stop();
}

/// Killed again and again right after it said that it begins: around the write, and around its record.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_around_the_write_it_writes_and_records_once() {
    const RESOURCES: usize = 10;
    let mut world = World::start(&[]);
    let ids: Vec<String> =
        (0..RESOURCES).map(|number| world.instance(&json!({"Team": format!("t{number}")}))).collect();
    for (number, id) in ids.iter().enumerate() {
        let missing = json!({"missing_tags": ["elava:owner"]});
        world.decide(&decision(&number.to_string(), "auto_tag", &key("ec2:instance", id), &missing)).await;
    }
    let url = world.url.clone();
    let records = async |outcome: &str| {
        let rows = stored(&url, "EXECUTION", "elava.execution.>").await;
        rows.iter().filter(|row| row["outcome"] == outcome).count()
    };
    let mut struck = 0;
    for kill in 0..8 {
        let mut heard = Heard::on(&url, "elava.execution.>").await;
        world.run("executor");
        tokio::select! {
            () = heard.text(r#""outcome":"executing""#) => {}
            () = until("all are written", async || records("executed").await == RESOURCES) => {
                world.pipeline.terminate("executor");
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(7 * kill)).await;
        world.pipeline.kill("executor");
        struck += usize::from(records("executing").await > records("executed").await);
    }
    world.run("executor");
    until("all are written", async || records("executed").await >= RESOURCES).await;
    world.pipeline.terminate("executor");
    assert!(struck > 0, "at least once it was killed between the two records");
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(world.outcomes(&format!("dec_{number}")).await, ["executing", "executed"], "{number}");
        assert_eq!(world.tags(id)["elava:owner"], format!("t{number}"));
    }
}
