//! What is too much in an account, whichever scopes it is in.
//!
//! A scope's findings are in one partition, an account's in several. So how many there are of a sort is counted over all
//! partitions that this process has ([`tally`]), and what follows is kept ([`Judgement`]) before anything is told by it:
//! what a partition tells follows from its own state alone, also when it is told again after a crash.
//!
//! The partition that comes to it first has the alarm. The others have copies of it, by which they know what it is that
//! their findings wait for; of a copy nobody hears anything. An alarm holds what is in its process: where another one
//! takes a partition over, what that partition held is let go of there.

use std::collections::{BTreeMap, HashMap, HashSet};

use elava_bus::Source;
use elava_schemas::config::Breaker;
use elava_schemas::{Action, FindingId, ResourceKey, ScanId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::breaker::{ALL, BREAKER, Word, held_by, is_breaker, sort_of, too_much_alone, waiting};
use crate::decide::delta;
use crate::finding::{Entry, Finding, Quiet};
use crate::memory::Draft;

/// In the metadata of an alarm: what sort of findings it holds.
pub(crate) const SORT: &str = "sort";
/// In the metadata of a copy: which partition has the alarm.
const ELSEWHERE: &str = "elsewhere";
/// Where the keys of copies begin.
const COPY: &str = "breaker.copy.";

/// Findings of one sort in one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Lot {
    /// Stands for all its resources.
    pub(crate) account: ResourceKey,
    /// The cause, policy and rule.
    pub(crate) sort: String,
}

impl Lot {
    pub(crate) fn of(key: &ResourceKey, finding: &Finding) -> Self {
        Self { account: all_of(key), sort: sort_of(finding) }
    }
}

/// What waits to be told.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// When the last of it opened.
    newest: Timestamp,
    /// A scan that it is of; the first one by name.
    scan: ScanId,
}

/// What one partition has of what is counted over all.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: BTreeMap<Lot, usize>,
    alarms: Vec<Finding>,
    lots: BTreeMap<FindingId, Lot>,
    held: BTreeMap<FindingId, Held>,
}

/// What an alarm holds in one partition.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    count: usize,
    /// When the last of it opened.
    newest: Timestamp,
}

/// Since when lots are known to be true.
pub(crate) type Released = HashMap<Lot, Timestamp>;

/// What was found to be too much, and what is not any more; and what people have said of alarms. Kept until what follows
/// from it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Judgement {
    /// What has waited until then is told, or held.
    pub(crate) at: Timestamp,
    /// What is held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) too_much: Vec<TooMuch>,
    /// How many findings alarms hold in all, where that says something new.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) totals: BTreeMap<FindingId, usize>,
    /// What people have said of alarms of this partition, of each the last.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) words: BTreeMap<FindingId, Word>,
}

impl Judgement {
    /// Nothing is too much.
    pub(crate) fn nothing(at: Timestamp) -> Self {
        Self { at, too_much: Vec::new(), totals: BTreeMap::new(), words: BTreeMap::new() }
    }
}

/// A lot that is held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TooMuch {
    pub(crate) lot: Lot,
    /// How many there were.
    pub(crate) count: usize,
    /// The scan that showed it.
    pub(crate) scan: ScanId,
    /// The alarm, where there is one already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alarm: Option<Finding>,
}

/// What stands for all resources of a resource's account.
pub(crate) fn all_of(key: &ResourceKey) -> ResourceKey {
    let all = || ALL.to_owned();
    ResourceKey { provider: key.provider, account: key.account.clone(), region: all(), kind: all(), id: all() }
}

/// Whether an alarm is about an account.
pub(crate) fn is_of_account(alarm: &Finding) -> bool {
    alarm.metadata.contains_key(SORT)
}

/// What an alarm of such an entry is about, if that is an account.
pub(crate) fn lot_of(alarm: &Finding, entry: Option<&Entry>) -> Option<Lot> {
    let sort = alarm.metadata.get(SORT)?.as_str()?.to_owned();
    Some(Lot { account: entry?.about.as_ref()?.key.clone(), sort })
}

/// A person has said that a lot is true: what was found of it is no reason to hold more of it back.
pub(crate) fn is_true(draft: &mut Draft<'_>, lot: &Lot) {
    let is_of = |entry: &Entry, finding: &Finding| {
        !finding.released && entry.about.as_ref().is_some_and(|about| Lot::of(&about.key, finding) == *lot)
    };
    let of_lot = draft.entries().filter(|(_, entry)| entry.findings.iter().any(|finding| is_of(entry, finding)));
    let mut of_lot: Vec<(String, Entry)> = of_lot.map(|(key, entry)| (key.clone(), entry.clone())).collect();
    of_lot.sort_unstable_by(|(key, _), (other, _)| key.cmp(other));
    for (key, before) in of_lot {
        let mut entry = before.clone();
        entry.findings.iter_mut().filter(|finding| is_of(&before, finding)).for_each(|finding| finding.released = true);
        draft.put(key, entry);
    }
}

/// Whether another partition has the alarm.
pub(crate) fn is_copy(alarm: &Finding) -> bool {
    alarm.metadata.contains_key(ELSEWHERE)
}

/// Whether a state key is that of copies: nothing follows from the time for these.
pub(crate) fn are_copies(key: &str) -> bool {
    key.starts_with(COPY)
}

/// Where copies of an account's alarms are kept.
pub(crate) fn copies_key(alarms: &str) -> String {
    alarms.replacen(BREAKER, COPY, 1)
}

/// What has waited for long enough, by lot. What is held with its scan is none of it.
pub(crate) fn waiting_for(
    draft: &Draft<'_>,
    breaker: &Breaker,
    is_settled: impl Fn(Timestamp, &ScanId) -> bool,
) -> BTreeMap<Lot, Waiting> {
    let mut lots: BTreeMap<Lot, Waiting> = BTreeMap::new();
    let alone = too_much_alone(draft, breaker);
    for (_, entry) in draft.entries() {
        let Some(about) = &entry.about else { continue };
        for finding in &entry.findings {
            let (Some((until, _)), Some(scan)) = (waiting(finding), &finding.scan) else { continue };
            if is_settled(until, scan) && !alone.contains(&(scan, sort_of(finding))) {
                let new = || Waiting { newest: finding.opened_at, scan: scan.clone() };
                let known = lots.entry(Lot::of(&about.key, finding)).or_insert_with(new);
                known.newest = known.newest.max(finding.opened_at);
                known.scan = known.scan.clone().min(scan.clone());
            }
        }
    }
    lots
}

/// Counts what a partition has of these lots, but for what was released, and what its alarms hold.
pub(crate) fn tally(draft: &Draft<'_>, lots: &BTreeMap<Lot, Waiting>, released: &Released, breaker: &Breaker) -> Tally {
    let within = delta(breaker.account.within);
    let alone = too_much_alone(draft, breaker);
    let mut tally = Tally::default();
    for (_, entry) in draft.entries().filter(|(key, _)| is_breaker(key)) {
        for alarm in &entry.findings {
            let Some(lot) = lot_of(alarm, Some(entry)) else { continue };
            tally.lots.insert(alarm.fingerprint.clone(), lot);
            tally.held.insert(alarm.fingerprint.clone(), Held::default());
            tally.alarms.push(alarm.clone());
        }
    }
    // nothing is made of what opened long ago
    let oldest = lots.values().map(|waiting| waiting.newest - within).min();
    for (_, entry) in draft.entries() {
        let Some(about) = &entry.about else { continue };
        for finding in &entry.findings {
            let held = held_by(finding).and_then(|alarm| tally.held.get_mut(alarm));
            let is_held = held.is_some();
            if let Some(held) = held {
                held.count += 1;
                held.newest = held.newest.max(finding.opened_at);
            }
            if oldest.is_none_or(|oldest| finding.opened_at < oldest) || !(is_held || counts(finding)) {
                continue;
            }
            let lot = Lot::of(&about.key, finding);
            let is_new = is_held || released.get(&lot).is_none_or(|at| finding.opened_at > *at);
            let is_near = |waiting: &Waiting| (waiting.newest - finding.opened_at).abs() <= within;
            let is_alone = |scan| waiting(finding).is_some() && alone.contains(&(scan, sort_of(finding)));
            if is_new && lots.get(&lot).is_some_and(is_near) && !finding.scan.as_ref().is_some_and(is_alone) {
                *tally.counts.entry(lot).or_default() += 1;
            }
        }
    }
    tally
}

/// Whether people hear of it by itself, or are going to. What was released is known to be true.
fn counts(finding: &Finding) -> bool {
    let is_open = match &finding.quiet {
        None => finding.told && finding.action != Action::Audit,
        Some(Quiet::Settling { .. } | Quiet::Grace { .. }) => true,
        Some(Quiet::Held { .. } | Quiet::Denied { .. } | Quiet::Suppressed { .. } | Quiet::Flapping) => false,
    };
    is_open && finding.scan.is_some() && !finding.released
}

/// Of which partitions something is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knows {
    /// All that this process has.
    All,
    /// Its own.
    Own,
}

/// What is to become of what waits in `own`, by what the partitions have whose tallies are given.
///
/// `claim` says whether this partition is to have the alarm of a lot; where another one is about to, there is no
/// judgement yet.
pub(crate) fn judge(
    (own, at): (&Source, Timestamp),
    lots: BTreeMap<Lot, Waiting>,
    (tallies, knows): (&[(Source, Tally)], Knows),
    breaker: &Breaker,
    mut claim: impl FnMut(&Lot) -> bool,
) -> Option<Judgement> {
    let mut judgement = Judgement::nothing(at);
    let within = delta(breaker.account.within);
    for (lot, Waiting { scan, newest }) in lots {
        let count: usize = tallies.iter().filter_map(|(_, tally)| tally.counts.get(&lot)).sum();
        if !breaker.enabled || count < breaker.account.findings as usize {
            continue;
        }
        let alarm = known_alarm((&lot, newest - within), own, (tallies, knows));
        if alarm.is_none() && !claim(&lot) {
            return None;
        }
        judgement.too_much.push(TooMuch { lot, count, scan, alarm });
    }
    Some(judgement)
}

/// The alarms that people have heard of.
fn mains(tallies: &[(Source, Tally)]) -> HashSet<&FindingId> {
    let alarms = tallies.iter().flat_map(|(_, tally)| &tally.alarms);
    alarms.filter(|alarm| !is_copy(alarm)).map(|alarm| &alarm.fingerprint).collect()
}

/// The alarm of a lot, for this partition: its own, or a copy of another one's. One that has held nothing since is of
/// something else.
fn known_alarm(
    (lot, since): (&Lot, Timestamp),
    own: &Source,
    (tallies, knows): (&[(Source, Tally)], Knows),
) -> Option<Finding> {
    let mains = mains(tallies);
    // an alarm that is over, or in another process now, takes in nothing more
    let is_there = |alarm: &Finding| knows == Knows::Own || mains.contains(&alarm.fingerprint);
    let newest = |alarm: &Finding| {
        let held = tallies.iter().filter_map(|(_, tally)| tally.held.get(&alarm.fingerprint)).map(|held| held.newest);
        held.fold(alarm.opened_at, Timestamp::max)
    };
    let of_lot = tallies.iter().flat_map(|(source, tally)| {
        let is_of = |alarm: &&Finding| {
            tally.lots.get(&alarm.fingerprint) == Some(lot) && newest(alarm) >= since && is_there(alarm)
        };
        let alarms = tally.alarms.iter().filter(is_of);
        alarms.map(move |alarm| (source, alarm))
    });
    // the partition's own one first, then one that is no copy
    let (source, alarm) = of_lot.min_by_key(|(source, alarm)| (*source != own, is_copy(alarm)))?;
    let mut alarm = alarm.clone();
    if source != own {
        alarm.metadata.entry(ELSEWHERE).or_insert_with(|| source.to_string().into());
        (alarm.told, alarm.remind_at, alarm.expires_at, alarm.quiet) = (false, None, None, None);
    }
    Some(alarm)
}

/// How many findings the alarms of a partition hold in all partitions of this process: where there are more than ever,
/// or too few. Of a copy without its alarm: none.
pub(crate) fn totals(own: &Source, tallies: &[(Source, Tally)], breaker: &Breaker) -> BTreeMap<FindingId, usize> {
    let mains = mains(tallies);
    let Some((_, tally)) = tallies.iter().find(|(source, _)| source == own) else { return BTreeMap::new() };
    let total = |alarm: &Finding| {
        // it has ended, or is in another process now
        if is_copy(alarm) && !mains.contains(&alarm.fingerprint) {
            return 0;
        }
        tallies.iter().filter_map(|(_, tally)| tally.held.get(&alarm.fingerprint)).map(|held| held.count).sum()
    };
    let totals = tally.alarms.iter().map(|alarm| (alarm, total(alarm)));
    let news = totals.filter(|(alarm, total)| {
        *total > crate::breaker::peak(alarm) || crate::breaker::is_few(alarm, *total, breaker)
    });
    news.map(|(alarm, total)| (alarm.fingerprint.clone(), total)).collect()
}
