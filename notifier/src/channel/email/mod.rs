//! Email over SMTP: what is said of one finding is one thread.
//!
//! Each message refers to a first one whose id follows from the finding, or to the one that told of several at once.

mod message;
mod smtp;

use std::time::Duration;

use elava_schemas::config::{EmailChannel, EmailTls};

use self::message::{Address, Mail};
use self::smtp::{Server, SmtpError};
use super::text::{cut, facts};
use super::{Context, Refusal, Taken};
use crate::Clock;
use crate::notice::{Notice, NoticeKind};

/// Characters of a subject.
const SUBJECT_LIMIT: usize = 200;

/// Email as a channel.
#[derive(Debug)]
pub(crate) struct Email {
    server: Server,
    from: Address,
    to: Vec<Address>,
    clock: Clock,
}

/// Why email cannot be sent as configured. Shows no password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EmailError {
    #[error("`host` is empty")]
    Host,
    #[error("`{field}` is no address: {text}")]
    Address { field: &'static str, text: String },
    #[error("`password` would be sent in the open: set `tls` to starttls or tls")]
    Open,
    #[error("`username` and `password` belong together")]
    Half,
    #[error("cannot read `ca_file` {file}: {error}")]
    Authorities { file: String, error: String },
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}

impl Email {
    pub(crate) fn new(config: &EmailChannel, timeout: Duration, clock: Clock) -> Result<Self, EmailError> {
        let address = |field, text: &String| {
            Address::parse(text).ok_or_else(|| EmailError::Address { field, text: text.clone() })
        };
        if config.host.is_empty() {
            return Err(EmailError::Host);
        }
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let login = match (filled(&config.username), filled(&config.password)) {
            (Some(username), Some(password)) => Some((username, password)),
            (None, None) => None,
            _ => return Err(EmailError::Half),
        };
        if login.is_some() && config.tls == EmailTls::None && !is_this_machine(&config.host) {
            return Err(EmailError::Open);
        }
        Ok(Self {
            server: Server::new(config, login, timeout)?,
            from: address("from", &config.from)?,
            to: config.to.iter().map(|text| address("to", text)).collect::<Result<_, _>>()?,
            clock,
        })
    }

    pub(crate) async fn tell(&self, notice: &Notice<'_>, context: &Context) -> Result<Taken, Refusal> {
        let domain = self.from.domain();
        let id = message_id(&notice.id, domain);
        let (root, thread) = match (&context.thread, notice.kind) {
            (Some(thread), _) => (Some(thread.clone()), None),
            (None, NoticeKind::One) => (Some(message_id(notice.first().finding.as_str(), domain)), None),
            (None, _) => (None, Some(id.clone())),
        };
        let mail = Mail {
            from: &self.from,
            to: &self.to,
            subject: cut(&format!("[{}] {}", notice.badge(), notice.headline()), SUBJECT_LIMIT),
            id,
            root,
            date: (self.clock)(),
            headers: vec![("X-Elava-Severity", notice.severity().as_str().to_owned())],
            text: text(notice),
        };
        match self.server.send(&mail).await {
            Ok(answer) => Ok(Taken { thread, answer }),
            Err(SmtpError { is_final: true, error }) => Err(Refusal::Never { error }),
            Err(SmtpError { is_final: false, error }) => Err(Refusal::Later { after: None, error }),
        }
    }
}

/// An id of the form that messages have; ours are letters, digits and `_`, those written by hand may be anything.
fn message_id(id: &str, domain: &str) -> String {
    let id: String = id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(200).collect();
    format!("<{id}@{domain}>")
}

fn text(notice: &Notice<'_>) -> String {
    let decision = notice.first();
    let mut text = notice.text() + "\n";
    let facts = facts(notice);
    if !facts.is_empty() {
        text.push('\n');
        for (name, value) in facts {
            text.push_str(&format!("{name}: {value}\n"));
        }
        text.push_str(&format!("Key: {}\nDecision: {}\n", decision.resource_key, decision.id));
    }
    text.push_str(&format!("Decided: {}\n", decision.decided_at.format("%Y-%m-%d %H:%M:%SZ")));
    text
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
