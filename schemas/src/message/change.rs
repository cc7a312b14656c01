//! One difference between what was known of a resource and what is seen now.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ChangeId, Resource, ResourceKey, ScanId, Timestamp};

/// One difference. One comparison can yield several: tags and status at once.
// `R` is what a resource is held as: read, or as the text it is written as.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Change")]
pub struct Change<R = Resource> {
    /// A hash of the resource, type, version and observation that caused it.
    pub id: ChangeId,
    /// What sort of change.
    #[serde(rename = "type")]
    pub change_type: ChangeType,
    /// Whether the scope was being seen for the first time: audited, never alerted.
    #[serde(default)]
    pub baseline: Baseline,
    /// The resource.
    pub resource_key: ResourceKey,
    /// Hash of the version that `current` (or, once disappeared, `previous`) is.
    pub version: String,
    /// As it was; `null` when it appeared.
    pub previous: Option<R>,
    /// As it is; `null` when it disappeared.
    pub current: Option<R>,
    /// What differs, by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diff: Vec<FieldDiff>,
    /// When the observation, or the scan's end, that showed it was made.
    pub detected_at: Timestamp,
    /// The scan that showed it; absent for an observation published by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan_id: Option<ScanId>,
    /// One readable line.
    pub details: String,
    /// Who did it, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Actor>,
    /// For a resource that came back: its life before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier_life: Option<EarlierLife>,
    /// How many resources of its scope were known at this point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_resources: Option<u64>,
    /// What the history says of the resource at this point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<ChangeHistory>,
}

/// What sort of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeType {
    /// Seen for the first time, or again after it had disappeared.
    Appeared,
    /// Proven absent by a complete scan of its scope.
    Disappeared,
    /// Name, status, attributes or relations differ.
    Modified,
    /// Tags differ.
    TagDrift,
    /// The estimated monthly cost rose.
    CostIncrease,
}

impl ChangeType {
    /// Every type.
    pub const ALL: [Self; 5] = [Self::Appeared, Self::Disappeared, Self::Modified, Self::TagDrift, Self::CostIncrease];

    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Appeared => "appeared",
            Self::Disappeared => "disappeared",
            Self::Modified => "modified",
            Self::TagDrift => "tag_drift",
            Self::CostIncrease => "cost_increase",
        }
    }
}

/// Whether a change belongs to the first look at a scope. Written as a boolean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "bool", into = "bool")]
#[schemars(with = "bool")]
pub enum Baseline {
    /// The scope had been scanned completely before.
    #[default]
    No,
    /// No complete scan of the scope came before.
    Yes,
}

impl Baseline {
    pub(crate) fn is_no(&self) -> bool {
        *self == Self::No
    }
}

impl From<bool> for Baseline {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

impl From<Baseline> for bool {
    fn from(baseline: Baseline) -> Self {
        baseline == Baseline::Yes
    }
}

/// One differing field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FieldDiff {
    /// JSON Pointer (RFC 6901) into the resource: `/tags/Owner`, `/attributes/State/Name`.
    pub path: String,
    /// Before; absent where the field is new.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub before: Option<Value>,
    /// After; absent where the field is gone.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub after: Option<Value>,
}

/// A present `null` is a value; only an absent field is `None`.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Who did something in the cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Actor {
    /// User, role session or service.
    pub principal: String,
    /// The API call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// The life before of a resource that came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EarlierLife {
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was found to have disappeared.
    pub disappeared_at: Timestamp,
    /// Its last version then.
    pub version: String,
}

/// What the history says of a resource when a change is made: the policies' input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeHistory {
    /// When it was first seen in this life.
    pub first_seen: Timestamp,
    /// Changes in the seven days before, this one included.
    pub changes_7d: u64,
    /// Changes in the thirty days before, this one included.
    pub changes_30d: u64,
}

/// Compares two JSON values and appends what differs, with JSON Pointer paths under `path`.
///
/// Objects are compared by key; arrays position by position when the lengths agree, else as a whole.
pub fn field_diffs(path: &str, before: &Value, after: &Value, out: &mut Vec<FieldDiff>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
                match (old.get(name), new.get(name)) {
                    (Some(before), Some(after)) => field_diffs(&path, before, after, out),
                    (before, after) => {
                        out.push(FieldDiff { path, before: before.cloned(), after: after.cloned() });
                    }
                }
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (before, after)) in old.iter().zip(new).enumerate() {
                field_diffs(&format!("{path}/{index}"), before, after, out);
            }
        }
        (before, after) if before == after => {}
        (before, after) => {
            out.push(FieldDiff { path: path.to_owned(), before: Some(before.clone()), after: Some(after.clone()) })
        }
    }
}
