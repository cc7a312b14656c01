//! Where tests have scans write to, and places for them to scan.

use std::sync::Mutex;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::Credentials;
use elava_bus::{CancellationToken, Lease, SinkError};
use elava_observer::aws::{KINDS, Kind, Outlet, Place, scan};
use elava_schemas::{Message, Resource, ScanReport};

pub(crate) const ACCOUNT: &str = "123456789012";

/// Everything that was sent, in order.
#[derive(Default)]
pub(crate) struct Collected(pub(crate) Mutex<Vec<Message>>);

impl Outlet for Collected {
    async fn send(&self, messages: Vec<Message>) -> Result<(), SinkError> {
        self.0.lock().expect("not poisoned").extend(messages);
        Ok(())
    }

    async fn flush(&self) -> Result<(), SinkError> {
        Ok(())
    }
}

pub(crate) async fn config(endpoint: &str, region: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::disabled())
        .load()
        .await
}

pub(crate) fn kind(name: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.name == name).expect(name)
}

/// Scans once: what was seen, and the report, which must be the last message and count the others.
pub(crate) async fn scan_once(
    endpoint: &str,
    region: &str,
    kind: &'static Kind,
    limit: Duration,
) -> (Vec<Resource>, ScanReport) {
    let place = Place::new(ACCOUNT, region, &config(endpoint, region).await);
    let collected = Collected::default();
    let report = scan(kind, &place, &collected, limit, &CancellationToken::new(), &Lease::unlimited())
        .await
        .expect("collecting does not fail");
    let mut messages = collected.0.into_inner().expect("not poisoned");
    assert_eq!(messages.pop(), Some(report.clone().into()), "the report comes last");
    let resources: Vec<Resource> = messages
        .into_iter()
        .map(|message| match message {
            Message::Observation(observation) => {
                assert_eq!(observation.scan_id.as_ref(), Some(&report.scan_id));
                let at = observation.observed_at.expect("an instant");
                assert!(report.started_at <= at && at <= report.finished_at, "{at} is within the scan");
                observation.resource
            }
            other => panic!("{} before the report", other.kind()),
        })
        .collect();
    assert_eq!(report.observed, resources.len() as u64);
    (resources, report)
}
