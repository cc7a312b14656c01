//! The breaker: what one scan opens is told when the scan has settled, unless it is too much to be true.
//!
//! Every finding that a scan opens waits a moment for more of the same ([`Quiet::Settling`]). When there are too many of
//! one sort (the same cause, policy and rule), one alert is sent and they are held ([`Quiet::Held`]) until a person
//! releases them, or they are over; or one says that they are not told ([`Quiet::Denied`]). Counted are the findings
//! themselves: whatever is read again counts once. What is not too much in any scope may be so in the account
//! ([`crate::account`]).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use elava_bus::Source;
use elava_schemas::config::Breaker;
use elava_schemas::{Decision, DecisionId, FindingId, IdHasher, ResourceKey, ResourceLabel, ScanId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::warn;

use crate::account::{self, Judgement, Lot, TooMuch};
use crate::decide::{Context, Tripped, What, about, told, trip};
use crate::finding::{About, Cause, Entry, Finding, Quiet, fingerprint};
use crate::memory::Draft;

/// In the metadata of an alarm: how many resources it holds.
const HELD: &str = "held";
/// Where the keys of breakers begin.
pub(crate) const BREAKER: &str = "breaker.";
/// The id that stands for all resources of a scope.
pub(crate) const ALL: &str = "*";

/// What a person has said of a decision, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Word {
    pub(crate) by: String,
    pub(crate) at: Timestamp,
    /// Not to be told, instead of to be told.
    #[serde(default)]
    pub(crate) denied: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// What people have said, by decision.
pub(crate) type Words = HashMap<DecisionId, Word>;

/// Whether a state key is that of breakers.
pub(crate) fn is_breaker(key: &str) -> bool {
    key.starts_with(BREAKER)
}

/// When the first finding of an entry has waited for long enough.
pub(crate) fn settles_at(entry: &Entry) -> Option<Timestamp> {
    entry.findings.iter().filter_map(waiting).map(|(until, _)| until).min()
}

/// The scope and the scan of which an entry waits for more.
pub(crate) fn settling(entry: &Entry) -> Option<(String, ScanId)> {
    let finding = entry.findings.iter().find(|finding| waiting(finding).is_some())?;
    Some((scope_of(&entry.about.as_ref()?.key), finding.scan.clone()?))
}

/// The scope of a resource, as a text.
pub(crate) fn scope_of(key: &ResourceKey) -> String {
    all_of(key).to_string()
}

/// Whether an entry has findings that a breaker holds.
pub(crate) fn holds(entry: &Entry) -> bool {
    entry.findings.iter().any(|finding| matches!(finding.quiet, Some(Quiet::Held { .. })))
}

/// What was said last of what breakers hold, by what each source has heard.
pub(crate) fn answers<'a>(
    alarms: impl IntoIterator<Item = &'a Finding>,
    heard: &HashMap<Source, Words>,
) -> BTreeMap<FindingId, Word> {
    if heard.values().all(Words::is_empty) {
        return BTreeMap::new();
    }
    let last = |alarm: &Finding| {
        let words = told(alarm).flat_map(|id| heard.values().filter_map(move |words| words.get(&id)));
        words.max_by_key(|word| word.at).cloned()
    };
    alarms.into_iter().filter_map(|alarm| Some((alarm.fingerprint.clone(), last(alarm)?))).collect()
}

/// Until when a finding waits for more of its scan, and how many resources the scan's scope had.
pub(crate) fn waiting(finding: &Finding) -> Option<(Timestamp, Option<u64>)> {
    match finding.quiet {
        Some(Quiet::Settling { until, resources }) => Some((until, resources)),
        _ => None,
    }
}

/// What findings of one sort have in common.
pub(crate) fn sort_of(finding: &Finding) -> String {
    let parts = [Some(finding.cause.as_str()), finding.policy.as_deref(), finding.rule.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn is_too_much(breaker: &Breaker, found: usize, resources: Option<u64>) -> bool {
    let share = |resources: u64| found as f64 * 100.0 >= breaker.percent * resources as f64;
    let is_share = found >= breaker.at_least as usize && resources.is_some_and(share);
    breaker.enabled && (found >= breaker.findings as usize || is_share)
}

/// Which scans are told of.
#[derive(Clone, Copy)]
pub(crate) enum Settled<'a> {
    /// Those that had waited for long enough when this was found.
    Judged(&'a Judgement),
    /// All of them: nothing more can come.
    All(&'a Judgement),
    /// This one, because another one of its scope has begun.
    Scan(&'a ScanId, &'a Judgement),
}

impl<'a> Settled<'a> {
    fn covers(self, until: Timestamp, scan: &ScanId) -> bool {
        match self {
            Settled::Judged(judgement) => until <= judgement.at,
            Settled::All(_) => true,
            Settled::Scan(settled, _) => settled == scan,
        }
    }

    fn judgement(self) -> &'a Judgement {
        let (Self::Judged(judgement) | Self::All(judgement) | Self::Scan(_, judgement)) = self;
        judgement
    }
}

/// Tells or holds what has settled.
pub(crate) fn settle(draft: &mut Draft<'_>, context: &Context<'_>, settled: Settled<'_>) -> Vec<Decision> {
    let scans = scans(draft, |until, scan| settled.covers(until, scan));
    let scans: Vec<(ScanId, Scan)> = scans.into_iter().map(|(id, scan)| (id.clone(), scan)).collect();
    let mut decisions = Vec::new();
    for (id, scan) in scans {
        decisions.extend(settle_scan(draft, context, (&id, &scan), settled.judgement()));
        draft.settling.retain(|_, settling| *settling != id);
    }
    if let Settled::Scan(id, _) = settled {
        draft.settling.retain(|_, settling| settling != id);
    }
    decisions
}

/// What waits, of which scan and sort, and is too much by itself.
pub(crate) fn too_much_alone<'a>(draft: &'a Draft<'_>, breaker: &Breaker) -> HashSet<(&'a ScanId, String)> {
    let scans = scans(draft, |_, _| true).into_iter();
    let of_scan = |(id, scan): (&'a ScanId, Scan)| {
        let sorts = scan.too_much(breaker).into_iter();
        sorts.map(move |(sort, _)| (id, sort)).collect::<Vec<_>>()
    };
    scans.flat_map(of_scan).collect()
}

/// What scans have opened: those of which something waits that is meant.
fn scans<'a>(draft: &'a Draft<'_>, is_meant: impl Fn(Timestamp, &ScanId) -> bool) -> BTreeMap<&'a ScanId, Scan> {
    let mut scans: BTreeMap<&ScanId, Scan> = BTreeMap::new();
    for (_, entry) in draft.entries() {
        for finding in &entry.findings {
            let waiting = waiting(finding);
            if let (Some((until, resources)), Some(scan), Some(about)) = (waiting, &finding.scan, &entry.about)
                && is_meant(until, scan)
            {
                let new = || Scan { key: all_of(&about.key), resources, sorts: BTreeMap::new() };
                scans.entry(scan).or_insert_with(new);
            }
        }
    }
    if scans.is_empty() {
        return scans;
    }
    for (_, entry) in draft.entries() {
        for finding in &entry.findings {
            let Some(scan) = finding.scan.as_ref().and_then(|scan| scans.get_mut(scan)) else { continue };
            let sort = scan.sorts.entry(sort_of(finding)).or_default();
            sort.found += 1;
            sort.waiting |= waiting(finding).is_some();
        }
    }
    scans
}

/// What one scan has opened.
struct Scan {
    key: ResourceKey,
    resources: Option<u64>,
    sorts: BTreeMap<String, Sort>,
}

#[derive(Default)]
struct Sort {
    found: usize,
    waiting: bool,
}

impl Scan {
    /// The sorts of which too much is found, and how much.
    fn too_much(&self, breaker: &Breaker) -> Vec<(String, usize)> {
        let sorts = self.sorts.iter();
        let too_much = sorts.filter(|(_, sort)| sort.waiting && is_too_much(breaker, sort.found, self.resources));
        too_much.map(|(name, sort)| (name.clone(), sort.found)).collect()
    }
}

fn settle_scan(
    draft: &mut Draft<'_>,
    context: &Context<'_>,
    (id, scan): (&ScanId, &Scan),
    judgement: &Judgement,
) -> Vec<Decision> {
    let too_much = scan.too_much(&context.config.behavior.breaker);
    let mut decisions = Vec::new();
    let alarm = fingerprint(&scan.key, Cause::Breaker, None, Some(id.as_str()));
    let alarms = breaker_key(&scan.key);
    if !too_much.is_empty() {
        let before = draft.entry(&alarms).cloned().unwrap_or_default();
        let is_told = before.findings.iter().any(|finding| finding.fingerprint == alarm);
        if !is_told {
            let tripped = Tripped::Scan { key: &scan.key, scan: id, sorts: &too_much, resources: scan.resources };
            let (told, entry) = trip(&tripped, &before, context);
            decisions.extend(told);
            draft.put(alarms.clone(), entry);
        }
    }
    // what is not held with its scan may be held with its account
    let mut held: HashMap<String, FindingId> = too_much.iter().map(|(name, _)| (name.clone(), alarm.clone())).collect();
    for too_much in judgement.too_much.iter().filter(|too_much| too_much.lot.account == account::all_of(&scan.key)) {
        let sort = &too_much.lot.sort;
        if scan.sorts.get(sort).is_some_and(|sort| sort.waiting) && !held.contains_key(sort) {
            let (told, alarm) = raise(draft, context, too_much);
            decisions.extend(told);
            held.insert(sort.clone(), alarm);
        }
    }
    let is_of = |finding: &Finding| finding.scan.as_ref() == Some(id) && waiting(finding).is_some();
    for key in keys(draft, is_of) {
        let mut entry = draft.entry(&key).cloned().unwrap_or_default();
        let sorts: BTreeSet<String> = entry.findings.iter().filter(|finding| is_of(finding)).map(sort_of).collect();
        for (sort, alarm) in sorts.iter().filter_map(|sort| Some((sort, held.get(sort)?))) {
            let hold = What::Hold(Quiet::Held { breaker: alarm.clone() });
            let (quiet, kept) = about(entry, context, |finding| is_of(finding) && sort_of(finding) == *sort, &hold);
            decisions.extend(quiet);
            entry = kept;
        }
        let (told, entry) = about(entry, context, is_of, &What::GoOn(serde_json::Map::new()));
        decisions.extend(told);
        draft.put(key, entry);
    }
    if !too_much.is_empty() {
        let held = keys(draft, |finding| held_by(finding) == Some(&alarm)).len();
        note_held(draft, &alarms, &alarm, held);
    }
    decisions
}

/// The alarm of what is too much in an account, raised unless it was.
fn raise(draft: &mut Draft<'_>, context: &Context<'_>, too_much: &TooMuch) -> (Vec<Decision>, FindingId) {
    let TooMuch { lot: Lot { account, sort }, count, scan, alarm } = too_much;
    let alarms = breaker_key(account);
    if let Some(alarm) = alarm {
        let key = if account::is_copy(alarm) { account::copies_key(&alarms) } else { alarms };
        let mut entry = draft.entry(&key).cloned().unwrap_or_default();
        if !entry.findings.iter().any(|known| known.fingerprint == alarm.fingerprint) {
            entry.about = Some(About { key: account.clone(), label: ResourceLabel::default() });
            entry.findings.push(alarm.clone());
            draft.put(key, entry);
        }
        return (Vec::new(), alarm.fingerprint.clone());
    }
    let before = draft.entry(&alarms).cloned().unwrap_or_default();
    let tripped = Tripped::Account { key: account, scan, sort, count: *count };
    let id = fingerprint(account, Cause::Breaker, None, Some(&tripped.rule()));
    if before.findings.iter().any(|known| known.fingerprint == id) {
        return (Vec::new(), id);
    }
    let (told, entry) = trip(&tripped, &before, context);
    draft.put(alarms, entry);
    (told, id)
}

/// Notes how many findings an alarm holds, at most so far.
fn note_held(draft: &mut Draft<'_>, alarms: &str, alarm: &FindingId, held: usize) {
    let Some(mut entry) = draft.entry(alarms).cloned() else { return };
    for finding in entry.findings.iter_mut().filter(|finding| finding.fingerprint == *alarm) {
        finding.metadata.insert(HELD.to_owned(), held.max(peak(finding)).into());
    }
    draft.put(alarms.to_owned(), entry);
}

/// How many resources' findings an alarm has held at most.
pub(crate) fn peak(alarm: &Finding) -> usize {
    let held = alarm.metadata.get(HELD).and_then(Value::as_u64);
    held.and_then(|held| usize::try_from(held).ok()).unwrap_or_default()
}

/// Tells what was released, and ends breakers that are answered, that hold nothing any more, or too little.
pub(crate) fn recount(draft: &mut Draft<'_>, context: &Context<'_>, judgement: &Judgement) -> Vec<Decision> {
    let breakers = draft.entries().filter(|(key, _)| is_breaker(key));
    let mut alarms: Vec<(String, Finding)> =
        breakers.flat_map(|(key, entry)| entry.findings.iter().map(|alarm| (key.clone(), alarm.clone()))).collect();
    alarms.sort_by(|(key, alarm), (other, than)| (key, &alarm.fingerprint).cmp(&(other, &than.fingerprint)));
    let mut all_held = held(draft);
    let mut decisions = Vec::new();
    for (key, alarm) in alarms {
        let held = all_held.remove(&alarm.fingerprint).unwrap_or_default();
        let total = judgement.totals.get(&alarm.fingerprint).copied();
        if let Some(total) = total {
            note_held(draft, &key, &alarm.fingerprint, total.max(held.len()));
        }
        let count = match account::is_of_account(&alarm) {
            // others may hold more
            true if !(account::is_copy(&alarm) && held.is_empty()) => total,
            _ => Some(held.len()),
        };
        let Some((message, what)) = end(&alarm, count, judgement.words.get(&alarm.fingerprint), context) else {
            continue;
        };
        decisions.extend(let_go(draft, context, (&alarm.fingerprint, held), &what));
        if let (What::Tell(_), Some(lot)) = (&what, account::lot_of(&alarm, draft.entry(&key))) {
            account::is_true(draft, &lot);
            draft.released.push(lot);
        }
        let mut entry = draft.entry(&key).cloned().unwrap_or_default();
        let is_alarm = |finding: &Finding| finding.fingerprint == alarm.fingerprint;
        if account::is_copy(&alarm) {
            // where the alarm is, it is said
            entry.findings.retain(|finding| !is_alarm(finding));
        } else {
            let (told, after) = about(entry, context, is_alarm, &What::End(message));
            decisions.extend(told);
            entry = after;
        }
        draft.put(key, entry);
    }
    // of an alarm whose entry could not be read, say, nobody would ever hear
    for (alarm, held) in all_held {
        warn!(%alarm, findings = held.len(), "there is no such alarm; what it held is told");
        decisions.extend(let_go(draft, context, (&alarm, held), &What::GoOn(serde_json::Map::new())));
    }
    decisions
}

/// What becomes of what an alarm held, in these entries.
fn let_go(
    draft: &mut Draft<'_>,
    context: &Context<'_>,
    (alarm, held): (&FindingId, Vec<String>),
    what: &What,
) -> Vec<Decision> {
    let mut decisions = Vec::new();
    for key in held {
        let entry = draft.entry(&key).cloned().unwrap_or_default();
        let (told, entry) = about(entry, context, |finding| held_by(finding) == Some(alarm), what);
        decisions.extend(told);
        draft.put(key, entry);
    }
    decisions
}

/// In which entries alarms hold something, in a fixed order.
fn held(draft: &Draft<'_>) -> BTreeMap<FindingId, Vec<String>> {
    let mut held: BTreeMap<FindingId, Vec<String>> = BTreeMap::new();
    for (key, entry) in draft.entries() {
        let alarms: BTreeSet<&FindingId> = entry.findings.iter().filter_map(held_by).collect();
        alarms.into_iter().for_each(|alarm| held.entry(alarm.clone()).or_default().push(key.clone()));
    }
    held.values_mut().for_each(|keys| keys.sort_unstable());
    held
}

/// Why an alarm is over, if it is, and what becomes of what it holds still.
fn end(alarm: &Finding, held: Option<usize>, word: Option<&Word>, context: &Context<'_>) -> Option<(String, What)> {
    let breaker = &alarm.fingerprint;
    let note = |note: Option<(&str, &str)>| {
        let note = note.into_iter().chain([("held_by", breaker.as_str())]);
        note.map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
    };
    match (word, held) {
        (Some(Word { by, denied: true, reason, .. }), _) => {
            let because = reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
            let quiet = Quiet::Denied { breaker: breaker.clone(), by: by.clone(), reason: reason.clone() };
            Some((format!("Denied by {by}{because}; what was held back is not told"), What::Hold(quiet)))
        }
        (Some(Word { by, .. }), _) => Some((format!("Released by {by}"), What::Tell(note(Some(("released_by", by)))))),
        (None, Some(0)) => Some(("All that was held back is over".to_owned(), What::GoOn(note(None)))),
        (None, Some(held)) if is_few(alarm, held, &context.config.behavior.breaker) => {
            Some(("Most of what was held back is over; the rest is told".to_owned(), What::GoOn(note(None))))
        }
        (None, _) => None,
    }
}

/// Whether an alarm holds too little to stay.
pub(crate) fn is_few(alarm: &Finding, held: usize, breaker: &Breaker) -> bool {
    held == 0 || held < (breaker.at_least as usize).min(peak(alarm).div_ceil(2))
}

/// The breaker that holds a finding.
pub(crate) fn held_by(finding: &Finding) -> Option<&FindingId> {
    match &finding.quiet {
        Some(Quiet::Held { breaker }) => Some(breaker),
        _ => None,
    }
}

/// The entries with such findings, in a fixed order.
fn keys(draft: &Draft<'_>, is_meant: impl Fn(&Finding) -> bool) -> Vec<String> {
    let meant = draft.entries().filter(|(_, entry)| entry.findings.iter().any(&is_meant));
    let mut keys: Vec<String> = meant.map(|(key, _)| key.clone()).collect();
    keys.sort_unstable();
    keys
}

/// What stands for all resources of a resource's scope.
fn all_of(key: &ResourceKey) -> ResourceKey {
    ResourceKey { id: ALL.to_owned(), ..key.clone() }
}

fn breaker_key(all: &ResourceKey) -> String {
    format!("{BREAKER}{}", IdHasher::new("scope").part(all.to_string()).hex())
}
