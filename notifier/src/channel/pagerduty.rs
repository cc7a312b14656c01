//! PagerDuty, through Events API v2: one incident a finding, which ends with it.
//!
//! <https://developer.pagerduty.com/docs/send-alert-event>. The finding is the `dedup_key`, so that a message that
//! comes twice is the same incident. Several findings told at once are one incident, and the last of them ends it.

use std::collections::BTreeMap;
use std::fmt;

use elava_schemas::config::{PagerDutyChannel, PagerDutySeverity};
use elava_schemas::{DecisionState, Severity};
use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::text::{cut, facts, metadata};
use super::{Context, Refusal, Taken};
use crate::Clock;
use crate::http::{Endpoint, EndpointError, post};
use crate::notice::{Notice, NoticeKind, ends};

/// Characters of a summary.
const SUMMARY_LIMIT: usize = 1024;
/// Characters of a `dedup_key`.
const KEY_LIMIT: usize = 255;

/// PagerDuty as a channel.
pub(crate) struct PagerDuty {
    endpoint: Endpoint,
    routing_key: String,
    severities: BTreeMap<Severity, PagerDutySeverity>,
    client: Client,
    clock: Clock,
}

/// Why PagerDuty cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PagerDutyError {
    #[error("`url` is unusable: {0}")]
    Url(EndpointError),
    #[error("`routing_key` is empty")]
    Key,
}

impl PagerDuty {
    pub(crate) fn new(config: &PagerDutyChannel, client: Client, clock: Clock) -> Result<Self, PagerDutyError> {
        let routing_key = config.routing_key.trim().to_owned();
        if routing_key.is_empty() {
            return Err(PagerDutyError::Key);
        }
        let endpoint = Endpoint::parse(&config.url).map_err(PagerDutyError::Url)?.below("v2/enqueue");
        Ok(Self { endpoint, routing_key, severities: config.severities.clone(), client, clock })
    }

    pub(crate) async fn tell(&self, notice: &Notice<'_>, context: &Context) -> Result<Taken, Refusal> {
        let key = match (&context.thread, notice.kind) {
            (Some(thread), _) => thread.clone(),
            (None, NoticeKind::One) => notice.first().finding.to_string(),
            (None, _) => notice.id.clone(),
        };
        let key = cut(&key, KEY_LIMIT);
        let state = notice.first().state;
        let is_over = ends(state);
        if is_over && context.others_open {
            return Ok(Taken::saying("the incident goes on: others of its findings are open"));
        }
        let mut event = json!({"routing_key": self.routing_key, "dedup_key": key, "client": "Elava"});
        if is_over {
            event["event_action"] = "resolve".into();
        } else {
            event["event_action"] = "trigger".into();
        }
        if state != DecisionState::Resolved {
            // for what is not mended: why nobody minds it any more
            event["payload"] = self.payload(notice);
        }
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let answer = post(&self.client, &self.endpoint, headers, event.to_string().into_bytes(), self.clock).await?;
        Ok(Taken { thread: Some(key), answer: answer.said() })
    }

    fn payload(&self, notice: &Notice<'_>) -> Value {
        let decision = notice.first();
        let key = &decision.resource_key;
        let mut details: serde_json::Map<String, Value> =
            facts(notice).into_iter().map(|(name, value)| (name.to_lowercase(), value.into())).collect();
        details.insert("text".to_owned(), cut(&notice.lines().join("\n"), 8000).into());
        details.insert("decision".to_owned(), decision.id.as_str().into());
        details.insert("finding".to_owned(), decision.finding.as_str().into());
        if let Some(owner) = &notice.owner {
            details.insert("owner".to_owned(), owner.as_str().into());
        }
        json!({
            "summary": cut(&notice.headline(), SUMMARY_LIMIT),
            "source": key.to_string(),
            "severity": self.severity(notice.severity()),
            "timestamp": decision.decided_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            "component": key.kind,
            "group": key.account,
            "class": metadata(decision, "rule").or(metadata(decision, "cause")),
            "custom_details": details,
        })
    }

    fn severity(&self, severity: Severity) -> PagerDutySeverity {
        let same = match severity {
            Severity::Critical => PagerDutySeverity::Critical,
            Severity::Warning => PagerDutySeverity::Warning,
            Severity::Info => PagerDutySeverity::Info,
        };
        self.severities.get(&severity).copied().unwrap_or(same)
    }
}

impl fmt::Debug for PagerDuty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PagerDuty").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
