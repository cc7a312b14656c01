//! What is due on one channel, as the messages that tell it. Pure: the time is an argument.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use chrono::TimeDelta;
use elava_schemas::config::Grouping;
use elava_schemas::{Decision, DecisionState, FindingId, IdHasher, Severity, Timestamp};

use crate::channel::Context;
use crate::desk::Desk;
use crate::memory::{Lot, Member, Memory, Spot};
use crate::notice::{NAMED, Notice, NoticeKind};

/// What is critical waits no longer than this for more of the same.
const CRITICAL_LONGEST: Duration = Duration::from_secs(1);

/// One message, and what it tells.
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    /// All that is told by it.
    pub(crate) spots: Vec<Spot>,
    pub(crate) findings: Vec<FindingId>,
    pub(crate) id: String,
    pub(crate) kind: NoticeKind,
    /// The first few; at least one.
    pub(crate) decisions: Vec<Decision>,
    pub(crate) owner: Option<String>,
    pub(crate) context: Context,
}

impl Errand {
    /// As channels see it.
    pub(crate) fn notice(&self) -> Notice<'_> {
        Notice {
            id: self.id.clone(),
            kind: self.kind,
            decisions: self.decisions.iter().collect(),
            owner: self.owner.clone(),
            title: None,
            body: None,
        }
    }
}

/// What is due on a channel.
#[derive(Debug, Default)]
pub(crate) struct Due {
    /// In the order in which it is to be told.
    pub(crate) errands: Vec<Errand>,
    /// What nobody needs to be told any more.
    pub(crate) needless: Vec<Spot>,
}

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

/// The untold members of one lot, in order.
#[derive(Default)]
struct Pile<'a> {
    /// Of its first parcel.
    number: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    members: Vec<(Spot, &'a Member)>,
}

fn piles<'a>(memory: &'a Memory, desk: &Desk) -> BTreeMap<&'a Lot, Pile<'a>> {
    let mut parcels: Vec<_> = memory.parcels.iter().filter(|(_, parcel)| parcel.channel == desk.name).collect();
    parcels.sort_by_key(|(_, parcel)| parcel.number);
    let mut piles: BTreeMap<&Lot, Pile> = BTreeMap::new();
    for (slot, parcel) in parcels {
        let untold = parcel.members.iter().enumerate().filter(|(_, member)| member.receipt.is_none());
        let mut untold = untold.map(|(index, member)| ((*slot, index), member)).peekable();
        if untold.peek().is_none() {
            continue;
        }
        let pile = piles.entry(&parcel.lot).or_insert_with(|| Pile { number: parcel.number, ..Pile::default() });
        pile.first = Some(pile.first.map_or(parcel.arrived, |first| first.min(parcel.arrived)));
        pile.last = pile.last.max(Some(parcel.arrived));
        pile.members.extend(untold);
    }
    piles
}

impl Pile<'_> {
    fn due(&self, lot: &Lot, grouping: Option<Grouping>) -> Timestamp {
        if let Some(until) = lot.until {
            return until;
        }
        let (first, last) = (self.first.unwrap_or_default(), self.last.unwrap_or_default());
        let Some(grouping) = grouping else { return first };
        let longest = if lot.critical { grouping.longest.get().min(CRITICAL_LONGEST) } else { grouping.longest.get() };
        let after = |at: Timestamp, wait: Duration| {
            TimeDelta::from_std(wait).ok().and_then(|wait| at.checked_add_signed(wait)).unwrap_or(at)
        };
        after(last, grouping.window.get()).min(after(first, longest))
    }
}

/// When the next of what is held for a channel is due.
pub(crate) fn next_due(memory: &Memory, desk: &Desk) -> Option<Timestamp> {
    piles(memory, desk).iter().map(|(lot, pile)| pile.due(lot, desk.grouping)).min()
}

/// What is to be told on a channel now.
pub(crate) fn due(memory: &Memory, desk: &Desk, when: When) -> Due {
    let mut piles: Vec<_> = piles(memory, desk).into_iter().collect();
    piles.sort_by_key(|(_, pile)| pile.number);
    let is_due = |lot: &Lot, pile: &Pile| match when {
        When::All => true,
        When::AtOnce(now) => lot.until.is_none_or(|until| until <= now),
        When::Due(now) => pile.due(lot, desk.grouping) <= now,
    };
    // What came before something that is told is told before it: a beginning before its end.
    let last = piles.iter().rposition(|(lot, pile)| lot.until.is_none() && is_due(lot, pile));
    let mut due = Due::default();
    let mut ended = HashSet::new();
    for (index, (lot, pile)) in piles.iter().enumerate() {
        let precedes = lot.until.is_none() && last.is_some_and(|last| index < last);
        if precedes || is_due(lot, pile) {
            add(&mut due, memory, desk, lot, &pile.members, &mut ended);
        }
    }
    due
}

fn add(
    due: &mut Due,
    memory: &Memory,
    desk: &Desk,
    lot: &Lot,
    members: &[(Spot, &Member)],
    ended: &mut HashSet<String>,
) {
    if lot.digest {
        return digest(due, memory, desk, members);
    }
    let at_least = desk.grouping.map_or(usize::MAX, |grouping| grouping.at_least.max(2));
    let ends = members.first().is_some_and(|(_, member)| member.state == DecisionState::Resolved);
    if members.len() >= at_least && !(ends && desk.channel.tracks_findings()) {
        return due.errands.extend(group(members, lot));
    }
    for (spot, member) in members {
        let Some(decision) = &member.decision else {
            due.needless.push(*spot);
            continue;
        };
        let thread = memory.contact(&member.finding, &desk.name).and_then(|contact| contact.thread.clone());
        let others_open = ends
            && desk.channel.tracks_findings()
            && thread.as_ref().is_some_and(|thread| {
                memory.others_open(&member.finding, &desk.name, thread) || !ended.insert(thread.clone())
            });
        due.errands.push(Errand {
            spots: vec![*spot],
            findings: vec![member.finding.clone()],
            id: member.id.to_string(),
            kind: NoticeKind::One,
            decisions: vec![(**decision).clone()],
            owner: lot.owner.clone(),
            context: Context { thread, others_open },
        });
    }
}

fn group(members: &[(Spot, &Member)], lot: &Lot) -> Option<Errand> {
    let kind = NoticeKind::Group { count: members.len() };
    let named = members.iter().filter_map(|(_, member)| member.decision.as_deref().cloned());
    several(kind, members, named.take(NAMED).collect(), lot.owner.clone())
}

fn several(
    kind: NoticeKind,
    members: &[(Spot, &Member)],
    decisions: Vec<Decision>,
    owner: Option<String>,
) -> Option<Errand> {
    if decisions.is_empty() {
        return None;
    }
    let id = members.iter().fold(IdHasher::new("notice"), |hasher, (_, member)| hasher.part(member.id.as_str()));
    Some(Errand {
        spots: members.iter().map(|(spot, _)| *spot).collect(),
        findings: members.iter().map(|(_, member)| member.finding.clone()).collect(),
        id: format!("not_{}", id.hex()),
        kind,
        decisions,
        owner,
        context: Context::default(),
    })
}

/// What came in quiet hours: of each finding the last that is known. One that nobody there had been told of, and that
/// is over, is only counted.
fn digest(due: &mut Due, memory: &Memory, desk: &Desk, members: &[(Spot, &Member)]) {
    let mut findings: Vec<(&FindingId, Vec<&Member>)> = Vec::new();
    let mut places: HashMap<&FindingId, usize> = HashMap::new();
    for (_, member) in members.iter().filter(|(_, member)| !member.over) {
        let place = *places.entry(&member.finding).or_insert_with(|| {
            findings.push((&member.finding, Vec::new()));
            findings.len() - 1
        });
        findings[place].1.push(member);
    }
    let (mut count, mut resolved, mut came_and_went) = (0, 0, 0);
    let mut named: Vec<&Decision> = Vec::new();
    let mut gone = None;
    for (finding, members) in &findings {
        let Some(last) = members.last() else { continue };
        let is_over = last.state == DecisionState::Resolved;
        let was_told = memory.contact(finding, &desk.name).is_some_and(|contact| contact.told);
        let opened = members.iter().any(|member| member.state != DecisionState::Resolved);
        if is_over && opened && !was_told {
            came_and_went += 1;
            gone = gone.or(last.decision.as_deref());
            continue;
        }
        count += 1;
        resolved += usize::from(is_over);
        named.extend(last.decision.as_deref());
    }
    let rank = |decision: &&Decision| {
        let is_over = decision.state == DecisionState::Resolved;
        (is_over, std::cmp::Reverse(decision.severity))
    };
    named.sort_by_key(rank);
    named.truncate(NAMED);
    if count == 0 {
        named.extend(gone);
    }
    let kind = NoticeKind::Digest { count, resolved, came_and_went };
    match several(kind, members, named.into_iter().cloned().collect(), None) {
        Some(errand) => due.errands.push(errand),
        None => due.needless.extend(members.iter().map(|(spot, _)| *spot)),
    }
}

/// What a decision has in common with others that are told with it.
pub(crate) fn key(decision: &Decision) -> String {
    let text = |name: &str| decision.metadata.get(name).and_then(|value| value.as_str()).unwrap_or_default();
    // What acts, or waits for a person, is not mixed with what only tells.
    let acts = if decision.requires_approval { decision.action.as_str() } else { "" };
    [text("cause"), text("policy"), text("rule"), decision.state.as_str(), acts].join("|")
}

/// Whether it is told in a second.
pub(crate) fn is_critical(decision: &Decision) -> bool {
    decision.severity == Severity::Critical
}
