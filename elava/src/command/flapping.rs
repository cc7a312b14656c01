//! `elava flapping`: what changes again and again.

use clap::Args;
use elava_detector::Query;
use elava_schemas::Timestamp;

use super::CommandError;
use crate::args::{From, Scope};
use crate::time::parse_time;

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct FlappingArgs {
    #[command(flatten)]
    from: From,
    /// From when: 24h, 7d (ago), monday, 2026-11-20
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = parse_time)]
    since: Timestamp,
    /// How many changes make one
    #[arg(long, value_name = "CHANGES", default_value_t = 3)]
    at_least: u32,
    #[command(flatten)]
    scope: Scope,
}

impl FlappingArgs {
    /// Asks and shows.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        let query = Query::Flapping { since: self.since, at_least: self.at_least, scope: self.scope.into() };
        let columns = ["changes", "returns", "disappearances", "key", "last_change_at", "last_details"];
        self.from.print(&query, &columns, "nothing changes that often").await
    }
}
