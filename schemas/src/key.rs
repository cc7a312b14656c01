//! The canonical name of a resource and of the scope it is scanned in.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// Which cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Amazon Web Services.
    Aws,
    /// Google Cloud.
    Gcp,
}

impl Provider {
    /// As written in messages, keys and subjects.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Provider {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        match text {
            "aws" => Ok(Self::Aws),
            "gcp" => Ok(Self::Gcp),
            other => Err(KeyError::UnknownProvider(other.to_owned())),
        }
    }
}

/// Names one resource for ever. Its text form is `provider/account/region/type/id`, each part
/// percent-encoded outside `A-Z a-z 0-9 - . _ ~ :`, so it is reversible and safe as a URL path.
///
/// Read from that text or from an object with the five fields; written as the object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[schemars(transform = or_text_form)]
pub struct ResourceKey {
    /// Which cloud.
    pub provider: Provider,
    /// AWS account id, or GCP project id.
    pub account: String,
    /// Region, or `global` for kinds without one.
    pub region: String,
    /// The cloud's own taxonomy: `ec2:instance`, `rds:db`; for GCP the asset type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The cloud's id within provider, account, region and type.
    pub id: String,
}

fn or_text_form(schema: &mut Schema) {
    let mut object = std::mem::take(schema);
    let description = object.remove("description");
    *schema = json_schema!({
        "anyOf": [object, {"type": "string", "pattern": "^(aws|gcp)(/[A-Za-z0-9._~:%-]+){4}$"}],
    });
    if let Some(description) = description {
        schema.insert("description".to_owned(), description);
    }
}

/// Why a text is not a resource key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// Not five parts.
    #[error("a resource key has 5 parts, provider/account/region/type/id; `{0}` has {1}")]
    Parts(String, usize),
    /// An empty part.
    #[error("the {0} of a resource key is empty")]
    Empty(&'static str),
    /// Percent-encoding of something that is not UTF-8.
    #[error("the {0} of a resource key is not UTF-8 once decoded")]
    NotUtf8(&'static str),
    /// A provider nobody observes.
    #[error("unknown provider `{0}`; allowed: aws, gcp")]
    UnknownProvider(String),
}

/// One part of a key as its text form has it.
#[must_use]
pub fn percent_encoded(part: &str) -> String {
    utf8_percent_encode(part, PLAIN).to_string()
}

const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

const PARTS: [&str; 5] = ["provider", "account", "region", "type", "id"];

impl ResourceKey {
    /// The scope this resource is scanned in.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope {
            provider: self.provider,
            account: self.account.clone(),
            region: self.region.clone(),
            kind: self.kind.clone(),
            filter: None,
        }
    }

    fn checked(self) -> Result<Self, KeyError> {
        let parts = [self.provider.as_str(), &self.account, &self.region, &self.kind, &self.id];
        match parts.iter().position(|part| part.is_empty()) {
            Some(empty) => Err(KeyError::Empty(PARTS[empty])),
            None => Ok(self),
        }
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = |part| utf8_percent_encode(part, PLAIN);
        write!(
            f,
            "{}/{}/{}/{}/{}",
            self.provider,
            encoded(&self.account),
            encoded(&self.region),
            encoded(&self.kind),
            encoded(&self.id)
        )
    }
}

impl FromStr for ResourceKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let parts: Vec<&str> = text.split('/').collect();
        let [provider, account, region, kind, id] = parts[..] else {
            return Err(KeyError::Parts(text.to_owned(), parts.len()));
        };
        let decoded = |part, name| {
            percent_decode_str(part).decode_utf8().map(Cow::into_owned).map_err(|_| KeyError::NotUtf8(name))
        };
        Self {
            provider: provider.parse()?,
            account: decoded(account, "account")?,
            region: decoded(region, "region")?,
            kind: decoded(kind, "type")?,
            id: decoded(id, "id")?,
        }
        .checked()
    }
}

impl<'de> Deserialize<'de> for ResourceKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeyVisitor)
    }
}

/// Reads both forms of a key without buffering; errors name the missing or wrong field.
struct KeyVisitor;

#[derive(Deserialize)]
struct KeyFields {
    provider: Provider,
    #[serde(alias = "account_id", alias = "project")]
    account: String,
    region: String,
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

impl<'de> serde::de::Visitor<'de> for KeyVisitor {
    type Value = ResourceKey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a resource key: \"provider/account/region/type/id\" or an object with these fields")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ResourceKey, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<ResourceKey, A::Error> {
        let KeyFields { provider, account, region, kind, id } =
            KeyFields::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        ResourceKey { provider, account, region, kind, id }.checked().map_err(serde::de::Error::custom)
    }
}

/// What one scan lists: the unit of order, of absence and of partitioning.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Scope {
    /// Which cloud.
    pub provider: Provider,
    /// AWS account id, or GCP project id.
    pub account: String,
    /// Region, or `global`.
    pub region: String,
    /// Resource type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The filter the listing was narrowed by. A filtered scan proves no absence by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = |part| utf8_percent_encode(part, PLAIN);
        write!(f, "{}/{}/{}/{}", self.provider, encoded(&self.account), encoded(&self.region), encoded(&self.kind))?;
        match &self.filter {
            Some(filter) => write!(f, "?{}", encoded(filter)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_forms() {
        for (text, id) in [
            ("aws/123456789012/us-east-1/ec2:instance/i-0abc", "i-0abc"),
            ("aws/1/global/iam:role/path%2Fto%20role", "path/to role"),
            ("gcp/p/europe-west1/compute.googleapis.com%2FDisk/%C3%BC", "ü"),
        ] {
            let key: ResourceKey = text.parse().expect(text);
            assert_eq!(key.id, id);
            assert_eq!(key.to_string(), text);
        }
        for (text, error) in [
            ("aws/1/us-east-1/ec2:instance", KeyError::Parts("aws/1/us-east-1/ec2:instance".into(), 4)),
            ("aws/1//ec2:instance/i-1", KeyError::Empty("region")),
            ("azure/1/r/t/i", KeyError::UnknownProvider("azure".into())),
            ("aws/1/r/t/%FF", KeyError::NotUtf8("id")),
        ] {
            assert_eq!(text.parse::<ResourceKey>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_form_is_reversible(account in ".+", region in ".+", kind in ".+", id in ".+") {
            let key = ResourceKey { provider: Provider::Gcp, account, region, kind, id };
            prop_assert_eq!(key.to_string().parse::<ResourceKey>(), Ok(key.clone()));
            let json = serde_json::to_string(&key).expect("a key serialises");
            prop_assert_eq!(serde_json::from_str::<ResourceKey>(&json).expect("and reads back"), key);
        }
    }
}
