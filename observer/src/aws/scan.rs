//! One scan of one scope: pages as they arrive, then the report, which alone can prove an absence.

use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;

use elava_bus::{CancellationToken, Lease, Sink, SinkError};
use elava_schemas::{Message, Observation, ScanError, ScanId, ScanOutcome, ScanReport, Scope, Timestamp, micros};

use super::client::Place;
use super::kind::{Asked, Kind, Page, resource};
use super::retry::{CallError, Class, back_off};

/// Failed calls in a row after which a listing is given up. Throttled ones do not count: the budget
/// waits, and the scan's time limit ends it.
const MAX_FAILURES: u32 = 8;
/// Errors told in a report, at most; the first ones.
const MAX_ERRORS: usize = 20;

/// Where a scan's messages go: [`Sink`], or a list in tests.
pub trait Outlet: Send + Sync {
    /// Adds messages, in order.
    fn send(&self, messages: Vec<Message>) -> impl Future<Output = Result<(), SinkError>> + Send;
    /// Waits until all that was sent is stored.
    fn flush(&self) -> impl Future<Output = Result<(), SinkError>> + Send;
}

impl Outlet for Sink {
    async fn send(&self, messages: Vec<Message>) -> Result<(), SinkError> {
        Self::send(self, messages).await
    }

    async fn flush(&self) -> Result<(), SinkError> {
        Self::flush(self).await
    }
}

/// Lists everything of one kind in one place. Its report has been stored when this returns.
///
/// Ends early, as `partial` or `failed`, after `time_limit`, when `stop` is cancelled, or when the
/// claim on the scope is lost, which another observer may scan then.
///
/// # Errors
/// Only what the outlet fails with; the cloud's errors are in the report.
pub async fn scan(
    kind: &'static Kind,
    place: &Place,
    outlet: &impl Outlet,
    time_limit: Duration,
    stop: &CancellationToken,
    claim: &Lease,
) -> Result<ScanReport, SinkError> {
    let scope = place.scope(kind);
    let started_at = now();
    let scan_id = ScanId::of(&[&scope.to_string(), &started_at.to_rfc3339()]);
    let mut listing =
        Listing { kind, place, scope, scan_id, seen: HashSet::new(), pages: 0, api_calls: 0, errors: Vec::new() };
    let end = tokio::time::Instant::now() + time_limit;
    let listed = claim.guard(listing.run(outlet, end, stop)).await.transpose()?;
    outlet.flush().await?;
    let complete = match listed {
        Some(complete) if claim.is_held() => complete,
        _ => {
            listing.note("claim_lost", "the claim on this scope was lost; another observer may scan it");
            false
        }
    };
    let outcome = match (complete, listing.pages) {
        (true, _) => ScanOutcome::Complete,
        (false, 0) => ScanOutcome::Failed,
        (false, _) => ScanOutcome::Partial,
    };
    let report = ScanReport {
        scan_id: listing.scan_id,
        scope: listing.scope,
        started_at,
        finished_at: now(),
        outcome,
        observed: listing.seen.len() as u64,
        api_calls: listing.api_calls,
        errors: listing.errors,
    };
    outlet.send(vec![report.clone().into()]).await?;
    outlet.flush().await?;
    Ok(report)
}

fn now() -> Timestamp {
    micros(chrono::Utc::now())
}

/// A listing under way.
struct Listing<'a> {
    kind: &'static Kind,
    place: &'a Place,
    scope: Scope,
    scan_id: ScanId,
    /// Ids sent so far: pages shift while one reads them, and show a resource twice.
    seen: HashSet<String>,
    pages: u64,
    api_calls: u64,
    errors: Vec<ScanError>,
}

impl Listing<'_> {
    /// Reads and sends every page; whether the last one was reached and everything could be sent.
    async fn run(
        &mut self,
        outlet: &impl Outlet,
        end: tokio::time::Instant,
        stop: &CancellationToken,
    ) -> Result<bool, SinkError> {
        let mut token: Option<String> = None;
        let mut tokens = HashSet::new();
        let mut whole = true;
        loop {
            let asked_at = now();
            let page = tokio::select! {
                page = self.page(token.clone()) => page,
                () = tokio::time::sleep_until(end) => {
                    self.note("deadline", "the scan's time limit was reached");
                    None
                }
                () = stop.cancelled() => {
                    self.note("stopped", "the observer was stopped");
                    None
                }
            };
            let Some(page) = page else { return Ok(false) };
            self.pages += 1;
            let next = page.next.clone();
            let (messages, keyless) = self.observations(page, asked_at);
            if keyless > 0 {
                self.note("no_id", &format!("{keyless} resources without an id"));
                whole = false;
            }
            if !messages.is_empty() {
                outlet.send(messages).await?;
            }
            let Some(next) = next else { return Ok(whole) };
            if !tokens.insert(next.clone()) {
                self.note("page_token", "the API gave the same page token twice");
                return Ok(false);
            }
            token = Some(next);
        }
    }

    /// One page, asked for until it comes or there is no hope.
    async fn page(&mut self, token: Option<String>) -> Option<Page> {
        let limiter = self.place.limiter(self.kind);
        let mut failures = 0;
        loop {
            limiter.turn().await;
            self.api_calls += 1;
            let error = match (self.kind.list)(&self.place.clients, Asked { token: token.clone(), id: None }).await {
                Ok(page) => {
                    limiter.answered();
                    return Some(page);
                }
                Err(error) => error,
            };
            self.failed(&error);
            match error.class {
                Class::Permanent => return None,
                Class::Throttled => limiter.throttled(),
                Class::Transient => {
                    failures += 1;
                    if failures >= MAX_FAILURES {
                        return None;
                    }
                    tokio::time::sleep(back_off(failures, fastrand::f64())).await;
                }
            }
        }
    }

    /// What a page shows for the first time, and how much of it has no id.
    fn observations(&mut self, page: Page, observed_at: Timestamp) -> (Vec<Message>, usize) {
        let mut messages = Vec::with_capacity(page.drafts.len());
        let mut keyless = 0;
        for draft in page.drafts {
            let Some(resource) = resource(draft, self.kind, &self.scope) else {
                keyless += 1;
                continue;
            };
            if self.seen.insert(resource.key.id.clone()) {
                let scan_id = Some(self.scan_id.clone());
                messages.push(Observation { scan_id, observed_at: Some(observed_at), resource }.into());
            }
        }
        (messages, keyless)
    }

    fn failed(&mut self, error: &CallError) {
        tracing::debug!(scope = %self.scope, code = error.code, message = error.message, "call failed");
        self.push(error.report(self.kind.operation));
    }

    fn note(&mut self, code: &str, message: &str) {
        self.push(ScanError {
            operation: self.kind.operation.to_owned(),
            code: code.to_owned(),
            message: message.to_owned(),
        });
    }

    fn push(&mut self, error: ScanError) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(error);
        }
    }
}
