//! How fresh each scope is: a row an account and region, a column a type, a colour a state.

use std::collections::{BTreeMap, BTreeSet};

use elava_schemas::Timestamp;

use super::html::{Html, element, labelled};
use super::number::of;
use super::{number, shown_time, text, time};
use crate::show::{Row, ago};

/// So many accounts and regions are shown; those with a scope that is worst first, where there are more.
const PLACES: usize = 100;

/// How a scope is, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Fresh,
    /// The last scan did not succeed, but one before did in time.
    Broken,
    Stale,
    Never,
}

impl State {
    fn of(row: &Row, unseen_since: Timestamp) -> Self {
        match time(row, "last_complete_at") {
            None => Self::Never,
            Some(at) if at < unseen_since => Self::Stale,
            Some(_) if text(row, "last_outcome") != "complete" => Self::Broken,
            Some(_) => Self::Fresh,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Broken => "broken",
            Self::Stale => "stale",
            Self::Never => "never",
        }
    }
}

/// The grid, with what it says in words.
pub(super) fn coverage(rows: &[Row], unseen_since: Timestamp) -> Html {
    let types: BTreeSet<&str> = rows.iter().map(|row| text(row, "type")).collect();
    let mut places: BTreeMap<[&str; 3], BTreeMap<&str, &Row>> = BTreeMap::new();
    for row in rows {
        let place = ["provider", "account", "region"].map(|column| text(row, column));
        places.entry(place).or_default().insert(text(row, "type"), row);
    }
    let worst = |scopes: &BTreeMap<&str, &Row>| scopes.values().map(|row| State::of(row, unseen_since)).max();
    let mut shown: Vec<_> = places.into_iter().collect();
    let hidden = shown.len().saturating_sub(PLACES);
    if hidden > 0 {
        shown.sort_by_key(|(_, scopes)| std::cmp::Reverse(worst(scopes)));
        shown.truncate(PLACES);
    }
    let mut head = labelled("th", &[("scope", "col"), ("class", "place")], "account, region");
    head.push(types.iter().map(|name| labelled("th", &[("scope", "col")], &name.replace([':', '-'], " "))).collect());
    let line = |([provider, account, region], scopes): ([&str; 3], BTreeMap<&str, &Row>)| {
        let place = if provider == "aws" { String::new() } else { format!("{provider} ") };
        let place = labelled("th", &[("scope", "row"), ("class", "place")], &format!("{place}{account} · {region}"));
        let cells = types.iter().map(|name| scopes.get(name).map_or_else(empty, |row| cell(row, unseen_since)));
        element("tr", &[], place.and(cells.collect())) + "\n"
    };
    let body = element("tbody", &[], shown.into_iter().map(line).collect());
    let table = element("table", &[("class", "heat")], element("thead", &[], element("tr", &[], head)).and(body));
    let mut html = labelled("p", &[], &words(rows, unseen_since));
    html.push(element("div", &[("class", "wide")], table));
    if hidden > 0 {
        let more = of(hidden, "account and region", "accounts and regions");
        html.push(labelled(
            "p",
            &[("class", "note")],
            &format!("{more} more are not shown: elava coverage lists all."),
        ));
    }
    html
}

/// How many scopes are how.
fn words(rows: &[Row], unseen_since: Timestamp) -> String {
    let count = |state| rows.iter().filter(|row| State::of(row, unseen_since) == state).count();
    let since = super::time::stamp(unseen_since);
    let mut said = vec![format!(
        "{} of {} seen whole since {since} UTC by the last scan",
        count(State::Fresh),
        of(rows.len(), "scope was", "scopes were"),
    )];
    for (state, one, several) in [
        (State::Broken, "was, but not by its last scan", "were, but not by their last scans"),
        (State::Stale, "is stale", "are stale"),
        (State::Never, "was never seen whole", "were never seen whole"),
    ] {
        if count(state) > 0 {
            said.push(of(count(state), one, several));
        }
    }
    said.join("; ") + "."
}

fn empty() -> Html {
    labelled("td", &[("title", "never scanned")], "")
}

fn cell(row: &Row, unseen_since: Timestamp) -> Html {
    let state = State::of(row, unseen_since);
    let age = ago(number(row, "age_seconds"));
    let outcome = text(row, "last_outcome");
    let (age, word) = match state {
        State::Fresh => (age.as_str(), None),
        State::Broken => (age.as_str(), Some(outcome.to_owned())),
        State::Stale if outcome == "complete" => (age.as_str(), Some("stale".to_owned())),
        State::Stale => (age.as_str(), Some(format!("stale, {outcome}"))),
        State::Never => ("never", Some(outcome.to_owned())),
    };
    let seen = if state == State::Never { "never".to_owned() } else { shown_time(row, "last_complete_at") };
    let title = format!(
        "{}: last seen whole {seen}; last scan {} {}; {}",
        text(row, "type"),
        shown_time(row, "last_scan_at"),
        text(row, "last_outcome"),
        of(number(row, "scans") as usize, "scan", "scans"),
    );
    let word = word.map_or_else(Html::default, |word| labelled("small", &[], &word));
    element("td", &[("class", state.class()), ("title", &title)], Html::text(age).and(word))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn scopes_have_a_colour_and_words() {
        let row = |account: &str, kind: &str, complete: Option<&str>, outcome: &str| {
            let row = json!({
                "provider": "aws", "account": account, "region": "eu-west-1", "type": kind, "last_complete_at": complete,
                "age_seconds": complete.map(|_| 120.0), "last_scan_at": "2026-11-29T09:00:00Z",
                "last_outcome": outcome, "scans": 1,
            });
            row.as_object().expect("an object").clone()
        };
        let rows = [
            row("1", "ec2:instance", Some("2026-11-29T09:00:00Z"), "complete"),
            row("1", "rds:db", Some("2026-11-29T08:00:00Z"), "failed"),
            row("2", "ec2:instance", Some("2026-11-20T09:00:00Z"), "complete"),
            row("2", "rds:db", Some("2026-11-20T09:00:00Z"), "failed"),
            row("<i>3", "rds:db", None, "partial"),
        ];
        let since = "2026-11-28T09:00:00Z".parse().expect("a time");
        expect![[r#"
            <p>1 of 5 scopes were seen whole since 2026-11-28 09:00 UTC by the last scan; 1 was, but not by its last scan; 2 are stale; 1 was never seen whole.</p><div class="wide">
            <table class="heat">
            <thead>
            <tr>
            <th scope="col" class="place">account, region</th>
            <th scope="col">ec2 instance</th>
            <th scope="col">rds db</th></tr></thead>
            <tbody>
            <tr>
            <th scope="row" class="place">1 · eu-west-1</th>
            <td class="fresh" title="ec2:instance: last seen whole 2026-11-29 09:00; last scan 2026-11-29 09:00 complete; 1 scan">2m 0s</td>
            <td class="broken" title="rds:db: last seen whole 2026-11-29 08:00; last scan 2026-11-29 09:00 failed; 1 scan">2m 0s<small>failed</small></td></tr>

            <tr>
            <th scope="row" class="place">2 · eu-west-1</th>
            <td class="stale" title="ec2:instance: last seen whole 2026-11-20 09:00; last scan 2026-11-29 09:00 complete; 1 scan">2m 0s<small>stale</small></td>
            <td class="stale" title="rds:db: last seen whole 2026-11-20 09:00; last scan 2026-11-29 09:00 failed; 1 scan">2m 0s<small>stale, failed</small></td></tr>

            <tr>
            <th scope="row" class="place">&lt;i&gt;3 · eu-west-1</th>
            <td title="never scanned"></td>
            <td class="never" title="rds:db: last seen whole never; last scan 2026-11-29 09:00 partial; 1 scan">never<small>partial</small></td></tr>
            </tbody></table></div>"#]].assert_eq(&coverage(&rows, since).into_string().replace("<t", "\n<t"));
    }
}
