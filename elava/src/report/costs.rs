//! Cost over time, from rows: the few names that cost most, and all others together.

use std::collections::BTreeMap;

use elava_schemas::Timestamp;

use super::chart::Series;
use super::time::Span;
use super::{number, text, time};
use crate::show::Row;

/// Colours there are: so many names have one of their own.
const CLASSES: [&str; 6] = ["s0", "s1", "s2", "s3", "s4", "s5"];

/// What it cost, and costs.
#[derive(Debug)]
pub(super) struct Costs {
    /// When it was measured, now included.
    pub(super) moments: Vec<Timestamp>,
    /// What costs most is the lowest.
    pub(super) series: Vec<Series>,
    /// What it costs now.
    pub(super) now: f64,
    /// The first moment of which anything is known, and what it cost then.
    pub(super) then: Option<(Timestamp, f64)>,
    /// How many resources there are now.
    pub(super) resources: f64,
    /// Of which so many have an estimate.
    pub(super) estimated: f64,
}

impl Costs {
    /// Of the rows over time, and those of now.
    pub(super) fn new(span: Span, rows: &[Row], cost: &[Row]) -> Self {
        let mut moments: Vec<Timestamp> = rows.iter().filter_map(|row| time(row, "as_of")).collect();
        moments.retain(|at| *at < span.until);
        moments.dedup();
        let last = moments.len();
        moments.push(span.until);
        let mut names: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let mut known = vec![0.0; moments.len()];
        let then = rows.iter().filter_map(|row| {
            let index = time(row, "as_of").and_then(|at| moments.binary_search(&at).ok())?;
            (index < last).then_some((index, row))
        });
        for (index, row) in then.chain(cost.iter().map(|row| (last, row))) {
            let values = names.entry(text(row, "name")).or_insert_with(|| vec![0.0; moments.len()]);
            values[index] += number(row, "monthly_cost_usd");
            known[index] += number(row, "resources");
        }
        let sum = |index: usize| names.values().map(|values| values[index]).sum::<f64>();
        let first = known[..last].iter().position(|resources| *resources > 0.0);
        let total = |column| cost.iter().map(|row| number(row, column)).sum();
        Self {
            now: sum(last),
            then: first.map(|index| (moments[index], sum(index))),
            resources: total("resources"),
            estimated: total("estimated"),
            series: series(names),
            moments,
        }
    }
}

/// What costs most first; what has no colour of its own together.
fn series(names: BTreeMap<&str, Vec<f64>>) -> Vec<Series> {
    let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    let mut names: Vec<_> = names.into_iter().filter(|(_, values)| most(values) > 0.0).collect();
    names.sort_by(|(a, left), (b, right)| most(right).total_cmp(&most(left)).then(a.cmp(b)));
    let others = if names.len() > CLASSES.len() { names.split_off(CLASSES.len() - 1) } else { Vec::new() };
    let one = |((name, values), class): ((&str, Vec<f64>), &'static str)| Series {
        name: if name.is_empty() { "(none)".to_owned() } else { name.to_owned() },
        class,
        told: values.last().copied().unwrap_or(0.0),
        values,
    };
    let mut series: Vec<Series> = names.into_iter().zip(CLASSES).map(one).collect();
    if let Some((_, first)) = others.first() {
        let values: Vec<f64> =
            (0..first.len()).map(|index| others.iter().map(|(_, values)| values[index]).sum()).collect();
        let name = format!("other ({})", others.len());
        series.push(Series { name, class: "rest", told: values.last().copied().unwrap_or(0.0), values });
    }
    series
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
        Span { since: at("2026-11-27T00:00:00Z"), until: at("2026-11-29T00:00:00Z") }
    }

    #[test]
    fn costs_have_a_series_a_name_and_end_now() {
        let over_time = rows(json!([
            {"as_of": "2026-11-27T00:00:00Z", "name": "rds:db", "monthly_cost_usd": 0.0, "resources": 0},
            {"as_of": "2026-11-28T00:00:00Z", "name": "rds:db", "monthly_cost_usd": 60.0, "resources": 1},
            {"as_of": "2026-11-28T00:00:00Z", "name": null, "monthly_cost_usd": 1.5, "resources": 2},
            {"as_of": "2026-11-29T00:00:00Z", "name": "rds:db", "monthly_cost_usd": 99.0, "resources": 9},
        ]));
        let cost = rows(json!([{"name": "rds:db", "monthly_cost_usd": 120.0, "resources": 2, "estimated": 1}]));
        let costs = Costs::new(span(), &over_time, &cost);
        let lines = costs.series.iter().map(|series| format!("{} {:?} {}\n", series.name, series.values, series.told));
        let lines = lines.collect::<String>();
        let (at, then) = costs.then.expect("it was known");
        expect![[r#"
            rds:db [0.0, 60.0, 120.0] 120
            (none) [0.0, 1.5, 0.0] 0
            120 61.5 of 2026-11-28 00:00:00 UTC, 1 of 2"#]]
        .assert_eq(&format!("{lines}{} {then} of {at}, {} of {}", costs.now, costs.estimated, costs.resources));
    }

    #[test]
    fn names_without_a_colour_are_told_together() {
        let cost: Vec<Value> = (1..=9)
            .map(|index| json!({"name": format!("type-{index}"), "monthly_cost_usd": index, "resources": 1}))
            .collect();
        let costs = Costs::new(span(), &[], &rows(json!(cost)));
        let names: Vec<String> = costs.series.iter().map(|series| format!("{} {}", series.name, series.told)).collect();
        expect!["type-9 9, type-8 8, type-7 7, type-6 6, type-5 5, other (4) 10"].assert_eq(&names.join(", "));
        assert_eq!(Costs::new(span(), &[], &[]).series, []);
    }
}
