//! `elava replay`: what policies were given, as lines that `elava-enforcer backtest` tries other policies on.

use std::io::{BufWriter, ErrorKind, Write};
use std::path::PathBuf;

use clap::Args;
use elava_bus::Client;
use elava_detector::query::{self, QUERY_SUBJECT};
use elava_detector::{History, Query, ScopeFilter};
use elava_schemas::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::CommandError;
use crate::args::{Nats, Scope};
use crate::ask::AskError;
use crate::time::parse_time;

/// A file that nobody holds is read in larger parts: nothing else wants the memory.
const LARGER: u32 = 2;

/// The flags.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Example:
  elava replay --db history.duckdb --since 30d | elava-enforcer backtest --policies new --input -")]
pub struct ReplayArgs {
    #[command(flatten)]
    nats: Nats,
    /// Read this history file instead of asking the running detector. Nobody may hold it
    #[arg(long, env = "ELAVA_DB", value_name = "FILE")]
    db: Option<PathBuf>,
    /// From when: 24h, 30d (ago), monday, 2026-11-20, 2026-11-20T14:00:00Z
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = parse_time)]
    since: Timestamp,
    /// Until when [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,
    #[command(flatten)]
    scope: Scope,
}

/// In how many parts it is asked for.
#[derive(Deserialize)]
struct Size {
    parts: u32,
}

impl ReplayArgs {
    /// Asks, and writes one line after the other.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        let mut out = BufWriter::new(std::io::stdout());
        match self.write(&mut out).await {
            Err(CommandError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            done => done,
        }
    }

    async fn write(&self, out: &mut impl Write) -> Result<(), CommandError> {
        let window = json!({"step": "window", "since": self.since, "until": self.until});
        writeln!(out, "{window}")?;
        let scope: ScopeFilter = self.scope.clone().into();
        let (since, until) = (self.since, self.until);
        let size = Query::ReplaySize { since, until, scope: scope.clone() };
        let part = |part, parts| Query::Replay { since, until, scope: scope.clone(), part, parts };
        match &self.db {
            Some(db) => {
                let failed = |error: Box<dyn std::error::Error + Send + Sync>| AskError::file(db, error);
                let history = History::open_read_only(db).map_err(|error| failed(error.into()))?;
                let ask = |query: &Query| query::lines(&history, query).map_err(|error| failed(error.into()));
                let parts = parts(ask(&size)?.first().map(String::as_bytes))?.div_ceil(LARGER);
                for number in 0..parts {
                    for line in ask(&part(number, parts))? {
                        writeln!(out, "{line}")?;
                    }
                }
            }
            None => {
                let client = Client::connect(&self.nats.options()).await?;
                let ask = async |query: &Query| {
                    client.request(QUERY_SUBJECT, serde_json::to_vec(query)?.into()).await.map_err(CommandError::from)
                };
                let parts = parts(ask(&size).await?.first().map(|line| &line[..]))?;
                for number in 0..parts {
                    for line in ask(&part(number, parts)).await? {
                        out.write_all(&line)?;
                        out.write_all(b"\n")?;
                    }
                }
            }
        }
        Ok(out.flush()?)
    }
}

fn parts(line: Option<&[u8]>) -> Result<u32, AskError> {
    let size: Size = serde_json::from_slice(line.unwrap_or_default()).map_err(AskError::Answer)?;
    Ok(size.parts)
}
