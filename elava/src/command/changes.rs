//! `elava changes`: what changed.

use clap::{Args, ValueEnum};
use elava_detector::Query;
use elava_schemas::{ChangeType, Timestamp};

use super::CommandError;
use crate::args::{From, Scope};
use crate::time::parse_time;

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct ChangesArgs {
    #[command(flatten)]
    from: From,
    /// From when: 30m, 24h, 7d (ago), yesterday 14:00, monday, 2026-11-20, 2026-11-20T14:00:00Z
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = parse_time)]
    since: Timestamp,
    /// Until when [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,
    /// Only these sorts
    #[arg(long, value_delimiter = ',')]
    only: Vec<Sort>,
    #[command(flatten)]
    scope: Scope,
    /// Show the first look at a scope too
    #[arg(long)]
    baseline: bool,
    /// At most this many, newest first
    #[arg(long, default_value_t = 1000)]
    limit: u32,
}

/// A sort of change, in short.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Sort {
    /// Appeared
    New,
    /// Disappeared
    Gone,
    /// Status, attributes, name or relations
    Modified,
    /// Tags
    Tags,
    /// Costs more
    Cost,
}

impl std::convert::From<Sort> for ChangeType {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::New => Self::Appeared,
            Sort::Gone => Self::Disappeared,
            Sort::Modified => Self::Modified,
            Sort::Tags => Self::TagDrift,
            Sort::Cost => Self::CostIncrease,
        }
    }
}

impl ChangesArgs {
    /// Asks and shows.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        if self.until.is_some_and(|until| until < self.since) {
            return Err(CommandError::Backwards);
        }
        let query = |limit| Query::Changes {
            since: Some(self.since),
            until: self.until,
            scope: self.scope.into(),
            types: self.only.into_iter().map(ChangeType::from).collect(),
            limit: Some(limit),
            baseline: self.baseline,
        };
        let columns = ["detected_at", "type", "details", "key"];
        self.from.print_first(self.limit, query, &columns, "nothing changed").await
    }
}
