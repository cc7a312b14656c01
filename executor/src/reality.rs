//! What a resource is like, as far as the executor has to know. Values only.

use elava_schemas::{ResourceKey, Tags};

/// What a resource is like now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reality {
    /// The resource.
    pub key: ResourceKey,
    /// AWS ARN.
    pub arn: Option<String>,
    /// Its tags.
    pub tags: Tags,
    /// The tags of the VPC that it is in; `None` where it is in none, or nobody asked.
    pub vpc_tags: Option<Tags>,
    /// Whether it is protected from being deleted; `None` where its type knows no such thing.
    pub deletion_protection: Option<bool>,
}

/// Whether people may write this tag: what begins with `aws:` is the cloud's own.
#[must_use]
pub(crate) fn is_writable(tag: &str) -> bool {
    !tag.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
}
