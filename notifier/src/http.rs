//! Posting to an endpoint, and what its answer means. Nothing here shows more of a URL than scheme and host.

use std::fmt;
use std::time::Duration;

use elava_bus::cli::chain;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};

use crate::channel::Refusal;
use crate::{Clock, retry};

/// Where to post. The URL may be a secret.
#[derive(Clone)]
pub(crate) struct Endpoint(Url);

/// Why a text is not an endpoint. Does not repeat the text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndpointError {
    #[error("not a URL")]
    NotAUrl,
    #[error("neither http nor https")]
    Scheme,
}

impl Endpoint {
    pub(crate) fn parse(text: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(text.trim()).map_err(|_| EndpointError::NotAUrl)?;
        if matches!(url.scheme(), "http" | "https") { Ok(Self(url)) } else { Err(EndpointError::Scheme) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Endpoint {
    /// The endpoint at a path below this one.
    pub(crate) fn below(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{path}", self.0.path().trim_end_matches('/')));
        Self(url)
    }
}

/// A client that follows no redirects: a POST would become a GET, or the body go elsewhere.
pub(crate) fn client(timeout: Duration) -> Result<Client, reqwest::Error> {
    Client::builder()
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("elava-notifier/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// What an endpoint said that took a body.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// For a person.
    pub(crate) fn said(&self) -> String {
        format!("answered {}{}", self.status, error_word(&self.body))
    }
}

/// Posts a body once.
pub(crate) async fn post(
    client: &Client,
    endpoint: &Endpoint,
    headers: HeaderMap,
    body: Vec<u8>,
    clock: Clock,
) -> Result<Answer, Refusal> {
    let sent = client.post(endpoint.0.clone()).headers(headers).body(body).send().await;
    let response = sent.map_err(|error| {
        // Connection errors and time-outs alike: the other side may be back soon.
        Refusal::Later { after: None, error: format!("{endpoint}: {}", chain(&error.without_url())) }
    })?;
    let status = response.status();
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = asked.and_then(|value| retry::retry_after(value, clock()));
    let answer = Answer { status, body: beginning(response).await };
    if status.is_success() {
        return Ok(answer);
    }
    let error = format!("{endpoint}: {}", answer.said());
    if is_transient(status) { Err(Refusal::Later { after, error }) } else { Err(Refusal::Never { error }) }
}

/// The beginning of an answer: what it says of itself is short.
async fn beginning(mut response: reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > 64 * 1024 {
            break;
        }
    }
    body
}

fn is_transient(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS)
}

/// Slack explains itself in one word, such as `invalid_blocks`. Longer bodies are left out: error
/// pages like to repeat the path, which is the secret of a webhook.
fn error_word(body: &[u8]) -> String {
    match std::str::from_utf8(body).map(str::trim) {
        Ok(word) if is_word(word) => format!(" ({word})"),
        _ => String::new(),
    }
}

/// Whether a text is a word of an API, and no secret.
pub(crate) fn is_word(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
