//! `elava approve`, `deny`, `undo`, `release`: a person's word on a decision.

use chrono::Utc;
use clap::Args;
use elava_bus::{Client, host};
use elava_detector::query::{QUERY_SUBJECT, Query};
use elava_schemas::{Approval, ApprovalId, DecisionId, Timestamp, Verdict, micros};
use serde_json::Value;

use super::CommandError;
use crate::args::Nats;
use crate::ask;
use crate::clean::one_line;
use crate::show::{self, Row};

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct WordArgs {
    #[command(flatten)]
    nats: Nats,
    /// The decision: its id, or the beginning of it; for `undo` also that of an execution
    #[arg(value_name = "ID")]
    id: String,
    /// Why
    #[arg(long)]
    reason: Option<String>,
    /// Who says so [default: user@host]
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Go ahead.
    Approve,
    /// Do not.
    Deny,
    /// Take back what was done.
    Undo,
    /// Tell what a breaker holds back.
    Release,
}

/// Why nothing was said.
#[derive(Debug, thiserror::Error)]
pub enum WordError {
    /// No such decision.
    #[error("no decision begins with {0}; `elava approvals` lists those that wait")]
    Unknown(String),
    /// More than one.
    #[error("{id} is the beginning of several decisions: {}", .of.join(", "))]
    Ambiguous {
        /// What was given.
        id: String,
        /// Some of them.
        of: Vec<String>,
    },
    /// It would be void.
    #[error("{id} {why}: {reason}")]
    Void {
        /// The decision.
        id: String,
        /// What is wrong with it.
        why: String,
        /// What it is about.
        reason: String,
    },
}

impl WordArgs {
    /// Looks at the decision, says the word, and says what was said.
    ///
    /// # Errors
    /// [`CommandError`]; where it would be void, nothing is said.
    pub async fn run(self, word: Word) -> Result<(), CommandError> {
        let query = Query::Decisions { id: self.id.clone() };
        let rows = ask::request_from(&self.nats, QUERY_SUBJECT, &query).await?;
        let decision = one(&self.id, &rows)?;
        if let Some(why) = void(word, decision) {
            let (id, reason) = (text(decision, "decision_id").to_owned(), text(decision, "reason").to_owned());
            return Err(WordError::Void { id, why, reason }.into());
        }
        let by = self.by.unwrap_or_else(whoever);
        let approval = said(word, text(decision, "decision_id"), by, self.reason, micros(Utc::now()));
        Client::connect(&self.nats.options()).await?.publish(&approval.clone().into()).await?;
        Ok(show::print(&told(word, &approval, decision))?)
    }
}

/// The decision that is meant.
fn one<'a>(id: &str, rows: &'a [Row]) -> Result<&'a Row, WordError> {
    match rows {
        [] => Err(WordError::Unknown(id.to_owned())),
        [row] => Ok(row),
        rows => match rows.iter().find(|row| text(row, "decision_id") == id) {
            Some(row) => Ok(row),
            None => {
                let of = rows.iter().take(5).map(|row| text(row, "decision_id").to_owned()).collect();
                Err(WordError::Ambiguous { id: id.to_owned(), of })
            }
        },
    }
}

/// Why a word on this decision would be void; nothing where it counts.
fn void(word: Word, decision: &Row) -> Option<String> {
    let is = |column: &str| decision.get(column).and_then(Value::as_bool).unwrap_or(false);
    let outcome = decision.get("outcome").and_then(Value::as_str);
    if word == Word::Undo {
        return match outcome {
            Some("executed") => None,
            // an undo that was not carried out can be asked for again
            Some("skipped" | "failed") if text(decision, "error").starts_with("not undone") => None,
            Some(outcome) => Some(format!("cannot be taken back, it is {outcome}")),
            None => Some("has not been carried out".to_owned()),
        };
    }
    let over = matches!(text(decision, "state"), "resolved" | "suppressed" | "expired");
    match () {
        () if outcome.is_some() => Some(format!("is {} already", outcome.unwrap_or_default())),
        () if is("is_superseded") => Some("is superseded by a later one".to_owned()),
        () if over => Some(format!("is {}", text(decision, "state"))),
        () if is("is_late") => {
            Some(format!("has expired, it could be approved until {}", text(decision, "approve_by")))
        }
        () if word == Word::Release && !is("is_breaker") => Some("holds nothing back".to_owned()),
        () if word != Word::Release && !is("requires_approval") && !is("is_breaker") => {
            Some("needs no approval".to_owned())
        }
        () if word == Word::Approve && text(decision, "verdict") == "denied" => {
            Some(format!("was denied by {}", text(decision, "person")))
        }
        () => None,
    }
}

fn said(word: Word, decision: &str, by: String, reason: Option<String>, at: Timestamp) -> Approval {
    let verdict = match word {
        Word::Approve | Word::Release => Verdict::Approved,
        Word::Deny => Verdict::Denied,
        Word::Undo => Verdict::Undo,
    };
    let id = match word {
        // may be asked for again
        Word::Undo => ApprovalId::of(&[decision, &by, verdict.as_str(), &at.to_rfc3339()]),
        _ => ApprovalId::of(&[decision, &by, verdict.as_str()]),
    };
    Approval { id, decision_id: DecisionId::from(decision.to_owned()), by, verdict, reason, at }
}

/// What was said, for who said it.
fn told(word: Word, approval: &Approval, decision: &Row) -> String {
    let done = match word {
        Word::Approve => "approved",
        Word::Deny => "denied",
        Word::Undo => "to be undone",
        Word::Release => "released",
    };
    let [action, reason, key] = ["action", "reason", "key"].map(|column| one_line(text(decision, column)));
    format!("{done} by {}: {action}, {reason}\n  decision {}\n  resource {key}\n", approval.by, approval.decision_id)
}

fn text<'a>(row: &'a Row, column: &str) -> &'a str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}

/// `user@host`.
fn whoever() -> String {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    format!("{}@{}", user.as_deref().unwrap_or("somebody"), host())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(fields: &Value) -> Row {
        let mut row = json!({"decision_id": "dec_1", "state": "new", "requires_approval": true, "reason": "r"});
        row.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        row.as_object().expect("an object").clone()
    }

    #[test]
    fn words_that_would_be_void() {
        for (word, fields, expected) in [
            (Word::Approve, json!({}), None),
            (Word::Deny, json!({}), None),
            (Word::Deny, json!({"verdict": "approved"}), None),
            (Word::Approve, json!({"outcome": "executed"}), Some("is executed already")),
            (Word::Approve, json!({"outcome": "skipped", "error": "approval expired"}), Some("is skipped already")),
            (Word::Approve, json!({"is_superseded": true}), Some("is superseded by a later one")),
            (Word::Approve, json!({"state": "resolved"}), Some("is resolved")),
            (
                Word::Approve,
                json!({"is_late": true, "approve_by": "2026-01-01T00:00:00Z"}),
                Some("has expired, it could be approved until 2026-01-01T00:00:00Z"),
            ),
            (Word::Approve, json!({"requires_approval": false}), Some("needs no approval")),
            (Word::Approve, json!({"verdict": "denied", "person": "ada"}), Some("was denied by ada")),
            (Word::Release, json!({}), Some("holds nothing back")),
            (Word::Release, json!({"is_breaker": true, "requires_approval": false}), None),
            (Word::Undo, json!({}), Some("has not been carried out")),
            (Word::Undo, json!({"outcome": "executed"}), None),
            (Word::Undo, json!({"outcome": "undone"}), Some("cannot be taken back, it is undone")),
            (
                Word::Undo,
                json!({"outcome": "skipped", "error": "denied by x"}),
                Some("cannot be taken back, it is skipped"),
            ),
            (Word::Undo, json!({"outcome": "skipped", "error": "not undone: somebody"}), None),
        ] {
            assert_eq!(void(word, &row(&fields)).as_deref(), expected, "{word:?} {fields}");
        }
    }

    #[test]
    fn which_decision_is_meant() {
        let rows = ["dec_1", "dec_12"].map(|id| row(&json!({ "decision_id": id })));
        assert_eq!(one("dec_1", &rows).map(|row| text(row, "decision_id")).ok(), Some("dec_1"));
        assert_eq!(one("dec_", &rows[1..]).map(|row| text(row, "decision_id")).ok(), Some("dec_12"));
        let error = |id, rows| one(id, rows).expect_err("refused").to_string();
        assert_eq!(error("dec_", &rows), "dec_ is the beginning of several decisions: dec_1, dec_12");
        assert_eq!(error("x", &[]), "no decision begins with x; `elava approvals` lists those that wait");
    }
}
