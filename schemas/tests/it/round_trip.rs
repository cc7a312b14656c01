//! What is written reads back as the same value.

use elava_schemas::{Attributes, Message, Observation, Provider, Relation, Resource, ResourceKey, ScanId, Timestamp};
use proptest::prelude::*;
use serde_json::Value;

fn key() -> impl Strategy<Value = ResourceKey> {
    let provider = prop_oneof![Just(Provider::Aws), Just(Provider::Gcp)];
    (provider, ".{1,12}", ".{1,12}", ".{1,12}", ".{1,12}")
        .prop_map(|(provider, account, region, kind, id)| ResourceKey { provider, account, region, kind, id })
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::from(map.into_iter().collect::<Attributes>())),
        ]
    })
}

fn at() -> impl Strategy<Value = Timestamp> {
    // the years 1970 to 2100, whole microseconds
    (0_i64..4_102_444_800_000_000)
        .prop_map(|micros| Timestamp::from_timestamp_micros(micros).expect("the range is within chrono's"))
}

fn resource() -> impl Strategy<Value = Resource> {
    let text = || prop::option::of(any::<String>());
    let tags = prop::option::of(prop::collection::btree_map(any::<String>(), any::<String>(), 0..4));
    let cents = prop::option::of(0_u32..10_000_000);
    let attributes = prop::collection::btree_map(any::<String>(), value(), 0..4);
    let relations = prop::collection::btree_set(("[a-z_]{1,8}", key()), 0..4);
    (key(), [text(), text(), text(), text()], tags, prop::option::of(at()), cents, attributes, relations).prop_map(
        |(key, [name, arn, status, monthly_cost_source], tags, created_at, cents, attributes, relations)| Resource {
            key,
            name,
            arn,
            status,
            tags,
            created_at,
            monthly_cost_usd: cents.map(|cents| f64::from(cents) / 100.0),
            monthly_cost_source,
            attributes: attributes.into_iter().collect(),
            relations: {
                let mut relations: Vec<Relation> =
                    relations.into_iter().map(|(relation, to)| Relation { relation, to }).collect();
                relations.sort();
                relations
            },
        },
    )
}

proptest! {
    #[test]
    fn an_observation_reads_back(
        resource in resource(),
        scan in prop::option::of(any::<String>()),
        observed_at in prop::option::of(at()),
    ) {
        let message: Message = Observation { scan_id: scan.map(ScanId::from), observed_at, resource }.into();
        let line = message.to_line();
        prop_assert!(!line.contains(&b'\n'), "a line is one line");
        prop_assert_eq!(Message::parse(&line).expect("what is written is read"), message);
    }
}
