//! Any HTTP endpoint: a CloudEvents 1.0 event in structured JSON, signed where a secret is set.
//!
//! Header `Idempotency-Key` is the decision's id: a receiver that has seen it may ignore the rest.
//! Header `X-Elava-Signature` is `t=<unix seconds>,v1=<hex>`: HMAC-SHA256 over `<t>.<body>`. A
//! receiver should refuse an old `t`.

use std::collections::BTreeMap;
use std::fmt;

use elava_schemas::config::WebhookChannel;
use elava_schemas::{Decision, Message, Severity};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::Sha256;

use super::Refusal;
use crate::Clock;
use crate::http::{Endpoint, EndpointError, post};

/// A generic webhook as a channel.
pub(crate) struct Webhook {
    pub(crate) min_severity: Severity,
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
            min_severity: config.min_severity,
            endpoint: Endpoint::parse(&config.url)?,
            endpoints: endpoints.collect::<Result<_, EndpointError>>()?,
            secret: config.secret.clone().filter(|secret| !secret.is_empty()),
            client,
            clock,
        })
    }

    pub(crate) async fn tell(&self, decision: &Decision) -> Result<(), Refusal> {
        let endpoint = self.endpoints.get(&decision.severity).unwrap_or(&self.endpoint);
        let body = event(decision);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/cloudevents+json; charset=utf-8"));
        // An id from a message written by hand may hold anything; the event has it in any case.
        if let Ok(id) = HeaderValue::from_str(decision.id.as_str()) {
            headers.insert(HeaderName::from_static("idempotency-key"), id);
        }
        if let Some(secret) = &self.secret {
            let signature = signature(secret, (self.clock)().timestamp(), &body);
            let value = HeaderValue::from_str(&signature).expect("digits and letters");
            headers.insert(HeaderName::from_static("x-elava-signature"), value);
        }
        post(&self.client, endpoint, headers, body, self.clock).await
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// The body: an event whose data is the decision.
///
/// # Panics
/// Never: a decision is valid JSON.
#[must_use]
pub fn event(decision: &Decision) -> Vec<u8> {
    #[derive(Serialize)]
    struct Event<'a> {
        specversion: &'static str,
        id: &'a str,
        source: &'static str,
        r#type: &'static str,
        subject: String,
        time: String,
        datacontenttype: &'static str,
        data: Box<RawValue>,
    }
    let line = String::from_utf8(Message::from(decision.clone()).to_line()).expect("JSON is UTF-8");
    let event = Event {
        specversion: "1.0",
        id: decision.id.as_str(),
        source: "/elava/decider",
        r#type: "elava.decision",
        subject: decision.resource_key.to_string(),
        time: decision.decided_at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        datacontenttype: "application/json",
        data: RawValue::from_string(line).expect("a message is JSON"),
    };
    serde_json::to_vec(&event).expect("an event has no failing serialisers")
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
