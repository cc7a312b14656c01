//! What was found: a table for people, a violation a line for programs.

use std::fmt::Write as _;

use elava_schemas::{Severity, Timestamp};
use serde_json::{Value, json};

use super::{Difference, Episode, Outcome, RuleSummary, Sort, Summary, Window};

/// Owners named of a rule.
const OWNERS: usize = 3;

/// The columns of CSV, and the fields of JSON.
const FIELDS: [&str; 13] = [
    "difference",
    "key",
    "policy",
    "rule",
    "severity",
    "message",
    "opened_at",
    "closed_at",
    "owner",
    "before_severity",
    "before_message",
    "before_opened_at",
    "before_closed_at",
];

/// The header of CSV.
pub(super) fn csv_header() -> String {
    FIELDS.join(",") + "\n"
}

/// One violation as one line; what was recorded, or found by the other bundle, is `before_…`.
pub(super) fn json_line(outcome: &Outcome, difference: &Difference) -> String {
    let mut line = serde_json::to_string(&fields(outcome, difference)).expect("texts serialise");
    line.push('\n');
    line
}

/// The same with commas (RFC 4180).
pub(super) fn csv_line(outcome: &Outcome, difference: &Difference) -> String {
    let fields = fields(outcome, difference);
    let cell = |name: &&str| match &fields[*name] {
        Value::String(text) if text.contains([',', '"', '\n', '\r']) => format!("\"{}\"", text.replace('"', "\"\"")),
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    FIELDS.iter().map(cell).collect::<Vec<_>>().join(",") + "\n"
}

fn fields(outcome: &Outcome, difference: &Difference) -> Value {
    let episode = difference.episode();
    let (new, old) = (difference.new.as_ref(), difference.old.as_ref());
    json!({
        "difference": difference.sort,
        "key": outcome.key,
        "policy": episode.policy,
        "rule": episode.rule,
        "severity": new.map(|new| new.severity),
        "message": episode.message,
        "opened_at": new.map(|new| new.opened_at),
        "closed_at": new.and_then(|new| new.closed_at),
        "owner": outcome.owner,
        "before_severity": old.map(|old| old.severity),
        "before_message": old.map(|old| old.message.as_str()),
        "before_opened_at": old.map(|old| old.opened_at),
        "before_closed_at": old.and_then(|old| old.closed_at),
    })
}

/// One difference for people.
pub(super) fn detail(outcome: &Outcome, difference: &Difference) -> String {
    let Episode { policy, rule, severity, message, .. } = difference.episode();
    let times = |episode: &Episode| {
        let end = episode.closed_at.as_ref().map_or_else(|| "still open".to_owned(), minute);
        format!("{} – {end}", minute(&episode.opened_at))
    };
    let mut out = format!(
        "{}: {} {}\n  {}   {}\n  {message}\n",
        difference.sort.words(),
        severity.as_str(),
        named(policy, rule),
        outcome.key,
        outcome.owner.as_deref().unwrap_or("nobody"),
    );
    match (&difference.new, &difference.old) {
        (Some(new), Some(old)) => {
            let before = Some(times(old)).filter(|before| *before != times(new));
            let before = before.map(|before| format!(" instead of {before}")).unwrap_or_default();
            writeln!(out, "  {}{before}", times(new)).expect("a string");
            if old.severity != new.severity || old.message != new.message {
                writeln!(out, "  instead of {}: {}", old.severity.as_str(), old.message).expect("a string");
            }
        }
        (Some(one), None) | (None, Some(one)) => writeln!(out, "  {}", times(one)).expect("a string"),
        (None, None) => {}
    }
    out
}

/// All rules for people; `bundle` is what was tried, `compared` says with what.
///
/// # Panics
/// Never: writing to a string does not fail.
#[must_use]
pub fn report(summary: &Summary, window: Window, bundle: &str, compared: &str) -> String {
    let until = window.until.as_ref().map_or_else(|| "now".to_owned(), minute);
    let mut out = format!(
        "{} → {until} (UTC): {} versions of {} resources\nbundle {bundle}, compared with {compared}\n",
        minute(&window.since),
        summary.versions,
        summary.resources,
    );
    if summary.unknown > 0 {
        writeln!(out, "{} versions are no longer in the history, and were not evaluated", summary.unknown)
            .expect("a string");
    }
    for (policy, (count, message)) in &summary.errors {
        writeln!(out, "{policy} could not be evaluated {count} times: {message}").expect("a string");
    }
    let counts = Sort::ALL.map(|sort| format!("{} {}", sort.words(), summary.count(sort)));
    writeln!(out, "{}", counts.join(", ")).expect("a string");
    if !summary.rules.is_empty() {
        out.push('\n');
        table(&mut out, summary);
    }
    out
}

fn table(out: &mut String, summary: &Summary) {
    let mut rules: Vec<(&(String, String), &RuleSummary)> = summary.rules.iter().collect();
    // what differs most comes first
    rules.sort_by_key(|(_, rule)| {
        let [opens, resolves, changes, _, gone] = rule.sorts;
        std::cmp::Reverse(opens + resolves + changes + gone)
    });
    let mut rows = vec![
        [
            "rule",
            "severity",
            "would open",
            "would resolve",
            "changed",
            "unchanged",
            "gone",
            "resources",
            "still open",
            "first",
            "last",
            "owners",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    rows.extend(rules.iter().map(|((policy, rule), of_rule)| row(&named(policy, rule), of_rule)));
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            2..=8 => format!("{cell:>width$}"),
            _ => format!("{cell:width$}"),
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end()).expect("a string");
    }
}

fn row(name: &str, rule: &RuleSummary) -> Vec<String> {
    let severities = Severity::ALL.iter().rev().filter(|severity| rule.severities[**severity as usize] > 0);
    let severities: Vec<&str> = severities.map(|severity| severity.as_str()).collect();
    let mut owners: Vec<(&String, &u64)> = rule.owners.iter().collect();
    owners.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let more = owners.len().saturating_sub(OWNERS);
    let mut named: Vec<String> = owners.iter().take(OWNERS).map(|(owner, count)| format!("{owner} {count}")).collect();
    if more > 0 {
        named.push(format!("{more} more"));
    }
    let at = |at: &Option<Timestamp>| at.as_ref().map(minute).unwrap_or_default();
    let mut cells = vec![name.to_owned(), severities.join(" ")];
    cells.extend(rule.sorts.iter().chain([&rule.resources, &rule.open]).map(u64::to_string));
    cells.extend([at(&rule.first), at(&rule.last), named.join(", ")]);
    cells
}

/// Most policies have one rule, called as they are.
fn named(policy: &str, rule: &str) -> String {
    if policy.rsplit('.').next() == Some(rule) { policy.to_owned() } else { format!("{policy} {rule}") }
}

fn minute(at: &Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}
