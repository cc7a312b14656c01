//! The command line's shape.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use elava_bus::{NatsAccess, NatsOptions};
use elava_detector::{Query, ScopeFilter};

use crate::command::{
    CommandError, approvals::ApprovalsArgs, approve::WordArgs, audit::AuditArgs, changes::ChangesArgs, cost::CostArgs,
    coverage::CoverageArgs, diff::DiffArgs, evaluate::EvaluateArgs, exceptions::ExceptionsArgs, explain::ExplainArgs,
    export::ExportArgs, flapping::FlappingArgs, history::HistoryArgs, nats::NatsCommand, orphans::OrphansArgs,
    replay::ReplayArgs, report::ReportArgs, resources::ResourcesArgs, scan::ScanArgs, status::StatusArgs,
    summary::SummaryArgs, violations::ViolationsArgs,
};
use crate::report::grouped;
use crate::show::{Format, FormatArgs};
use crate::sql::SqlArgs;
use crate::up::UpArgs;
use crate::{ask, show};

/// What really exists in your cloud, what changed, when and why.
#[derive(Debug, Parser)]
#[command(
    name = "elava",
    version,
    after_help = "Times are 30m, 24h, 7d, 2w (ago), today, yesterday 14:00, monday, 2026-11-20, 2026-11-20 14:00
or 2026-11-20T14:00:00Z; UTC unless they name an offset.

Examples:
  elava changes --since 24h --only gone
  elava diff 'yesterday 14:00'
  elava resources --at 2026-11-20 --type 'rds:*' --tag Environment=production
  elava cost --by tag:Team --over 30d
  elava audit i-0abc1234def567890
  elava explain dec_3f9a
  elava violations --json | jq .severity
  elava sql \"FROM changes_since('24h')\"
  elava export --to lake
  elava report --since 30d --to report.html
  elava approve dec_3f2a --reason 'seen with Ada'

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration."
)]
pub struct Elava {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch this AWS account: start NATS and every stage, and print what happens
    Up(UpArgs),
    /// What changed, change by change
    Changes(ChangesArgs),
    /// What differs between two times, net of what happened in between
    Diff(DiffArgs),
    /// Every version of one resource
    History(HistoryArgs),
    /// All that is known of one resource: observed, changed, judged, decided, approved, done, told
    Audit(AuditArgs),
    /// Why: the whole chain of a finding, a decision, an execution, a change, or of all findings of a resource
    Explain(ExplainArgs),
    /// What exists, now or at a time
    Resources(ResourcesArgs),
    /// Policy violations that are open, now or at a time
    Violations(ViolationsArgs),
    /// What is accepted for a while: why, by whom, until when, and what it covers
    Exceptions(ExceptionsArgs),
    /// What nobody uses or owns
    Orphans(OrphansArgs),
    /// What waits for somebody to say yes
    Approvals(ApprovalsArgs),
    /// Let a decision be carried out
    Approve(WordArgs),
    /// Have a decision left alone
    Deny(WordArgs),
    /// Take back what was done because of a decision
    Undo(WordArgs),
    /// Let what a breaker holds back be told
    Release(WordArgs),
    /// Estimated monthly cost, now, at a time or over time
    Cost(CostArgs),
    /// What changes again and again
    Flapping(FlappingArgs),
    /// How fresh each scope is
    Coverage(CoverageArgs),
    /// How far the stages are, how much space streams and history take, and how fresh each scope is
    Status(StatusArgs),
    /// The whole story in numbers
    Summary(SummaryArgs),
    /// SQL over the history, while the detector writes it
    Sql(SqlArgs),
    /// A copy of the history for others to read: a DuckDB file, or Parquet that grows
    Export(ExportArgs),
    /// One HTML page about a span of time: changes, cost, violations and coverage, drawn
    Report(ReportArgs),
    /// What policies were given, for `elava-enforcer backtest` to try others on
    Replay(ReplayArgs),
    /// Scan now
    Scan(ScanArgs),
    /// Have policies look at current resources again now, all or one
    Evaluate(EvaluateArgs),
    /// What the NATS server needs: users with their permissions, and streams
    #[command(subcommand)]
    Nats(NatsCommand),
}

/// Where answers come from, and how they are shown.
#[derive(Args, Clone, Debug)]
pub struct From {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    format: FormatArgs,
}

/// Where answers come from.
#[derive(Args, Clone, Debug)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) nats: Nats,
    /// Read this history file instead of asking the running detector. Nobody may hold it
    #[arg(long, env = "ELAVA_DB", value_name = "FILE")]
    pub(crate) db: Option<PathBuf>,
}

impl Place {
    /// For people: which history it is, without what is secret.
    pub(crate) fn shown(&self) -> String {
        match &self.db {
            Some(file) => format!("history {}", file.display()),
            None => format!("the running detector at {}", without_secrets(&self.nats.url)),
        }
    }
}

/// URLs without the users, passwords and tokens that may be in them.
fn without_secrets(urls: &str) -> String {
    let shown = |url: &str| {
        let (scheme, rest) = url.split_once("://").unwrap_or(("nats", url));
        format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host))
    };
    urls.split(',').map(|url| shown(url.trim())).collect::<Vec<_>>().join(", ")
}

impl From {
    /// How rows are shown.
    pub(crate) fn format(&self) -> Format {
        self.format.chosen()
    }

    /// How rows are shown where that was said.
    pub(crate) fn chosen_format(&self) -> Option<Format> {
        self.format.said()
    }

    /// Asks, and shows these columns of the answer.
    pub(crate) async fn print(&self, query: &Query, columns: &[&str], nothing: &str) -> Result<(), CommandError> {
        let rows = ask::ask(self, query).await?;
        Ok(show::rows(&rows, columns, self.format(), nothing)?)
    }

    /// The same of what is known of `resource`, which must be something.
    pub(crate) async fn print_of(self, resource: String, query: Query, columns: &[&str]) -> Result<(), CommandError> {
        let rows = ask::ask(&self, &query).await?;
        if rows.is_empty() {
            return Err(CommandError::Unknown(resource));
        }
        Ok(show::rows(&rows, columns, self.format(), "")?)
    }

    /// The same, of at most `limit` rows; where there are more, that is said.
    pub(crate) async fn print_first(
        &self,
        limit: u32,
        query: impl FnOnce(u32) -> Query,
        columns: &[&str],
        nothing: &str,
    ) -> Result<(), CommandError> {
        let mut rows = ask::ask(self, &query(limit.saturating_add(1))).await?;
        let is_cut = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        show::rows(&rows, columns, self.format(), nothing)?;
        if is_cut {
            eprintln!("elava: the first {} only; --limit N gives more", grouped(f64::from(limit), 0));
        }
        Ok(())
    }
}

/// Narrows an answer.
#[derive(Args, Clone, Debug)]
pub(crate) struct Scope {
    /// Only of this type, such as ec2:instance or 'rds:*'
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only of this account; * and ? as in file names
    #[arg(long)]
    account: Option<String>,
    /// Only of this region; * and ? as in file names
    #[arg(long)]
    region: Option<String>,
}

impl std::convert::From<Scope> for ScopeFilter {
    fn from(Scope { kind, account, region }: Scope) -> Self {
        Self { account, region, kind }
    }
}

/// For clap: `key` or `key=value`.
pub(crate) fn parse_tag(text: &str) -> Result<(String, Option<String>), String> {
    let (key, value) = text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value.to_owned())));
    if key.is_empty() { Err("write a tag as Owner or Owner=ada".to_owned()) } else { Ok((key.to_owned(), value)) }
}

/// How to reach NATS.
#[derive(Args, Clone, Debug)]
pub struct Nats {
    /// NATS server of the running pipeline
    #[arg(long = "nats", env = "ELAVA_NATS_URL", value_name = "URL", default_value = "nats://127.0.0.1:4222")]
    url: String,
    #[command(flatten)]
    access: NatsAccess,
}

impl Nats {
    /// For the bus.
    #[must_use]
    pub fn options(&self) -> NatsOptions {
        NatsOptions { url: self.url.clone(), access: self.access.clone() }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Elava::command().debug_assert();
    }

    #[test]
    fn urls_are_shown_without_secrets() {
        for (url, expected) in [
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
            ("tls://ada:p@ss@nats.example.com:4222", "tls://nats.example.com:4222"),
            ("token@a:4222, nats://b", "nats://a:4222, nats://b"),
        ] {
            assert_eq!(without_secrets(url), expected);
        }
    }

    #[test]
    fn tags_people_type() {
        for (text, expected) in [
            ("Owner", Ok(("Owner".to_owned(), None))),
            ("Owner=ada", Ok(("Owner".to_owned(), Some("ada".to_owned())))),
            ("a=b=c", Ok(("a".to_owned(), Some("b=c".to_owned())))),
            ("Owner=", Ok(("Owner".to_owned(), Some(String::new())))),
        ] {
            assert_eq!(parse_tag(text), expected, "{text}");
        }
        assert!(parse_tag("=ada").is_err());
    }
}
