//! What is told in one message: one decision, several that belong together, or what came in quiet hours.

use std::fmt::Write as _;

use elava_schemas::{Decision, DecisionState, Severity};

use crate::channel::text::{badge, metadata, notes, printable, why_now};
use crate::memory::BREAKER;

/// Decisions that a message names, at most.
pub(crate) const NAMED: usize = 10;

/// What is told in one message.
#[derive(Clone, Debug)]
pub struct Notice<'a> {
    /// The same whenever the same is told, for receivers that take a message once.
    pub id: String,
    /// What it tells.
    pub kind: NoticeKind,
    /// The first few, at least one.
    pub decisions: Vec<&'a Decision>,
    /// Whose resources, where anybody is named.
    pub owner: Option<String>,
    /// The title, where a template gives one.
    pub title: Option<String>,
    /// The body, where a template gives one.
    pub body: Option<String>,
}

/// What a message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// One decision.
    One,
    /// So many that have cause, policy, rule, state and owner in common.
    Group {
        /// How many.
        count: usize,
    },
    /// So many that came while nobody was to be disturbed.
    Digest {
        /// Findings that are told, each once.
        count: usize,
        /// Of these, how many are over.
        resolved: usize,
        /// Findings that opened and were over before the end: not told.
        came_and_went: usize,
    },
}

impl NoticeKind {
    /// As templates and events have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Group { .. } => "group",
            Self::Digest { .. } => "digest",
        }
    }

    /// How many decisions or findings it tells of.
    #[must_use]
    pub fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Group { count } | Self::Digest { count, .. } => count,
        }
    }
}

impl<'a> Notice<'a> {
    /// Of one decision, in the usual words.
    #[must_use]
    pub fn of(decision: &'a Decision) -> Self {
        Self {
            id: decision.id.to_string(),
            kind: NoticeKind::One,
            decisions: vec![decision],
            owner: None,
            title: None,
            body: None,
        }
    }

    /// The first decision.
    #[must_use]
    pub fn first(&self) -> &'a Decision {
        self.decisions.first().expect("a notice has a decision")
    }

    /// How bad it is at worst.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.decisions.iter().map(|decision| decision.severity).max().unwrap_or(Severity::Info)
    }

    /// Whether all that it tells is that something is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self.kind {
            NoticeKind::Digest { count, resolved, .. } => resolved == count,
            _ => self.first().state == DecisionState::Resolved,
        }
    }

    /// What is seen first: how bad, or that it is over.
    #[must_use]
    pub fn badge(&self) -> &'static str {
        badge(self.severity(), self.is_over())
    }

    /// One line.
    #[must_use]
    pub fn headline(&self) -> String {
        if let Some(title) = &self.title {
            return title.clone();
        }
        let first = self.first();
        match self.kind {
            NoticeKind::One => match first.state {
                DecisionState::Reminder => format!("Still open: {}", first.reason),
                DecisionState::Reopened => format!("Open again: {}", first.reason),
                DecisionState::Suppressed => format!("{}: {}", suppressed(first), first.reason),
                DecisionState::Expired => format!("Counts as how things are: {}", first.reason),
                DecisionState::New | DecisionState::Changed | DecisionState::Resolved => first.reason.clone(),
            },
            NoticeKind::Group { count } if metadata(first, "cause") == Some(BREAKER) => {
                // one about all regions of the account may be among them
                let is_scan = |decision: &Decision| decision.resource_key.region != "*";
                let what = if self.decisions.iter().copied().all(is_scan) { "scans" } else { "alerts" };
                let scans = format!("{} {what} of account {}", number(count), first.resource_key.account);
                match first.state {
                    DecisionState::Resolved => format!("What was held back of {scans} is over"),
                    DecisionState::Reminder => format!("Still held back of {scans}"),
                    _ => format!("{scans} show more than can be true; held back until somebody releases it"),
                }
            }
            NoticeKind::Group { count } => {
                let named = [("policy", "policy"), ("rule", "rule")];
                let mut about: Vec<String> = named
                    .iter()
                    .filter_map(|(word, name)| Some(format!("{word} {}", metadata(first, name)?)))
                    .collect();
                if about.is_empty() {
                    about.extend(metadata(first, "cause").map(|cause| cause.replace('_', " ")));
                }
                let about = if about.is_empty() { String::new() } else { format!(": {}", about.join(", ")) };
                format!("{} {}{about}{}", number(count), findings(first.state, count), self.owned())
            }
            NoticeKind::Digest { count, .. } => {
                let word = if count == 1 { "finding" } else { "findings" };
                format!("{} {word} in quiet hours", number(count))
            }
        }
    }

    fn owned(&self) -> String {
        self.owner.as_ref().map_or(String::new(), |owner| format!(" (owner {owner})"))
    }

    /// What follows the headline, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        if let Some(body) = &self.body {
            return body.lines().map(str::to_owned).collect();
        }
        let first = self.first();
        if self.kind == NoticeKind::One {
            if first.state == DecisionState::Resolved {
                return Vec::new();
            }
            let suggestion = metadata(first, "suggestion").map(|text| format!("→ {text}"));
            return suggestion.into_iter().chain(notes(first)).collect();
        }
        let named = NAMED.min(self.kind.count());
        let mut lines: Vec<String> = self.decisions.iter().take(named).map(|decision| self.line(decision)).collect();
        let more = self.more();
        if more > 0 {
            lines.push(format!("and {} more", number(more)));
        }
        match self.kind {
            NoticeKind::Digest { came_and_went, .. } if came_and_went > 0 => {
                let (opened, were) = if came_and_went == 1 { ("finding", "was") } else { ("findings", "were") };
                lines.push(format!("{} {opened} opened and {were} over again before the end", number(came_and_went)));
            }
            NoticeKind::Group { .. } => {
                let suggestion = metadata(first, "suggestion").filter(|_| !self.is_over());
                lines.extend(suggestion.map(|text| format!("→ {text}")));
                lines.extend(why_now(first).map(str::to_owned));
            }
            _ => {}
        }
        lines
    }

    /// How many are not named.
    #[must_use]
    pub fn more(&self) -> usize {
        self.kind.count().saturating_sub(self.decisions.len().min(NAMED))
    }

    /// One of several.
    fn line(&self, decision: &Decision) -> String {
        if let NoticeKind::Group { .. } | NoticeKind::One = self.kind {
            // its id releases it
            let is_breaker = metadata(decision, "cause") == Some(BREAKER);
            let id = if is_breaker && !self.is_over() { format!(" [{}]", decision.id) } else { String::new() };
            return decision.reason.clone() + &id;
        }
        let mut line = String::new();
        let badge = badge(decision.severity, decision.state == DecisionState::Resolved);
        write!(line, "{badge} {}", decision.reason).expect("writing to a String does not fail");
        match decision.state {
            DecisionState::New | DecisionState::Resolved => {}
            state => write!(line, " ({})", state.as_str()).expect("writing to a String does not fail"),
        }
        line
    }

    /// Headline and lines as one text without control characters, a line each.
    #[must_use]
    pub fn text(&self) -> String {
        let lines = std::iter::once(self.headline()).chain(self.lines());
        lines.map(|line| printable(&line)).collect::<Vec<_>>().join("\n")
    }
}

/// By what a finding is suppressed.
fn suppressed(decision: &Decision) -> String {
    let Some(exception) = metadata(decision, "exception") else { return "Suppressed by an exception".to_owned() };
    match metadata(decision, "exception_until") {
        Some(until) => format!("Suppressed by the exception {exception} until {until}"),
        None => format!("Suppressed by the exception {exception}"),
    }
}

/// Whether a finding is not open any more in this state; suppressed ones are open, and nobody is to mind.
pub(crate) fn ends(state: DecisionState) -> bool {
    matches!(state, DecisionState::Resolved | DecisionState::Suppressed | DecisionState::Expired)
}

/// In words, what so many findings are.
fn findings(state: DecisionState, count: usize) -> String {
    let word = if count == 1 { "finding" } else { "findings" };
    match state {
        DecisionState::New => format!("new {word}"),
        DecisionState::Changed => format!("{word} changed"),
        DecisionState::Reminder => format!("{word} still open"),
        DecisionState::Reopened => format!("{word} open again"),
        DecisionState::Resolved => format!("{word} resolved"),
        DecisionState::Suppressed => format!("{word} suppressed"),
        DecisionState::Expired => format!("{word} expired"),
    }
}

/// With a comma between thousands.
pub(crate) fn number(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_readable() {
        for (value, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (3000, "3,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(value), text);
        }
    }
}
