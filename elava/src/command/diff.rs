//! `elava diff`: two times side by side, net of what happened in between.

use std::fmt::Write as _;

use clap::Args;
use elava_detector::Query;
use elava_schemas::Timestamp;
use serde_json::Value;

use super::CommandError;
use super::fields::write_fields;
use crate::args::{From, Scope};
use crate::ask;
use crate::clean::one_line;
use crate::paint::{Color, Painter};
use crate::show::{self, Format, Row, amount};
use crate::time::parse_time;

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct DiffArgs {
    #[command(flatten)]
    from: From,
    /// The earlier time: 24h (ago), 'yesterday 14:00', monday, 2026-11-20, 2026-11-20T14:00:00Z
    #[arg(value_name = "EARLIER", value_parser = parse_time)]
    earlier: Timestamp,
    /// The later time [default: now]
    #[arg(value_name = "LATER", value_parser = parse_time)]
    later: Option<Timestamp>,
    #[command(flatten)]
    scope: Scope,
}

impl DiffArgs {
    /// Asks and shows.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        let query = Query::Diff { from: self.earlier, to: self.later, scope: self.scope.into() };
        let rows = ask::ask(&self.from, &query).await?;
        match self.from.format() {
            Format::Table => {
                let later = self.later.map_or_else(|| "now".to_owned(), |at| minute(&at));
                let heading = format!("{} → {later} (UTC)", minute(&self.earlier));
                show::print(&render(&rows, &heading, Painter::of_output()))?;
            }
            format => show::rows(&rows, &[], format, "")?,
        }
        Ok(())
    }
}

fn minute(at: &Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}

fn text<'a>(row: &'a Row, column: &str) -> &'a str {
    row.get(column).and_then(Value::as_str).unwrap_or("-")
}

fn cost(row: &Row, column: &str) -> Option<f64> {
    row.get(column).and_then(Value::as_f64)
}

/// Counts on top, then what appeared, disappeared and changed by account, region and type.
fn render(rows: &[Row], heading: &str, painter: Painter) -> String {
    let mut out = format!("{}\n", painter.bold(heading));
    if rows.is_empty() {
        return out + "nothing differs\n";
    }
    out += &counts(rows, painter, true);
    out.push('\n');
    let place = |row: &Row| ["account", "region", "type"].map(|column| text(row, column).to_owned());
    for group in rows.chunk_by(|a, b| place(a) == place(b)) {
        let title = painter.bold(&one_line(&place(&group[0]).join(" · ")));
        write!(out, "\n{title}   {}\n", counts(group, painter, false)).expect("a string");
        for row in group {
            resource(&mut out, row, painter);
        }
    }
    out
}

fn counts(rows: &[Row], painter: Painter, words: bool) -> String {
    let mut parts = Vec::new();
    for (change, mark, color) in MARKS {
        let count = rows.iter().filter(|row| text(row, "change") == change).count();
        if count > 0 {
            let word = if words { format!(" {change}") } else { String::new() };
            parts.push(painter.paint(&format!("{mark}{count}{word}"), color));
        }
    }
    let delta: f64 =
        rows.iter().map(|row| cost(row, "cost_after").unwrap_or(0.0) - cost(row, "cost_before").unwrap_or(0.0)).sum();
    if delta.abs() >= 0.005 {
        parts.push(money(delta));
    }
    parts.join("  ")
}

fn money(delta: f64) -> String {
    format!("{}${} a month", if delta < 0.0 { '-' } else { '+' }, amount(delta.abs()))
}

const MARKS: [(&str, char, Color); 3] =
    [("appeared", '+', Color::Green), ("disappeared", '-', Color::Red), ("changed", '~', Color::Yellow)];

fn resource(out: &mut String, row: &Row, painter: Painter) {
    let change = text(row, "change");
    let (_, mark, color) = MARKS.into_iter().find(|(name, ..)| *name == change).unwrap_or(MARKS[2]);
    let name = row.get("name").and_then(Value::as_str).map(|name| format!(" ({name})")).unwrap_or_default();
    let price = match (cost(row, "cost_before"), cost(row, "cost_after")) {
        (Some(before), Some(after)) if (after - before).abs() >= 0.005 => format!("   {}", money(after - before)),
        (Some(before), None) if change == "disappeared" => format!("   {}", money(-before)),
        (None, Some(after)) if change == "appeared" => format!("   {}", money(after)),
        _ => String::new(),
    };
    let head = painter.paint(&one_line(&format!("{mark} {}{name}", text(row, "id"))), color);
    writeln!(out, "  {head}{price}").expect("a string");
    write_fields(out, row.get("diff").and_then(Value::as_array).into_iter().flatten(), 6, painter);
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn rows() -> Vec<Row> {
        let row = |kind: &str, change: &str, id: &str, rest: Value| {
            let mut row = json!({"account": "1", "region": "eu-west-1", "type": kind, "change": change, "id": id});
            let row = row.as_object_mut().expect("an object");
            row.extend(rest.as_object().expect("an object").clone());
            row.clone()
        };
        let diff = json!([
            {"path": "/attributes/State/Name", "before": "running", "after": "stopped"},
            {"path": "/status", "before": "running", "after": "stopped"},
            {"path": "/tags/a~1b", "after": "x"},
            {"path": "/attributes/Ports", "before": [1, 2], "after": "y\n".repeat(90)},
        ]);
        vec![
            row("ec2:instance", "appeared", "i-1", json!({"name": "w\u{1b}[2Jeb", "cost_after": 7.5})),
            row("ec2:instance", "changed", "i-2", json!({"diff": diff, "cost_before": 20, "cost_after": 10.0})),
            row("ec2:volume", "disappeared", "vol-1", json!({"cost_before": 0.004})),
        ]
    }

    #[test]
    fn a_difference_reads_well() {
        expect![[r#"
            2026-11-20 14:00 → now (UTC)
            +1 appeared  -1 disappeared  ~1 changed  -$2.50 a month

            1 · eu-west-1 · ec2:instance   +1  ~1  -$2.50 a month
              + i-1 (w␛[2Jeb)   +$7.50 a month
              ~ i-2   -$10.00 a month
                  status      running → stopped
                  tag a/b     (none) → x
                  State.Name  running → stopped
                  Ports       [1,2] → y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y␊y…

            1 · eu-west-1 · ec2:volume   -1
              - vol-1   -$0.004 a month
        "#]]
        .assert_eq(&render(&rows(), "2026-11-20 14:00 → now (UTC)", Painter::Plain));
        assert_eq!(render(&[], "x", Painter::Plain), "x\nnothing differs\n");
        assert!(render(&rows(), "x", Painter::Colored).contains("\u{1b}[32m+ i-1 (w␛[2Jeb)\u{1b}[0m"));
    }
}
