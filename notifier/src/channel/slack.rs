//! Slack, through incoming webhooks, as Block Kit.
//!
//! Limits: <https://docs.slack.dev/reference/block-kit/blocks> (3,000 characters a section text,
//! 2,000 a field, 10 fields, 50 blocks).

use std::collections::BTreeMap;

use elava_schemas::config::SlackChannel;
use elava_schemas::{DecisionState, Severity};
use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::text::{emoji, facts, metadata, notes, phrase};
use super::{Refusal, Taken};
use crate::Clock;
use crate::http::{Endpoint, EndpointError, post};
use crate::notice::{Notice, NoticeKind};

const SECTION_LIMIT: usize = 3000;
const FIELD_LIMIT: usize = 2000;

/// Slack as a channel.
#[derive(Debug)]
pub(crate) struct Slack {
    endpoints: BTreeMap<Severity, Endpoint>,
    channels: BTreeMap<Severity, String>,
    client: Client,
    clock: Clock,
}

impl Slack {
    /// Every severity that is told must have a webhook: its own, or the common one.
    pub(crate) fn new(
        config: &SlackChannel,
        min_severity: Severity,
        client: Client,
        clock: Clock,
    ) -> Result<Self, (Severity, EndpointError)> {
        let told = Severity::ALL.into_iter().filter(|severity| *severity >= min_severity);
        let endpoint = |severity| {
            let url = config.webhooks.get(&severity).unwrap_or(&config.webhook);
            Endpoint::parse(url).map(|endpoint| (severity, endpoint)).map_err(|error| (severity, error))
        };
        Ok(Self {
            endpoints: told.map(endpoint).collect::<Result<_, _>>()?,
            channels: config.channels.clone(),
            client,
            clock,
        })
    }

    pub(crate) fn place(&self, severity: Severity) -> Option<&str> {
        self.channels.get(&severity).map(String::as_str)
    }

    pub(crate) async fn tell(&self, notice: &Notice<'_>) -> Result<Taken, Refusal> {
        let severity = notice.severity();
        let Some(endpoint) = self.endpoints.get(&severity) else {
            return Err(Refusal::Never { error: format!("no webhook for severity {}", severity.as_str()) });
        };
        let body = payload(notice, self.place(severity)).to_string().into_bytes();
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Ok(Taken::saying(post(&self.client, endpoint, headers, body, self.clock).await?.said()))
    }
}

/// The body of a message to Slack. `text` is what notifications and screen readers show.
#[must_use]
pub fn payload(notice: &Notice<'_>, channel: Option<&str>) -> Value {
    let (emoji, badge) = (emoji(notice), notice.badge());
    let headline = notice.headline();
    let mut blocks = vec![
        json!({"type": "header", "text": {"type": "plain_text", "text": format!("{emoji} {badge}"), "emoji": true}}),
        section(&format!("*{}*", escape(&headline, SECTION_LIMIT - 2))),
    ];
    let fields: Vec<Value> = facts(notice).iter().map(|(title, value)| field(title, value)).collect();
    if !fields.is_empty() {
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    blocks.extend(body_blocks(notice));
    blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": context(notice)}]}));

    let mut body = json!({
        "text": format!("{emoji} {badge}: {}", escape(&headline, SECTION_LIMIT - 20)),
        "blocks": blocks,
    });
    if let Some(channel) = channel {
        body["channel"] = channel.into();
    }
    body
}

fn body_blocks(notice: &Notice<'_>) -> Vec<Value> {
    let decision = notice.first();
    match notice.kind {
        NoticeKind::One if notice.body.is_none() => {
            if decision.state == DecisionState::Resolved {
                return Vec::new();
            }
            let suggestion = metadata(decision, "suggestion").map(|text| section(&escape(text, SECTION_LIMIT)));
            let notes = notes(decision);
            let notes = notes.iter().map(|note| section(&format!("_{}_", escape(note, SECTION_LIMIT - 2))));
            suggestion.into_iter().chain(notes).collect()
        }
        NoticeKind::One => vec![section(&escape(&notice.lines().join("\n"), SECTION_LIMIT))],
        NoticeKind::Group { .. } | NoticeKind::Digest { .. } => {
            let lines = notice.lines();
            if lines.is_empty() { Vec::new() } else { vec![section(&escape(&lines.join("\n"), SECTION_LIMIT))] }
        }
    }
}

fn context(notice: &Notice<'_>) -> String {
    let decision = notice.first();
    let at = decision.decided_at.format("%Y-%m-%d %H:%M:%SZ");
    if notice.kind != NoticeKind::One {
        return format!("{} · {} · {at}", notice.kind.as_str(), decision.state.as_str());
    }
    let key = escape(&decision.resource_key.to_string(), 1000);
    format!("{} · {} · {at} · {key} · {}", phrase(decision.action), decision.state.as_str(), decision.id)
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text}})
}

fn field(title: &str, value: &str) -> Value {
    json!({"type": "mrkdwn", "text": format!("*{title}*\n{}", escape(value, FIELD_LIMIT - 20))})
}

/// Escapes `&`, `<` and `>`, and cuts the result to `limit` characters, never inside an escape.
pub(super) fn escape(text: &str, limit: usize) -> String {
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
