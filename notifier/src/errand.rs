//! What is due on one channel, as the messages that tell it. Pure: the time is an argument.

use std::collections::{HashMap, HashSet};

use elava_schemas::{Action, Decision, DecisionState, FindingId, IdHasher, ResourceLabel, Severity};

use crate::channel::Context;
use crate::desk::Desk;
use crate::memory::{BREAKER, Expected, Lot, Member};
use crate::notice::{NAMED, Notice, NoticeKind, ends};
use crate::pile::{self, Held, Pile, Spot, When};

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

/// What is to be told on a channel now.
pub(crate) fn due(held: Held<'_>, desk: &Desk, when: When) -> Due {
    let mut due = Due::default();
    let mut ended = HashSet::new();
    for pile in pile::told(held, desk, when) {
        add(&mut due, held, desk, &pile, &mut ended);
    }
    due
}

fn add(due: &mut Due, held: Held<'_>, desk: &Desk, pile: &Pile<'_>, ended: &mut HashSet<String>) {
    let Pile { lot, members, .. } = pile;
    if lot.digest {
        return digest(due, held, desk, members);
    }
    let at_least = desk.grouping.map_or(usize::MAX, |grouping| match lot.expected {
        Expected::Breakers => 2,
        Expected::Usual | Expected::Evaluation | Expected::Released => grouping.at_least.max(2),
    });
    let is_end = members.first().is_some_and(|(_, member)| ends(member.state)) && desk.channel.tracks_findings();
    if members.len() >= at_least && !is_end {
        return due.errands.push(group(members, lot));
    }
    for (spot, member) in members {
        let memory = held.memories[spot.source];
        let thread = memory.thread(&member.finding, &desk.name);
        let others_open = is_end
            && thread.as_ref().is_some_and(|thread| {
                memory.others_open(&member.finding, &desk.name, thread) || !ended.insert(thread.clone())
            });
        due.errands.push(Errand {
            spots: vec![*spot],
            findings: vec![member.finding.clone()],
            id: member.id.to_string(),
            kind: NoticeKind::One,
            decisions: vec![in_full(member, lot)],
            owner: lot.owner.clone(),
            context: Context { thread, others_open },
        });
    }
}

/// The decision; of one that is not kept in full, what is known still.
fn in_full(member: &Member, lot: &Lot) -> Decision {
    if let Some(decision) = &member.decision {
        return (**decision).clone();
    }
    let names = ["cause", "policy", "rule"].into_iter().zip(lot.key.split('|')).filter(|(_, text)| !text.is_empty());
    let about = names.clone().map(|(_, text)| text).collect::<Vec<_>>().join(" ");
    Decision {
        id: member.id.clone(),
        action: if member.severity == Severity::Critical { Action::Alert } else { Action::Notify },
        resource_key: member.key.clone(),
        resource: ResourceLabel::default(),
        severity: member.severity,
        reason: format!("{about}: {}", member.key),
        finding: member.finding.clone(),
        state: member.state,
        caused_by: Vec::new(),
        requires_approval: false,
        not_before: None,
        approve_by: None,
        decided_at: member.decided_at,
        metadata: names.map(|(name, text)| (name.to_owned(), text.into())).collect(),
    }
}

fn group(members: &[(Spot, &Member)], lot: &Lot) -> Errand {
    let kind = NoticeKind::Group { count: members.len() };
    let known = members.iter().filter_map(|(_, member)| member.decision.as_deref().cloned());
    let mut named: Vec<Decision> = known.take(NAMED).collect();
    if named.is_empty() {
        named.extend(members.first().map(|(_, member)| in_full(member, lot)));
    }
    several(kind, members, named, lot.owner.clone())
}

fn several(kind: NoticeKind, members: &[(Spot, &Member)], decisions: Vec<Decision>, owner: Option<String>) -> Errand {
    let mut ids: Vec<&str> = members.iter().map(|(_, member)| member.id.as_str()).collect();
    // the same whichever source comes first
    ids.sort_unstable();
    let id = ids.into_iter().fold(IdHasher::new("notice"), IdHasher::part);
    Errand {
        spots: members.iter().map(|(spot, _)| *spot).collect(),
        findings: members.iter().map(|(_, member)| member.finding.clone()).collect(),
        id: format!("not_{}", id.hex()),
        kind,
        decisions,
        owner,
        context: Context::default(),
    }
}

/// What came in quiet hours: of each finding the last that is known. One that nobody there had been told of, and that
/// is over, is only counted.
fn digest(due: &mut Due, held: Held<'_>, desk: &Desk, members: &[(Spot, &Member)]) {
    let mut findings: Vec<(usize, &FindingId, Vec<&Member>)> = Vec::new();
    let mut places: HashMap<&FindingId, usize> = HashMap::new();
    for (spot, member) in members.iter().filter(|(_, member)| !member.over) {
        let place = *places.entry(&member.finding).or_insert_with(|| {
            findings.push((spot.source, &member.finding, Vec::new()));
            findings.len() - 1
        });
        findings[place].2.push(member);
    }
    let (mut count, mut resolved, mut came_and_went) = (0, 0, 0);
    let mut named: Vec<&Decision> = Vec::new();
    let mut gone = None;
    for (source, finding, members) in &findings {
        let Some(last) = members.last() else { continue };
        let is_over = last.state == DecisionState::Resolved;
        let was_told = held.memories[*source].was_told(finding, &desk.name);
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
    if named.is_empty() {
        return due.needless.extend(members.iter().map(|(spot, _)| *spot));
    }
    due.errands.push(several(kind, members, named.into_iter().cloned().collect(), None));
}

/// What a decision has in common with others that are told with it.
pub(crate) fn key(decision: &Decision) -> String {
    let text = |name: &str| decision.metadata.get(name).and_then(|value| value.as_str()).unwrap_or_default();
    // of an account, whichever scans
    if text("cause") == BREAKER {
        return [BREAKER, "", "", decision.state.as_str(), &decision.resource_key.account].join("|");
    }
    // What acts, or waits for a person, is not mixed with what only tells.
    let acts = if decision.requires_approval { decision.action.as_str() } else { "" };
    [text("cause"), text("policy"), text("rule"), decision.state.as_str(), acts].join("|")
}

/// Whether it is told in a second.
pub(crate) fn is_critical(decision: &Decision) -> bool {
    decision.severity == Severity::Critical
}
