//! Current resources as policies are given them: the same as the last change of each has given.

use std::collections::BTreeMap;

use elava_bus::{PARTITIONS, Stage, ask, group_of_scope};
use elava_schemas::{Change, ChangeType, CurrentHead, CurrentRequest, Message, Part, Place, Resource, ResourceKey};
use serde_json::{Value, json};

use crate::backtest::resource;
use crate::harness::{Bench, report, seen, time};

/// Twenty resources that come, change and go; the last change of each that is there.
fn lived(bench: &mut Bench) -> BTreeMap<ResourceKey, Change> {
    let mut last = BTreeMap::new();
    for step in 0..12 {
        let scan = format!("s{step}");
        let there = (0..20).filter_map(|number| Some((number, resource(number, step)?)));
        let mut rows: Vec<Value> =
            there.map(|(number, fields)| seen(Some(&scan), &format!("i-{number}"), fields)).collect();
        let minute = i64::try_from(bench.sequence).expect("few");
        rows.push(report(&scan, minute, "complete", rows.len() as u64));
        for emit in bench.send(&rows).messages {
            let Ok(Message::Change(change)) = emit.message() else { panic!("a detector writes changes") };
            if change.change_type == ChangeType::Disappeared {
                last.remove(&change.resource_key);
            } else {
                last.insert(change.resource_key.clone(), *change);
            }
        }
    }
    last
}

fn ask_current(bench: &Bench, request: &CurrentRequest) -> (CurrentHead, Vec<Value>) {
    let body = serde_json::to_vec(request).expect("JSON");
    let answer = bench.block(bench.stage().answer(ask::CURRENT, body.into())).expect("an answer");
    let head = serde_json::from_slice(&answer[0]).expect("a head");
    (head, answer[1..].iter().map(|line| serde_json::from_slice(line).expect("JSON")).collect())
}

#[test]
fn current_resources_are_as_their_last_change_has_told() {
    let mut bench = Bench::new();
    let last = lived(&mut bench);
    assert!(last.len() > 10);
    let partition = group_of_scope((&last.keys().next().expect("some").clone()).into(), PARTITIONS);
    let at = time(1_000);
    let all = CurrentRequest { partition, part: Some(Part::default()), resource_key: None, at, previous: true };

    let (head, lines) = ask_current(&bench, &all);
    assert_eq!((head.next, lines.len()), (None, last.len()));
    for line in &lines {
        let key: ResourceKey = line["key"].as_str().and_then(|key| key.parse().ok()).expect("a key");
        let (change, details) = (&last[&key], &line["details"]);
        let read =
            |name: &str| -> Option<Resource> { serde_json::from_value(details[name].clone()).expect("a resource") };
        assert_eq!(read("resource"), change.current, "{key}");
        assert_eq!(read("previous"), change.previous, "{key}");
        assert_eq!(details["version"], change.version.as_str(), "{key}");
        let told = |name: &str| details[name].as_u64().expect("a number");
        if let Some(history) = &change.history {
            assert_eq!((told("changes_7d"), told("changes_30d")), (history.changes_7d, history.changes_30d), "{key}");
            assert_eq!(details["first_seen"].as_str().and_then(|at| at.parse().ok()), Some(history.first_seen));
        }
    }

    let (key, change) = last.first_key_value().expect("some");
    let one = CurrentRequest { resource_key: Some(key.clone()), previous: false, ..all.clone() };
    let (_, lines) = ask_current(&bench, &one);
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (&lines[0]["details"]["previous"], lines[0]["key"].as_str()),
        (&Value::Null, Some(key.to_string()).as_deref())
    );
    assert_eq!(lines[0]["details"]["version"], change.version.as_str());

    let (_, lines) = ask_current(&bench, &CurrentRequest { partition: (partition + 1) % PARTITIONS, ..all.clone() });
    assert!(lines.is_empty(), "of another partition");
    let (head, lines) = ask_current(&bench, &CurrentRequest { part: None, ..all.clone() });
    assert_eq!((head.next, lines.len()), (None, 0), "all of it is one part");

    // wherever it is cut, nothing is left out and nothing is given twice
    for resource_id in [0, u64::MAX / 3, u64::MAX] {
        let cut = Some(Place { scope: key.scope().to_string(), resource_id });
        let parts = [Part { from: None, to: cut.clone() }, Part { from: cut, to: None }];
        let lengths =
            parts.map(|part| ask_current(&bench, &CurrentRequest { part: Some(part), ..all.clone() }).1.len());
        assert_eq!(lengths.iter().sum::<usize>(), last.len(), "cut at {resource_id}: {lengths:?}");
    }
    bench.block(bench.stage().answer(ask::CURRENT, "{}".into())).expect_err("no request");
}

/// Of two rows on one page, both without a time of their own.
#[test]
fn versions_of_one_instant_come_one_after_the_other() {
    let mut bench = Bench::new();
    bench.send(&[seen(None, "i-1", json!({"status": "a"}))]);
    bench.send(&["b", "c"].map(|status| seen(None, "i-1", json!({"status": status}))));
    let key: ResourceKey = "aws/1/r/ec2:instance/i-1".parse().expect("a key");
    let partition = group_of_scope((&key).into(), PARTITIONS);
    let all =
        CurrentRequest { partition, part: Some(Part::default()), resource_key: None, at: time(1_000), previous: true };
    let (_, lines) = ask_current(&bench, &all);
    let statuses = |name: &str| lines.iter().map(|line| line["details"][name]["status"].clone()).collect::<Vec<_>>();
    assert_eq!((statuses("previous"), statuses("resource")), (vec![json!("b")], vec![json!("c")]));

    let told = "SELECT details ->> '$.resource.status', details ->> '$.previous.status', passing
        FROM replay('2025-12-31', 'now')";
    assert_eq!(bench.sql(told), "a |  | false\nb |  | true\nc |  | false\n");
    let later = told.replace("2025-12-31", "2026-01-01 00:01");
    assert_eq!(bench.sql(&later), "a |  | false\nb |  | true\nc |  | false\n", "the first one was there when it began");
}
