//! Makes attributes comparable: the same reality gives the same JSON. Pure.
//!
//! Tags are kept elsewhere, volatile members go, and lists are sorted: AWS promises no order for any
//! list in these types, so each is a set.

use serde_json::Value;

use super::json::Attributes;

/// Where the APIs put tags.
const TAGS: [&str; 3] = ["Tags", "TagSet", "TagList"];

/// Removes tags and volatile members, and sorts every list by its items' JSON.
pub(super) fn normalise(attributes: &mut Attributes, volatile: &[&str]) {
    attributes.retain(|member, _| !TAGS.contains(&member.as_str()));
    for path in volatile {
        let path: Vec<&str> = path.split('.').collect();
        remove(attributes, &path);
    }
    attributes.values_mut().for_each(sort);
}

fn remove(object: &mut Attributes, path: &[&str]) {
    match path {
        [] => {}
        // not `remove`, which changes the order of the others
        [last] => object.retain(|member, _| member != last),
        [first, rest @ ..] => match object.get_mut(*first) {
            Some(Value::Object(inner)) => remove(inner, rest),
            Some(Value::Array(items)) => {
                items.iter_mut().filter_map(Value::as_object_mut).for_each(|inner| remove(inner, rest));
            }
            _ => {}
        },
    }
}

fn sort(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(sort);
            if items.len() > 1 {
                items.sort_by_cached_key(Value::to_string);
            }
        }
        Value::Object(members) => members.values_mut().for_each(sort),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn normalises() {
        let rows: [(Value, &[&str], Value); 5] = [
            (json!({"Tags": [1], "TagSet": [1], "TagList": [1], "A": {"Tags": 1}}), &[], json!({"A": {"Tags": 1}})),
            (json!({"P": 1, "Q": 2}), &["P", "Missing"], json!({"Q": 2})),
            (json!({"A": {"B": 1, "C": 2}}), &["A.B"], json!({"A": {"C": 2}})),
            (json!({"A": [{"B": 2, "C": 1}, {"B": 1}, 7]}), &["A.B"], json!({"A": [7, {"C": 1}, {}]})),
            (json!({"A": [{"B": ["y", "x"]}, {"B": ["a"]}]}), &[], json!({"A": [{"B": ["a"]}, {"B": ["x", "y"]}]})),
        ];
        for (given, volatile, expected) in rows {
            let Value::Object(mut attributes) = given.clone() else { panic!("{given} is an object") };
            normalise(&mut attributes, volatile);
            assert_eq!(Value::Object(attributes), expected, "{given}");
        }
    }
}
