//! Decisions as a few readable lines.

use std::fmt::Write as _;

use elava_schemas::{Action, Decision, Severity};
use owo_colors::Style;

use crate::notice::{Notice, NoticeKind};

/// Whether colours may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// On a terminal.
    Yes,
    /// In a file or a pipe, or where `NO_COLOR` is set.
    No,
}

/// A message for a person at a terminal; ends with a line feed.
#[must_use]
pub fn render(notice: &Notice<'_>, colour: Colour) -> String {
    let paint = |style: Style| if colour == Colour::Yes { style } else { Style::new() };
    let dim = paint(Style::new().dimmed());
    let first = notice.first();
    let mut text = String::new();
    let mut add = |part: std::fmt::Arguments| text.write_fmt(part).expect("writing to a String does not fail");
    add(format_args!(
        "{} {} {}\n",
        dim.style(first.decided_at.format("%Y-%m-%d %H:%M:%SZ")),
        paint(badge_style(notice.severity(), notice.is_over())).style(format!(" {:<8} ", notice.badge())),
        paint(Style::new().bold()).style(printable(&notice.headline())),
    ));
    if notice.kind == NoticeKind::One {
        let about = format!("{} · {} ({})", first.resource_key, phrase(first.action), first.state.as_str());
        add(format_args!("    {}\n", dim.style(about)));
    }
    let notes = notes(first);
    for line in notice.lines() {
        let is_note = notice.kind == NoticeKind::One && notice.body.is_none() && notes.contains(&line);
        let style = if is_note { paint(Style::new().yellow()) } else { Style::new() };
        add(format_args!("    {}\n", style.style(printable(&line))));
    }
    text
}

/// What has changed where it was not the resource.
pub(crate) fn why_now(decision: &Decision) -> Option<&'static str> {
    match metadata(decision, "trigger")? {
        "policies" => Some("what it is about has not changed: the policies have"),
        "time" => Some("what it is about has not changed: time has passed"),
        _ => None,
    }
}

/// What is said of a decision: that it waits, or that it will not be carried out.
pub(crate) fn notes(decision: &Decision) -> Vec<String> {
    let mut notes: Vec<String> = why_now(decision).map(str::to_owned).into_iter().collect();
    if decision.requires_approval {
        let until =
            decision.approve_by.map_or(String::new(), |at| format!(" until {}", at.format("%Y-%m-%d %H:%M:%SZ")));
        notes.push(format!("waits for approval of {}{until}", decision.id));
    }
    if decision.metadata.get("dry_run") == Some(&true.into()) {
        notes.push("dry run: nothing will be written".to_owned());
    }
    notes
}

/// A text of the decision's metadata.
pub(crate) fn metadata<'a>(decision: &'a Decision, name: &str) -> Option<&'a str> {
    decision.metadata.get(name).and_then(|value| value.as_str()).filter(|text| !text.is_empty())
}

/// What is seen first: how bad, or that it is over.
pub(crate) fn badge(severity: Severity, is_over: bool) -> &'static str {
    match severity {
        _ if is_over => "RESOLVED",
        Severity::Critical => "CRITICAL",
        Severity::Warning => "WARNING",
        Severity::Info => "INFO",
    }
}

/// The same as a sign.
pub(crate) fn emoji(notice: &Notice<'_>) -> &'static str {
    match notice.severity() {
        _ if notice.is_over() => "🟢",
        Severity::Critical => "🔴",
        Severity::Warning => "🟡",
        Severity::Info => "🔵",
    }
}

fn badge_style(severity: Severity, is_over: bool) -> Style {
    let style = Style::new().bold();
    match severity {
        _ if is_over => style.black().on_green(),
        Severity::Critical => style.white().on_red(),
        Severity::Warning => style.black().on_yellow(),
        Severity::Info => style.white().on_blue(),
    }
}

/// An action in words.
pub(crate) fn phrase(action: Action) -> &'static str {
    match action {
        Action::Notify => "notify",
        Action::Alert => "alert",
        Action::Protect => "protect",
        Action::EnforcePolicy => "enforce policy",
        Action::AutoTag => "auto-tag",
        Action::Audit => "audit",
    }
}

/// What is known of a single decision, a name and a text each.
pub(crate) fn facts<'a>(notice: &Notice<'a>) -> Vec<(&'static str, &'a str)> {
    let decision = notice.first();
    let key = &decision.resource_key;
    let mut facts = match notice.kind {
        NoticeKind::One => vec![
            ("Resource", decision.resource.name.as_deref().unwrap_or(&key.id)),
            ("Type", &key.kind),
            ("Account", &key.account),
            ("Region", &key.region),
        ],
        NoticeKind::Group { .. } | NoticeKind::Digest { .. } => return Vec::new(),
    };
    let told = [("Policy", "policy"), ("Rule", "rule"), ("By", "principal")];
    facts.extend(told.iter().filter_map(|(title, name)| Some((*title, metadata(decision, name)?))));
    facts
}

/// Cuts a text to `limit` characters.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit.saturating_sub(1)) {
        Some((at, _)) if text[at..].chars().nth(1).is_some() => format!("{}…", &text[..at]),
        _ => text.to_owned(),
    }
}

/// Names and tags come from the cloud: whoever may set a tag must not move the reader's cursor, or add a header to a
/// message.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn cuts() {
        for (text, limit, expected) in [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("äöüß", 2, "ä…"), ("", 3, "")]
        {
            assert_eq!(cut(text, limit), expected, "{text}");
        }
    }
}
