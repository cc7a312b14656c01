//! Leases: which instance works on what, so that several share the work.
//!
//! A lease is a key in a bucket of its own ([`bucket`]), made only if absent, which the server removes
//! after a time ([`ttl`]) unless its holder renews it. [`Lease`] is what the holder knows of it by its
//! own clock; [`share`] says what an instance may hold, and [`holder`] keeps what it holds.
//!
//! A lease alone cannot stop a holder that was frozen half-way through something. What it would
//! write then is refused by the sequence that its checkpoint, or its state, must follow.

pub(crate) mod bucket;
pub(crate) mod claim;
pub(crate) mod holder;
pub(crate) mod name;
mod share;
pub(crate) mod ttl;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Whether something is still certainly ours. Clones are one lease. Once lost it stays lost: what is
/// taken again is another lease.
#[derive(Clone, Debug)]
pub struct Lease(Option<Arc<Term>>);

#[derive(Debug)]
struct Term {
    /// Until when no other can have it, by our clock.
    until: Mutex<Instant>,
    ended: CancellationToken,
}

impl Term {
    /// A time is whole, whoever panicked.
    fn until(&self) -> MutexGuard<'_, Instant> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// On what nobody else can have, as in a pipe.
    #[must_use]
    pub fn unlimited() -> Self {
        Self(None)
    }

    /// Ours until then, unless it is renewed or ended.
    #[must_use]
    pub fn until(until: Instant) -> Self {
        Self(Some(Arc::new(Term { until: Mutex::new(until), ended: CancellationToken::new() })))
    }

    /// Whether it is certainly ours now. To be asked right before anything that another holder could
    /// do as well.
    #[must_use]
    pub fn is_held(&self) -> bool {
        let Some(term) = &self.0 else { return true };
        !term.ended.is_cancelled() && Instant::now() < *term.until()
    }

    /// Resolves once it is not ours any more.
    pub async fn lost(&self) {
        let Some(term) = &self.0 else { return std::future::pending().await };
        while self.is_held() {
            let until = *term.until();
            tokio::select! {
                () = term.ended.cancelled() => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    /// Does `work` for as long as it is ours; `None` when it was lost before the end. It is asked each
    /// time before the work goes on: a process that was stopped for a while does nothing more.
    pub async fn guard<F: Future>(&self, work: F) -> Option<F::Output> {
        let (mut work, mut lost) = (pin!(work), pin!(self.lost()));
        poll_fn(|context| match lost.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending if !self.is_held() => Poll::Ready(None),
            Poll::Pending => work.as_mut().poll(context).map(Some),
        })
        .await
    }

    /// Renewed: ours until then. Not when it was lost meanwhile.
    fn extend(&self, until: Instant) {
        let Some(term) = &self.0 else { return };
        let mut ours = term.until();
        if Instant::now() < *ours {
            *ours = until;
        }
    }

    /// Lost, or given up.
    pub(crate) fn end(&self) {
        if let Some(term) = &self.0 {
            term.ended.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_is_lost_stays_lost() {
        let lease = Lease::until(Instant::now() + Duration::from_secs(60));
        assert_eq!((lease.is_held(), lease.guard(async { 1 }).await), (true, Some(1)));
        lease.extend(Instant::now() + Duration::from_millis(20));
        assert_eq!(lease.guard(std::future::pending::<()>()).await, None);
        lease.extend(Instant::now() + Duration::from_secs(60));
        assert!(!lease.is_held());
        assert_eq!(lease.guard(async { panic!("begun") }).await, None);
    }

    #[tokio::test]
    async fn an_ended_one_is_lost_at_once() {
        let lease = Lease::until(Instant::now() + Duration::from_secs(60));
        let ((), work) = tokio::join!(async { lease.end() }, lease.guard(std::future::pending::<()>()));
        assert_eq!((work, lease.is_held()), (None, false));
        lease.lost().await;
        assert!(Lease::unlimited().is_held());
    }
}
