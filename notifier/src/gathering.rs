//! Tells what is due: what one source has, and what others of this process have that is told with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use elava_bus::{Failure, Lease, Source};
use elava_schemas::Timestamp;

use crate::desk::{self, Desk};
use crate::errand::{self, Errand};
use crate::memory::Memory;
use crate::pile::{self, Held, When};
use crate::round::{Round, Stop, by_source};
use crate::shelf::{Party, Shelf, lock};
use crate::stage::Notifier;

/// The members that a source is about to tell; whatever of them it has not told by then can be told again.
struct Claims(Vec<(Arc<Shelf>, String, BTreeSet<u64>)>);

impl Drop for Claims {
    fn drop(&mut self) {
        for (shelf, channel, orders) in &self.0 {
            shelf.memory().claim(channel, orders, false);
        }
    }
}

impl Notifier {
    /// The sources whose decisions can be told together with those of this one, in a fixed order; and which it is.
    fn parties(&self, own: &Arc<Shelf>) -> (Vec<Party>, usize) {
        let lease = |shelf: &Shelf| lock(&self.leases).get(&shelf.source).cloned().unwrap_or_else(Lease::unlimited);
        let shelves: Vec<Arc<Shelf>> = lock(&self.shelves).values().cloned().collect();
        let others = shelves.into_iter().filter(|shelf| shelf.source != own.source && own.source != Source::Pipe);
        let others = others.map(|shelf| Party { lease: lease(&shelf), shelf });
        let mut parties: Vec<Party> = others.filter(|party| party.shelf.is_open() && party.lease.is_held()).collect();
        let place = parties.partition_point(|party| party.shelf.source < own.source);
        parties.insert(place, Party { lease: lease(own), shelf: Arc::clone(own) });
        (parties, place)
    }

    /// When the next of what a source holds is due.
    pub(crate) fn next_due(&self, shelf: &Arc<Shelf>, now: Timestamp) -> Option<Timestamp> {
        if shelf.memory().parcels.is_empty() {
            return None;
        }
        let (parties, own) = self.parties(shelf);
        let memories: Vec<_> = parties.iter().map(|party| party.shelf.memory()).collect();
        let memories: Vec<&Memory> = memories.iter().map(|memory| &**memory).collect();
        let held = Held { memories: &memories, own };
        let of_desk = |desk: &Desk| pile::next_due(held, desk).map(|due| desk::not_before_rest(desk, due, now));
        self.desks.iter().filter_map(of_desk).min()
    }

    /// Tells what is due, and notes how that went; whether anything was told.
    pub(crate) async fn tell(&self, shelf: &Arc<Shelf>, when: When) -> Result<bool, Failure> {
        let in_pipe = shelf.source == Source::Pipe;
        let (parties, own) = self.parties(shelf);
        let (work, claims) = self.gather(&parties, own, when);
        let round = Round { parties: &parties, own, patience: self.patience, clock: self.clock, in_pipe };
        let (any, stop) = round.tell(&work).await;
        drop(claims);
        match stop {
            Some(Stop::Closed(error)) => Err(Failure::Fatal(Box::new(Stop::Closed(error)))),
            // What was told must be kept before anything else.
            _ if any && !in_pipe => Ok(true),
            Some(stop @ Stop::NotOurs) => Err(Failure::Unavailable(Box::new(stop))),
            Some(stop @ Stop::Exhausted { .. }) if in_pipe => Err(Failure::Unavailable(Box::new(stop))),
            // It is tried again when it has been left alone for a while; the others need not wait for it.
            _ => Ok(any),
        }
    }

    /// What is to be told now, by channel: nobody else tells it meanwhile.
    fn gather(&self, parties: &[Party], own: usize, when: When) -> (Vec<(&Desk, Vec<Errand>)>, Claims) {
        let in_pipe = parties[own].shelf.source == Source::Pipe;
        let (mut work, mut claims) = (Vec::new(), Claims(Vec::new()));
        let mut memories: Vec<_> = parties.iter().map(|party| party.shelf.memory()).collect();
        for desk in self.desks.iter().filter(|desk| in_pipe || desk.rests().is_none()) {
            let due = {
                let memories: Vec<&Memory> = memories.iter().map(|memory| &**memory).collect();
                errand::due(Held { memories: &memories, own }, desk, when)
            };
            for (source, orders) in by_source(&due.needless) {
                memories[source].drop_members(&desk.name, &orders);
            }
            let spots: Vec<_> = due.errands.iter().flat_map(|errand| errand.spots.iter().copied()).collect();
            for (source, orders) in by_source(&spots) {
                memories[source].claim(&desk.name, &orders, true);
                claims.0.push((Arc::clone(&parties[source].shelf), desk.name.clone(), orders));
            }
            if !due.errands.is_empty() {
                work.push((desk, due.errands));
            }
        }
        (work, claims)
    }
}
