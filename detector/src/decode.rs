//! Lines to rows. Observations as our own observers write them are only cut up here; their content
//! is read when it turns out to be new.

use elava_bus::{Batch, Consumes, Page, Rejection, Source, Stream, scope_subject_matches};
use elava_schemas::{
    Kind, Message, Observation, Provider, Resource, ResourceKey, ScanReport, ScopeRef, Timestamp, peek_kind,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::content::{Hash, resource_id, scope_id};

/// One line of a page.
pub(crate) struct Line<'a> {
    pub(crate) page: &'a Page,
    pub(crate) number: u64,
    pub(crate) row: Row<'a>,
}

/// What a line says.
pub(crate) enum Row<'a> {
    Observed(Observed<'a>),
    Report(Box<ScanReport>),
    /// What another stage said, to be recorded.
    Recorded(Message),
}

/// An observation, read as far as is needed to know whether it is new.
pub(crate) struct Observed<'a> {
    pub(crate) id: u64,
    pub(crate) scope: u64,
    pub(crate) scan_id: Option<std::borrow::Cow<'a, str>>,
    pub(crate) observed_at: Option<Timestamp>,
    /// Hash of the resource's bytes.
    pub(crate) raw: Hash,
    pub(crate) body: Body<'a>,
    /// Hash of the content, once known.
    pub(crate) content: Option<Hash>,
}

/// The resource of an observation.
pub(crate) enum Body<'a> {
    Raw(KeyRef<'a>, &'a RawValue),
    Parsed(Box<Resource>),
}

/// A resource key, borrowed from the line.
#[derive(Clone, Copy, Deserialize)]
pub(crate) struct KeyRef<'a> {
    provider: Provider,
    account: &'a str,
    region: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
}

impl<'a> KeyRef<'a> {
    pub(crate) fn scope(&self) -> ScopeRef<'a> {
        ScopeRef { provider: self.provider, account: self.account, region: self.region, kind: self.kind }
    }

    fn is_whole(&self) -> bool {
        ![self.account, self.region, self.kind, self.id].contains(&"")
    }
}

impl Body<'_> {
    /// The scope.
    pub(crate) fn scope(&self) -> ScopeRef<'_> {
        match self {
            Self::Raw(key, _) => key.scope(),
            Self::Parsed(resource) => (&resource.key).into(),
        }
    }

    /// The whole resource, or why it is none.
    pub(crate) fn resource(&self) -> Result<Resource, String> {
        match self {
            Self::Raw(_, raw) => serde_json::from_str(raw.get()).map_err(|error| format!("bad observation: {error}")),
            Self::Parsed(resource) => Ok((**resource).clone()),
        }
    }
}

#[derive(Deserialize)]
struct FastLine<'a> {
    scan_id: Option<&'a str>,
    observed_at: Option<Timestamp>,
    #[serde(borrow)]
    resource: &'a RawValue,
}

/// Every row of a batch that `consumes` wants; what is wrong goes to `rejected`.
pub(crate) fn decode<'a>(
    batch: &'a Batch,
    consumes: fn(Kind) -> Consumes,
    rejected: &mut Vec<Rejection>,
) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    // rows of a page share a scope, nearly always
    let mut belongs: Option<(u64, u64)> = None;
    for (page, number, line) in batch.lines() {
        let row = read(line, consumes).and_then(|row| {
            if let (Row::Recorded(message), Source::Partition { stream: Stream::Observation, .. }) =
                (&row, &batch.source)
            {
                return Err(format!("{} does not belong on subject {}", message.kind(), page.subject));
            }
            let scope = match &row {
                Row::Observed(observed) => Some((observed.scope, observed.body.scope())),
                Row::Report(report) => Some((scope_id((&report.scope).into()), (&report.scope).into())),
                Row::Recorded(_) => None,
            };
            if let (Source::Partition { .. }, Some((id, scope))) = (&batch.source, scope)
                && belongs != Some((page.sequence, id))
            {
                if !scope_subject_matches(&page.subject, scope) {
                    return Err(format!(
                        "a row of {}/{}/{}/{} does not belong on subject {}",
                        scope.provider, scope.account, scope.region, scope.kind, page.subject
                    ));
                }
                belongs = Some((page.sequence, id));
            }
            Ok(row)
        });
        match row {
            Ok(row) => lines.push(Line { page, number, row }),
            Err(reason) => rejected.push(Rejection { sequence: page.sequence, line: number, reason }),
        }
    }
    lines
}

fn read(line: &[u8], consumes: fn(Kind) -> Consumes) -> Result<Row<'_>, String> {
    let kind = peek_kind(line).map_err(|error| error.to_string())?;
    if consumes(kind) == Consumes::Passes {
        return Err(format!("{kind} is not read by detector"));
    }
    if kind == Kind::Observation
        && let Some(observed) = fast(line)
    {
        return Ok(Row::Observed(observed));
    }
    Ok(match Message::parse(line).map_err(|error| error.to_string())? {
        Message::Observation(observation) => Row::Observed(whole(*observation)),
        Message::ScanReport(report) => {
            let scope = &report.scope;
            if [&scope.account, &scope.region, &scope.kind].iter().any(|part| part.is_empty()) {
                return Err("bad scan_report: account, region and type of its scope must not be empty".to_owned());
            }
            Row::Report(report)
        }
        other => Row::Recorded(other),
    })
}

/// `None` where the line is not as our own stages write it: then it is read properly.
fn fast(line: &[u8]) -> Option<Observed<'_>> {
    let FastLine { scan_id, observed_at, resource } = serde_json::from_slice(line).ok()?;
    let text = resource.get();
    // the key comes first; nothing behind it is looked at
    let key = serde_json::Deserializer::from_str(text.strip_prefix(r#"{"key":"#)?)
        .into_iter::<KeyRef>()
        .next()?
        .ok()
        .filter(KeyRef::is_whole)?;
    Some(Observed {
        id: resource_id(key.scope(), key.id),
        scope: scope_id(key.scope()),
        scan_id: scan_id.map(Into::into),
        observed_at,
        raw: Hash::of(text.as_bytes()),
        body: Body::Raw(key, resource),
        content: None,
    })
}

fn whole(observation: Observation) -> Observed<'static> {
    let Observation { scan_id, observed_at, resource } = observation;
    let key: &ResourceKey = &resource.key;
    let text = serde_json::to_vec(&resource).expect("resources have string keys and infallible serialisers");
    Observed {
        id: resource_id(key.into(), &key.id),
        scope: scope_id(key.into()),
        scan_id: scan_id.map(|id| id.as_str().to_owned().into()),
        observed_at,
        raw: Hash::of(&text),
        body: Body::Parsed(Box::new(resource)),
        content: None,
    }
}
