//! The report: one HTML file that asks for nothing else. Pure: what the history answered goes in, the page comes out.

mod chart;
mod costs;
mod counts;
mod coverage;
mod html;
mod number;
mod page;
mod tables;
mod time;

use elava_schemas::Timestamp;
use serde_json::Value;

use crate::show::Row;

pub(crate) use number::grouped;
pub(crate) use page::page;
pub(crate) use time::Span;

/// What is reported on.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Which history.
    pub(crate) source: String,
    /// What it is narrowed to.
    pub(crate) filters: Vec<(&'static str, String)>,
    /// Of which time.
    pub(crate) span: Span,
    /// Scopes that were not seen whole since then are stale.
    pub(crate) unseen_since: Timestamp,
    /// What costs are summed by, as one says it.
    pub(crate) by: String,
}

/// What the history answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    /// How many changes there were, over time.
    pub(crate) changes: Vec<Row>,
    /// The newest of those that people ask about first.
    pub(crate) newest: Vec<Row>,
    /// How many violations were open, over time.
    pub(crate) violations: Vec<Row>,
    /// Those that are open.
    pub(crate) open: Vec<Row>,
    /// What it cost, over time.
    pub(crate) costs: Vec<Row>,
    /// What it costs.
    pub(crate) cost: Vec<Row>,
    /// What changes again and again, most often first.
    pub(crate) flapping: Vec<Row>,
    /// How fresh each scope is.
    pub(crate) coverage: Vec<Row>,
}

fn text<'a>(row: &'a Row, column: &str) -> &'a str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}

fn number(row: &Row, column: &str) -> f64 {
    row.get(column).and_then(Value::as_f64).unwrap_or(0.0)
}

fn time(row: &Row, column: &str) -> Option<Timestamp> {
    text(row, column).parse().ok()
}

/// As a time is shown; what is none, as it is.
fn shown_time(row: &Row, column: &str) -> String {
    time(row, column).map_or_else(|| text(row, column).to_owned(), time::stamp)
}
