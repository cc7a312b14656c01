//! Observations as our own observers write them. Their beginning says whose they are, and is read
//! once for all rows that begin alike; what is behind the key is only hashed. Rows written in any
//! other way are left to the proper parser.

use std::rc::Rc;

use elava_schemas::{Provider, ScopeRef, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Body, Observed, RawHash};
use crate::content::{resource_id, scope_id};

/// Ends what a row says before its resource.
const RESOURCE: &[u8] = br#","resource":"#;
/// Begins a resource.
const KEY: &[u8] = br#"{"key":"#;

/// How the rows before began.
#[derive(Default)]
pub(super) struct Ours<'a> {
    head: Option<Head<'a>>,
    scope: Option<Scope<'a>>,
}

/// What a row says before its resource.
struct Head<'a> {
    /// Up to where the resource begins.
    bytes: &'a [u8],
    scan_id: Rc<str>,
    observed_at: Timestamp,
}

/// What a key says before its id.
struct Scope<'a> {
    /// Up to where the id begins.
    bytes: &'a [u8],
    scope: ScopeRef<'a>,
    id: u64,
}

impl<'a> Ours<'a> {
    /// `None` where the row is not written as our observers do.
    pub(super) fn read(&mut self, line: &'a [u8]) -> Option<Observed<'a>> {
        if !self.head.as_ref().is_some_and(|head| line.starts_with(head.bytes)) {
            self.head = Head::read(line);
        }
        let head = self.head.as_ref()?;
        let resource = line[head.bytes.len()..].strip_suffix(b"}")?;
        let key = resource.strip_prefix(KEY)?;
        if !self.scope.as_ref().is_some_and(|scope| key.starts_with(scope.bytes)) {
            self.scope = Scope::read(key);
        }
        let Scope { bytes, scope, id: scope_id } = *self.scope.as_ref()?;
        let id = rest_of_key(&key[bytes.len()..])?;
        Some(Observed {
            id: resource_id(scope, id),
            scope: scope_id,
            scan_id: Some(Rc::clone(&head.scan_id)),
            observed_at: Some(head.observed_at),
            raw: RawHash::of(resource),
            body: Body::Raw { scope, resource, line },
            content: None,
        })
    }
}

impl<'a> Head<'a> {
    fn read(line: &'a [u8]) -> Option<Self> {
        /// With all of them there, nothing behind a resource can say otherwise: no field may come twice.
        #[derive(Deserialize)]
        struct Fields<'a> {
            scan_id: &'a str,
            observed_at: Timestamp,
            #[serde(borrow)]
            resource: &'a RawValue,
        }
        let Fields { scan_id, observed_at, resource } = serde_json::from_slice(line).ok()?;
        let bytes = line.strip_suffix(b"}")?.strip_suffix(resource.get().as_bytes())?;
        bytes.ends_with(RESOURCE).then(|| Self { bytes, scan_id: scan_id.into(), observed_at })
    }
}

impl<'a> Scope<'a> {
    fn read(key: &'a [u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Fields<'a> {
            provider: Provider,
            account: &'a str,
            region: &'a str,
            #[serde(rename = "type")]
            kind: &'a str,
            id: &'a str,
        }
        let mut keys = serde_json::Deserializer::from_slice(key).into_iter::<Fields>();
        let Fields { provider, account, region, kind, id } = keys.next()?.ok()?;
        let bytes = key[..keys.byte_offset()].strip_suffix(br#""}"#)?.strip_suffix(id.as_bytes())?;
        let is_whole = bytes.ends_with(br#","id":""#) && ![account, region, kind].contains(&"");
        let scope = ScopeRef { provider, account, region, kind };
        is_whole.then(|| Self { bytes, scope, id: scope_id(scope) })
    }
}

/// An id, where it needs no unescaping and ends the key.
fn rest_of_key(bytes: &[u8]) -> Option<&str> {
    let (id, rest) = bytes.split_at(memchr::memchr(b'"', bytes)?);
    let is_plain =
        !id.is_empty() && rest.starts_with(br#""}"#) && id.iter().all(|byte| *byte >= b' ' && *byte != b'\\');
    is_plain.then(|| std::str::from_utf8(id).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use elava_bus::{Batch, Consumes, Page, Source};

    use super::super::{Line, Row, decode};
    use super::*;

    const HEAD: &str = r#"{"kind":"observation","v":1,"scan_id":"s","observed_at":"2026-01-01T00:00:00Z""#;
    const KEY: &str = r#"{"provider":"aws","account":"1","region":"r","type":"ec2:vpc","id":"a"}"#;

    /// Each row behind one of ours, in one page: read without parsing it (with its resource's bytes), parsed, or refused.
    #[test]
    fn only_rows_like_ours_are_cut_up() {
        let vpc = format!(r#"{{"key":{KEY}}}"#);
        let escaped = KEY.replace(r#""a""#, r#""a\u0041""#);
        for (row, expected) in [
            (format!(r#"{HEAD},"resource":{vpc}}}"#), format!("cut {vpc}")),
            (
                format!(r#"{HEAD},"resource":{{"key":{KEY},"name":"n"}}}}"#),
                format!(r#"cut {{"key":{KEY},"name":"n"}}"#),
            ),
            (format!(r#"{HEAD},"resource":{{"name":"n","key":{KEY}}}}}"#), "parsed a".to_owned()),
            (format!(r#"{HEAD},"resource":{{"key":{escaped}}}}}"#), "parsed aA".to_owned()),
            (format!(r#"{HEAD},"resource":{{"key":"aws/1/r/ec2:vpc/a"}}}}"#), "parsed a".to_owned()),
            (format!(r#"{{"kind":"observation","resource":{vpc},"scan_id":"s"}}"#), "parsed a".to_owned()),
            (
                format!(r#"{{"kind":"observation","v":1,"observed_at":"2026-01-01T00:00:00Z","resource":{vpc}}}"#),
                "parsed a".to_owned(),
            ),
            // something behind the resource, right or wrong, shows when the resource is read
            (format!(r#"{HEAD},"resource":{vpc},"more":{{}}}}"#), format!(r#"cut {vpc},"more":{{}}"#)),
            (format!(r#"{HEAD},"resource":{vpc},"scan_id":"t"}}"#), format!(r#"cut {vpc},"scan_id":"t""#)),
            (format!(r#"{HEAD},"resource":{{"key":{KEY}"#), "refused".to_owned()),
        ] {
            let body = format!("{HEAD},\"resource\":{vpc}}}\n{row}");
            let page = Page {
                sequence: 1,
                subject: "-".into(),
                first_line: 1,
                received_at: Timestamp::default(),
                body: body.into(),
            };
            let batch = Batch { source: Source::Pipe, pages: vec![page] };
            let lines = decode(&batch, |_| Consumes::Takes, &mut Vec::new());
            let read = match lines.get(1) {
                Some(Line { row: Row::Observed(Observed { body: Body::Raw { resource, .. }, .. }), .. }) => {
                    format!("cut {}", String::from_utf8_lossy(resource))
                }
                Some(Line { row: Row::Observed(Observed { body: Body::Parsed(resource), .. }), .. }) => {
                    format!("parsed {}", resource.key.id)
                }
                _ => "refused".to_owned(),
            };
            assert_eq!(read, expected, "{row}");
        }
    }

    /// What comes behind a resource is looked at when the resource is.
    #[test]
    fn a_resource_is_its_lines() {
        for (behind, error) in [
            ("", None),
            (r#","more":{}"#, None),
            (r#","scan_id":"t""#, Some("duplicate field")),
            (r#","resource":{}"#, Some("duplicate field")),
            (" x", Some("expected `,` or `}`")),
        ] {
            let line = format!(r#"{HEAD},"resource":{{"key":{KEY},"name":"n"}}{behind}}}"#);
            let read = Ours { head: Head::read(format!(r#"{HEAD},"resource":{{}}}}"#).as_bytes()), scope: None }
                .read(line.as_bytes())
                .map(|observed| observed.body.resource());
            match (read, error) {
                (Some(Ok(resource)), None) => assert_eq!(resource.name.as_deref(), Some("n"), "{line}"),
                (Some(Err(found)), Some(error)) => assert!(found.contains(error), "{line}: {found}"),
                (read, _) => panic!("{line}: {read:?}"),
            }
        }
    }
}
