//! Slack, through an app's bot token: `chat.postMessage`, one thread a finding.
//!
//! <https://docs.slack.dev/reference/methods/chat.postMessage>. The app needs the scope `chat:write`.

use std::collections::BTreeMap;
use std::fmt;

use elava_schemas::Severity;
use elava_schemas::config::SlackBotChannel;
use reqwest::Client;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;

use super::slack::payload;
use super::{Context, Refusal, Taken};
use crate::Clock;
use crate::http::{Endpoint, EndpointError, is_word, post};
use crate::notice::Notice;

/// A Slack app as a channel.
pub(crate) struct SlackBot {
    endpoint: Endpoint,
    authorization: HeaderValue,
    channel: String,
    channels: BTreeMap<Severity, String>,
    client: Client,
    clock: Clock,
}

/// Why a bot cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BotError {
    #[error("`url` is unusable: {0}")]
    Url(EndpointError),
    #[error("`token` is empty, or holds what no header can")]
    Token,
    #[error("`channel` is empty")]
    Channel,
}

/// What Slack answers, with status 200 whatever it is.
#[derive(Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    ts: Option<String>,
    #[serde(default)]
    error: Option<String>,
}

/// Errors that pass by themselves.
const TRANSIENT: [&str; 6] =
    ["ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"];

impl SlackBot {
    pub(crate) fn new(config: &SlackBotChannel, client: Client, clock: Clock) -> Result<Self, BotError> {
        let token = config.token.trim();
        let mut authorization = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| BotError::Token)?;
        authorization.set_sensitive(true);
        if token.is_empty() {
            return Err(BotError::Token);
        }
        if config.channel.is_empty() {
            return Err(BotError::Channel);
        }
        Ok(Self {
            endpoint: Endpoint::parse(&config.url).map_err(BotError::Url)?.below("chat.postMessage"),
            authorization,
            channel: config.channel.clone(),
            channels: config.channels.clone(),
            client,
            clock,
        })
    }

    pub(crate) fn place(&self, severity: Severity) -> Option<&str> {
        self.channels.get(&severity).map(String::as_str)
    }

    pub(crate) async fn tell(&self, notice: &Notice<'_>, context: &Context) -> Result<Taken, Refusal> {
        // Where a finding has become worse and goes elsewhere now, its thread stays where it was.
        let first = context.thread.as_deref().and_then(|thread| thread.rsplit_once(' '));
        let channel = match first {
            Some((channel, _)) => channel,
            None => self.place(notice.severity()).unwrap_or(&self.channel),
        };
        let mut body = payload(notice, Some(channel));
        if let Some((_, ts)) = first {
            body["thread_ts"] = ts.into();
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        headers.insert(AUTHORIZATION, self.authorization.clone());
        let answered = post(&self.client, &self.endpoint, headers, body.to_string().into_bytes(), self.clock).await?;
        let Ok(answer) = serde_json::from_slice::<Answer>(&answered.body) else {
            return Err(Refusal::Later { after: None, error: format!("{}: answered no JSON", self.endpoint) });
        };
        if answer.ok {
            let thread = answer.ts.map(|ts| format!("{channel} {ts}"));
            return Ok(Taken { thread, answer: "answered ok".to_owned() });
        }
        let word = answer.error.filter(|word| is_word(word)).unwrap_or_else(|| "no reason given".to_owned());
        let error = format!("{}: answered {word}", self.endpoint);
        let is_transient = TRANSIENT.contains(&word.as_str());
        Err(if is_transient { Refusal::Later { after: None, error } } else { Refusal::Never { error } })
    }
}

impl fmt::Debug for SlackBot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlackBot")
            .field("endpoint", &self.endpoint)
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}
