//! What the history keeps.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::Duration;

/// What the history keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HistorySettings {
    /// What becomes of old versions, by resource type: the first rule that names a type holds for it. What no rule
    /// names is kept for ever.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retention: Vec<RetentionRule>,
}

/// What becomes of old versions of some resource types.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionRule {
    /// The resource types; `*` is any text, `?` any character.
    #[serde(deserialize_with = "some")]
    #[schemars(length(min = 1))]
    pub types: Vec<String>,
    /// Of versions that ended longer ago than this, those go that began and ended within one UTC day: what was there at
    /// each midnight stays, and whatever a finding refers to. At least 1d. Without it every version of these types is
    /// kept.
    #[serde(default, deserialize_with = "age", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Duration>")]
    pub thin_after: Option<Duration>,
}

fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let types = Vec::deserialize(deserializer)?;
    if types.is_empty() {
        return Err(serde::de::Error::custom("names no type; write [\"*\"] for all"));
    }
    Ok(types)
}

/// A day at least: what happened today is never thinned.
fn age<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let age = Duration::deserialize(deserializer)?;
    if age < Duration::hours(24) {
        return Err(serde::de::Error::custom(format!(
            "`{age}` is too short; versions are thinned by the day: 1d or longer"
        )));
    }
    Ok(Some(age))
}
