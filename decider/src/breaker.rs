//! The breaker: what one scan opens is told when the scan has settled, unless it is too much to be true.
//!
//! Every finding that a scan opens waits a moment for more of the same ([`Quiet::Settling`]). When there are too many of
//! one sort (the same cause, policy and rule), one alert is sent and they are held ([`Quiet::Held`]) until a person
//! releases them, or they are over; or one says that they are not told ([`Quiet::Denied`]). Counted are the findings themselves: whatever is read again counts once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use elava_schemas::config::Breaker;
use elava_schemas::{Decision, DecisionId, FindingId, IdHasher, ResourceKey, ScanId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decide::{Context, Tripped, What, about, told, trip};
use crate::finding::{Cause, Entry, Finding, Quiet, fingerprint};
use crate::memory::Draft;

/// In the metadata of an alarm: how many resources it holds.
const HELD: &str = "held";
/// Where the keys of breakers begin.
const BREAKER: &str = "breaker.";
/// The id that stands for all resources of a scope.
const ALL: &str = "*";

/// What a person has said of a decision, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
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

/// Whether anybody has said what is to become of what breakers hold.
pub(crate) fn is_answered(entry: &Entry, words: &Words) -> bool {
    entry.findings.iter().any(|alarm| answer(alarm, words).is_some())
}

/// What was said last of what a breaker holds.
fn answer<'a>(alarm: &Finding, words: &'a Words) -> Option<&'a Word> {
    told(alarm).filter_map(|decision| words.get(&decision)).max_by_key(|word| word.at)
}

fn waiting(finding: &Finding) -> Option<(Timestamp, Option<u64>)> {
    match finding.quiet {
        Some(Quiet::Settling { until, resources }) => Some((until, resources)),
        _ => None,
    }
}

/// What findings of one sort have in common.
fn sort(finding: &Finding) -> String {
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
    /// Those that have waited for long enough.
    InTime,
    /// All of them: nothing more can come.
    All,
    /// This one, because another one of its scope has begun.
    Scan(&'a ScanId),
}

/// Tells or holds what has settled.
pub(crate) fn settle(draft: &mut Draft<'_>, context: &Context<'_>, settled: Settled<'_>) -> Vec<Decision> {
    let is_settled = |until: Timestamp, scan: &ScanId| match settled {
        Settled::InTime => until <= context.now,
        Settled::All => true,
        Settled::Scan(settled) => settled == scan,
    };
    // of every scan that has settled: all that waits, by sort
    let mut scans: BTreeMap<ScanId, Scan> = BTreeMap::new();
    for (_, entry) in draft.entries() {
        for finding in &entry.findings {
            let waiting = waiting(finding);
            if let (Some((until, resources)), Some(scan), Some(about)) = (waiting, &finding.scan, &entry.about)
                && is_settled(until, scan)
            {
                let new = || Scan { key: all_of(&about.key), resources, sorts: BTreeMap::new() };
                scans.entry(scan.clone()).or_insert_with(new);
            }
        }
    }
    for (_, entry) in draft.entries() {
        for finding in &entry.findings {
            let Some(scan) = finding.scan.as_ref().and_then(|scan| scans.get_mut(scan)) else { continue };
            let sort = scan.sorts.entry(sort(finding)).or_default();
            sort.found += 1;
            sort.waiting |= waiting(finding).is_some();
        }
    }
    let mut decisions = Vec::new();
    for (id, scan) in scans {
        decisions.extend(settle_scan(draft, context, &id, &scan));
        draft.settling.retain(|_, settling| *settling != id);
    }
    decisions
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

fn settle_scan(draft: &mut Draft<'_>, context: &Context<'_>, id: &ScanId, scan: &Scan) -> Vec<Decision> {
    let breaker = &context.config.behavior.breaker;
    let too_much: Vec<(String, usize)> = scan
        .sorts
        .iter()
        .filter(|(_, sort)| sort.waiting && is_too_much(breaker, sort.found, scan.resources))
        .map(|(name, sort)| (name.clone(), sort.found))
        .collect();
    let mut decisions = Vec::new();
    let alarm = fingerprint(&scan.key, Cause::Breaker, None, Some(id.as_str()));
    let alarms = breaker_key(&scan.key);
    if !too_much.is_empty() {
        let before = draft.entry(&alarms).cloned().unwrap_or_default();
        let is_told = before.findings.iter().any(|finding| finding.fingerprint == alarm);
        if !is_told {
            let tripped = Tripped { key: &scan.key, scan: id, sorts: &too_much, resources: scan.resources };
            let (told, entry) = trip(&tripped, &before, context);
            decisions.extend(told);
            draft.put(alarms.clone(), entry);
        }
    }
    let held: BTreeSet<&String> = too_much.iter().map(|(name, _)| name).collect();
    let is_of = |finding: &Finding| finding.scan.as_ref() == Some(id) && waiting(finding).is_some();
    for key in keys(draft, is_of) {
        let entry = draft.entry(&key).cloned().unwrap_or_default();
        let is_held = |finding: &Finding| is_of(finding) && held.contains(&sort(finding));
        let hold = What::Hold(Quiet::Held { breaker: alarm.clone() });
        let (quiet, entry) = about(entry, context, is_held, &hold);
        let (told, entry) = about(entry, context, is_of, &What::Tell(serde_json::Map::new()));
        decisions.extend(quiet.into_iter().chain(told));
        draft.put(key, entry);
    }
    if !too_much.is_empty() {
        note_held(draft, alarms, &alarm);
    }
    decisions
}

/// Notes how many findings an alarm holds, at most so far.
fn note_held(draft: &mut Draft<'_>, alarms: String, alarm: &FindingId) {
    let held = keys(draft, |finding| is_held_by(finding, alarm)).len();
    let Some(mut entry) = draft.entry(&alarms).cloned() else { return };
    for finding in entry.findings.iter_mut().filter(|finding| finding.fingerprint == *alarm) {
        finding.metadata.insert(HELD.to_owned(), held.max(peak(finding)).into());
    }
    draft.put(alarms, entry);
}

/// How many resources' findings an alarm has held at most.
fn peak(alarm: &Finding) -> usize {
    let held = alarm.metadata.get(HELD).and_then(Value::as_u64);
    held.and_then(|held| usize::try_from(held).ok()).unwrap_or_default()
}

/// Tells what was released, and ends breakers that are answered, that hold nothing any more, or too little.
pub(crate) fn recount(draft: &mut Draft<'_>, context: &Context<'_>, words: &Words) -> Vec<Decision> {
    let breakers = draft.entries().filter(|(key, _)| is_breaker(key));
    let alarms: Vec<(String, Finding)> =
        breakers.flat_map(|(key, entry)| entry.findings.iter().map(|alarm| (key.clone(), alarm.clone()))).collect();
    let mut decisions = Vec::new();
    for (key, alarm) in alarms {
        let is_held = |finding: &Finding| is_held_by(finding, &alarm.fingerprint);
        let held = keys(draft, is_held);
        let Some((message, what)) = end(&alarm, held.len(), answer(&alarm, words), context) else { continue };
        for key in held {
            let entry = draft.entry(&key).cloned().unwrap_or_default();
            let (told, entry) = about(entry, context, is_held, &what);
            decisions.extend(told);
            draft.put(key, entry);
        }
        let entry = draft.entry(&key).cloned().unwrap_or_default();
        let is_alarm = |finding: &Finding| finding.fingerprint == alarm.fingerprint;
        let (told, entry) = about(entry, context, is_alarm, &What::End(message));
        decisions.extend(told);
        draft.put(key, entry);
    }
    decisions
}

/// Why an alarm is over, if it is, and what becomes of what it holds still.
fn end(alarm: &Finding, held: usize, word: Option<&Word>, context: &Context<'_>) -> Option<(String, What)> {
    let breaker = &alarm.fingerprint;
    let tell = |note: Option<(&str, &str)>| {
        let note = note.into_iter().chain([("held_by", breaker.as_str())]);
        What::Tell(note.map(|(name, value)| (name.to_owned(), Value::from(value))).collect())
    };
    let few = (context.config.behavior.breaker.at_least as usize).min(peak(alarm).div_ceil(2));
    match word {
        Some(Word { by, denied: true, reason, .. }) => {
            let because = reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
            let quiet = Quiet::Denied { breaker: breaker.clone(), by: by.clone(), reason: reason.clone() };
            Some((format!("Denied by {by}{because}; what was held back is not told"), What::Hold(quiet)))
        }
        Some(Word { by, .. }) => Some((format!("Released by {by}"), tell(Some(("released_by", by))))),
        None if held == 0 => Some(("All that was held back is over".to_owned(), tell(None))),
        None if held < few => Some(("Most of what was held back is over; the rest is told".to_owned(), tell(None))),
        None => None,
    }
}

fn is_held_by(finding: &Finding, alarm: &FindingId) -> bool {
    matches!(&finding.quiet, Some(Quiet::Held { breaker }) if breaker == alarm)
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
