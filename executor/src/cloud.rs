//! Reading and writing the cloud. The only file that calls an API that changes something.
//!
//! Reading is the observer's own reading of one resource; what it does not read, protection of an instance from being
//! terminated, is asked for here.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_ec2::types::{AttributeBooleanValue, InstanceAttributeName, Tag as Ec2Tag};
use aws_sdk_rds::types::Tag as RdsTag;
use elava_bus::cli::chain;
use elava_observer::aws::{CallError, Class, Place, Session, SetupError, kind, look};
use elava_schemas::config::Config;
use elava_schemas::{Resource, ResourceKey, Tags};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

use crate::{Part, Reality, Step};

/// States in which the cloud still shows what is gone.
const GONE: [&str; 4] = ["terminated", "shutting-down", "deleted", "deleting"];
/// Credentials that are renewed by themselves, or by somebody.
const EXPIRED: [&str; 4] = ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "ExpiredTokenFault"];
/// What an error tells at most: some hold kilobytes that nobody can read.
const LONGEST_ERROR: usize = 300;

/// Why the cloud could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It may work later.
    Later(String),
    /// The resource is in a state in which it cannot be written now.
    Busy(String),
    /// Trying again would change nothing.
    Never(String),
    /// It was written, and does not read so.
    Unseen,
    /// The resource is not there.
    Gone,
}

/// What of a resource has to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The tags of the VPC that it is in.
    pub(crate) vpc: bool,
    /// Whether it is protected from being deleted.
    pub(crate) protection: bool,
}

/// The cloud's answer. Boxed: the SDK's futures are deep.
pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, Trouble>>;

/// The accounts and regions that are written to, each reached when it is needed first.
#[derive(Debug)]
pub(crate) struct Cloud {
    endpoint_url: Option<String>,
    config: Config,
    session: OnceCell<Session>,
    places: Mutex<HashMap<(String, String), Arc<Place>>>,
}

impl Cloud {
    pub(crate) fn new(config: Config, endpoint_url: Option<String>) -> Self {
        Self { endpoint_url, config, session: OnceCell::new(), places: Mutex::default() }
    }

    async fn place(&self, key: &ResourceKey) -> Result<Arc<Place>, Trouble> {
        let mut places = self.places.lock().await;
        let at = (key.account.clone(), key.region.clone());
        if let Some(place) = places.get(&at) {
            return Ok(Arc::clone(place));
        }
        let regions = [key.region.clone()];
        let session = self.session.get_or_init(|| Session::open(self.endpoint_url.as_deref(), &regions)).await;
        let place = session.writing_place(&key.account, &key.region, &self.config.scanning.accounts).await?;
        let place = Arc::new(place);
        places.insert(at, Arc::clone(&place));
        Ok(place)
    }

    /// What a resource is like now; `None` where there is none.
    pub(crate) fn read<'a>(&'a self, key: &'a ResourceKey, wanted: Wanted) -> Answer<'a, Option<Reality>> {
        self.read_now(key, wanted).boxed()
    }

    /// Writes what is still to be written of a step.
    pub(crate) fn write<'a>(&'a self, reality: &'a Reality, step: &'a Step) -> Answer<'a, ()> {
        self.write_now(reality, step).boxed()
    }

    async fn read_now(&self, key: &ResourceKey, wanted: Wanted) -> Result<Option<Reality>, Trouble> {
        let place = self.place(key).await?;
        let Some(resource) = see(&place, &key.kind, &key.id).await? else { return Ok(None) };
        let tags = resource.tags.clone().ok_or_else(|| Trouble::Later("its tags cannot be read".to_owned()))?;
        let vpc = resource.relations.iter().find(|relation| relation.relation == "vpc").filter(|_| wanted.vpc);
        let vpc_tags = match vpc {
            Some(vpc) => see(&place, &vpc.to.kind, &vpc.to.id).await?.and_then(|vpc| vpc.tags),
            None => None,
        };
        let deletion_protection = if wanted.protection { protection(&place, &resource).await? } else { None };
        Ok(Some(Reality { key: key.clone(), arn: resource.arn, tags, vpc_tags, deletion_protection }))
    }

    /// Protection first: a tag that says so is not to be untrue.
    async fn write_now(&self, reality: &Reality, step: &Step) -> Result<(), Trouble> {
        let place = self.place(&reality.key).await?;
        let rest = step.rest(reality);
        if let Some(protected) = rest.deletion_protection {
            protect(&place, &reality.key, protected).await?;
        }
        if reality.key.kind.starts_with("rds:") {
            tag_rds(&place, reality, &rest).await
        } else {
            tag_ec2(&place, reality, &rest).await
        }
    }
}

/// As a scan would see it; `None` where it is gone.
async fn see(place: &Place, name: &str, id: &str) -> Result<Option<Resource>, Trouble> {
    let Some(kind) = kind(name) else { return Err(Trouble::Never(format!("unknown resource type {name}"))) };
    let found = look(kind, place, id).await.map_err(|error| trouble(kind.operation, error))?;
    Ok(found.filter(|resource| resource.status.as_deref().is_none_or(|status| !GONE.contains(&status))))
}

/// Whether the resource is protected from being deleted; `None` where its type knows no such thing.
async fn protection(place: &Place, resource: &Resource) -> Result<Option<bool>, Trouble> {
    let attribute = |name: &str| resource.attributes.get(name);
    match resource.key.kind.as_str() {
        "ec2:instance" => {
            let call = place.clients.ec2.describe_instance_attribute().instance_id(&resource.key.id);
            let answer = call.attribute(InstanceAttributeName::DisableApiTermination).send().await;
            let answer = answer.map_err(|error| trouble("ec2:DescribeInstanceAttribute", error.into()))?;
            let value = answer.disable_api_termination.and_then(|attribute| attribute.value);
            Ok(Some(value.unwrap_or(false)))
        }
        // that of a cluster's member is the cluster's
        "rds:db" if attribute("DBClusterIdentifier").is_some() => Ok(None),
        "rds:db" | "rds:cluster" => Ok(Some(attribute("DeletionProtection").and_then(Value::as_bool).unwrap_or(false))),
        _ => Ok(None),
    }
}

async fn protect(place: &Place, key: &ResourceKey, protected: bool) -> Result<(), Trouble> {
    let (operation, written) = match key.kind.as_str() {
        "ec2:instance" => {
            let value = AttributeBooleanValue::builder().value(protected).build();
            let call =
                place.clients.ec2.modify_instance_attribute().instance_id(&key.id).disable_api_termination(value);
            ("ec2:ModifyInstanceAttribute", call.send().await.map(drop).map_err(CallError::from))
        }
        "rds:cluster" => {
            let call = place.clients.rds.modify_db_cluster().db_cluster_identifier(&key.id);
            let call = call.deletion_protection(protected).apply_immediately(true);
            ("rds:ModifyDBCluster", call.send().await.map(drop).map_err(CallError::from))
        }
        _ => {
            let call = place.clients.rds.modify_db_instance().db_instance_identifier(&key.id);
            let call = call.deletion_protection(protected).apply_immediately(true);
            ("rds:ModifyDBInstance", call.send().await.map(drop).map_err(CallError::from))
        }
    };
    written.map_err(|error| trouble(operation, error))
}

async fn tag_ec2(place: &Place, reality: &Reality, rest: &Part) -> Result<(), Trouble> {
    let (ec2, id) = (&place.clients.ec2, &reality.key.id);
    let tag = |(tag, value): (&String, &String)| Ec2Tag::builder().key(tag).value(value).build();
    let (set, removed) = apart(reality, rest);
    if !set.is_empty() {
        let call = ec2.create_tags().resources(id).set_tags(Some(set.iter().map(tag).collect()));
        call.send().await.map_err(|error| trouble("ec2:CreateTags", error.into()))?;
    }
    if !removed.is_empty() {
        // with its value: another value that somebody writes meanwhile stays
        let call = ec2.delete_tags().resources(id).set_tags(Some(removed.iter().map(tag).collect()));
        call.send().await.map_err(|error| trouble("ec2:DeleteTags", error.into()))?;
    }
    Ok(())
}

async fn tag_rds(place: &Place, reality: &Reality, rest: &Part) -> Result<(), Trouble> {
    let rds = &place.clients.rds;
    let arn = reality.arn.as_ref().ok_or_else(|| Trouble::Never("its ARN is not known".to_owned()))?;
    let (set, removed) = apart(reality, rest);
    if !set.is_empty() {
        let tags = set.iter().map(|(tag, value)| RdsTag::builder().key(tag).value(value).build());
        let call = rds.add_tags_to_resource().resource_name(arn).set_tags(Some(tags.collect()));
        call.send().await.map_err(|error| trouble("rds:AddTagsToResource", error.into()))?;
    }
    if !removed.is_empty() {
        let call = rds.remove_tags_from_resource().resource_name(arn).set_tag_keys(Some(removed.into_keys().collect()));
        call.send().await.map_err(|error| trouble("rds:RemoveTagsFromResource", error.into()))?;
    }
    Ok(())
}

/// Tags to be set, and those to be removed with the values they have.
fn apart(reality: &Reality, rest: &Part) -> (Tags, Tags) {
    let set = rest.tags.iter().filter_map(|(tag, value)| Some((tag.clone(), value.clone()?))).collect();
    let removed = rest.tags.iter().filter(|(_, value)| value.is_none());
    let removed = removed.filter_map(|(tag, _)| Some((tag.clone(), reality.tags.get(tag)?.clone()))).collect();
    (set, removed)
}

/// What a failed call means.
fn trouble(operation: &str, error: CallError) -> Trouble {
    let text = tell(operation, &error);
    match error.class {
        Class::Throttled | Class::Transient => Trouble::Later(text),
        Class::Permanent if EXPIRED.contains(&error.code.as_str()) => Trouble::Later(text),
        Class::Permanent if error.is_not_found() => Trouble::Gone,
        Class::Permanent if error.code.starts_with("Invalid") && error.code.contains("State") => Trouble::Busy(text),
        Class::Permanent if error.code == "IncorrectInstanceState" => Trouble::Busy(text),
        Class::Permanent => Trouble::Never(text),
    }
}

/// An error for a person: one line, without what only the cloud can decode.
fn tell(operation: &str, error: &CallError) -> String {
    let message = error.message.split("Encoded authorization failure message").next().unwrap_or_default();
    let message: String =
        message.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST_ERROR).collect();
    format!("{operation}: {}: {message}", error.code)
}

impl From<SetupError> for Trouble {
    fn from(error: SetupError) -> Self {
        let text = chain(&error);
        if error.may_pass() { Self::Later(text) } else { Self::Never(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles() {
        let denied = "You are not authorized. Encoded authorization failure message: abc";
        for (class, code, message, expected) in [
            (Class::Throttled, "Throttling", "slow", Trouble::Later("op: Throttling: slow".into())),
            (Class::Transient, "timeout", "", Trouble::Later("op: timeout: ".into())),
            (Class::Permanent, "ExpiredToken", "old", Trouble::Later("op: ExpiredToken: old".into())),
            (Class::Permanent, "InvalidVolume.NotFound", "no", Trouble::Gone),
            (Class::Permanent, "DBInstanceNotFoundFault", "no", Trouble::Gone),
            (
                Class::Permanent,
                "UnauthorizedOperation",
                denied,
                Trouble::Never("op: UnauthorizedOperation: You are not authorized.".into()),
            ),
            (
                Class::Permanent,
                "InvalidDBInstanceState",
                "not\n available",
                Trouble::Busy("op: InvalidDBInstanceState: not available".into()),
            ),
        ] {
            let error = CallError { class, code: code.into(), message: message.into() };
            assert_eq!(trouble("op", error), expected, "{code}");
        }
    }
}
