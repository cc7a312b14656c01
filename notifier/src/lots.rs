//! What one batch brings, sorted by what is told together.

use std::collections::HashMap;

use elava_bus::Page;
use elava_schemas::{Decision, FindingId};

use crate::channel::text::cut;
use crate::memory::{Lot, Member, Memory, Origin};

/// What one batch brings, by channel and lot.
#[derive(Default)]
pub(crate) struct Lots {
    members: HashMap<(usize, Lot), Vec<Member>>,
    /// In the order in which they came.
    order: Vec<(usize, Lot)>,
    /// How many of each lot are held in full.
    in_full: HashMap<(usize, Lot), usize>,
}

impl Lots {
    /// How many of a lot are held in full, to be counted on.
    pub(crate) fn in_full(&mut self, memory: &Memory, desk: usize, name: &str, lot: &Lot) -> &mut usize {
        self.in_full.entry((desk, lot.clone())).or_insert_with(|| {
            let parcels = memory.parcels.values().filter(|parcel| parcel.channel == name && parcel.lot == *lot);
            let members = parcels.flat_map(|parcel| &parcel.members);
            members.filter(|member| member.decision.is_some() && member.receipt.is_none()).count()
        })
    }

    /// Adds a decision to a lot.
    pub(crate) fn add(&mut self, desk: usize, lot: Lot, member: Member) {
        let place = (desk, lot);
        if !self.members.contains_key(&place) {
            self.order.push(place.clone());
        }
        self.members.entry(place).or_default().push(member);
    }

    /// As [`Memory::supersede`], for what this batch brought.
    pub(crate) fn supersede(&mut self, finding: &FindingId, desk: usize, lot: &Lot) {
        let others = self.members.iter_mut().filter(|((index, _), _)| *index == desk);
        for ((_, other), members) in others.filter(|((_, other), _)| other.until.is_some() && other != lot) {
            if other.digest {
                members.iter_mut().filter(|member| member.finding == *finding).for_each(|member| member.over = true);
            } else {
                members.retain(|member| member.finding != *finding);
            }
        }
    }

    /// Everything, in the order in which it came.
    pub(crate) fn into_parts(mut self) -> Vec<(usize, Lot, Vec<Member>)> {
        let part = |place| self.members.remove(&place).map(|members| (place.0, place.1, members));
        self.order.into_iter().filter_map(part).collect()
    }

    /// Whether this batch brought something of a finding for a channel.
    pub(crate) fn waits(&self, desk: usize, finding: &FindingId) -> bool {
        let of_desk = self.members.iter().filter(|((index, _), _)| *index == desk);
        of_desk.flat_map(|(_, members)| members).any(|member| member.finding == *finding && !member.over)
    }
}

/// A decision to be told to one channel; `full` is what is kept of it besides.
pub(crate) fn member(order: u64, page: &Page, decision: &Decision, full: Option<Box<Decision>>) -> Member {
    Member {
        order,
        id: decision.id.clone(),
        finding: decision.finding.clone(),
        state: decision.state,
        severity: decision.severity,
        key: decision.resource_key.clone(),
        decided_at: decision.decided_at,
        origin: Origin { sequence: page.sequence, subject: page.subject.clone(), received_at: page.received_at },
        decision: full,
        over: false,
        receipt: None,
        claimed: false,
    }
}

/// A decision that fits into an entry of the state: what is large besides the words is left out.
pub(crate) fn fitting(decision: &Decision) -> Decision {
    const LARGE: usize = 16 * 1024;
    let mut decision = decision.clone();
    if serde_json::to_vec(&decision).map_or(0, |json| json.len()) > 8 * LARGE {
        decision.metadata.retain(|_, value| {
            value.as_str().is_none_or(|text| text.len() <= LARGE) && !value.is_object() && !value.is_array()
        });
        decision.resource.tags = decision.resource.tags.map(|tags| tags.into_iter().take(50).collect());
        decision.caused_by.truncate(10);
        decision.reason = cut(&decision.reason, LARGE);
    }
    decision
}
