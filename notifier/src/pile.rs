//! What waits on one channel, by what is told together: of all sources of the process. Pure: the time is an argument.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use chrono::TimeDelta;
use elava_schemas::config::Grouping;
use elava_schemas::{FindingId, Timestamp};

use crate::desk::Desk;
use crate::memory::{Expected, Lot, Member, Memory, Parcel};

/// What is critical waits no longer than this for more of the same.
const CRITICAL_LONGEST: Duration = Duration::from_secs(1);

/// What policies find when they look at everything again waits no longer than so many of its windows.
const EVALUATIONS_LONGEST: u32 = 20;

/// Nothing is lost by waiting for the alerts of an account's other scans: what they are about is held in any case. Not for
/// longer than so many times the longest wait.
const BREAKERS_LONGEST: u32 = 6;

/// Which of what is held is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// What is due.
    Due(Timestamp),
    /// What waits for more of the same, too: as in a pipe, where what comes at once is one batch.
    AtOnce(Timestamp),
    /// Everything.
    All,
}

/// What the sources of the process have to tell, in a fixed order, and for which of them it is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held<'a> {
    pub(crate) memories: &'a [&'a Memory],
    pub(crate) own: usize,
}

/// Where a member is: which of the sources, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) source: usize,
    pub(crate) order: u64,
}

/// The untold members of one lot, in order.
pub(crate) struct Pile<'a> {
    pub(crate) lot: &'a Lot,
    pub(crate) members: Vec<(Spot, &'a Member)>,
    span: Span,
}

/// When the first and the last of a lot have come.
#[derive(Clone, Copy)]
struct Span {
    first: Timestamp,
    last: Timestamp,
}

impl Span {
    fn add(&mut self, arrived: Timestamp) {
        self.first = self.first.min(arrived);
        self.last = self.last.max(arrived);
    }

    fn due(self, lot: &Lot, grouping: Option<Grouping>) -> Timestamp {
        if let Some(until) = lot.until {
            return until;
        }
        let Some(grouping) = grouping else { return self.first };
        let (window, longest) = match lot.expected {
            Expected::Evaluation => (grouping.evaluated.get(), grouping.evaluated.get() * EVALUATIONS_LONGEST),
            Expected::Breakers | Expected::Released => {
                (grouping.longest.get(), grouping.longest.get() * BREAKERS_LONGEST)
            }
            Expected::Usual if lot.critical => (grouping.window.get(), grouping.longest.get().min(CRITICAL_LONGEST)),
            Expected::Usual => (grouping.window.get(), grouping.longest.get()),
        };
        let after = |at: Timestamp, wait: Duration| {
            TimeDelta::from_std(wait).ok().and_then(|wait| at.checked_add_signed(wait)).unwrap_or(at)
        };
        after(self.last, window).min(after(self.first, longest))
    }
}

/// Whether a lot is told together with the same of other sources. Where a finding has a life of its own, whoever has its
/// source must know all that share its beginning.
fn gathers(desk: &Desk, lot: &Lot) -> bool {
    !desk.channel.tracks_findings() && (lot.digest || desk.grouping.is_some())
}

/// What waits for a channel: of this source, and of others what is told with it.
fn parcels<'a>(held: Held<'a>, desk: &'a Desk) -> impl Iterator<Item = (usize, &'a Parcel)> {
    let of_source = move |(source, memory): (usize, &&'a Memory)| {
        let memory: &'a Memory = memory;
        let is_meant = move |parcel: &&Parcel| {
            parcel.channel == desk.name
                && (source == held.own || gathers(desk, &parcel.lot))
                && parcel.members.iter().any(Member::waits)
        };
        memory.parcels.values().filter(is_meant).map(move |parcel| (source, parcel))
    };
    held.memories.iter().enumerate().flat_map(of_source)
}

/// When the next of what this source holds for a channel is due.
pub(crate) fn next_due(held: Held<'_>, desk: &Desk) -> Option<Timestamp> {
    let mut spans: HashMap<&Lot, (Span, bool)> = HashMap::new();
    for (source, parcel) in parcels(held, desk) {
        let arrived = parcel.arrived;
        let (span, is_own) = spans.entry(&parcel.lot).or_insert((Span { first: arrived, last: arrived }, false));
        span.add(arrived);
        *is_own |= source == held.own;
    }
    let own = spans.iter().filter(|(_, (_, is_own))| *is_own);
    own.map(|(lot, (span, _))| span.due(lot, desk.grouping)).min()
}

/// What is told on a channel now, in order.
pub(crate) fn told<'a>(held: Held<'a>, desk: &'a Desk, when: When) -> Vec<Pile<'a>> {
    let piles = piles(held, desk);
    let is_due = |pile: &Pile| match when {
        When::All => true,
        When::AtOnce(now) => pile.lot.until.is_none_or(|until| until <= now),
        When::Due(now) => pile.span.due(pile.lot, desk.grouping) <= now,
    };
    let is_own = |pile: &Pile| pile.members.iter().any(|(spot, _)| spot.source == held.own);
    let due = piles.iter().enumerate().filter(|(_, pile)| is_own(pile) && is_due(pile));
    let told = with_what_precedes(&piles, due.map(|(index, _)| index).collect());
    let told = piles.into_iter().enumerate().filter(|(index, _)| told.contains(index));
    in_order(told.map(|(_, pile)| pile).collect())
}

fn piles<'a>(held: Held<'a>, desk: &'a Desk) -> Vec<Pile<'a>> {
    let mut parcels: Vec<(usize, &Parcel)> = parcels(held, desk).collect();
    parcels.sort_by_key(|(source, parcel)| (parcel.arrived, *source, parcel.number));
    let mut piles: Vec<Pile> = Vec::new();
    let mut places: BTreeMap<&Lot, usize> = BTreeMap::new();
    for (source, parcel) in parcels {
        let arrived = parcel.arrived;
        let place = *places.entry(&parcel.lot).or_insert_with(|| {
            let span = Span { first: arrived, last: arrived };
            piles.push(Pile { lot: &parcel.lot, members: Vec::new(), span });
            piles.len() - 1
        });
        let pile = &mut piles[place];
        pile.span.add(arrived);
        let waiting = parcel.members.iter().filter(|member| member.waits());
        pile.members.extend(waiting.map(|member| (Spot { source, order: member.order }, member)));
    }
    piles
}

/// What came before something of the same finding is told before it, though it could wait still: a beginning before its
/// end.
fn with_what_precedes(piles: &[Pile<'_>], due: Vec<usize>) -> BTreeSet<usize> {
    let mut waiting: HashMap<&FindingId, Vec<(u64, usize)>> = HashMap::new();
    for (index, pile) in piles.iter().enumerate().filter(|(_, pile)| pile.lot.until.is_none()) {
        for (spot, member) in &pile.members {
            waiting.entry(&member.finding).or_default().push((spot.order, index));
        }
    }
    let mut told: BTreeSet<usize> = due.iter().copied().collect();
    let mut new = due;
    while let Some(index) = new.pop() {
        for (spot, member) in &piles[index].members {
            let of_finding = waiting.get(&member.finding).into_iter().flatten();
            for (_, before) in of_finding.filter(|(order, _)| *order < spot.order) {
                if told.insert(*before) {
                    new.push(*before);
                }
            }
        }
    }
    told
}

/// The piles, each without those members before which something of their finding must be told; these come after.
fn in_order(piles: Vec<Pile<'_>>) -> Vec<Pile<'_>> {
    let mut next: HashMap<&FindingId, VecDeque<u64>> = HashMap::new();
    for (spot, member) in piles.iter().filter(|pile| !pile.lot.digest).flat_map(|pile| &pile.members) {
        next.entry(&member.finding).or_default().push_back(spot.order);
    }
    next.values_mut().for_each(|orders| orders.make_contiguous().sort_unstable());
    let mut ordered = Vec::new();
    let mut left = piles;
    while !left.is_empty() {
        let mut blocked = Vec::new();
        for Pile { lot, members, span } in left {
            // what waits for the end of quiet hours is one message, whatever is in it
            let mut is_next = |(spot, member): &(Spot, &Member)| {
                let orders = next.get_mut(&member.finding).filter(|_| !lot.digest);
                orders.is_none_or(|orders| orders.pop_front_if(|order| *order == spot.order).is_some())
            };
            let (members, others): (Vec<_>, Vec<_>) = members.into_iter().partition(|member| is_next(member));
            ordered.extend((!members.is_empty()).then_some(Pile { lot, members, span }));
            blocked.extend((!others.is_empty()).then_some(Pile { lot, members: others, span }));
        }
        left = blocked;
    }
    ordered
}
