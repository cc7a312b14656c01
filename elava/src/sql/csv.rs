//! Answers as comma-separated values (RFC 4180, lines end in `\n`).

use serde_json::Value;

use super::source::Answer;

/// A header and one line a row; null is empty, what is not a plain value is JSON.
pub(super) fn text(answer: &Answer) -> String {
    let header = answer.columns.iter().map(|name| field(name)).collect::<Vec<_>>().join(",");
    let mut text = header + "\n";
    for row in &answer.rows {
        let cells = answer.columns.iter().map(|name| cell(row.get(name).unwrap_or(&Value::Null)));
        text += &cells.collect::<Vec<_>>().join(",");
        text.push('\n');
    }
    text
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => field(text),
        other => field(&other.to_string()),
    }
}

fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
