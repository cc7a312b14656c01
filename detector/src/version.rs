//! One version of one resource, as it is stored: columns, of which attributes, tags and relations
//! are JSON text. A tenth of what a read resource takes in memory, and ready for the history.

use elava_schemas::{Resource, ResourceKey, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::content::Hash;
use crate::store::HistoryError;

/// One version of one resource.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Version {
    pub(crate) id: u64,
    pub(crate) hash: Hash,
    pub(crate) columns: Columns,
    pub(crate) tags_carried: bool,
    pub(crate) valid_from: Timestamp,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
    pub(crate) scan_id: Option<String>,
    pub(crate) end: Option<End>,
}

/// How a version ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) at: Timestamp,
    pub(crate) by: EndedBy,
    pub(crate) last_seen: Timestamp,
}

/// Why a version ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndedBy {
    Changed,
    Disappeared,
}

impl EndedBy {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Disappeared => "disappeared",
        }
    }
}

/// The resource, column by column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Columns {
    pub(crate) key: ResourceKey,
    pub(crate) name: Option<String>,
    pub(crate) arn: Option<String>,
    pub(crate) status: Option<String>,
    /// A JSON object of strings.
    pub(crate) tags: Option<String>,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) monthly_cost_usd: Option<f64>,
    pub(crate) monthly_cost_source: Option<String>,
    /// A JSON object.
    pub(crate) attributes: String,
    /// A JSON array; `None` for an empty one.
    pub(crate) relations: Option<String>,
}

impl From<&Resource> for Columns {
    fn from(resource: &Resource) -> Self {
        Self {
            key: resource.key.clone(),
            name: resource.name.clone(),
            arn: resource.arn.clone(),
            status: resource.status.clone(),
            tags: resource.tags.as_ref().map(json),
            created_at: resource.created_at,
            monthly_cost_usd: resource.monthly_cost_usd,
            monthly_cost_source: resource.monthly_cost_source.clone(),
            attributes: json(&resource.attributes),
            relations: (!resource.relations.is_empty()).then(|| json(&resource.relations)),
        }
    }
}

impl Columns {
    /// The resource.
    pub(crate) fn resource(&self) -> Result<Resource, HistoryError> {
        let mut resource = Resource::new(self.key.clone());
        resource.name.clone_from(&self.name);
        resource.arn.clone_from(&self.arn);
        resource.status.clone_from(&self.status);
        resource.tags = self.tags.as_deref().map(|text| read("tags", text)).transpose()?;
        resource.created_at = self.created_at;
        resource.monthly_cost_usd = self.monthly_cost_usd;
        resource.monthly_cost_source.clone_from(&self.monthly_cost_source);
        resource.attributes = read("attributes", &self.attributes)?;
        if let Some(relations) = &self.relations {
            resource.relations = read("relations", relations)?;
        }
        Ok(resource)
    }
}

/// Reads JSON as the history holds it.
pub(crate) fn read<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, HistoryError> {
    serde_json::from_str(text).map_err(|error| HistoryError::Wrong { what, text: format!("{text} ({error})") })
}

/// Writes JSON as the history holds it.
pub(crate) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("messages have string keys and infallible serialisers")
}
