//! What is stored in the streams once all is done.

use std::collections::BTreeSet;

use async_nats::jetstream::Context;
use elava_harness::rows;
use serde_json::Value;

use crate::cloud::ACCOUNT;

/// What is compared of the streams.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// Ids that are there twice, by stream.
    pub(crate) twice: Vec<String>,
    /// Reasons and sources of dead letters, those apart of rows that came too late.
    pub(crate) dead: BTreeSet<String>,
    /// Rows that came too late.
    pub(crate) late: BTreeSet<String>,
}

impl Stored {
    pub(crate) async fn read(js: &Context) -> anyhow::Result<Self> {
        let mut stored = Self::default();
        for (stream, filter) in [
            ("CHANGE", "elava.change.>"),
            ("POLICY", "elava.policy.>"),
            ("DECISION", "elava.decision.>"),
            ("EXECUTION", "elava.delivery.>"),
        ] {
            let mut ids = BTreeSet::new();
            rows(js, stream, filter, |row| {
                let id = row["id"].as_str().unwrap_or_default();
                if !ids.insert(id.to_owned()) {
                    stored.twice.push(format!("{stream}: {id}"));
                }
            })
            .await?;
        }
        rows(js, "DEAD", "elava.dead.>", |letter| stored.letter(&letter)).await?;
        Ok(stored)
    }

    /// A letter that is stored again counts once: its reason and its row tell.
    fn letter(&mut self, letter: &Value) {
        let reason = letter["reason"].as_str().unwrap_or_default();
        let said = format!("{}: {reason}: {}", letter["stage"], letter["body"]);
        if said.contains(ACCOUNT) {
            // of the observers' own; compared by what follows from it
        } else if reason.starts_with("out of order") {
            self.late.insert(said);
        } else {
            self.dead.insert(said);
        }
    }
}
