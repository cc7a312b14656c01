//! What people read: resources, tags and money in a few words.

use elava_schemas::{ResourceKey, ResourceLabel, Tags};

use crate::account::all_of;

/// Tags of a drift that are named in one line.
const TAGS_NAMED: usize = 4;

/// `db prod-orders (rds:db, us-east-1)`; `account 123456789012` where all its resources are meant.
pub(super) fn resource(key: &ResourceKey, label: &ResourceLabel) -> String {
    if *key == all_of(key) {
        return format!("account {}", key.account);
    }
    let short = key.kind.rsplit([':', '/']).next().unwrap_or(&key.kind).replace('-', " ").to_lowercase();
    let name = label.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&key.id);
    format!("{short} {name} ({}, {})", key.kind, key.region)
}

/// `environment: prod → dev, Owner removed, team added (payments)`.
pub(super) fn tag_changes(before: &Tags, after: &Tags) -> String {
    let changed = before.iter().filter_map(|(name, old)| match after.get(name) {
        None => Some(format!("{name} removed")),
        Some(new) if new != old => Some(format!("{name}: {old} → {new}")),
        Some(_) => None,
    });
    let added = after.iter().filter(|(name, _)| !before.contains_key(*name));
    let mut words: Vec<String> = changed.chain(added.map(|(name, new)| format!("{name} added ({new})"))).collect();
    let more = words.len().saturating_sub(TAGS_NAMED);
    if more > 0 {
        words.truncate(TAGS_NAMED);
        words.push(format!("{more} more"));
    }
    words.join(", ")
}

/// `$12.50`, or `unknown`.
pub(super) fn dollars(amount: Option<f64>) -> String {
    amount.map_or_else(|| "unknown".to_owned(), |amount| format!("${amount:.2}"))
}
