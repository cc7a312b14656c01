//! What a resource type must say of itself, and how what it says becomes a resource.
//!
//! Pure: the listing itself is a function pointer that only `scan` calls.

use elava_schemas::{Relation, Resource, ResourceKey, Scope, Tags, Timestamp};
use futures::future::BoxFuture;
use serde_json::Value;

use super::client::Clients;
use super::json::{Attributes, ToJson, instant};
use super::retry::CallError;

/// One resource type: all that the shared code needs to know.
#[derive(Debug)]
pub struct Kind {
    /// As in keys: `ec2:instance`.
    pub name: &'static str,
    /// The API call that lists it: `ec2:DescribeInstances`. Its service has one budget for all types.
    pub operation: &'static str,
    /// Attributes that change by themselves and tell nothing; members are separated by dots, lists
    /// are walked through.
    pub volatile: &'static [&'static str],
    /// Asks for one page, as large as the API allows.
    pub(crate) list: fn(&Clients, Asked) -> Listing<'_>,
}

impl Kind {
    /// The API service: `ec2`.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.name.split_once(':').map_or(self.name, |(service, _)| service)
    }
}

/// Which page is asked for, and of what.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Where the page begins; `None` for the first one.
    pub(crate) token: Option<String>,
    /// The one resource that is looked for; `None` for all.
    pub(crate) id: Option<String>,
}

impl Asked {
    /// EC2's way to look for one: no error where it is not there, and pages go with it.
    pub(crate) fn filters(&self, name: &str) -> Option<Vec<aws_sdk_ec2::types::Filter>> {
        let id = self.id.as_ref()?;
        Some(vec![aws_sdk_ec2::types::Filter::builder().name(name).values(id).build()])
    }
}

/// A page on its way.
pub(crate) type Listing<'a> = BoxFuture<'a, Result<Page, CallError>>;

/// What one call returned.
pub(crate) struct Page {
    pub(crate) drafts: Vec<Draft>,
    pub(crate) next: Option<String>,
}

impl Page {
    pub(crate) fn new(drafts: impl Iterator<Item = Draft>, next: Option<&str>) -> Self {
        // some APIs end a listing with an empty token
        Self { drafts: drafts.collect(), next: next.filter(|token| !token.is_empty()).map(str::to_owned) }
    }
}

/// What a type's file says of one resource, before the shared rules are applied to it.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) id: Option<String>,
    /// Where people know it by something else than its `Name` tag.
    pub(crate) name: Option<String>,
    pub(crate) arn: Arn,
    pub(crate) status: Option<String>,
    /// `None` where they could not be read, which is not the same as none.
    pub(crate) tags: Option<Tags>,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) attributes: Attributes,
    pub(crate) relations: Vec<(&'static str, &'static str, String)>,
}

/// How a resource's ARN is known.
#[derive(Default)]
pub(crate) enum Arn {
    /// The API does not tell and it cannot be built.
    #[default]
    Unknown,
    /// As the API returned it.
    Given(String),
    /// EC2's documented form: the word before the id, and the owner (empty where the form has none).
    Ec2 { word: &'static str, owner: Option<String> },
}

impl Arn {
    /// As returned, else EC2's documented form.
    pub(crate) fn given_or(arn: Option<&str>, word: &'static str, owner: Option<&str>) -> Self {
        match arn {
            Some(arn) => Self::Given(arn.to_owned()),
            None => Self::Ec2 { word, owner: owner.map(str::to_owned) },
        }
    }
}

impl Draft {
    /// Everything the API returned, with the tags still in it.
    pub(crate) fn of(id: Option<&str>, returned: &impl ToJson) -> Self {
        let attributes = match returned.to_json() {
            Some(Value::Object(attributes)) => attributes,
            _ => Attributes::new(),
        };
        Self { id: id.map(str::to_owned), attributes, ..Self::default() }
    }

    /// Adds a relation where there is something to relate to.
    pub(crate) fn relate(&mut self, relation: &'static str, kind: &'static str, id: Option<&str>) {
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            self.relations.push((relation, kind, id.to_owned()));
        }
    }

    /// Adds a relation to each.
    pub(crate) fn relate_all<'a>(
        &mut self,
        relation: &'static str,
        kind: &'static str,
        ids: impl Iterator<Item = Option<&'a str>>,
    ) {
        ids.for_each(|id| self.relate(relation, kind, id));
    }
}

/// Tags that came with the resource: a missing list means that there are none.
pub(crate) fn tags<'a>(pairs: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>) -> Option<Tags> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Some(pairs.map(|(key, value)| (text(key), text(value))).collect())
}

/// Tags of an EC2 resource.
pub(crate) fn ec2_tags(tags_returned: &[aws_sdk_ec2::types::Tag]) -> Option<Tags> {
    tags(tags_returned.iter().map(|tag| (tag.key(), tag.value())))
}

/// Tags of an RDS resource.
pub(crate) fn rds_tags(tags_returned: &[aws_sdk_rds::types::Tag]) -> Option<Tags> {
    tags(tags_returned.iter().map(|tag| (tag.key(), tag.value())))
}

/// An instant the API returned.
pub(crate) fn time(at: Option<&aws_smithy_types::DateTime>) -> Option<Timestamp> {
    at.and_then(instant)
}

/// The resource a draft describes; `None` where it has no id and so no key.
pub(crate) fn resource(draft: Draft, kind: &Kind, scope: &Scope) -> Option<Resource> {
    let key_of = |kind: &str, id: String| ResourceKey {
        provider: scope.provider,
        account: scope.account.clone(),
        region: scope.region.clone(),
        kind: kind.to_owned(),
        id,
    };
    let id = draft.id.filter(|id| !id.is_empty())?;
    let arn = match draft.arn {
        Arn::Unknown => None,
        Arn::Given(arn) => Some(arn),
        Arn::Ec2 { word, owner } => {
            let (partition, region) = (partition(&scope.region), &scope.region);
            let owner = owner.as_deref().unwrap_or(&scope.account);
            Some(format!("arn:{partition}:ec2:{region}:{owner}:{word}/{id}"))
        }
    };
    let mut resource = Resource::new(key_of(kind.name, id));
    let named = || draft.tags.as_ref().and_then(|tags| tags.get("Name")).filter(|name| !name.is_empty()).cloned();
    resource.name = draft.name.or_else(named);
    resource.arn = arn;
    resource.status = draft.status;
    resource.tags = draft.tags;
    resource.created_at = draft.created_at;
    resource.attributes = draft.attributes;
    super::normal::normalise(&mut resource.attributes, kind.volatile);
    resource.relations = draft
        .relations
        .into_iter()
        .map(|(relation, kind, id)| Relation { relation: relation.to_owned(), to: key_of(kind, id) })
        .collect();
    resource.relations.sort();
    resource.relations.dedup();
    Some(resource)
}

/// The AWS partition of a region.
fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}
