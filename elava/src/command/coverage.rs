//! `elava coverage`: how fresh each scope is.

use clap::Args;
use elava_detector::Query;
use elava_schemas::Timestamp;

use super::CommandError;
use crate::args::{From, Scope};
use crate::time::parse_time;

/// What a table of it shows.
pub(super) const COLUMNS: [&str; 7] =
    ["provider", "account", "region", "type", "last_outcome", "last_complete_at", "age_seconds"];

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct CoverageArgs {
    #[command(flatten)]
    from: From,
    #[command(flatten)]
    scope: Scope,
    /// Only scopes not seen whole since: 24h (ago), yesterday 14:00, monday, 2026-11-20
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    unseen_since: Option<Timestamp>,
}

impl CoverageArgs {
    /// Asks and shows.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        let query = Query::Coverage { scope: self.scope.into(), unseen_since: self.unseen_since };
        self.from.print(&query, &COLUMNS, "no such scopes").await
    }
}
