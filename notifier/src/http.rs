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

/// A client that follows no redirects: a POST would become a GET, or the body go elsewhere.
pub(crate) fn client(timeout: Duration) -> Result<Client, reqwest::Error> {
    Client::builder()
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("elava-notifier/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Posts a body once.
pub(crate) async fn post(
    client: &Client,
    endpoint: &Endpoint,
    headers: HeaderMap,
    body: Vec<u8>,
    clock: Clock,
) -> Result<(), Refusal> {
    let sent = client.post(endpoint.0.clone()).headers(headers).body(body).send().await;
    let response = sent.map_err(|error| {
        // Connection errors and time-outs alike: the other side may be back soon.
        Refusal::Later { after: None, error: format!("{endpoint}: {}", chain(&error.without_url())) }
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = asked.and_then(|value| retry::retry_after(value, clock()));
    let error = format!("{endpoint}: answered {status}{}", error_word(response.text().await.ok()));
    if is_transient(status) { Err(Refusal::Later { after, error }) } else { Err(Refusal::Never { error }) }
}

fn is_transient(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS)
}

/// Slack explains itself in one word, such as `invalid_blocks`. Longer bodies are left out: error
/// pages like to repeat the path, which is the secret of a webhook.
fn error_word(body: Option<String>) -> String {
    let is_word = |text: &str| {
        (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    body.map(|body| body.trim().to_owned())
        .filter(|word| is_word(word))
        .map_or(String::new(), |word| format!(" ({word})"))
}
