//! `elava resources`: what exists, or existed.

use std::collections::BTreeMap;

use clap::Args;
use elava_detector::Query;
use elava_schemas::Timestamp;

use super::CommandError;
use crate::args::{From, Scope, parse_tag};
use crate::time::parse_time;

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct ResourcesArgs {
    #[command(flatten)]
    from: From,
    /// When: 24h (ago), yesterday 14:00, monday, 2026-11-20, 2026-11-20T14:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
    #[command(flatten)]
    scope: Scope,
    /// Only with this tag, key or key=value; may be given several times
    #[arg(long = "tag", value_name = "KEY[=VALUE]", value_parser = parse_tag)]
    tags: Vec<(String, Option<String>)>,
    /// At most this many
    #[arg(long, default_value_t = 1000)]
    limit: u32,
}

impl ResourcesArgs {
    /// Asks and shows.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        let tags: BTreeMap<_, _> = self.tags.into_iter().collect();
        let scope = self.scope.into();
        let query = |limit| Query::Resources { at: self.at, scope, tags, limit: Some(limit) };
        let columns = ["key", "name", "status", "monthly_cost_usd", "first_seen"];
        self.from.print_first(self.limit, query, &columns, "no such resources").await
    }
}
