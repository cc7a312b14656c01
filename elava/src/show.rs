//! Rows as a table on a terminal, as NDJSON or CSV otherwise.

use std::io::{IsTerminal, Write};

use clap::Args;
use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};
use serde_json::{Map, Value};

use crate::clean::one_line;
use crate::paint::Painter;

/// One row of an answer.
pub type Row = Map<String, Value>;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Ndjson,
    /// For spreadsheets.
    Csv,
}

/// The flags that choose one; a table on a terminal, NDJSON otherwise, where none is given.
#[derive(Args, Clone, Copy, Debug)]
pub struct FormatArgs {
    /// One JSON object a line, also on a terminal
    #[arg(long)]
    json: bool,
    /// Comma-separated values with a header
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// A table, also when not on a terminal
    #[arg(long, conflicts_with_all = ["json", "csv"])]
    table: bool,
}

impl FormatArgs {
    pub(crate) fn chosen(self) -> Format {
        let terminal = std::io::stdout().is_terminal();
        self.said().unwrap_or(if terminal { Format::Table } else { Format::Ndjson })
    }

    /// The one that is given.
    pub(crate) fn said(self) -> Option<Format> {
        match (self.json, self.csv, self.table) {
            (true, ..) => Some(Format::Ndjson),
            (_, true, _) => Some(Format::Csv),
            (.., true) => Some(Format::Table),
            _ => None,
        }
    }
}

/// Writes rows; `columns` chooses and orders what a table shows, `nothing` is said instead of an empty one.
///
/// # Errors
/// When standard output cannot be written; a closed pipe is fine.
pub fn rows(rows: &[Row], columns: &[&str], format: Format, nothing: &str) -> std::io::Result<()> {
    let mut text = String::new();
    match format {
        Format::Ndjson => {
            for row in rows {
                text.push_str(&Value::Object(row.clone()).to_string());
                text.push('\n');
            }
        }
        Format::Csv => text = csv(rows, columns),
        Format::Table if rows.is_empty() => text = format!("{nothing}\n"),
        Format::Table => text = format!("{}\n", table(rows, columns, Painter::of_output())),
    }
    print(&text)
}

/// Writes text to standard output.
///
/// # Errors
/// When it cannot be written; a closed pipe is fine.
pub fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// All columns, in the order in which rows name them, `expected` where there is none (RFC 4180, lines end in `\n`); what
/// is no scalar is JSON.
pub(crate) fn csv(rows: &[Row], expected: &[&str]) -> String {
    let mut columns: Vec<&str> = if rows.is_empty() { expected.to_vec() } else { Vec::new() };
    for name in rows.iter().flat_map(|row| row.keys()) {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    let value = |value: Option<&Value>| match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => field(text),
        Some(other) => field(&other.to_string()),
    };
    let mut lines = vec![columns.iter().map(|name| field(name)).collect::<Vec<_>>().join(",")];
    lines.extend(rows.iter().map(|row| columns.iter().map(|name| value(row.get(*name))).collect::<Vec<_>>().join(",")));
    lines.join("\n") + "\n"
}

/// A field of CSV.
pub(crate) fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

fn table(rows: &[Row], columns: &[&str], painter: Painter) -> Table {
    let mut table = bare_table(columns.iter().map(|name| heading(name)), painter);
    for row in rows {
        table.add_row(columns.iter().map(|name| cell(name, row.get(*name).unwrap_or(&Value::Null), painter)));
    }
    table
}

/// A table that has no rows yet.
pub(crate) fn bare_table(headings: impl Iterator<Item = String>, painter: Painter) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    let heading = |text: String| match painter {
        Painter::Colored => Cell::new(text).add_attribute(Attribute::Bold),
        Painter::Plain => Cell::new(text),
    };
    table.set_header(headings.map(heading));
    table
}

/// A column's name in words, without the unit that its values have in them.
fn heading(column: &str) -> String {
    let name = column.strip_suffix("_seconds").or_else(|| column.strip_suffix("_bytes")).unwrap_or(column);
    name.replace('_', " ")
}

fn cell(column: &str, value: &Value, painter: Painter) -> Cell {
    let text = one_line(&text(column, value));
    let color = match text.as_str() {
        "critical" | "disappeared" | "failed" | "unknown" => Some(Color::Red),
        "warning" | "tag_drift" | "cost_increase" | "partial" => Some(Color::Yellow),
        "appeared" | "complete" | "proved" => Some(Color::Green),
        _ => None,
    };
    let cell = Cell::new(text);
    match color.filter(|_| painter == Painter::Colored) {
        Some(color) => cell.fg(color),
        None => cell,
    }
}

/// A value as one reads it: no quotes, times to the second, objects on one line.
fn text(column: &str, value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text)
            if column.ends_with("_at")
                || column.ends_with("_from")
                || column.ends_with("_to")
                || column.ends_with("_seen") =>
        {
            let seconds = text.split_once('.').map_or(text.as_str(), |(seconds, _)| seconds);
            seconds.trim_end_matches('Z').replace('T', " ")
        }
        Value::String(text) => text.clone(),
        Value::Number(number) if column.ends_with("_seconds") => ago(number.as_f64().unwrap_or(0.0)),
        Value::Number(number) if column.ends_with("bytes") => size(number.as_f64().unwrap_or(0.0)),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            None => number.to_string(),
            Some(whole) if whole.fract() == 0.0 => format!("{whole:.0}"),
            Some(part) => amount(part),
        },
        other => other.to_string(),
    }
}

/// To the cent; what is less than one, to its first two digits, unless it is what additions leave over.
#[expect(clippy::cast_possible_truncation, reason = "a logarithm to the base of 10")]
pub(crate) fn amount(value: f64) -> String {
    match value.abs() {
        less if (1e-9..0.005).contains(&less) => {
            let digits = 1 - less.log10().floor() as i32;
            format!("{value:.*}", digits.unsigned_abs() as usize).trim_end_matches('0').to_owned()
        }
        _ => format!("{value:.2}"),
    }
}

/// A number of bytes in the largest unit it fills.
fn size(bytes: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes / unit),
        None => format!("{bytes:.0} B"),
    }
}

/// A length of time to its two largest units.
#[expect(clippy::cast_possible_truncation, reason = "whole seconds are enough")]
pub(crate) fn ago(seconds: f64) -> String {
    let seconds = seconds as i64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (1.., ..) => format!("{days}d {hours}h"),
        (_, 1.., _) => format!("{hours}h {minutes}m"),
        (_, _, 1..) => format!("{minutes}m {}s", seconds % 60),
        _ => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn row(value: &Value) -> Row {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn lengths_of_time_read_well() {
        for (seconds, expected) in [(0.4, "0s"), (61.0, "1m 1s"), (7200.0, "2h 0m"), (180_000.0, "2d 2h")] {
            assert_eq!(text("age_seconds", &json!(seconds)), expected);
        }
    }

    #[test]
    fn numbers_read_well() {
        for (number, expected) in [
            (json!(11_492_143_115_514_588_067_u64), "11492143115514588067"),
            (json!(-3), "-3"),
            (json!(3.0), "3"),
            (json!(0.0), "0"),
            (json!(1234.5), "1234.50"),
            (json!(0.014), "0.01"),
            (json!(0.004), "0.004"),
            (json!(-0.000_456), "-0.00046"),
            (json!(0.1 + 0.2 - 0.3), "0.00"),
        ] {
            assert_eq!(text("monthly_cost_usd", &number), expected, "{number}");
        }
    }

    #[test]
    fn headings_are_words() {
        for (column, expected) in [("age_seconds", "age"), ("limit_bytes", "limit"), ("bytes_per_row", "bytes per row")]
        {
            assert_eq!(heading(column), expected);
        }
    }

    #[test]
    fn sizes_read_well() {
        for (bytes, expected) in [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (643_313_664, "643.3 MB")] {
            assert_eq!(text("limit_bytes", &json!(bytes)), expected);
        }
    }

    #[test]
    fn csv_has_a_header_and_quotes_what_must_be() {
        let rows = [
            row(&json!({"key": "a", "tags": {"Owner": "x"}, "cost": 1.5, "name": null})),
            row(&json!({"key": "b, \"c\"", "flag": true, "name": "two\nlines"})),
        ];
        expect![[r#"
            key,tags,cost,name,flag
            a,"{""Owner"":""x""}",1.5,,
            "b, ""c""",,,"two
            lines",true
        "#]]
        .assert_eq(&csv(&rows, &[]));
        assert_eq!(csv(&[], &["a", "b"]), "a,b\n");
    }

    #[test]
    fn a_table_reads_well() {
        let rows = [
            row(
                &json!({"detected_at": "2026-11-01T12:00:00.123456Z", "type": "tag_drift", "details": "Owner\u{1b}[2J\nchanged", "cost": 1.25}),
            ),
            row(&json!({"detected_at": "2026-11-01T12:00:01Z", "type": "appeared", "details": null})),
        ];
        let shown = table(&rows, &["detected_at", "type", "details", "cost"], Painter::Plain).to_string();
        let trimmed: Vec<&str> = shown.lines().map(str::trim).collect();
        expect![[r#"
            detected at          type       details            cost
            2026-11-01 12:00:00  tag_drift  Owner␛[2J␊changed  1.25
            2026-11-01 12:00:01  appeared   -                  -"#]]
        .assert_eq(&trimmed.join("\n"));
    }
}
