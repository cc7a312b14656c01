//! Counts over time, from rows: changes by sort, open violations by severity.

use elava_schemas::Timestamp;

use super::chart::Series;
use super::time::Span;
use super::{number, text, time};
use crate::show::Row;

/// Every sort of change: as it is asked, as one says it, its colour.
const SORTS: [(&str, &str, &str); 5] = [
    ("modified", "modified", "blue"),
    ("tag_drift", "tag drift", "amber"),
    ("cost_increase", "cost increase", "purple"),
    ("appeared", "appeared", "green"),
    ("disappeared", "disappeared", "red"),
];
const SEVERITIES: [(&str, &str, &str); 3] =
    [("critical", "critical", "red"), ("warning", "warning", "amber"), ("info", "info", "blue")];

/// When each count was, or began; and the counts.
pub(super) type OverTime = (Vec<Timestamp>, Vec<Series>);

/// How many changes there were in each stretch of the span.
pub(super) fn changes(span: Span, rows: &[Row]) -> OverTime {
    let beginnings = span.beginnings(span.step());
    let mut series = empty(&SORTS, beginnings.len());
    for row in rows {
        let Some(begin) = time(row, "begins_at") else { continue };
        // clocks differ: what is after the span belongs to its end
        let index = beginnings.partition_point(|at| *at <= begin).saturating_sub(1);
        add(&mut series, &SORTS, text(row, "type"), index, number(row, "changes"));
    }
    for series in &mut series {
        series.told = series.values.iter().sum();
    }
    (beginnings, series)
}

/// How many violations were open at each moment, now included.
pub(super) fn violations(span: Span, rows: &[Row], open: &[Row]) -> OverTime {
    let mut moments: Vec<Timestamp> = rows.iter().filter_map(|row| time(row, "as_of")).collect();
    moments.retain(|at| *at < span.until);
    moments.dedup();
    moments.push(span.until);
    let mut series = empty(&SEVERITIES, moments.len());
    let last = moments.len() - 1;
    for row in rows {
        if let Some(index) = time(row, "as_of").and_then(|at| moments.binary_search(&at).ok())
            && index < last
        {
            add(&mut series, &SEVERITIES, text(row, "severity"), index, number(row, "violations"));
        }
    }
    for row in open {
        add(&mut series, &SEVERITIES, text(row, "severity"), last, 1.0);
    }
    for series in &mut series {
        series.told = series.values.last().copied().unwrap_or(0.0);
    }
    (moments, series)
}

fn empty(sorts: &[(&str, &str, &'static str)], length: usize) -> Vec<Series> {
    let series = |(_, name, class): &(&str, &str, &'static str)| Series {
        name: (*name).to_owned(),
        class,
        values: vec![0.0; length],
        told: 0.0,
    };
    sorts.iter().map(series).collect()
}

fn add(series: &mut Vec<Series>, sorts: &[(&str, &str, &str)], sort: &str, index: usize, count: f64) {
    if count == 0.0 {
        return;
    }
    let known = sorts.iter().position(|(name, ..)| *name == sort).unwrap_or(sorts.len());
    if known == series.len() {
        // of a newer version than this one: not left out
        let length = series.first().map_or(0, |first| first.values.len());
        series.push(Series { name: "other".to_owned(), class: "rest", values: vec![0.0; length], told: 0.0 });
    }
    if let Some(value) = series.get_mut(known).and_then(|series| series.values.get_mut(index)) {
        *value += count;
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::{Value, json};

    use super::*;

    fn rows(values: Value) -> Vec<Row> {
        serde_json::from_value(values).expect("rows")
    }

    fn span() -> Span {
        let at = |text: &str| text.parse().expect("a time");
        Span { since: at("2026-11-25T10:00:00Z"), until: at("2026-11-29T10:00:00Z") }
    }

    fn shown((moments, series): OverTime) -> String {
        let moments: Vec<String> = moments.iter().map(|at| at.format("%dT%H").to_string()).collect();
        let line = |series: Series| format!("\n{} {:?} {}", series.name, series.values, series.told);
        moments.join(" ") + &series.into_iter().map(line).collect::<String>()
    }

    #[test]
    fn changes_are_counted_by_day() {
        let rows = rows(json!([
            {"begins_at": "2026-11-25T00:00:00.000000Z", "type": "appeared", "changes": 3},
            {"begins_at": "2026-11-27T00:00:00.000000Z", "type": "tag_drift", "changes": 2},
            {"begins_at": "2026-11-30T00:00:00.000000Z", "type": "disappeared", "changes": 1},
            {"begins_at": "2026-11-27T00:00:00.000000Z", "type": "moved", "changes": 1},
        ]));
        expect![[r#"
            25T00 26T00 27T00 28T00 29T00
            modified [0.0, 0.0, 0.0, 0.0, 0.0] 0
            tag drift [0.0, 0.0, 2.0, 0.0, 0.0] 2
            cost increase [0.0, 0.0, 0.0, 0.0, 0.0] 0
            appeared [3.0, 0.0, 0.0, 0.0, 0.0] 3
            disappeared [0.0, 0.0, 0.0, 0.0, 1.0] 1
            other [0.0, 0.0, 1.0, 0.0, 0.0] 1"#]]
        .assert_eq(&shown(changes(span(), &rows)));
    }

    #[test]
    fn violations_are_counted_at_moments_and_now() {
        let over_time = rows(json!([
            {"as_of": "2026-11-25T10:00:00.000000Z", "severity": null, "violations": 0},
            {"as_of": "2026-11-27T10:00:00.000000Z", "severity": "critical", "violations": 2},
            {"as_of": "2026-11-27T10:00:00.000000Z", "severity": "warning", "violations": 1},
            {"as_of": "2026-11-29T10:00:00.000000Z", "severity": "warning", "violations": 9},
        ]));
        let open = rows(json!([{"severity": "warning"}, {"severity": "info"}]));
        expect![[r#"
            25T10 27T10 29T10
            critical [0.0, 2.0, 0.0] 0
            warning [0.0, 1.0, 1.0] 1
            info [0.0, 0.0, 1.0] 1"#]]
        .assert_eq(&shown(violations(span(), &over_time, &open)));
    }
}
