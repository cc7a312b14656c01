//! An answer: its values as DuckDB has them, and how they are written.

use comfy_table::Table;
use serde_json::value::RawValue;

use crate::clean;
use crate::paint::Painter;
use crate::show::{self, Format};

/// The rows of an answer, and its columns in order.
#[derive(Debug, Default)]
pub struct Answer {
    /// Their names.
    pub columns: Vec<String>,
    /// A value a column, in JSON. As text: numbers go beyond 64 bits.
    pub rows: Vec<Vec<Box<RawValue>>>,
}

/// Characters of a column with which it can still be read.
const LEGIBLE: u32 = 8;

impl Answer {
    /// As it is shown.
    pub(super) fn write(&self, format: Format) -> String {
        match (format, self.plan()) {
            (Format::Table, Some(plan)) => plan,
            (Format::Table, None) if self.rows.is_empty() => "no rows\n".to_owned(),
            (Format::Table, None) => self.table(width()),
            (Format::Ndjson, _) => self.rows.iter().map(|row| self.object(row)).collect(),
            (Format::Csv, _) => self.csv(),
        }
    }

    /// What `EXPLAIN` answers, as the text that it is.
    fn plan(&self) -> Option<String> {
        let is_plan = self.columns == ["explain_key", "explain_value"];
        let text = |row: &Vec<Box<RawValue>>| format!("{}\n", clean::lines(text(&row[1]).trim_end()));
        is_plan.then(|| self.rows.iter().map(text).collect())
    }

    /// A table; where it has too many columns to be legible, one row below the other.
    fn table(&self, width: Option<u16>) -> String {
        let headings = self.columns.iter().map(|name| clean::one_line(name));
        let mut table = show::bare_table(headings, Painter::of_output());
        for row in &self.rows {
            table.add_row(row.iter().map(|value| cell(value)));
        }
        if let Some(width) = width {
            table.set_width(width);
        }
        if is_legible(&table) { format!("{table}\n") } else { self.below_one_another() }
    }

    fn below_one_another(&self) -> String {
        let row = |row: &Vec<Box<RawValue>>| {
            let fields = self.columns.iter().zip(row);
            fields.map(|(name, value)| format!("{}: {}\n", clean::one_line(name), cell(value))).collect::<String>()
        };
        self.rows.iter().map(row).collect::<Vec<_>>().join("\n")
    }

    fn object(&self, row: &[Box<RawValue>]) -> String {
        let name = |name: &String| serde_json::Value::from(name.as_str());
        let fields = self.columns.iter().zip(row).map(|(column, value)| format!("{}:{value}", name(column)));
        format!("{{{}}}\n", fields.collect::<Vec<_>>().join(","))
    }

    fn csv(&self) -> String {
        let value = |value: &RawValue| if is_null(value) { String::new() } else { show::field(&text(value)) };
        let header = self.columns.iter().map(|name| show::field(name)).collect::<Vec<_>>();
        let rows = self.rows.iter().map(|row| row.iter().map(|one| value(one)).collect::<Vec<_>>());
        std::iter::once(header).chain(rows).map(|fields| fields.join(",") + "\n").collect()
    }
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// A text without its quotes; anything else as it is.
fn text(value: &RawValue) -> String {
    serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned())
}

fn cell(value: &RawValue) -> String {
    if is_null(value) { "NULL".to_owned() } else { clean::one_line(&text(value)) }
}

/// What `COLUMNS` says; without it, a table is as wide as the terminal.
fn width() -> Option<u16> {
    std::env::var("COLUMNS").ok()?.parse().ok()
}

fn is_legible(table: &Table) -> bool {
    // two between columns
    let needed: u32 = table.column_max_content_widths().iter().map(|width| u32::from(*width).min(LEGIBLE) + 2).sum();
    table.width().is_none_or(|width| needed <= width.into())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn answer(columns: &[&str], row: &[&str]) -> Answer {
        let value = |text: &&str| RawValue::from_string((*text).to_owned()).expect("JSON");
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        Answer { columns, rows: vec![row.iter().map(value).collect(); 2] }
    }

    #[test]
    fn a_table_has_the_data_as_it_is() {
        let answer = answer(
            &["limit_bytes", "age_seconds", "count_star()", "opened_at", "none", "\u{1b}[2J"],
            &["11492143115514588067", "0.004", "1.50", r#""2026-11-01 12:00:00.123+00""#, "null", r#""a\u001b\n""#],
        );
        let shown = answer.table(None);
        let trimmed: Vec<&str> = shown.lines().map(str::trim).collect();
        expect![[r#"
            limit_bytes           age_seconds  count_star()  opened_at                   none  ␛[2J
            11492143115514588067  0.004        1.50          2026-11-01 12:00:00.123+00  NULL  a␛␊
            11492143115514588067  0.004        1.50          2026-11-01 12:00:00.123+00  NULL  a␛␊"#]]
        .assert_eq(&trimmed.join("\n"));
    }

    #[test]
    fn where_columns_do_not_fit_rows_are_below_one_another() {
        let answer = answer(&["key", "attributes"], &["1", r#"{"a":[1,"b\n"]}"#]);
        expect![[r#"
            key: 1
            attributes: {"a":[1,"b\n"]}

            key: 1
            attributes: {"a":[1,"b\n"]}
        "#]]
        .assert_eq(&answer.table(Some(14)));
        assert!(answer.table(Some(15)).contains("key"));
        assert!(!answer.table(Some(15)).contains("key:"));
    }

    #[test]
    fn programs_get_it_whole() {
        let answer = answer(&["a\"b", "n", "s"], &["12345678901234567890123456789.10", "null", r#""x,\u001b""#]);
        let one = |text: String| text.lines().last().map(str::to_owned);
        assert_eq!(
            one(answer.write(Format::Ndjson)).as_deref(),
            Some(r#"{"a\"b":12345678901234567890123456789.10,"n":null,"s":"x,\u001b"}"#)
        );
        assert_eq!(one(answer.write(Format::Csv)).as_deref(), Some("12345678901234567890123456789.10,,\"x,\u{1b}\""));
    }
}
