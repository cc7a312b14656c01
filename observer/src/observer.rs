//! Scans every scope: once, or again and again, each at its own interval and when asked to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use elava_bus::cli::Finished;
use elava_bus::{Asked, CancellationToken, Sink, SinkError};
use elava_schemas::config::Scanning;
use elava_schemas::{Provider, ScanOutcome, ScanReport, ScanRequest, Scope, Timestamp, micros};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use crate::aws::{Kind, Place, scan};
use crate::coordinator::{self, Coordinator, Turn};
use crate::schedule::{adapted, chance, due, interval, jittered};

/// Requests to scan now.
const SCAN_REQUEST: &str = elava_bus::ask::SCAN;
/// How long scans may take to report after being told to stop.
const DRAIN: Duration = Duration::from_secs(20);

/// How often to scan.
#[derive(Clone, Debug)]
pub enum Rhythm {
    /// Everything once.
    Once,
    /// Always after this time.
    Every(Duration),
    /// As the tiers say.
    Tiers(Scanning),
}

impl Rhythm {
    /// How long until a scope is due that was last scanned, and asked for, then.
    fn wait(&self, scope: &Scope, last: Option<Timestamp>, asked: Option<Timestamp>, now: Timestamp) -> Duration {
        let plain = match self {
            Self::Once => Duration::ZERO,
            Self::Every(interval) => *interval,
            Self::Tiers(scanning) if scanning.adaptive_hours => adapted(interval(scanning, scope), now),
            Self::Tiers(scanning) => interval(scanning, scope),
        };
        due(last, asked, jittered(plain, chance(scope, last)), now)
    }
}

/// Everything to be scanned, and how.
#[derive(Debug)]
pub struct Observer {
    jobs: Vec<Arc<Job>>,
    rhythm: Rhythm,
    scan_timeout: Duration,
}

/// One scope.
#[derive(Debug)]
struct Job {
    kind: &'static Kind,
    place: Arc<Place>,
    scope: Scope,
    /// Bounds the scans at once in this place; a slow region takes nothing from the others.
    room: Arc<Semaphore>,
    /// Somebody asked for a scan now,
    asked: Notify,
    /// and that was when.
    asked_at: Mutex<Option<Timestamp>>,
}

impl Job {
    /// A time is whole, whoever panicked.
    fn asked_at(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.asked_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer {
    /// An observer of every kind in every place, with at most `concurrency` scans at once in each place.
    #[must_use]
    pub fn new(
        places: Vec<Place>,
        kinds: &[&'static Kind],
        rhythm: Rhythm,
        concurrency: usize,
        scan_timeout: Duration,
    ) -> Self {
        let mut jobs = Vec::new();
        for place in places {
            let (place, room) = (Arc::new(place), Arc::new(Semaphore::new(concurrency)));
            jobs.extend(kinds.iter().map(|kind| {
                let (place, room, scope) = (Arc::clone(&place), Arc::clone(&room), place.scope(kind));
                Arc::new(Job { kind, place, scope, room, asked: Notify::new(), asked_at: Mutex::default() })
            }));
        }
        Self { jobs, rhythm, scan_timeout }
    }

    /// Scans until `stop` is cancelled, or until everything was scanned once.
    ///
    /// # Errors
    /// When messages cannot be written. Nobody reading standard output any more is not an error.
    pub async fn run(self, sink: &Sink, stop: CancellationToken) -> Result<Finished, SinkError> {
        // once means once, whatever other observers do
        let (requests, claims) = match self.rhythm {
            Rhythm::Once => (None, None),
            Rhythm::Every(_) | Rhythm::Tiers(_) => (sink.requests(SCAN_REQUEST).await?, sink.claims()),
        };
        let others = Arc::new(Coordinator::new(claims));
        let observer = Arc::new(self);
        let mut running = JoinSet::new();
        for job in &observer.jobs {
            let (observer, job, others) = (Arc::clone(&observer), Arc::clone(job), Arc::clone(&others));
            let (sink, stop) = (sink.clone(), stop.clone());
            running.spawn(async move { observer.keep_scanning(&job, &others, &sink, &stop).await });
        }
        if let Some(mut requests) = requests {
            let (observer, stop) = (Arc::clone(&observer), stop.clone());
            running.spawn(async move {
                while let Some(asked) = stop.run_until_cancelled(requests.recv()).await.flatten() {
                    observer.answer(asked);
                }
                Ok(true)
            });
        }
        let finished = finish(&mut running, &stop).await;
        running.shutdown().await;
        match finished {
            Err(SinkError::Closed) => Ok(Finished::Clean),
            finished => finished,
        }
    }

    /// Scans one scope in its rhythm, when no other observer does; whether the last scan was complete.
    async fn keep_scanning(
        &self,
        job: &Job,
        others: &Coordinator,
        sink: &Sink,
        stop: &CancellationToken,
    ) -> Result<bool, SinkError> {
        let (mut complete, mut last) = (false, None);
        loop {
            let Some(permit) = stop.run_until_cancelled(job.room.acquire()).await else { return Ok(complete) };
            let wait = |last| self.rhythm.wait(&job.scope, last, *job.asked_at(), now());
            let turn = others.turn(&job.scope, |last| wait(last).is_zero()).await;
            let is_turn = match turn {
                Ok(Turn::Ours(mut claim)) => {
                    let (begun, lease) = (now(), coordinator::lease(claim.as_deref()));
                    let scan = scan(job.kind, &job.place, sink, self.scan_timeout, stop, &lease);
                    let report = coordinator::keep(&mut claim, scan).await?;
                    complete = report.outcome == ScanOutcome::Complete;
                    tell(&report);
                    last = Some(begun);
                    coordinator::end(claim, begun, stop).await
                }
                Ok(Turn::Done(at)) => {
                    last = Some(at);
                    true
                }
                Ok(Turn::Busy) => false,
                Err(error) => {
                    tracing::warn!(scope = %job.scope, error = elava_bus::cli::chain(&error), "cannot claim; trying again");
                    false
                }
            };
            drop(permit);
            if matches!(self.rhythm, Rhythm::Once) {
                return Ok(complete);
            }
            let rest = async {
                if !is_turn {
                    return others.pause().await;
                }
                tokio::select! {
                    () = tokio::time::sleep(wait(last)) => {}
                    () = job.asked.notified() => {}
                }
            };
            if stop.run_until_cancelled(rest).await.is_none() {
                return Ok(complete);
            }
        }
    }

    /// Has what matches scanned now, and says at once how many scopes that is.
    fn answer(&self, asked: Asked) {
        let answer = parse_request(&asked.body).map(|request| {
            let wanted = self.jobs.iter().filter(|job| matches(&request, &job.scope));
            let at = now();
            let ask = |job: &Arc<Job>| {
                *job.asked_at() = Some(at);
                job.asked.notify_one();
            };
            let scopes = wanted.map(ask).count();
            vec![Bytes::from(format!("{{\"scopes\":{scopes}}}"))]
        });
        if asked.answer.send(answer).is_err() {
            tracing::debug!("nobody waits for the answer to a scan request");
        }
    }
}

fn now() -> Timestamp {
    micros(chrono::Utc::now())
}

fn tell(report: &ScanReport) {
    let ScanReport { scope, observed, api_calls, .. } = report;
    let outcome = report.outcome.as_str();
    match report.errors.last() {
        Some(last) if report.outcome != ScanOutcome::Complete => {
            let (code, error) = (&last.code, &last.message);
            tracing::warn!(%scope, outcome, observed, api_calls, code, error, "scanned");
        }
        _ => tracing::info!(%scope, outcome, observed, api_calls, "scanned"),
    }
}

/// Waits for every task; after `stop`, no longer than the drain. An error ends it at once.
async fn finish(
    running: &mut JoinSet<Result<bool, SinkError>>,
    stop: &CancellationToken,
) -> Result<Finished, SinkError> {
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::pin!(drained);
    let mut all_complete = true;
    loop {
        tokio::select! {
            ended = running.join_next() => match ended {
                None => break,
                Some(Ok(complete)) => all_complete &= complete?,
                Some(Err(panicked)) => return Err(SinkError::Panicked(panicked)),
            },
            () = &mut drained => {
                tracing::warn!("scans did not end within {} s of being told to stop", DRAIN.as_secs());
                break;
            }
        }
    }
    Ok(if all_complete || stop.is_cancelled() { Finished::Clean } else { Finished::SomeRejected })
}

fn parse_request(body: &[u8]) -> Result<ScanRequest, String> {
    if body.is_empty() {
        return Ok(ScanRequest::default());
    }
    serde_json::from_slice(body).map_err(|error| format!("bad scan request: {error}"))
}

fn matches(request: &ScanRequest, scope: &Scope) -> bool {
    let same = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
    request.provider.is_none_or(|provider: Provider| provider == scope.provider)
        && same(&request.account, &scope.account)
        && same(&request.region, &scope.region)
        && same(&request.kind, &scope.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_match_scopes() {
        let (account, region, kind) = ("1".to_owned(), "eu-west-1".to_owned(), "ec2:vpc".to_owned());
        let scope = Scope { provider: Provider::Aws, account, region, kind, filter: None };
        for (body, expected) in [
            ("", Some(true)),
            ("{}", Some(true)),
            (r#"{"kind":"scan_request","type":"ec2:vpc"}"#, Some(true)),
            (r#"{"provider":"aws","account":"1","region":"eu-west-1"}"#, Some(true)),
            (r#"{"type":"ec2:instance"}"#, Some(false)),
            (r#"{"account":"2"}"#, Some(false)),
            (r#"{"provider":"gcp"}"#, Some(false)),
            (r#"{"provider":"azure"}"#, None),
            ("now", None),
        ] {
            let found = parse_request(body.as_bytes()).ok().map(|request| matches(&request, &scope));
            assert_eq!(found, expected, "{body}");
        }
    }
}
