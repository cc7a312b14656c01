//! The file of exceptions: findings that are accepted for a while, each with a reason, an owner and an end.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{NaiveDate, NaiveTime, TimeDelta};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::config::{ConfigError, read_yaml};
use crate::{IdHasher, ResourceKey, Tags, Timestamp};

/// How long before its end people are told of it.
const WARNING: TimeDelta = TimeDelta::days(7);

/// Why the exceptions cannot be used.
pub type ExceptionsError = ConfigError;

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExceptionsFile {
    /// All of them; the order means nothing.
    #[serde(default)]
    pub exceptions: Vec<Exception>,
}

/// Findings that are accepted for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// What people call it. Default: made of what it matches.
    #[serde(default)]
    pub id: String,
    /// Which findings. All that is named must hold.
    #[serde(rename = "match")]
    pub matches: Match,
    /// Why they are accepted.
    #[serde(deserialize_with = "words")]
    pub reason: String,
    /// Who answers for that.
    #[serde(deserialize_with = "words")]
    pub owner: String,
    /// Until when: a day (its beginning, UTC) or a time. From then on people hear of them again.
    #[serde(deserialize_with = "moment")]
    #[schemars(with = "String")]
    pub expires: Timestamp,
}

/// Which findings an exception is about. `*` in a text stands for any text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    /// The resource's key, `aws/<account>/<region>/<type>/<id>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The resource's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The resource type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The account or project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Tags of the resource; all of them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The violated policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The violated rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What the finding is about: `tag_drift`, `disappeared`, `violation`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl Match {
    /// Whether it is about this finding.
    #[must_use]
    pub fn covers(
        &self,
        key: &ResourceKey,
        tags: Option<&Tags>,
        cause: &str,
        policy: Option<&str>,
        rule: Option<&str>,
    ) -> bool {
        let like = |pattern: &Option<String>, text: Option<&str>| {
            pattern.as_ref().is_none_or(|pattern| text.is_some_and(|text| is_like(pattern, text)))
        };
        like(&self.key, self.key.is_some().then(|| key.to_string()).as_deref())
            && like(&self.id, Some(&key.id))
            && like(&self.kind, Some(&key.kind))
            && like(&self.account, Some(&key.account))
            && like(&self.region, Some(&key.region))
            && like(&self.policy, policy)
            && like(&self.rule, rule)
            && like(&self.cause, Some(cause))
            && self.tags.iter().all(|(name, pattern)| {
                tags.and_then(|tags| tags.get(name)).is_some_and(|value| is_like(pattern, value))
            })
    }
}

impl Exception {
    /// When people are told that it is about to end.
    #[must_use]
    pub fn warn_at(&self) -> Timestamp {
        self.expires - WARNING
    }
}

/// Reads a file.
///
/// # Errors
/// [`ExceptionsError`], naming file and line.
pub fn load(path: &Path) -> Result<Vec<Exception>, ExceptionsError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { file: file.clone(), source })?;
    parse(&file, &text)
}

/// Reads a text. `file` is only for the error.
///
/// # Errors
/// [`ExceptionsError`], naming file and line.
pub fn parse(file: &str, text: &str) -> Result<Vec<Exception>, ExceptionsError> {
    let mut all: Vec<Exception> = match text.trim() {
        "" => Vec::new(),
        _ => read_yaml::<ExceptionsFile>(file, text)?.exceptions,
    };
    let wrong = |message: String| ConfigError::Wrong { file: file.to_owned(), line: 1, message };
    for (number, exception) in (1..).zip(&mut all) {
        if exception.matches == Match::default() {
            return Err(wrong(format!("exception {number} would cover everything: its `match` names nothing")));
        }
        if exception.id.is_empty() {
            let matched = serde_json::to_string(&exception.matches).expect("texts serialise");
            exception.id = IdHasher::new("exception").part(matched).hex()[..8].to_owned();
        }
    }
    let mut ids: Vec<&str> = all.iter().map(|exception| exception.id.as_str()).collect();
    ids.sort_unstable();
    if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(wrong(format!("two exceptions are called {}", twice[0])));
    }
    Ok(all)
}

/// Whether a text is like a pattern in which `*` stands for any text.
#[must_use]
pub fn is_like(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}

fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() { Err(serde::de::Error::custom("must not be empty")) } else { Ok(text) }
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    let day = text.parse::<NaiveDate>().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    day.or_else(|_| text.parse::<Timestamp>()).map_err(|_| {
        let wrong = format!("`{text}` is neither a day such as 2027-01-31 nor a time such as 2027-01-31T12:00:00Z");
        serde::de::Error::custom(wrong)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*", "", true),
            ("*b", "ab", true),
            ("*b", "ba", false),
            ("a*c*e", "abcde", true),
            ("a*e*c", "abcde", false),
            ("aa*a", "aa", false),
            ("i-*", "i-1", true),
            ("*", "anything", true),
            ("ec2:*", "ec2:instance", true),
            ("ec2:*", "rds:db", false),
            ("*:db", "rds:db", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("day2.security", "day2.security", true),
            ("day2.security", "day2_security", false),
            ("", "", true),
        ] {
            assert_eq!(is_like(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn wrong_files_are_refused() {
        let whole = "exceptions:\n  - match: {type: rds:db}\n    reason: r\n    owner: o\n    expires: 2027-01-31\n";
        let read = parse("x.yaml", whole).expect("a file");
        assert_eq!(
            (read.len(), read[0].id.len(), read[0].warn_at().to_string()),
            (1, 8, "2027-01-24 00:00:00 UTC".into())
        );
        assert_eq!(parse("x.yaml", "").expect("an empty file"), []);
        let twice = whole.replace("match: {", "id: a\n    match: {");
        let twice = twice.clone() + twice.trim_start_matches("exceptions:\n");
        let mut errors = String::new();
        for text in [
            whole.replace("    owner: o\n", ""),
            whole.replace("reason: r", "reason: ' '"),
            whole.replace("2027-01-31", "soon"),
            whole.replace("type: rds:db", ""),
            whole.replace("type:", "sort:"),
            twice,
        ] {
            errors += &format!("{}\n", parse("x.yaml", &text).expect_err("refused"));
        }
        expect_test::expect![[r#"
            x.yaml:4: exceptions.owner: is missing
            x.yaml:3: exceptions.reason: must not be empty
            x.yaml:5: exceptions.expires: `soon` is neither a day such as 2027-01-31 nor a time such as 2027-01-31T12:00:00Z
            x.yaml:1: exception 1 would cover everything: its `match` names nothing
            x.yaml:2: exceptions.match: unknown field `sort`, expected one of key, id, type, account, region, tags, policy, rule, cause
            x.yaml:1: two exceptions are called a
        "#]].assert_eq(&errors);
    }
}
