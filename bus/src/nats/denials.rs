//! What the server has refused. It says so in an event; to whoever asked, a denial looks like a time-out.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{ClientError, Event, ServerError};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::NatsError;
use crate::access::INBOX;

/// For how long a denied publication counts. What a stage needs, it tries again within this time.
const RECENT: Duration = Duration::from_secs(60);

/// What was refused on one connection. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Denials(Arc<watch::Sender<BTreeMap<Denial, Instant>>>);

/// One of them, in the order in which they are told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Denial {
    /// The user, since the connection was lost.
    User,
    /// A subscription; nobody tries again.
    Subscribe(String),
    Publish(String),
}

impl Denials {
    /// Logs what happened to the connection, and remembers what was refused.
    pub(crate) fn note(&self, event: &Event) {
        let denial = match event {
            Event::Connected => {
                info!("connected to NATS");
                return self.0.send_modify(BTreeMap::clear);
            }
            // as every connection does in the end
            Event::Closed => return debug!("disconnected from NATS"),
            Event::ServerError(ServerError::Other(text)) => parse(text),
            Event::ServerError(ServerError::AuthorizationViolation) => Some(Denial::User),
            // as reconnecting tells it
            Event::ClientError(ClientError::Other(text)) if text == "authorization violation" => Some(Denial::User),
            _ => None,
        };
        match denial {
            None => warn!(event = %event, "NATS"),
            Some(denial) => {
                error!("{}; see docs/access.md", told(&denial));
                self.0.send_modify(|denials| {
                    denials.insert(denial, Instant::now());
                });
            }
        }
    }

    /// What was denied until now is not needed any more.
    pub(crate) fn forget(&self) {
        self.0.send_modify(|denials| denials.retain(|denial, _| !matches!(denial, Denial::Publish(_))));
    }

    /// What is refused at present, for a person.
    pub(crate) fn current(&self) -> Option<String> {
        let denials = self.0.borrow();
        let is_current =
            |(denial, at): &(&Denial, &Instant)| !matches!(denial, Denial::Publish(_)) || at.elapsed() < RECENT;
        denials.iter().find(is_current).map(|(denial, _)| told(denial))
    }

    /// Does what begins with a publication to `subject`, unless that is denied, or there is no inbox for the answer.
    pub(crate) async fn unless_denied<T>(&self, subject: &str, work: impl Future<Output = T>) -> Result<T, NatsError> {
        let begun = Instant::now();
        let is_ours = |(denial, at): &(&Denial, &Instant)| match denial {
            Denial::Publish(denied) => denied == subject && **at >= begun,
            Denial::Subscribe(denied) => denied.starts_with(INBOX),
            Denial::User => false,
        };
        let first = |denials: &BTreeMap<Denial, Instant>| denials.iter().find(is_ours).map(|(denial, _)| told(denial));
        let mut changes = self.0.subscribe();
        let denied = async {
            loop {
                if let Some(what) = first(&changes.borrow_and_update()) {
                    return NatsError::Denied { what };
                }
                if changes.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
        };
        tokio::select! {
            biased;
            done = work => Ok(done),
            denied = denied => Err(denied),
        }
    }
}

fn told(denial: &Denial) -> String {
    match denial {
        Denial::User => "NATS does not know this user any more".to_owned(),
        Denial::Subscribe(subject) => format!("NATS does not allow this user to subscribe to {subject}"),
        Denial::Publish(subject) => format!("NATS does not allow this user to publish to {subject}"),
    }
}

/// What the server said, where it denies a permission.
fn parse(text: &str) -> Option<Denial> {
    let rest = text.strip_prefix("Permissions Violation for ")?;
    let subject = || rest.split('"').nth(1).map(str::to_owned);
    match rest.split(' ').next()? {
        "Publish" => subject().map(Denial::Publish),
        "Subscription" => subject().map(Denial::Subscribe),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn denials_end_what_waits_for_an_answer() {
        let denials = Denials::default();
        let event = |text: &str| Event::ServerError(ServerError::Other(text.to_owned()));
        let waits = denials.unless_denied("a.b", std::future::pending::<()>());
        let (ended, ()) = tokio::join!(waits, async {
            denials.note(&event("Permissions Violation for Publish to \"a.c\""));
            denials.note(&event("Permissions Violation for Publish to \"a.b\""));
        });
        let said = ended.expect_err("denied").to_string();
        assert_eq!(said, "NATS does not allow this user to publish to a.b; see docs/access.md");
        denials.note(&event("Permissions Violation for Subscription to \"x.>\" using queue \"q\""));
        assert_eq!(denials.current().as_deref(), Some("NATS does not allow this user to subscribe to x.>"));
        assert_eq!(denials.unless_denied("a.b", async { 1 }).await.ok(), Some(1));
        denials.note(&event("Permissions Violation for Subscription to \"_INBOX.x.*\""));
        let said =
            denials.unless_denied("a.b", std::future::pending::<()>()).await.expect_err("no answers").to_string();
        assert_eq!(said, "NATS does not allow this user to subscribe to _INBOX.x.*; see docs/access.md");
        denials.note(&Event::Connected);
        assert_eq!(denials.current(), None);
        assert_eq!(parse("Stale Connection"), None);
    }
}
