//! Shares the scopes among observers: each is scanned by one of them at a time, once an interval.

use std::future::Future;

use elava_bus::{CancellationToken, Claim, Claims, Lease, NatsError};
use elava_schemas::{Scope, Timestamp};

/// What an observer and the others do.
#[derive(Debug)]
pub(crate) struct Coordinator {
    /// `None`: there are no others.
    claims: Option<Claims>,
}

/// Whose turn it is.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Ours: it is due, and nobody else is at it.
    Ours(Option<Box<Claim>>),
    /// Nobody's yet: it was scanned then.
    Done(Timestamp),
    /// Another observer is at it.
    Busy,
}

impl Coordinator {
    /// Without claims, alone.
    pub(crate) fn new(claims: Option<Claims>) -> Self {
        Self { claims }
    }

    /// Claims a scope, where it `is_due` by when it was last scanned.
    pub(crate) async fn turn(
        &self,
        scope: &Scope,
        is_due: impl Fn(Option<Timestamp>) -> bool,
    ) -> Result<Turn, NatsError> {
        let Some(claims) = &self.claims else { return Ok(Turn::Ours(None)) };
        let name = name(scope);
        if let Some(last) = claims.last(&name).await?.filter(|last| !is_due(Some(*last))) {
            return Ok(Turn::Done(last));
        }
        let Some(claim) = claims.claim(&name).await? else { return Ok(Turn::Busy) };
        // who had it until now may just have scanned it
        match claims.last(&name).await?.filter(|last| !is_due(Some(*last))) {
            None => Ok(Turn::Ours(Some(Box::new(claim)))),
            Some(last) => {
                claim.release().await;
                Ok(Turn::Done(last))
            }
        }
    }

    /// Waits until it makes sense to ask again.
    pub(crate) async fn pause(&self) {
        if let Some(claims) = &self.claims {
            tokio::time::sleep(claims.pause()).await;
        }
    }
}

/// Whether a scope is still ours.
pub(crate) fn lease(claim: Option<&Claim>) -> Lease {
    claim.map_or_else(Lease::unlimited, |claim| claim.lease().clone())
}

/// Does `work` and keeps the claim meanwhile.
pub(crate) async fn keep<T>(claim: &mut Option<Box<Claim>>, work: impl Future<Output = T>) -> T {
    let Some(claim) = claim else { return work.await };
    tokio::select! {
        done = work => done,
        never = claim.keep() => match never {},
    }
}

/// Ends a claim. Whether it is noted for all observers that the scope was scanned: not when the scan
/// was broken off, or the claim was lost.
pub(crate) async fn end(claim: Option<Box<Claim>>, begun: Timestamp, stop: &CancellationToken) -> bool {
    let Some(claim) = claim else { return true };
    if stop.is_cancelled() {
        claim.release().await;
        return false;
    }
    claim.done(begun).await.unwrap_or_else(|error| {
        tracing::warn!(error = elava_bus::cli::chain(&error), "a scan is not noted and will be repeated");
        false
    })
}

fn name(scope: &Scope) -> String {
    let plain = |text: &str| text.replace('.', "_");
    let (account, region, kind) = (plain(&scope.account), plain(&scope.region), plain(&scope.kind));
    format!("{}.{account}.{region}.{kind}", scope.provider)
}
