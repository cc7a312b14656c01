//! Microsoft Teams, through the webhook of a workflow, as Adaptive Cards.
//!
//! <https://learn.microsoft.com/power-automate/teams/send-a-message-in-teams>; a message may have 28 KB.

use elava_schemas::Severity;
use elava_schemas::config::TeamsChannel;
use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::text::{cut, emoji, facts, phrase, printable};
use super::{Refusal, Taken};
use crate::Clock;
use crate::http::{Endpoint, EndpointError, post};
use crate::notice::{Notice, NoticeKind};

/// Characters of one text; a message of ten such lines stays below the limit.
const LINE_LIMIT: usize = 600;
const BODY_LIMIT: usize = 5000;

/// Teams as a channel.
#[derive(Debug)]
pub(crate) struct Teams {
    endpoint: Endpoint,
    client: Client,
    clock: Clock,
}

impl Teams {
    pub(crate) fn new(config: &TeamsChannel, client: Client, clock: Clock) -> Result<Self, EndpointError> {
        Ok(Self { endpoint: Endpoint::parse(&config.webhook)?, client, clock })
    }

    pub(crate) async fn tell(&self, notice: &Notice<'_>) -> Result<Taken, Refusal> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let body = card(notice).to_string().into_bytes();
        let answer = post(&self.client, &self.endpoint, headers, body, self.clock).await?;
        // Older connectors say 200 and put their error into the text.
        let text = String::from_utf8_lossy(&answer.body);
        let Some((_, code)) = text.split_once("returned HTTP error ") else { return Ok(Taken::saying(answer.said())) };
        let code: String = code.chars().take_while(char::is_ascii_digit).collect();
        let error = format!("{}: answered that Teams returned {code}", self.endpoint);
        let is_transient = code == "429" || code.starts_with('5');
        Err(if is_transient { Refusal::Later { after: None, error } } else { Refusal::Never { error } })
    }
}

/// The body of a message to Teams.
#[must_use]
pub fn card(notice: &Notice<'_>) -> Value {
    let colour = match notice.severity() {
        _ if notice.is_over() => "good",
        Severity::Critical => "attention",
        Severity::Warning => "warning",
        Severity::Info => "accent",
    };
    let first = notice.first();
    let mut body = vec![
        block(&format!("{} {}", emoji(notice), notice.badge()), json!({"weight": "bolder", "color": colour})),
        block(&cut(&notice.headline(), LINE_LIMIT), json!({"size": "medium", "weight": "bolder"})),
    ];
    let facts: Vec<Value> = facts(notice)
        .iter()
        .map(|(title, value)| json!({"title": title, "value": plain(&cut(value, LINE_LIMIT))}))
        .collect();
    if !facts.is_empty() {
        body.push(json!({"type": "FactSet", "facts": facts}));
    }
    let lines: Vec<String> = notice.lines().iter().map(|line| cut(line, LINE_LIMIT)).collect();
    if !lines.is_empty() {
        // A blank line between: Teams reads a kind of Markdown, where one line feed is none.
        body.push(block(&cut(&lines.join("\n\n"), BODY_LIMIT), json!({})));
    }
    let at = first.decided_at.format("%Y-%m-%d %H:%M:%SZ");
    let about = match notice.kind {
        NoticeKind::One => {
            format!(
                "{} · {} · {at} · {} · {}",
                phrase(first.action),
                first.state.as_str(),
                first.resource_key,
                first.id
            )
        }
        _ => format!("{} · {at}", notice.kind.as_str()),
    };
    body.push(block(&cut(&about, LINE_LIMIT), json!({"size": "small", "isSubtle": true})));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": {"width": "Full"},
                "body": body,
            },
        }],
    })
}

fn block(text: &str, style: Value) -> Value {
    let mut block = json!({"type": "TextBlock", "text": plain(text), "wrap": true});
    if let (Value::Object(block), Value::Object(style)) = (&mut block, style) {
        block.extend(style);
    }
    block
}

/// A name from the cloud must not become a link or a mention.
fn plain(text: &str) -> String {
    let lines = text.split('\n').map(printable).collect::<Vec<_>>().join("\n");
    lines.replace('[', "\\[").replace('<', "&lt;")
}
