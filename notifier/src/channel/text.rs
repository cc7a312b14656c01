//! A decision as a few readable lines.

use std::fmt::Write as _;

use elava_schemas::{Action, Decision, DecisionState, Severity};
use owo_colors::Style;

/// Whether colours may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// On a terminal.
    Yes,
    /// In a file or a pipe, or where `NO_COLOR` is set.
    No,
}

/// A decision for a person at a terminal; ends with a line feed.
#[must_use]
pub fn render(decision: &Decision, colour: Colour) -> String {
    let paint = |style: Style| if colour == Colour::Yes { style } else { Style::new() };
    let dim = paint(Style::new().dimmed());
    let mut text = String::new();
    let mut add = |part: std::fmt::Arguments| text.write_fmt(part).expect("writing to a String does not fail");
    let about = format!("{} · {} ({})", decision.resource_key, phrase(decision.action), decision.state.as_str());
    add(format_args!(
        "{} {} {}\n",
        dim.style(decision.decided_at.format("%Y-%m-%d %H:%M:%SZ")),
        paint(badge_style(decision)).style(format!(" {:<8} ", badge(decision))),
        paint(Style::new().bold()).style(printable(&decision.reason)),
    ));
    add(format_args!("    {}\n", dim.style(about)));
    if decision.state != DecisionState::Resolved {
        if let Some(suggestion) = metadata(decision, "suggestion") {
            add(format_args!("    → {}\n", printable(suggestion)));
        }
        for note in notes(decision) {
            add(format_args!("    {}\n", paint(Style::new().yellow()).style(note)));
        }
    }
    text
}

/// What is said of a decision that acts: that it waits, or that it will not be carried out.
pub(super) fn notes(decision: &Decision) -> Vec<String> {
    let mut notes = Vec::new();
    if decision.requires_approval {
        notes.push(format!("waits for approval of {}", decision.id));
    }
    if decision.metadata.get("dry_run") == Some(&true.into()) {
        notes.push("dry run: nothing will be written".to_owned());
    }
    notes
}

/// A text of the decision's metadata.
pub(super) fn metadata<'a>(decision: &'a Decision, name: &str) -> Option<&'a str> {
    decision.metadata.get(name).and_then(|value| value.as_str()).filter(|text| !text.is_empty())
}

/// What is seen first: how bad, or that it is over.
pub(super) fn badge(decision: &Decision) -> &'static str {
    match (decision.state, decision.severity) {
        (DecisionState::Resolved, _) => "RESOLVED",
        (_, Severity::Critical) => "CRITICAL",
        (_, Severity::Warning) => "WARNING",
        (_, Severity::Info) => "INFO",
    }
}

fn badge_style(decision: &Decision) -> Style {
    let style = Style::new().bold();
    match (decision.state, decision.severity) {
        (DecisionState::Resolved, _) => style.black().on_green(),
        (_, Severity::Critical) => style.white().on_red(),
        (_, Severity::Warning) => style.black().on_yellow(),
        (_, Severity::Info) => style.white().on_blue(),
    }
}

/// An action in words.
pub(super) fn phrase(action: Action) -> &'static str {
    match action {
        Action::Notify => "notify",
        Action::Alert => "alert",
        Action::Protect => "protect",
        Action::EnforcePolicy => "enforce policy",
        Action::AutoTag => "auto-tag",
        Action::Audit => "audit",
    }
}

/// Names and tags come from the cloud: whoever may set a tag must not move the reader's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
