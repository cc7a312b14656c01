//! `elava violations`: what breaks policy, or broke it.

use clap::{Args, ValueEnum};
use elava_detector::Query;
use elava_schemas::Timestamp;

use super::CommandError;
use crate::args::{From, Scope};
use crate::time::parse_time;

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct ViolationsArgs {
    #[command(flatten)]
    from: From,
    /// Those that were open then: 24h (ago), yesterday 14:00, monday, 2026-11-20 [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
    #[command(flatten)]
    scope: Scope,
    /// Only of this severity
    #[arg(long)]
    severity: Option<Severity>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Severity {
    Critical,
    Warning,
    Info,
}

impl ViolationsArgs {
    /// Asks and shows.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        let severity = self.severity.map(|severity| match severity {
            Severity::Critical => "critical".to_owned(),
            Severity::Warning => "warning".to_owned(),
            Severity::Info => "info".to_owned(),
        });
        let query = Query::Violations { at: self.at, scope: self.scope.into(), severity };
        let columns = ["severity", "policy", "message", "key", "opened_at"];
        self.from.print(&query, &columns, "no open violations").await
    }
}
