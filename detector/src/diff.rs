//! What differs between two versions of a resource, and which sorts of change that makes.

use elava_schemas::config::{ChangeDetection, Track};
use elava_schemas::{ChangeType, FieldDiff, Resource, field_diffs};
use serde_json::{Value, json};

/// Which sorts of change are reported.
#[derive(Clone, Debug)]
pub(crate) struct Tracking {
    tracks: Vec<Track>,
    cost_increase_percent: f64,
}

impl Tracking {
    /// As configured; nothing where detection is off.
    pub(crate) fn new(config: &ChangeDetection) -> Self {
        let tracks = if config.enabled { config.track.clone() } else { Vec::new() };
        Self { tracks, cost_increase_percent: config.cost_increase_percent }
    }

    /// Whether this sort is reported.
    pub(crate) fn tracks(&self, track: Track) -> bool {
        self.tracks.contains(&track)
    }
}

/// One sort of change between two versions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    pub(crate) change_type: ChangeType,
    pub(crate) diff: Vec<FieldDiff>,
}

/// What differs, by sort of change: tags, then everything else, then the cost.
///
/// Tags that were or are unknown never differ.
pub(crate) fn differences(previous: &Resource, current: &Resource, tracking: &Tracking) -> Vec<Difference> {
    let fields = if tracking.tracks(Track::StatusChanges) || tracking.tracks(Track::ConfigurationDrift) {
        let mut fields = field_differences(previous, current);
        fields.retain(|field| {
            tracking.tracks(if field.path == "/status" { Track::StatusChanges } else { Track::ConfigurationDrift })
        });
        fields
    } else {
        Vec::new()
    };
    let tags = if tracking.tracks(Track::TagChanges) { tag_differences(previous, current) } else { Vec::new() };
    let cost = if tracking.tracks(Track::CostChanges) {
        cost_increase(previous, current, tracking.cost_increase_percent)
    } else {
        None
    };
    [
        (ChangeType::TagDrift, tags),
        (ChangeType::Modified, fields),
        (ChangeType::CostIncrease, cost.into_iter().collect()),
    ]
    .into_iter()
    .filter(|(_, diff)| !diff.is_empty())
    .map(|(change_type, diff)| Difference { change_type, diff })
    .collect()
}

fn tag_differences(previous: &Resource, current: &Resource) -> Vec<FieldDiff> {
    let mut diff = Vec::new();
    if let (Some(before), Some(after)) = (&previous.tags, &current.tags) {
        field_diffs("/tags", &json!(before), &json!(after), &mut diff);
    }
    diff
}

fn field_differences(previous: &Resource, current: &Resource) -> Vec<FieldDiff> {
    let fields = |resource: &Resource| {
        let mut fields = serde_json::Map::new();
        for (name, text) in [("name", &resource.name), ("arn", &resource.arn), ("status", &resource.status)] {
            fields.extend(text.as_ref().map(|text| (name.to_owned(), json!(text))));
        }
        fields.extend(resource.created_at.map(|at| ("created_at".to_owned(), json!(at))));
        fields.insert("attributes".to_owned(), Value::Object(resource.attributes.clone()));
        if !resource.relations.is_empty() {
            fields.insert("relations".to_owned(), json!(resource.relations));
        }
        Value::Object(fields)
    };
    let mut diff = Vec::new();
    field_diffs("", &fields(previous), &fields(current), &mut diff);
    // the status is what people look for first
    diff.sort_by_key(|field| field.path != "/status");
    diff
}

fn cost_increase(previous: &Resource, current: &Resource, percent: f64) -> Option<FieldDiff> {
    let (before, after) = (previous.monthly_cost_usd?, current.monthly_cost_usd?);
    (after > before && after - before > before * percent / 100.0).then(|| FieldDiff {
        path: "/monthly_cost_usd".to_owned(),
        before: Some(json!(before)),
        after: Some(json!(after)),
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;
    use crate::content::content_hash;

    fn resource(fields: &Value) -> Resource {
        let mut full = json!({"key": "aws/1/r/ec2:vpc/v"});
        full.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        serde_json::from_value(full).expect("a resource")
    }

    fn tracking(config: ChangeDetection) -> Tracking {
        Tracking::new(&config)
    }

    fn all() -> Tracking {
        tracking(ChangeDetection::default())
    }

    #[track_caller]
    fn check(tracking: &Tracking, before: Value, after: Value, expected: Expect) {
        let mut text = String::new();
        for difference in differences(&resource(&before), &resource(&after), tracking) {
            writeln!(text, "{}", difference.change_type.as_str()).expect("a string");
            for field in difference.diff {
                let value = |value: Option<Value>| value.map_or("-".to_owned(), |value| value.to_string());
                writeln!(text, "  {} {} {}", field.path, value(field.before), value(field.after)).expect("a string");
            }
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn sorts_of_change() {
        check(&all(), json!({"name": "a"}), json!({"name": "a"}), expect![""]);
        check(
            &all(),
            json!({"tags": {"Owner": "a", "x/y": "1"}, "status": "running", "monthly_cost_usd": 10.0}),
            json!({"tags": {"Owner": "b", "New": ""}, "status": "stopped", "attributes": {"A": 1}, "monthly_cost_usd": 20.0}),
            expect![[r#"
                tag_drift
                  /tags/New - ""
                  /tags/Owner "a" "b"
                  /tags/x~1y "1" -
                modified
                  /status "running" "stopped"
                  /attributes/A - 1
                cost_increase
                  /monthly_cost_usd 10.0 20.0
            "#]],
        );
        check(
            &all(),
            json!({}),
            json!({"relations": [{"relation": "vpc", "to": "aws/1/r/ec2:vpc/v"}]}),
            expect![[r#"
                modified
                  /relations - [{"relation":"vpc","to":"aws/1/r/ec2:vpc/v"}]
            "#]],
        );
    }

    #[test]
    fn unknown_tags_never_differ() {
        check(&all(), json!({"tags": null}), json!({"tags": {"a": "b"}}), expect![""]);
        check(&all(), json!({"tags": {"a": "b"}}), json!({"tags": null}), expect![""]);
        check(
            &all(),
            json!({"tags": {"a": "b"}}),
            json!({"tags": {}}),
            expect![[r#"
                tag_drift
                  /tags/a "b" -
            "#]],
        );
    }

    #[test]
    fn small_and_unknown_costs_are_no_increase() {
        for (before, after, increased) in [
            (Some(100.0), Some(109.0), false),
            (Some(100.0), Some(111.0), true),
            (Some(100.0), Some(50.0), false),
            (Some(0.0), Some(5.0), true),
            (None, Some(5.0), false),
            (Some(5.0), None, false),
        ] {
            let cost = |cost: Option<f64>| resource(&json!({"monthly_cost_usd": cost}));
            assert_eq!(!differences(&cost(before), &cost(after), &all()).is_empty(), increased, "{before:?} {after:?}");
        }
    }

    #[test]
    fn only_what_is_tracked() {
        let before = json!({"status": "a", "tags": {"a": "b"}, "attributes": {"a": 1}, "monthly_cost_usd": 1.0});
        let after = json!({"status": "b", "tags": {}, "attributes": {"a": 2}, "monthly_cost_usd": 9.0});
        let only = |track| tracking(ChangeDetection { track: vec![track], ..ChangeDetection::default() });
        check(&only(Track::ResourceLifecycle), before.clone(), after.clone(), expect![""]);
        check(
            &only(Track::StatusChanges),
            before.clone(),
            after.clone(),
            expect![[r#"
                modified
                  /status "a" "b"
            "#]],
        );
        check(
            &only(Track::ConfigurationDrift),
            before.clone(),
            after.clone(),
            expect![[r#"
                modified
                  /attributes/a 1 2
            "#]],
        );
        check(&tracking(ChangeDetection { enabled: false, ..ChangeDetection::default() }), before, after, expect![""]);
    }

    fn any_attributes() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), (0..3).prop_map(Value::from)];
        let tree = leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-c~/]", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        prop::collection::btree_map("[A-C]", tree, 0..3).prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn differs_exactly_when_the_content_does(before in any_attributes(), after in any_attributes()) {
            let (before, after) = (resource(&json!({"attributes": before})), resource(&json!({"attributes": after})));
            let found = differences(&before, &after, &all());
            prop_assert_eq!(found.is_empty(), content_hash(&before) == content_hash(&after));
            for field in found.iter().flat_map(|difference| &difference.diff) {
                for (resource, value) in [(&before, &field.before), (&after, &field.after)] {
                    let whole = serde_json::to_value(resource).expect("a resource serialises");
                    prop_assert_eq!(whole.pointer(&field.path), value.as_ref());
                }
            }
        }
    }
}
