//! `elava report`: one HTML page about a span of time.

use std::path::{Path, PathBuf};

use chrono::Utc;
use clap::Args;
use elava_detector::query::CostBy;
use elava_detector::{Query, ScopeFilter};
use elava_schemas::{ChangeType, Timestamp};

use super::CommandError;
use super::cost::parse_by;
use crate::args::{Place, Scope};
use crate::ask::Asked;
use crate::report::{Answers, Facts, Span, page};
use crate::show;
use crate::time::parse_time;

/// Changes that make a resource one that changes again and again; as `elava flapping` has it.
const AT_LEAST: u32 = 3;
/// Newest changes that are told one by one.
const NEWEST: u32 = 10;

/// The flags.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The page needs nothing else: no network, no scripts. It is one file to open, to send or to print.

Examples:
  elava report --since 30d --to report.html
  elava report --account 123456789012 --by tag:Team --to team.html
  elava report --db history.duckdb > report.html"
)]
pub struct ReportArgs {
    #[command(flatten)]
    place: Place,
    /// From when until now: 24h, 7d, 30d (ago), monday, 2026-11-20
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = parse_past)]
    since: Timestamp,
    /// File to write, in place of one that is there [default: standard output]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Costs are summed by: type, account, region, provider or tag:KEY
    #[arg(long, value_name = "WHAT", default_value = "type", value_parser = parse_by)]
    by: CostBy,
    /// Scopes not seen whole since then are marked as stale: 24h (ago), yesterday 14:00, monday, 2026-11-20
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = parse_time)]
    unseen_since: Timestamp,
    #[command(flatten)]
    scope: Scope,
}

/// A time that has been.
fn parse_past(text: &str) -> Result<Timestamp, String> {
    let at = parse_time(text)?;
    if at > Utc::now() { Err(format!("`{text}` is still to come; a report ends now")) } else { Ok(at) }
}

impl ReportArgs {
    /// Asks, and writes the page.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        let scope = ScopeFilter::from(self.scope.clone());
        let span = Span { since: self.since, until: Utc::now() };
        let answers = self.ask(span, &scope).await?;
        let filters = [("account", scope.account), ("region", scope.region), ("type", scope.kind)];
        let facts = Facts {
            source: self.place.shown(),
            filters: filters.into_iter().filter_map(|(name, pattern)| Some((name, pattern?))).collect(),
            span,
            unseen_since: self.unseen_since,
            by: by(&self.by),
        };
        let page = page(&facts, &answers);
        match &self.to {
            None => show::print(&page)?,
            Some(file) => write(file, &page)?,
        }
        Ok(())
    }

    /// All that the page tells.
    async fn ask(&self, span: Span, scope: &ScopeFilter) -> Result<Answers, CommandError> {
        let (since, scope, by) = (span.since, || scope.clone(), || self.by.clone());
        let (step, moment) = (span.step().seconds(), span.moment_seconds());
        let history = Asked::open(&self.place).await?;
        let ask = async |query: Query| history.ask(&query).await;
        Ok(Answers {
            changes: ask(Query::ChangesOverTime { since, step_seconds: step, scope: scope() }).await?,
            newest: ask(Query::Changes {
                since: Some(since),
                until: None,
                scope: scope(),
                types: vec![ChangeType::Disappeared, ChangeType::CostIncrease],
                limit: Some(NEWEST),
                baseline: false,
            })
            .await?,
            violations: ask(Query::ViolationsOverTime { since, step_seconds: moment, scope: scope() }).await?,
            open: ask(Query::Violations { at: None, scope: scope(), severity: None }).await?,
            costs: ask(Query::CostOverTime { since, step_seconds: moment, by: by(), scope: scope() }).await?,
            cost: ask(Query::Cost { at: None, by: by(), scope: scope() }).await?,
            flapping: ask(Query::Flapping { since, at_least: AT_LEAST, scope: scope() }).await?,
            coverage: ask(Query::Coverage { scope: scope(), unseen_since: None }).await?,
        })
    }
}

/// As one says it.
fn by(by: &CostBy) -> String {
    match by {
        CostBy::Provider => "provider".to_owned(),
        CostBy::Account => "account".to_owned(),
        CostBy::Region => "region".to_owned(),
        CostBy::Type => "type".to_owned(),
        CostBy::Tag(key) => format!("tag {key}"),
    }
}

fn write(file: &Path, page: &str) -> Result<(), CommandError> {
    std::fs::write(file, page).map_err(|source| CommandError::File { file: file.display().to_string(), source })?;
    eprintln!("elava: wrote {} ({} kB)", file.display(), page.len().div_ceil(1000));
    Ok(())
}
