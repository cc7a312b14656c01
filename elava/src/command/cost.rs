//! `elava cost`: estimated monthly cost, at a time or over time.

use std::collections::BTreeMap;

use chrono::Utc;
use clap::Args;
use elava_detector::{CostBy, Query};
use elava_schemas::Timestamp;
use serde_json::{Value, json};

use super::CommandError;
use crate::args::{From, Scope};
use crate::ask;
use crate::show::{self, Format, Row, amount};
use crate::time::parse_time;

/// In how many steps a time is gone through: what a line of a terminal shows well.
const STEPS: i64 = 30;

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct CostArgs {
    #[command(flatten)]
    from: From,
    /// When: 24h (ago), yesterday 14:00, monday, 2026-11-20 [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
    /// From then until now, in 30 steps: 24h, 30d
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "at")]
    over: Option<Timestamp>,
    /// Summed by: type, account, region, provider or tag:KEY
    #[arg(long, value_name = "WHAT", default_value = "type", value_parser = parse_by)]
    by: CostBy,
    #[command(flatten)]
    scope: Scope,
}

pub(super) fn parse_by(text: &str) -> Result<CostBy, String> {
    match text {
        "provider" => Ok(CostBy::Provider),
        "account" => Ok(CostBy::Account),
        "region" => Ok(CostBy::Region),
        "type" => Ok(CostBy::Type),
        _ => match text.strip_prefix("tag:") {
            Some(key) if !key.is_empty() => Ok(CostBy::Tag(key.to_owned())),
            _ => Err("write type, account, region, provider or tag:KEY, such as tag:Team".to_owned()),
        },
    }
}

impl CostArgs {
    /// Asks and shows.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        let (by, scope, format) = (self.by, self.scope.into(), self.from.format());
        let (query, columns): (_, &[&str]) = match self.over {
            None => (Query::Cost { at: self.at, by, scope }, &["name", "monthly_cost_usd", "resources", "estimated"]),
            Some(since) => {
                let step = (Utc::now() - since).num_seconds() / STEPS;
                let step_seconds = u32::try_from(step.max(1)).unwrap_or(u32::MAX);
                let columns = &["name", "then_usd", "now_usd", "change_usd", "trend"];
                (Query::CostOverTime { since, step_seconds, by, scope }, columns)
            }
        };
        let mut rows = ask::ask(&self.from, &query).await?;
        if format == Format::Table && !rows.is_empty() {
            rows = if self.over.is_some() { trends(&rows) } else { with_total(rows) };
        }
        Ok(show::rows(&rows, columns, format, "nothing with a cost")?)
    }
}

fn number(row: &Row, column: &str) -> f64 {
    row.get(column).and_then(Value::as_f64).unwrap_or(0.0)
}

fn name(row: &Row) -> String {
    row.get("name").and_then(Value::as_str).unwrap_or("(none)").to_owned()
}

fn row(value: Value) -> Row {
    match value {
        Value::Object(row) => row,
        _ => Row::new(),
    }
}

fn with_total(mut rows: Vec<Row>) -> Vec<Row> {
    let sum = |column: &str| rows.iter().map(|row| number(row, column)).sum::<f64>();
    let total = row(json!({
        "name": "total", "monthly_cost_usd": sum("monthly_cost_usd"),
        "resources": sum("resources"), "estimated": sum("estimated"),
    }));
    rows.push(total);
    rows
}

/// One row a name, what changed most first: cost at the beginning and at the end, and how it went.
fn trends(rows: &[Row]) -> Vec<Row> {
    let mut moments: Vec<&str> = rows.iter().filter_map(|row| row.get("as_of").and_then(Value::as_str)).collect();
    moments.dedup();
    let mut costs: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut total = vec![0.0; moments.len()];
    for row in rows {
        let Some(moment) = moments.iter().position(|at| row.get("as_of").and_then(Value::as_str) == Some(at)) else {
            continue;
        };
        let cost = number(row, "monthly_cost_usd");
        costs.entry(name(row)).or_insert_with(|| vec![0.0; moments.len()])[moment] += cost;
        total[moment] += cost;
    }
    let ends = |costs: &[f64]| (costs.first().copied().unwrap_or(0.0), costs.last().copied().unwrap_or(0.0));
    let mut names: Vec<_> = costs.into_iter().collect();
    let change = |(then, now): (f64, f64)| (now - then).abs();
    names.sort_by(|(_, a), (_, b)| change(ends(b)).total_cmp(&change(ends(a))));
    names.push(("total".to_owned(), total));
    let shown = |(name, costs): (String, Vec<f64>)| {
        let (then, now) = ends(&costs);
        row(json!({
            "name": name, "then_usd": then, "now_usd": now,
            "change_usd": signed(now - then), "trend": sparkline(&costs),
        }))
    };
    names.into_iter().map(shown).collect()
}

fn signed(change: f64) -> String {
    format!("{}{}", if change < 0.0 { '-' } else { '+' }, amount(change.abs()))
}

fn sparkline(values: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().copied().fold(0.0, f64::max);
    let bar = |value: &f64| {
        let height = if most > 0.0 { (value / most * 7.0).round() } else { 0.0 };
        BARS[(height as usize).min(7)]
    };
    values.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn what_costs_are_summed_by() {
        for (text, expected) in [("type", Some(CostBy::Type)), ("tag:Team", Some(CostBy::Tag("Team".into())))] {
            assert_eq!(parse_by(text).ok(), expected);
        }
        for text in ["", "team", "tag:"] {
            assert!(parse_by(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_trend_has_a_row_a_name_and_a_total() {
        let at = |day: u32, name: Option<&str>, cost: f64| {
            row(json!({"as_of": format!("2026-11-0{day}T00:00:00Z"), "name": name, "monthly_cost_usd": cost}))
        };
        let rows =
            [at(1, Some("a"), 10.0), at(1, None, 1.0), at(2, Some("a"), 5.0), at(2, None, 8.0), at(3, None, 8.0)];
        let shown: Vec<String> = trends(&rows)
            .iter()
            .map(|row| {
                ["name", "then_usd", "now_usd", "change_usd", "trend"].map(|column| row[column].to_string()).join(" ")
            })
            .collect();
        expect![[r#"
            "a" 10.0 0.0 "-10.00" "█▅▁"
            "(none)" 1.0 8.0 "+7.00" "▂██"
            "total" 11.0 8.0 "-3.00" "▇█▅""#]]
        .assert_eq(&shown.join("\n"));
    }
}
