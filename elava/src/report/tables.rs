//! What is told row by row: what changes most, what is newest.

use super::html::{Html, element, labelled, table};
use super::number::of;
use super::{number, shown_time, text};
use crate::show::Row;

/// Rows a table shows.
pub(super) const ROWS: usize = 10;

/// What changes again and again.
pub(super) fn flapping(rows: &[Row]) -> Html {
    let columns = [
        ("changes", "number"),
        ("came back", "number"),
        ("gone", "number"),
        ("resource", "text"),
        ("last change (UTC)", "time"),
        ("what it was", "text"),
    ];
    let line = |row: &Row| {
        let count = |column| Html::text(&format!("{}", number(row, column)));
        vec![
            count("changes"),
            count("returns"),
            count("disappearances"),
            Html::text(text(row, "key")),
            Html::text(&shown_time(row, "last_change_at")),
            Html::text(text(row, "last_details")),
        ]
    };
    shortened(rows, &columns, line, "elava flapping")
}

/// Violations of one severity that are open, the newest first.
pub(super) fn violations(open: &[Row], severity: &str) -> Html {
    let mut rows: Vec<Row> = open.iter().filter(|row| text(row, "severity") == severity).cloned().collect();
    // RFC 3339 of one length: the order of the texts is that of the times
    rows.sort_by(|a, b| (text(b, "opened_at"), text(a, "key")).cmp(&(text(a, "opened_at"), text(b, "key"))));
    let columns = [("open since (UTC)", "time"), ("policy", "text"), ("what is wrong", "text"), ("resource", "text")];
    let line = |row: &Row| {
        let suggestion = text(row, "suggestion");
        let said = if suggestion.is_empty() { String::new() } else { format!(" ({suggestion})") };
        let message = Html::text(text(row, "message")).and(labelled("span", &[("class", "note")], &said));
        vec![
            Html::text(&shown_time(row, "opened_at")),
            Html::text(text(row, "policy")),
            message,
            Html::text(text(row, "key")),
        ]
    };
    shortened(&rows, &columns, line, "elava violations --severity critical")
}

/// Changes, the newest first.
pub(super) fn changes(rows: &[Row]) -> Html {
    let columns = [("seen (UTC)", "time"), ("change", "time"), ("what it was", "text"), ("resource", "text")];
    let line = |row: &Row| {
        let class = if text(row, "type") == "disappeared" { "gone" } else { "warning" };
        vec![
            Html::text(&shown_time(row, "detected_at")),
            labelled("span", &[("class", class)], &text(row, "type").replace('_', " ")),
            Html::text(text(row, "details")),
            Html::text(text(row, "key")),
        ]
    };
    table(&columns, rows.iter().take(ROWS).map(line))
}

/// The first rows, and who tells the others.
fn shortened(rows: &[Row], columns: &[(&str, &'static str)], line: impl Fn(&Row) -> Vec<Html>, command: &str) -> Html {
    let shown = table(columns, rows.iter().take(ROWS).map(line));
    let hidden = rows.len().saturating_sub(ROWS);
    if hidden == 0 {
        return shown;
    }
    let more = labelled("p", &[("class", "note")], &format!("{}: {command} lists all.", of(hidden, "more", "more")));
    shown.and(element("div", &[], more))
}
