//! Any HTTP endpoint: a CloudEvents 1.0 event in structured JSON, signed where a secret is set.
//!
//! Header `Idempotency-Key` is the decision's id: a receiver that has seen it may ignore the rest.
//! Header `X-Elava-Signature` is `t=<unix seconds>,v1=<hex>`: HMAC-SHA256 over `<t>.<body>`. A
//! receiver should refuse an old `t`.

use std::collections::BTreeMap;
use std::fmt;

use elava_schemas::config::WebhookChannel;
use elava_schemas::{Message, Severity};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::Sha256;

use super::{Refusal, Taken};
use crate::Clock;
use crate::http::{Endpoint, EndpointError, post};
use crate::notice::{Notice, NoticeKind};

/// A generic webhook as a channel.
pub(crate) struct Webhook {
    endpoint: Endpoint,
    endpoints: BTreeMap<Severity, Endpoint>,
    secret: Option<String>,
    client: Client,
    clock: Clock,
}

impl Webhook {
    pub(crate) fn new(config: &WebhookChannel, client: Client, clock: Clock) -> Result<Self, EndpointError> {
        let endpoints = config.urls.iter().map(|(severity, url)| Ok((*severity, Endpoint::parse(url)?)));
        Ok(Self {
            endpoint: Endpoint::parse(&config.url)?,
            endpoints: endpoints.collect::<Result<_, EndpointError>>()?,
            secret: config.secret.clone().filter(|secret| !secret.is_empty()),
            client,
            clock,
        })
    }

    pub(crate) async fn tell(&self, notice: &Notice<'_>) -> Result<Taken, Refusal> {
        let endpoint = self.endpoints.get(&notice.severity()).unwrap_or(&self.endpoint);
        let body = event(notice);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/cloudevents+json; charset=utf-8"));
        // An id from a message written by hand may hold anything; the event has it in any case.
        if let Ok(id) = HeaderValue::from_str(&notice.id) {
            headers.insert(HeaderName::from_static("idempotency-key"), id);
        }
        if let Some(secret) = &self.secret {
            let signature = signature(secret, (self.clock)().timestamp(), &body);
            let value = HeaderValue::from_str(&signature).expect("digits and letters");
            headers.insert(HeaderName::from_static("x-elava-signature"), value);
        }
        Ok(Taken::saying(post(&self.client, endpoint, headers, body, self.clock).await?.said()))
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// An event, as CloudEvents has it.
#[derive(Serialize)]
struct Event<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'static str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    time: String,
    datacontenttype: &'static str,
    data: Box<RawValue>,
}

/// What an event of several decisions holds.
#[derive(Serialize)]
struct Several<'a> {
    kind: &'static str,
    title: String,
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    came_and_went: Option<usize>,
    severity: Severity,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    decisions: Vec<Box<RawValue>>,
}

/// The body: an event whose data is the decision, or several.
///
/// # Panics
/// Never: a decision is valid JSON.
#[must_use]
pub fn event(notice: &Notice<'_>) -> Vec<u8> {
    let first = notice.first();
    let raw = |json: Vec<u8>| {
        let json = String::from_utf8(json).expect("JSON is UTF-8");
        RawValue::from_string(json).expect("a message is JSON")
    };
    let mut lines = notice.decisions.iter().map(|decision| raw(Message::from((*decision).clone()).to_line()));
    let (name, data) = match notice.kind {
        NoticeKind::One => ("elava.decision", lines.next().expect("a notice has a decision")),
        NoticeKind::Group { .. } | NoticeKind::Digest { .. } => {
            let several = several(notice, lines.collect());
            ("elava.decisions", raw(serde_json::to_vec(&several).expect("it has no failing serialisers")))
        }
    };
    let event = Event {
        specversion: "1.0",
        id: &notice.id,
        source: "/elava/decider",
        r#type: name,
        subject: (notice.kind == NoticeKind::One).then(|| first.resource_key.to_string()),
        time: first.decided_at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        datacontenttype: "application/json",
        data,
    };
    serde_json::to_vec(&event).expect("an event has no failing serialisers")
}

fn several<'a>(notice: &'a Notice<'_>, decisions: Vec<Box<RawValue>>) -> Several<'a> {
    let (resolved, came_and_went) = match notice.kind {
        NoticeKind::Digest { resolved, came_and_went, .. } => (Some(resolved), Some(came_and_went)),
        _ => (None, None),
    };
    Several {
        kind: notice.kind.as_str(),
        title: notice.headline(),
        count: notice.kind.count(),
        resolved,
        came_and_went,
        severity: notice.severity(),
        owner: notice.owner.as_deref(),
        decisions,
    }
}

/// The signature header of a body sent at `unix` seconds.
///
/// # Panics
/// Never: HMAC takes keys of any length.
#[must_use]
pub fn signature(secret: &str, unix: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{unix}.").as_bytes());
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={unix},v1={hex}")
}
