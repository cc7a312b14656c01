//! `elava explain`: why, from what was seen to who was told.

mod page;
mod words;

use std::collections::BTreeSet;

use chrono::Utc;
use clap::Args;
use elava_detector::Query;
use serde_json::Value;

use super::CommandError;
use crate::args::From;
use crate::ask;
use crate::paint::Painter;
use crate::show::{self, Format, Row};

/// Ids named when several are meant.
const NAMED: usize = 8;

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct ExplainArgs {
    #[command(flatten)]
    from: From,
    /// Id of a finding, a decision, an execution or a change, or its beginning (dec_3f9a, or 3f9a); or a resource, by
    /// its key or the cloud's id alone
    #[arg(value_name = "ID")]
    id: String,
}

/// Why nothing is explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// It is the name of nothing.
    #[error("no finding, decision, execution, change or resource is called `{0}`, or begins so")]
    Unknown(String),
    /// It is the beginning of several ids.
    #[error("`{id}` is the beginning of {count} ids: {named}; write more of the one that is meant")]
    Several {
        /// What was asked for.
        id: String,
        /// How many.
        count: usize,
        /// The first of them.
        named: String,
    },
}

impl ExplainArgs {
    /// Asks and shows: a page, also where it is piped, unless a format is asked for.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        let mut rows = ask::ask(&self.from, &Query::Explain { id: self.id.clone() }).await?;
        one_is_meant(&self.id, &rows)?;
        match self.from.chosen_format() {
            None | Some(Format::Table) => show::print(&page::page(&rows, Utc::now(), Painter::of_output()))?,
            Some(format) => {
                for row in &mut rows {
                    row.remove("meant");
                }
                show::rows(&rows, &[], format, "")?;
            }
        }
        Ok(())
    }
}

/// A resource's bare id may be that of several resources; the beginning of an id must be that of one.
fn one_is_meant(id: &str, rows: &[Row]) -> Result<(), ExplainError> {
    let listed = rows.iter().filter_map(|row| row.get("meant")?.as_array());
    let meant: BTreeSet<&str> = listed.flatten().filter_map(Value::as_str).collect();
    let ids: Vec<&str> = meant.iter().filter_map(|meant| Some(meant.split_once(' ')?.1)).collect();
    match (meant.len(), meant.iter().all(|meant| meant.starts_with("resource "))) {
        (0, _) => Err(ExplainError::Unknown(id.to_owned())),
        (1, _) | (_, true) => Ok(()),
        (count, _) => {
            let more = if count > NAMED { ", …" } else { "" };
            let named = ids.into_iter().take(NAMED).collect::<Vec<_>>().join(", ") + more;
            Err(ExplainError::Several { id: id.to_owned(), count, named })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_thing_is_meant() {
        let rows = |meant: Value| vec![json!({ "meant": meant }).as_object().expect("an object").clone()];
        for (meant, expected) in [
            (json!(["decision dec_1"]), ""),
            (json!(["resource aws/1/r/t/a", "resource aws/2/r/t/a"]), ""),
            (
                json!(["decision dec_1", "finding fnd_1"]),
                "`1` is the beginning of 2 ids: dec_1, fnd_1; write more of the one that is meant",
            ),
        ] {
            let found = one_is_meant("1", &rows(meant)).map_or_else(|error| error.to_string(), |()| String::new());
            assert_eq!(found, expected);
        }
        assert!(one_is_meant("x", &[]).is_err());
    }
}
