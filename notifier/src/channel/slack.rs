//! Slack, through incoming webhooks, as Block Kit.
//!
//! Limits: <https://docs.slack.dev/reference/block-kit/blocks> (3,000 characters a section text,
//! 2,000 a field, 10 fields, 50 blocks).

use std::collections::BTreeMap;

use elava_schemas::config::SlackChannel;
use elava_schemas::{Decision, DecisionState, Severity};
use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::Refusal;
use super::text::{badge, metadata, notes, phrase};
use crate::Clock;
use crate::http::{Endpoint, EndpointError, post};

const SECTION_LIMIT: usize = 3000;
const FIELD_LIMIT: usize = 2000;

/// Slack as a channel.
#[derive(Debug)]
pub(crate) struct Slack {
    pub(crate) min_severity: Severity,
    endpoints: BTreeMap<Severity, Endpoint>,
    channels: BTreeMap<Severity, String>,
    client: Client,
    clock: Clock,
}

impl Slack {
    /// Every severity that is told must have a webhook: its own, or the common one.
    pub(crate) fn new(config: &SlackChannel, client: Client, clock: Clock) -> Result<Self, (Severity, EndpointError)> {
        let told = Severity::ALL.into_iter().filter(|severity| *severity >= config.min_severity);
        let endpoint = |severity| {
            let url = config.webhooks.get(&severity).unwrap_or(&config.webhook);
            Endpoint::parse(url).map(|endpoint| (severity, endpoint)).map_err(|error| (severity, error))
        };
        Ok(Self {
            min_severity: config.min_severity,
            endpoints: told.map(endpoint).collect::<Result<_, _>>()?,
            channels: config.channels.clone(),
            client,
            clock,
        })
    }

    pub(crate) fn name(&self, severity: Severity) -> String {
        self.channels.get(&severity).map_or_else(|| "slack".to_owned(), |channel| format!("slack:{channel}"))
    }

    pub(crate) async fn tell(&self, decision: &Decision) -> Result<(), Refusal> {
        let Some(endpoint) = self.endpoints.get(&decision.severity) else {
            return Err(Refusal::Never { error: format!("no webhook for severity {}", decision.severity.as_str()) });
        };
        let channel = self.channels.get(&decision.severity).map(String::as_str);
        let body = payload(decision, channel).to_string().into_bytes();
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        post(&self.client, endpoint, headers, body, self.clock).await
    }
}

/// The body of a message to Slack. `text` is what notifications and screen readers show.
#[must_use]
pub fn payload(decision: &Decision, channel: Option<&str>) -> Value {
    let emoji = match (decision.state, decision.severity) {
        (DecisionState::Resolved, _) => "🟢",
        (_, Severity::Critical) => "🔴",
        (_, Severity::Warning) => "🟡",
        (_, Severity::Info) => "🔵",
    };
    let badge = badge(decision);
    let key = &decision.resource_key;
    let mut fields = vec![
        field("Resource", decision.resource.name.as_deref().unwrap_or(&key.id)),
        field("Type", &key.kind),
        field("Account", &key.account),
        field("Region", &key.region),
    ];
    let told = [("Policy", "policy"), ("Rule", "rule"), ("By", "principal")];
    fields.extend(told.iter().filter_map(|(title, name)| Some(field(title, metadata(decision, name)?))));

    let mut blocks = vec![
        json!({"type": "header", "text": {"type": "plain_text", "text": format!("{emoji} {badge}"), "emoji": true}}),
        section(&format!("*{}*", escape(&decision.reason, SECTION_LIMIT - 2))),
        json!({"type": "section", "fields": fields}),
    ];
    if decision.state != DecisionState::Resolved {
        blocks.extend(metadata(decision, "suggestion").map(|text| section(&escape(text, SECTION_LIMIT))));
        blocks.extend(notes(decision).iter().map(|note| section(&format!("_{}_", escape(note, SECTION_LIMIT - 2)))));
    }
    let context = format!(
        "{} · {} · {} · {} · {}",
        phrase(decision.action),
        decision.state.as_str(),
        decision.decided_at.format("%Y-%m-%d %H:%M:%SZ"),
        escape(&key.to_string(), 1000),
        decision.id,
    );
    blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": context}]}));

    let mut body = json!({
        "text": format!("{emoji} {badge}: {}", escape(&decision.reason, SECTION_LIMIT - 20)),
        "blocks": blocks,
    });
    if let Some(channel) = channel {
        body["channel"] = channel.into();
    }
    body
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text}})
}

fn field(title: &str, value: &str) -> Value {
    json!({"type": "mrkdwn", "text": format!("*{title}*\n{}", escape(value, FIELD_LIMIT - 20))})
}

/// Escapes `&`, `<` and `>`, and cuts the result to `limit` characters, never inside an escape.
fn escape(text: &str, limit: usize) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut length = 0;
    for c in text.chars() {
        let mut buffer = [0; 4];
        let part = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            c => c.encode_utf8(&mut buffer),
        };
        length += part.chars().count();
        if length >= limit {
            escaped.push('…');
            break;
        }
        escaped.push_str(part);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn escapes_and_cuts() {
        for (text, limit, expected) in [
            ("a < b & c > d", 99, "a &lt; b &amp; c &gt; d"),
            ("<!channel>", 99, "&lt;!channel&gt;"),
            ("abcdef", 4, "abc…"),
            ("ab&cd", 6, "ab…"),
            ("äöü", 3, "äö…"),
            ("", 3, ""),
        ] {
            assert_eq!(escape(text, limit), expected, "{text}");
            assert!(escape(text, limit).chars().count() <= limit);
        }
    }
}
