//! The document policies see as `input`. Described by `input.schema.json` and `docs/policies.md`.
//!
//! A pure function of a change: `now` is when the change was detected, so that an evaluation done
//! again after a crash, or years later, gives the same result.

use std::collections::BTreeMap;

use chrono::SecondsFormat;
use elava_schemas::{Change, Relation, Resource, ResourceKey, Tags, Timestamp, blessed, managed};
use regorus::Value;
use serde::Deserialize;

/// The input for the resource that a change left behind; `None` where it has disappeared.
#[must_use]
pub fn build(change: &Change, environment_tags: &[String]) -> Option<Value> {
    let resource = change.current.as_ref()?;
    let no_tags = Tags::new();
    let tags = resource.tags.as_ref().unwrap_or(&no_tags);
    let mut shown = resource_fields(resource);
    shown.push(("history", history(change)));
    Some(object([
        ("resource", object(shown)),
        ("tags", policy_tags(tags)),
        ("tags_known", Value::from(resource.tags.is_some())),
        ("type", Value::from(resource.key.kind.as_str())),
        ("context", context(change, resource, tags, environment_tags)),
        ("now", time(change.detected_at)),
    ]))
}

/// Raw keys with their texts, and beside them every key with each character that is not a letter
/// or digit turned into `_`, so that `input.tags.elava_managed` works. On a clash the raw key wins.
///
/// A derived key whose text is exactly `true` or `false` is a boolean: `elava_managed == true`, as
/// policies are written, would otherwise never hold. Raw keys keep the text the cloud has.
fn policy_tags(tags: &Tags) -> Value {
    let mut shown = BTreeMap::new();
    for (key, text) in tags {
        let derived: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let value = text.parse::<bool>().map_or_else(|_| Value::from(text.as_str()), Value::from);
        // The first of two keys that derive the same wins: tags come in key order.
        shown.entry(Value::from(derived)).or_insert(value);
    }
    shown.extend(tags.iter().map(|(key, text)| (Value::from(key.as_str()), Value::from(text.as_str()))));
    Value::from(shown)
}

fn context(change: &Change, resource: &Resource, tags: &Tags, environment_tags: &[String]) -> Value {
    let mut fields = vec![
        ("account", Value::from(resource.key.account.as_str())),
        ("region", Value::from(resource.key.region.as_str())),
        ("managed", Value::from(managed(tags))),
        ("blessed", Value::from(blessed(tags))),
    ];
    if let Some(environment) = environment_tags.iter().find_map(|key| tags.get(key)) {
        fields.push(("environment", Value::from(environment.as_str())));
    }
    if let Some(born) = resource.created_at.or(change.history.as_ref().map(|history| history.first_seen)) {
        let days = (change.detected_at - born).num_days().max(0);
        fields.push(("resource_age_days", Value::from(days)));
    }
    if let Some(history) = &change.history {
        fields.push(("changes_7d", Value::from(history.changes_7d)));
        fields.push(("changes_30d", Value::from(history.changes_30d)));
    }
    object(fields)
}

fn history(change: &Change) -> Value {
    let previous = change.previous.as_ref().map_or(Value::Null, |previous| object(resource_fields(previous)));
    let mut fields = vec![("previous", previous)];
    if let Some(history) = &change.history {
        fields.push(("first_seen", time(history.first_seen)));
        fields.push(("changes_7d", Value::from(history.changes_7d)));
        fields.push(("changes_30d", Value::from(history.changes_30d)));
    }
    object(fields)
}

/// The resource as it is in messages, field by field: going through JSON text would cost as much as
/// evaluating it. A test compares the two.
fn resource_fields(resource: &Resource) -> Vec<(&'static str, Value)> {
    let tags = resource
        .tags
        .as_ref()
        .map_or(Value::Null, |tags| object(tags.iter().map(|(key, text)| (key.as_str(), Value::from(text.as_str())))));
    let attributes = object(resource.attributes.iter().map(|(name, json)| (name.as_str(), from_json(json))));
    let mut fields = vec![("key", key(&resource.key)), ("tags", tags), ("attributes", attributes)];
    let texts = [
        ("name", &resource.name),
        ("arn", &resource.arn),
        ("status", &resource.status),
        ("monthly_cost_source", &resource.monthly_cost_source),
    ];
    for (name, text) in texts {
        fields.extend(text.as_ref().map(|text| (name, Value::from(text.as_str()))));
    }
    fields.extend(resource.created_at.map(|at| ("created_at", time(at))));
    fields.extend(resource.monthly_cost_usd.map(|cost| ("monthly_cost_usd", Value::from(cost))));
    if !resource.relations.is_empty() {
        let relation = |relation: &Relation| {
            let to = Value::from(relation.to.to_string());
            object([("relation", Value::from(relation.relation.as_str())), ("to", to)])
        };
        fields.push(("relations", Value::from(resource.relations.iter().map(relation).collect::<Vec<_>>())));
    }
    fields
}

fn key(key: &ResourceKey) -> Value {
    let parts = [
        ("provider", key.provider.as_str()),
        ("account", &key.account),
        ("region", &key.region),
        ("type", &key.kind),
        ("id", &key.id),
    ];
    object(parts.map(|(name, part)| (name, Value::from(part))))
}

/// Every JSON value is a Rego value; the engine refuses only numbers that are not finite.
fn from_json(json: &serde_json::Value) -> Value {
    Value::deserialize(json).unwrap_or(Value::Undefined)
}

/// As serde writes it in messages.
fn time(at: Timestamp) -> Value {
    Value::from(at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::from(fields.into_iter().map(|(name, value)| (Value::from(name), value)).collect::<BTreeMap<_, _>>())
}
