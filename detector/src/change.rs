//! How a change message is made.

use elava_bus::{Emit, change_subject};
use elava_schemas::{
    Baseline, Change, ChangeHistory, ChangeId, ChangeType, EarlierLife, FieldDiff, Kind, Resource, ScanId, Timestamp,
    to_line,
};
use serde_json::value::{RawValue, to_raw_value};

use crate::content::Hash;
use crate::details::details;

/// A change that was detected.
#[derive(Debug)]
pub(crate) struct Detected {
    /// The position of the page that caused it.
    pub(crate) sequence: u64,
    /// Hash of the version before.
    pub(crate) before: Option<Hash>,
    /// The message; its resources are text already.
    pub(crate) change: Change<Box<RawValue>>,
}

impl From<Detected> for Emit {
    fn from(detected: Detected) -> Self {
        let Detected { sequence, change, .. } = detected;
        let subject = change_subject((&change.resource_key).into());
        Self::of_line(sequence, Kind::Change, subject, to_line(Kind::Change, &change))
    }
}

/// What a change message is made of.
pub(crate) struct NewChange<'a> {
    pub(crate) change_type: ChangeType,
    pub(crate) previous: Option<(&'a Resource, Hash)>,
    pub(crate) current: Option<(&'a Resource, Hash)>,
    pub(crate) diff: Vec<FieldDiff>,
    pub(crate) at: Timestamp,
    pub(crate) scan_id: Option<&'a str>,
    pub(crate) baseline: Baseline,
    pub(crate) earlier_life: Option<EarlierLife>,
    pub(crate) scope_resources: u64,
    pub(crate) first_seen: Timestamp,
}

impl NewChange<'_> {
    /// The message, caused by the page at `sequence`. Its id is a hash of all that makes it.
    pub(crate) fn build(self, sequence: u64) -> Detected {
        let (resource, hash) = self.current.or(self.previous).expect("a change has a version before or after");
        let before = self.previous.map(|(_, hash)| hash);
        let before_text = before.map(|hash| hash.to_string()).unwrap_or_default();
        let version = hash.to_string();
        let key = resource.key.to_string();
        let at = rfc3339(self.at);
        let scan = self.scan_id.unwrap_or_default();
        let change = Change {
            id: ChangeId::of(&[&key, self.change_type.as_str(), &before_text, &version, scan, &at]),
            change_type: self.change_type,
            baseline: self.baseline,
            resource_key: resource.key.clone(),
            version,
            details: details(self.change_type, resource, &self.diff),
            previous: self.previous.map(|(resource, _)| text(resource)),
            current: self.current.map(|(resource, _)| text(resource)),
            diff: self.diff,
            detected_at: self.at,
            scan_id: self.scan_id.map(|id| ScanId::from(id.to_owned())),
            cause: None,
            earlier_life: self.earlier_life,
            scope_resources: Some(self.scope_resources),
            // the counts are added once the change is in the history
            history: (self.baseline == Baseline::No).then_some(ChangeHistory {
                first_seen: self.first_seen,
                changes_7d: 0,
                changes_30d: 0,
            }),
        };
        Detected { sequence, before, change }
    }
}

fn text(resource: &Resource) -> Box<RawValue> {
    to_raw_value(resource).expect("resources have string keys and infallible serialisers")
}

/// An instant as messages write it.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}
