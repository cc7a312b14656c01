//! Lines to rows. Observations as our own observers write them are only cut up here; their content
//! is read when it turns out to be new.

mod ours;
mod raw;

use std::rc::Rc;

use elava_bus::{Batch, Consumes, Page, Rejection, Source, Stream, scope_subject_matches};
use elava_schemas::{Kind, Message, Observation, Resource, ResourceKey, ScanReport, ScopeRef, Timestamp, peek_kind};

use self::ours::Ours;
pub(crate) use self::raw::RawHash;
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
    pub(crate) scan_id: Option<Rc<str>>,
    pub(crate) observed_at: Option<Timestamp>,
    /// Hash of the resource's bytes.
    pub(crate) raw: RawHash,
    pub(crate) body: Body<'a>,
    /// Hash of the content, once known.
    pub(crate) content: Option<Hash>,
}

/// The resource of an observation.
pub(crate) enum Body<'a> {
    /// Not read yet: its scope, its own bytes, the line around it.
    Raw {
        scope: ScopeRef<'a>,
        resource: &'a [u8],
        line: &'a [u8],
    },
    Parsed(Box<Resource>),
}

impl Body<'_> {
    /// The scope.
    pub(crate) fn scope(&self) -> ScopeRef<'_> {
        match self {
            Self::Raw { scope, .. } => *scope,
            Self::Parsed(resource) => (&resource.key).into(),
        }
    }

    /// The whole resource, or why it is none.
    pub(crate) fn resource(&self) -> Result<Resource, String> {
        match self {
            // a line may have more behind its resource than we know of, and errors are told of the whole line
            Self::Raw { resource, line, .. } => {
                serde_json::from_slice(resource).or_else(|_| match Message::parse(line) {
                    Ok(Message::Observation(observation)) => Ok(observation.resource),
                    Ok(other) => Err(format!("{} is not an observation", other.kind())),
                    Err(error) => Err(error.to_string()),
                })
            }
            Self::Parsed(resource) => Ok((**resource).clone()),
        }
    }
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
    let mut ours = Ours::default();
    for (page, number, line) in batch.lines() {
        let row = read(line, consumes, &mut ours).and_then(|row| {
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

fn read<'a>(line: &'a [u8], consumes: fn(Kind) -> Consumes, ours: &mut Ours<'a>) -> Result<Row<'a>, String> {
    let kind = peek_kind(line).map_err(|error| error.to_string())?;
    if consumes(kind) == Consumes::Passes {
        return Err(format!("{kind} is not read by detector"));
    }
    if kind == Kind::Observation
        && let Some(observed) = ours.read(line)
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

fn whole(observation: Observation) -> Observed<'static> {
    let Observation { scan_id, observed_at, resource } = observation;
    let key: &ResourceKey = &resource.key;
    let text = serde_json::to_vec(&resource).expect("resources have string keys and infallible serialisers");
    Observed {
        id: resource_id(key.into(), &key.id),
        scope: scope_id(key.into()),
        scan_id: scan_id.map(|id| id.as_str().into()),
        observed_at,
        raw: RawHash::of(&text),
        body: Body::Parsed(Box::new(resource)),
        content: None,
    }
}
