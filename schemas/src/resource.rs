//! One resource as the cloud shows it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Provider, ResourceKey, Timestamp};

/// Raw tag keys and values, in key order.
pub type Tags = BTreeMap<String, String>;

/// Everything the API returned about a resource, normalised: sets sorted, volatile fields removed.
pub type Attributes = serde_json::Map<String, serde_json::Value>;

/// One resource as the cloud shows it.
///
/// Also read in the flat form of the original design, with `provider`, `account`, `region`, `type`
/// and `id` beside the rest, `labels` for `tags` and `attrs` for `attributes`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Resource {
    /// Names it for ever.
    pub key: ResourceKey,
    /// The name people know it by (AWS: the `Name` tag, or the identifier of an RDS instance).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// AWS ARN, or GCP full resource name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// The cloud's own word for its state: `running`, `available`, `in-use`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Raw tags; `null` when they could not be read this time, which is not the same as none.
    pub tags: Option<Tags>,
    /// When the cloud says it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Estimated cost in US dollars a month of 730 hours; absent where there is no estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_cost_usd: Option<f64>,
    /// Where the estimate comes from: name and date of the price table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_cost_source: Option<String>,
    /// Everything the API returned.
    #[schemars(default)]
    pub attributes: Attributes,
    /// Other resources that this one refers to, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub relations: Vec<Relation>,
}

/// A reference to another resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Relation {
    /// What the other resource is to this one: `vpc`, `subnet`, `attached_to`, `source`.
    pub relation: String,
    /// The other resource, in text form.
    #[serde(serialize_with = "as_text")]
    #[schemars(with = "String")]
    pub to: ResourceKey,
}

fn as_text<S: Serializer>(key: &ResourceKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(key)
}

impl Resource {
    /// A resource of which only the key is known; tags not read.
    #[must_use]
    pub fn new(key: ResourceKey) -> Self {
        Self {
            key,
            name: None,
            arn: None,
            status: None,
            tags: None,
            created_at: None,
            monthly_cost_usd: None,
            monthly_cost_source: None,
            attributes: Attributes::new(),
            relations: Vec::new(),
        }
    }

    /// What a message to a person needs of it.
    #[must_use]
    pub fn label(&self) -> ResourceLabel {
        ResourceLabel { name: self.name.clone(), tags: self.tags.clone() }
    }
}

/// What a message to a person needs of a resource besides its key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceLabel {
    /// The name people know it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its tags, for routing by owner or team; `null` when they could not be read.
    #[serde(default)]
    pub tags: Option<Tags>,
}

/// True where the tag `elava:blessed` (or `elava_blessed`, `blessed`) is set and not `false`, `no` or `0`.
#[must_use]
pub fn blessed(tags: &Tags) -> bool {
    flag(tags, &["elava:blessed", "elava_blessed", "blessed"])
}

/// True where the tag `elava:managed` (or `elava_managed`) is set and not `false`, `no` or `0`.
#[must_use]
pub fn managed(tags: &Tags) -> bool {
    flag(tags, &["elava:managed", "elava_managed"])
}

fn flag(tags: &Tags, names: &[&str]) -> bool {
    names
        .iter()
        .find_map(|name| tags.get(*name))
        .is_some_and(|value| !matches!(value.to_ascii_lowercase().as_str(), "false" | "no" | "0"))
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = WireResource::deserialize(deserializer)?;
        let key = match wire.key {
            Some(key) => key,
            None => flat_key(wire.provider, [wire.account, wire.region, wire.kind, wire.id])
                .map_err(serde::de::Error::custom)?,
        };
        let mut relations = wire.relations;
        relations.sort();
        Ok(Self {
            key,
            name: wire.name,
            arn: wire.arn,
            status: wire.status,
            tags: wire.tags,
            created_at: wire.created_at,
            monthly_cost_usd: wire.monthly_cost_usd,
            monthly_cost_source: wire.monthly_cost_source,
            attributes: wire.attributes,
            relations,
        })
    }
}

/// Both forms of a resource on the wire. The flat key's fields are spelled out rather than
/// flattened: serde buffers a flattened object and loses the position of an error in it.
#[derive(Deserialize)]
struct WireResource {
    #[serde(default)]
    key: Option<ResourceKey>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arn: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default, alias = "labels")]
    tags: Option<Tags>,
    #[serde(default)]
    created_at: Option<Timestamp>,
    #[serde(default)]
    monthly_cost_usd: Option<f64>,
    #[serde(default)]
    monthly_cost_source: Option<String>,
    #[serde(default, alias = "attrs")]
    attributes: Attributes,
    #[serde(default)]
    relations: Vec<Relation>,
    #[serde(default)]
    provider: Option<Provider>,
    #[serde(default, alias = "account_id")]
    account: Option<String>,
    #[serde(default)]
    region: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    id: Option<String>,
}

fn flat_key(
    provider: Option<Provider>,
    [account, region, kind, id]: [Option<String>; 4],
) -> Result<ResourceKey, String> {
    let missing = |name| format!("missing field `key` (or, in the flat form, `{name}`)");
    let text = |value: Option<String>, name| value.filter(|text| !text.is_empty()).ok_or_else(|| missing(name));
    Ok(ResourceKey {
        provider: provider.ok_or_else(|| missing("provider"))?,
        account: text(account, "account")?,
        region: text(region, "region")?,
        kind: text(kind, "type")?,
        id: text(id, "id")?,
    })
}
