//! `elava exceptions`: what is accepted for a while, and what it covers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use chrono::Utc;
use clap::Args;
use elava_detector::Query;
use elava_schemas::exceptions::{Exception, load};
use elava_schemas::{Timestamp, config};
use serde_json::{Value, json};

use super::{CommandError, row};
use crate::args::From;
use crate::show::{self, Row};

/// Where the configuration is looked for.
const CONFIG: &str = "elava.yaml";

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct ExceptionsArgs {
    #[command(flatten)]
    from: From,
    /// The file of exceptions [default: the one that the configuration names, if any]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Configuration file [default: ./elava.yaml]
    #[arg(long, short = 'c', env = "ELAVA_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ExceptionsArgs {
    /// Reads the file, asks what each covers, and shows both. The file can be reviewed without a history.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        let exceptions = self.file()?.as_deref().map_or(Ok(Vec::new()), load)?;
        let covered = match crate::ask::ask(&self.from, &Query::Exceptions {}).await {
            Ok(rows) => Some(rows),
            Err(error) => {
                eprintln!("elava: what they cover is not known: {}", elava_bus::cli::chain(&error));
                None
            }
        };
        let columns = ["state", "id", "expires", "findings", "owner", "reason", "match"];
        let rows = review(exceptions, covered.as_deref(), Utc::now());
        Ok(show::rows(&rows, &columns, self.from.format(), "no exceptions")?)
    }

    /// Without one, what is still covered by exceptions that are no more can be seen.
    fn file(&self) -> Result<Option<PathBuf>, CommandError> {
        if self.file.is_some() {
            return Ok(self.file.clone());
        }
        let default = Path::new(CONFIG);
        let Some(config) = self.config.as_deref().or_else(|| default.exists().then_some(default)) else {
            eprintln!("elava: no exceptions are configured: there is no {CONFIG} here (--config, --file)");
            return Ok(None);
        };
        let named = config::load(config)?.policies.exceptions;
        if named.is_none() {
            eprintln!("elava: no exceptions are configured: {} has no policies.exceptions", config.display());
        }
        Ok(named.map(PathBuf::from))
    }
}

/// One row an exception, those that end first at the top; and those that still cover something, though they are in the
/// file no more.
fn review(mut exceptions: Vec<Exception>, covered: Option<&[Row]>, now: Timestamp) -> Vec<Row> {
    let text = |row: &Row| row.get("exception").and_then(Value::as_str).unwrap_or_default().to_owned();
    let count = |row: &Row| (text(row), row.get("findings").cloned().unwrap_or_default());
    let mut findings: HashMap<String, Value> = covered.unwrap_or_default().iter().map(count).collect();
    exceptions.sort_by_key(|exception| exception.expires);
    let mut rows = Vec::new();
    for exception in &exceptions {
        let none = if covered.is_some() { json!(0) } else { Value::Null };
        rows.push(row(json!({
            "state": state(exception, now), "id": exception.id, "expires": exception.expires.format("%Y-%m-%d").to_string(),
            "findings": findings.remove(&exception.id).unwrap_or(none), "owner": exception.owner,
            "reason": exception.reason, "match": exception.matches,
        })));
    }
    let mut gone: Vec<(String, Value)> = findings.into_iter().collect();
    gone.sort_by(|a, b| a.0.cmp(&b.0));
    rows.extend(
        gone.into_iter().map(|(id, findings)| row(json!({"state": "removed", "id": id, "findings": findings}))),
    );
    rows
}

/// What its owner has to know first.
fn state(exception: &Exception, now: Timestamp) -> &'static str {
    match exception {
        _ if exception.expires <= now => "ended",
        _ if exception.warn_at() <= now => "ends soon",
        _ => "holds",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_reviewed() {
        let text = "exceptions:
  - {id: late, match: {type: 'rds:*'}, reason: migration, owner: ann, expires: 2027-06-01}
  - {id: soon, match: {id: i-1}, reason: legacy, owner: bob, expires: 2027-01-05}
  - {id: over, match: {id: i-2}, reason: test, owner: bob, expires: 2026-12-31}
";
        let exceptions = elava_schemas::exceptions::parse("x.yaml", text).expect("a file");
        let covered =
            [row(json!({"exception": "soon", "findings": 3})), row(json!({"exception": "old", "findings": 1}))];
        let line = |row: Row| {
            ["state", "id", "expires", "findings"]
                .map(|name| row.get(name).cloned().unwrap_or_default().to_string())
                .join(" ")
        };
        let now = "2027-01-01T00:00:00Z".parse().expect("a time");
        let rows: Vec<String> = review(exceptions, Some(&covered), now).into_iter().map(line).collect();
        expect_test::expect![[r#"
            "ended" "over" "2026-12-31" 0
            "ends soon" "soon" "2027-01-05" 3
            "holds" "late" "2027-06-01" 0
            "removed" "old" null 1"#]]
        .assert_eq(&rows.join("\n"));
    }
}
