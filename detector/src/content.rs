//! What makes two observations of a resource the same version: a canonical hash of its content.

use std::fmt;

use elava_schemas::{Resource, ResourceKey, ScopeRef};
use serde_json::Value;

/// 128 bits of BLAKE3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Hash(pub(crate) u128);

impl Hash {
    /// The hash of these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut first = [0; 16];
        first.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
        Self(u128::from_be_bytes(first))
    }

    /// Reads the text form; `None` where it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        (text.len() == Self::TEXT).then(|| u128::from_str_radix(text, 16).ok()).flatten().map(Self)
    }

    /// Bytes of the text form.
    pub(crate) const TEXT: usize = 32;

    /// The text form, put there.
    pub(crate) fn text(self, buffer: &mut [u8; Self::TEXT]) -> &str {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for (pair, byte) in buffer.chunks_exact_mut(2).zip(self.0.to_be_bytes()) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        std::str::from_utf8(buffer).expect("digits")
    }

    /// Half of it: enough for the members of one set.
    pub(crate) fn low(self) -> u64 {
        (self.0 & u128::from(u64::MAX)) as u64
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; Self::TEXT]))
    }
}

/// The number a resource has in the history: 64 bits of a hash of its key. Among ten million
/// resources two share one with a probability of about 3 in a million.
pub(crate) fn resource_id(scope: ScopeRef, id: &str) -> u64 {
    short_hash(&[scope.provider.as_str(), scope.account, scope.region, scope.kind, id])
}

/// The number of the resource with this key.
pub(crate) fn key_id(key: &ResourceKey) -> u64 {
    resource_id(key.into(), &key.id)
}

/// The number of a scope.
pub(crate) fn scope_id(scope: ScopeRef) -> u64 {
    short_hash(&[scope.provider.as_str(), scope.account, scope.region, scope.kind])
}

/// 64 bits of a hash of parts; parts are length-prefixed, so that `("ab","c")` and `("a","bc")` differ.
pub(crate) fn short_hash(parts: &[&str]) -> u64 {
    let mut bytes = Vec::with_capacity(160);
    for part in parts {
        text(&mut bytes, part);
    }
    Hash::of(&bytes).low()
}

/// The hash of everything that makes a version, whatever the order of object keys. The estimated
/// cost is not part of it: a new price table makes no new versions.
pub(crate) fn content_hash(resource: &Resource) -> Hash {
    let mut bytes = Vec::with_capacity(4096);
    for field in [&resource.name, &resource.arn, &resource.status] {
        optional(&mut bytes, field.as_deref());
    }
    match &resource.tags {
        None => bytes.push(0),
        Some(tags) => {
            length(&mut bytes, 1, tags.len());
            for (key, value) in tags {
                text(&mut bytes, key);
                text(&mut bytes, value);
            }
        }
    }
    bytes.extend_from_slice(&resource.created_at.map_or(i64::MIN, |at| at.timestamp_micros()).to_le_bytes());
    object(&mut bytes, &resource.attributes);
    let mut relations: Vec<_> = resource.relations.iter().map(|r| (&r.relation, r.to.to_string())).collect();
    relations.sort_unstable();
    for (relation, to) in relations {
        text(&mut bytes, relation);
        text(&mut bytes, &to);
    }
    Hash::of(&bytes)
}

fn length(bytes: &mut Vec<u8>, mark: u8, length: usize) {
    bytes.push(mark);
    bytes.extend_from_slice(&(length as u64).to_le_bytes());
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    length(bytes, b's', text.len());
    bytes.extend_from_slice(text.as_bytes());
}

fn optional(bytes: &mut Vec<u8>, value: Option<&str>) {
    match value {
        None => bytes.push(0),
        Some(value) => text(bytes, value),
    }
}

fn object(bytes: &mut Vec<u8>, map: &serde_json::Map<String, Value>) {
    length(bytes, b'o', map.len());
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    for (key, item) in entries {
        text(bytes, key);
        value(bytes, item);
    }
}

fn value(bytes: &mut Vec<u8>, item: &Value) {
    match item {
        Value::Null => bytes.push(b'n'),
        Value::Bool(flag) => bytes.extend_from_slice(&[b'b', u8::from(*flag)]),
        Value::Number(number) => {
            bytes.push(b'#');
            text(bytes, &number.to_string());
        }
        Value::String(string) => text(bytes, string),
        Value::Array(items) => {
            length(bytes, b'a', items.len());
            for item in items {
                value(bytes, item);
            }
        }
        Value::Object(map) => object(bytes, map),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hash(resource: &Value) -> Hash {
        let mut full = json!({"key": "aws/1/r/ec2:vpc/v"});
        full.as_object_mut().expect("an object").extend(resource.as_object().expect("an object").clone());
        content_hash(&serde_json::from_value(full).expect("a resource"))
    }

    #[test]
    fn equal_content_has_equal_hashes() {
        let to = |id: &str| json!({"relation": "vpc", "to": format!("aws/1/r/ec2:vpc/{id}")});
        for (a, b) in [
            (
                json!({"attributes": {"a": 1, "b": {"c": [1, 2], "d": null}}}),
                json!({"attributes": {"b": {"d": null, "c": [1, 2]}, "a": 1}}),
            ),
            (json!({"monthly_cost_usd": 1.0}), json!({"monthly_cost_usd": 2.0, "monthly_cost_source": "x"})),
            (json!({"relations": [to("a"), to("b")]}), json!({"relations": [to("b"), to("a")]})),
        ] {
            assert_eq!(hash(&a), hash(&b), "{a} {b}");
        }
    }

    #[test]
    fn different_content_has_different_hashes() {
        let all = [
            json!({}),
            json!({"name": "a"}),
            json!({"arn": "a"}),
            json!({"status": "a"}),
            json!({"tags": {}}),
            json!({"tags": {"a": ""}}),
            json!({"tags": {"": "a"}}),
            json!({"created_at": "2026-01-01T00:00:00Z"}),
            json!({"attributes": {"a": null}}),
            json!({"attributes": {"a": []}}),
            json!({"attributes": {"a": [[]]}}),
            json!({"attributes": {"a": {}}}),
            json!({"attributes": {"a": "1"}}),
            json!({"attributes": {"a": 1}}),
            json!({"attributes": {"a": [1, 2]}}),
            json!({"attributes": {"a": [2, 1]}}),
            json!({"attributes": {"a": [12]}}),
        ];
        for (n, a) in all.iter().enumerate() {
            for b in &all[n + 1..] {
                assert_ne!(hash(a), hash(b), "{a} {b}");
            }
        }
    }

    #[test]
    fn text_form_is_reversible() {
        for hash in [Hash(0), Hash(255), Hash::of(b"x")] {
            assert_eq!(Hash::parse(&hash.to_string()), Some(hash));
        }
        assert_eq!(Hash::parse("xyz"), None);
    }
}
