//! Completion at the prompt: keywords, and the names of tables, views, macros and columns.

use elava_detector::query::statements;
use rustyline::completion::{Completer, Pair};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Highlighter, Hinter};

const KEYWORDS: &[&str] = &[
    "AND",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "COUNT(",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXPLAIN",
    "FROM",
    "GROUP",
    "HAVING",
    "INTERVAL",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NOW()",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "SELECT",
    "SHOW",
    "SUMMARIZE",
    "TABLES",
    "THEN",
    "TIMESTAMPTZ",
    "UNION",
    "USING",
    "WHEN",
    "WHERE",
    "WITH",
];

/// What the prompt needs to know.
#[derive(Helper, Highlighter, Hinter)]
pub(super) struct Words(Vec<String>);

impl Words {
    /// Names besides the keywords.
    pub(super) fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    /// What the word that ends at `end` may become, and where it begins.
    fn candidates(&self, line: &str, end: usize) -> (usize, Vec<String>) {
        let head = &line[..end];
        let start = head
            .rfind(|c: char| !c.is_alphanumeric() && c != '_')
            .map_or(0, |at| at + head[at..].chars().next().map_or(0, char::len_utf8));
        let word = head[start..].to_lowercase();
        if word.is_empty() {
            return (start, Vec::new());
        }
        let names = self.0.iter().map(String::as_str).chain(KEYWORDS.iter().copied());
        let fits = names.filter(|name| name.to_lowercase().starts_with(&word) && !name.eq_ignore_ascii_case(&word));
        (start, fits.map(str::to_owned).collect())
    }
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(&self, line: &str, end: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, names) = self.candidates(line, end);
        let pair = |name: String| Pair { display: name.clone(), replacement: name };
        Ok((start, names.into_iter().map(pair).collect()))
    }
}

/// A statement goes on until its semicolon.
impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_whole(context.input()) { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

/// Whether what comes next is a statement of its own.
fn is_whole(text: &str) -> bool {
    text.trim_start().starts_with('.') || statements(&format!("{text}\nnext")).last() == Some("next")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_with_a_semicolon() {
        for (text, expected) in [
            ("", true),
            (" ;", true),
            (".json", true),
            ("SELECT 1", false),
            ("SELECT 1;", true),
            ("SELECT 1; -- one", true),
            ("SELECT 1 -- one;", false),
            ("SELECT ';", false),
            ("SELECT ';\n';", true),
            ("SELECT 1; SELECT 2", false),
            ("/* ;", false),
        ] {
            assert_eq!(is_whole(text), expected, "{text}");
        }
    }

    #[test]
    fn words_are_completed() {
        let words = Words::new(["changes", "changes_since(", "resources"].map(str::to_owned).to_vec());
        for (line, start, expected) in [
            ("from cha", 5, &["changes", "changes_since("][..]),
            ("FROM CHANGES", 5, &["changes_since("]),
            ("SELECT key,res", 11, &["resources"]),
            ("sel", 0, &["SELECT"]),
            ("from ", 5, &[]),
            ("'é", 1, &[]),
        ] {
            let (at, found) = words.candidates(line, line.len());
            assert_eq!(
                (at, found.iter().map(String::as_str).collect::<Vec<_>>()),
                (start, expected.to_vec()),
                "{line}"
            );
        }
    }
}
