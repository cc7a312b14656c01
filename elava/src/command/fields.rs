//! Fields that differ, as one reads them.

use std::fmt::Write as _;

use serde_json::Value;

use crate::clean::one_line;
use crate::paint::{Color, Painter};

/// Fields shown of one difference, and characters of one value, until the rest is only counted.
const FIELDS: usize = 12;
const WIDTH: usize = 60;

/// Writes a line for each `{path, before, after}`, status and tags first, `indent` characters from the left.
pub(super) fn write_fields<'a>(
    out: &mut String,
    fields: impl IntoIterator<Item = &'a Value>,
    indent: usize,
    painter: Painter,
) {
    let mut fields: Vec<&Value> = fields.into_iter().collect();
    let path = |field: &Value| field["path"].as_str().unwrap_or_default().to_owned();
    fields.sort_by_key(|field| {
        let path = path(field);
        (path != "/status", !path.starts_with("/tags/"))
    });
    let width = fields.iter().take(FIELDS).map(|field| label(&path(field)).chars().count()).max().unwrap_or(0);
    for field in fields.iter().take(FIELDS) {
        let (before, after) = (value(field.get("before")), value(field.get("after")));
        let (before, after) = (painter.paint(&before, Color::Red), painter.paint(&after, Color::Green));
        writeln!(out, "{:indent$}{:width$}  {before} → {after}", "", label(&path(field))).expect("a string");
    }
    if fields.len() > FIELDS {
        writeln!(out, "{:indent$}and {} more", "", fields.len() - FIELDS).expect("a string");
    }
}

/// A JSON Pointer as one reads it: `tag Owner`, `State.Name`.
fn label(path: &str) -> String {
    let path = one_line(path);
    let parts: Vec<String> = path.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
    match parts.split_first() {
        Some((first, rest)) if first == "tags" && !rest.is_empty() => format!("tag {}", rest.join("/")),
        Some((first, rest)) if first == "attributes" && !rest.is_empty() => rest.join("."),
        _ => parts.join("."),
    }
}

fn value(value: Option<&Value>) -> String {
    let text = match value {
        None => return "(none)".to_owned(),
        Some(Value::String(text)) if !text.trim().is_empty() => text.clone(),
        Some(other) => other.to_string(),
    };
    let mut clean = one_line(&text);
    if clean.chars().count() > WIDTH {
        clean = clean.chars().take(WIDTH - 1).chain(['…']).collect();
    }
    clean
}
