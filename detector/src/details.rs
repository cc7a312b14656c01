//! One readable line about a change.

use std::fmt::Write as _;

use elava_schemas::{ChangeType, FieldDiff, Resource};
use serde_json::Value;

/// Characters at most.
const LONGEST: usize = 200;
/// Characters of one value at most.
const LONGEST_VALUE: usize = 40;

/// One readable line: what happened to `resource`, which is the version after (or the last one).
pub(crate) fn details(change_type: ChangeType, resource: &Resource, diff: &[FieldDiff]) -> String {
    let id = match &resource.name {
        Some(name) if *name != resource.key.id => format!("{} ({name})", resource.key.id),
        _ => resource.key.id.clone(),
    };
    let line = match change_type {
        ChangeType::Appeared => format!("{} {id} appeared{}", noun(resource), traits(resource)),
        ChangeType::Disappeared => format!("{} {id} disappeared{}", noun(resource), traits(resource)),
        ChangeType::CostIncrease => format!("{id}: {}", cost(diff)),
        ChangeType::TagDrift | ChangeType::Modified => format!("{id}: {}", fields(diff)),
    };
    shorten(&line, LONGEST)
}

/// `instance` of `ec2:instance`, `security group` of `ec2:security-group`, `Disk` of an asset type.
fn noun(resource: &Resource) -> String {
    let kind = &resource.key.kind;
    kind.rsplit([':', '/']).next().unwrap_or(kind).replace('-', " ")
}

/// What tells resources of one type apart at a glance: ` (gp3, 8 GiB)`.
fn traits(resource: &Resource) -> String {
    let attribute = |name: &str| resource.attributes.get(name);
    let words = ["InstanceType", "DBInstanceClass", "Engine", "VolumeType", "GroupName", "CidrBlock"];
    let mut found: Vec<String> =
        words.iter().filter_map(|name| attribute(name)?.as_str()).map(|word| shorten(word, LONGEST_VALUE)).collect();
    let size = ["Size", "VolumeSize", "AllocatedStorage"].iter().find_map(|name| attribute(name)?.as_u64());
    found.extend(size.map(|gib| format!("{gib} GiB")));
    if found.is_empty() { String::new() } else { format!(" ({})", found.join(", ")) }
}

fn cost(diff: &[FieldDiff]) -> String {
    let usd = |value: Option<&Value>| value.and_then(Value::as_f64).unwrap_or_default();
    let (before, after) =
        diff.first().map_or((0.0, 0.0), |field| (usd(field.before.as_ref()), usd(field.after.as_ref())));
    format!("estimated cost rose from ${before:.2} to ${after:.2} a month")
}

fn fields(diff: &[FieldDiff]) -> String {
    const SHOWN: usize = 2;
    let mut line = diff.iter().take(SHOWN).map(field).collect::<Vec<_>>().join("; ");
    if diff.len() > SHOWN {
        write!(line, "; and {} more", diff.len() - SHOWN).expect("writing to a String does not fail");
    }
    line
}

fn field(field: &FieldDiff) -> String {
    let path = field.path.trim_start_matches('/');
    let (word, name) = match path.split_once('/') {
        Some(("tags", name)) => ("tag ", name.to_owned()),
        Some(("attributes", name)) => ("", name.replace('/', ".")),
        _ => ("", path.to_owned()),
    };
    let name = name.replace("~1", "/").replace("~0", "~");
    match (&field.before, &field.after) {
        (None, Some(after)) => format!("{word}{name} added: {}", value(after)),
        (Some(before), None) => format!("{word}{name} removed, was {}", value(before)),
        (Some(before), Some(after)) => format!("{word}{name} changed from {} to {}", value(before), value(after)),
        (None, None) => format!("{word}{name} changed"),
    }
}

fn value(value: &Value) -> String {
    shorten(&value.to_string(), LONGEST_VALUE)
}

fn shorten(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines() {
        let long = "x".repeat(500);
        for (kind, id, name, attributes, change, diff, expected) in [
            (
                "ec2:volume",
                "vol-1",
                None,
                json!({"VolumeType": "gp3", "Size": 8}),
                ChangeType::Appeared,
                json!([]),
                "volume vol-1 appeared (gp3, 8 GiB)",
            ),
            (
                "ec2:instance",
                "i-1",
                Some("web"),
                json!({"InstanceType": "t3.micro"}),
                ChangeType::Appeared,
                json!([]),
                "instance i-1 (web) appeared (t3.micro)",
            ),
            (
                "rds:db",
                "orders",
                Some("orders"),
                json!({}),
                ChangeType::Disappeared,
                json!([]),
                "db orders disappeared",
            ),
            (
                "ec2:security-group",
                "sg-1",
                None,
                json!({}),
                ChangeType::Disappeared,
                json!([]),
                "security group sg-1 disappeared",
            ),
            (
                "ec2:instance",
                "i-1",
                Some("web"),
                json!({}),
                ChangeType::TagDrift,
                json!([{"path": "/tags/Owner", "before": "a", "after": "b"}]),
                r#"i-1 (web): tag Owner changed from "a" to "b""#,
            ),
            (
                "ec2:instance",
                "i-1",
                None,
                json!({}),
                ChangeType::TagDrift,
                json!([{"path": "/tags/a~1b", "before": "x"}, {"path": "/tags/New", "after": ""}, {"path": "/tags/Z", "after": ""}]),
                r#"i-1: tag a/b removed, was "x"; tag New added: ""; and 1 more"#,
            ),
            (
                "ec2:instance",
                "i-1",
                None,
                json!({}),
                ChangeType::Modified,
                json!([{"path": "/status", "before": "running", "after": "stopped"}, {"path": "/attributes/State/Name", "before": 1, "after": null}]),
                r#"i-1: status changed from "running" to "stopped"; State.Name changed from 1 to null"#,
            ),
            (
                "ec2:instance",
                "i-1",
                None,
                json!({}),
                ChangeType::CostIncrease,
                json!([{"path": "/monthly_cost_usd", "before": 7.592, "after": 30.0}]),
                "i-1: estimated cost rose from $7.59 to $30.00 a month",
            ),
            (
                "ec2:instance",
                "i-1",
                None,
                json!({}),
                ChangeType::Modified,
                json!([{"path": "/name", "before": "a", "after": long}]),
                &format!(r#"i-1: name changed from "a" to "{}…"#, "x".repeat(38)),
            ),
        ] {
            let resource = serde_json::from_value(json!({
                "key": {"provider": "aws", "account": "1", "region": "r", "type": kind, "id": id},
                "name": name,
                "attributes": attributes,
            }))
            .expect("a resource");
            let diff: Vec<FieldDiff> = serde_json::from_value(diff).expect("a diff");
            assert_eq!(details(change, &resource, &diff), expected);
        }
        let mut resource = Resource::new("aws/1/r/t/i".parse().expect("a key"));
        resource.name = Some("n".repeat(500));
        assert_eq!(details(ChangeType::Appeared, &resource, &[]).chars().count(), LONGEST);
    }
}
