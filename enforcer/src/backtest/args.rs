//! The flags of `elava-enforcer backtest`, and what they do.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use elava_bus::cli::Finished;
use elava_bus::time::parse_time;
use elava_bus::{NatsAccess, NatsOptions};
use elava_schemas::config::Config;
use elava_schemas::{Severity, Timestamp};

use super::source::{Asked, Lines};
use super::{Backtest, BacktestError, Batch, Outcome, Sort, Summary, Window, replay, show};
use crate::{Bundle, Dialect};

/// Differences shown with `--details`; `--json` has all.
const DETAILS: usize = 1000;
/// How often progress is told on a terminal.
const TELL_EVERY: Duration = Duration::from_millis(500);

const EXAMPLES: &str = "\
Examples:
  elava-enforcer backtest --policies new --since 30d --details
  elava-enforcer backtest --policies new --baseline policies --type 'rds:*'
  elava replay --db history.duckdb --since 30d | elava-enforcer backtest --policies new --input - --fail-on new-critical

Exit codes: 0 done, 1 failed or --fail-on came true, 2 wrong usage or configuration.";

/// The flags.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct BacktestArgs {
    /// The policies that are tried [default: policies.path of the configuration]
    #[arg(long, env = "ELAVA_POLICIES", value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Compare with what these policies find [default: with what was recorded]
    #[arg(long, value_name = "DIR")]
    baseline: Option<PathBuf>,
    /// Read what `elava replay` wrote, - for standard input [default: ask the running detector]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["since", "until", "kind", "account"])]
    input: Option<PathBuf>,
    /// NATS server of the running pipeline
    #[arg(long, env = "ELAVA_NATS_URL", value_name = "URL", default_value = "nats://127.0.0.1:4222")]
    nats: String,
    #[command(flatten)]
    access: NatsAccess,
    /// From when: 24h, 30d (ago), monday, 2026-11-20, 2026-11-20T14:00:00Z
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = parse_time)]
    since: Timestamp,
    /// Until when [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,
    /// Only of this type, such as ec2:instance or 'rds:*'
    #[arg(long = "type", id = "kind", value_name = "TYPE")]
    kind: Option<String>,
    /// Only of this account; * and ? as in file names
    #[arg(long)]
    account: Option<String>,
    /// Show each difference, not only the sums
    #[arg(long, conflicts_with_all = ["json", "csv"])]
    details: bool,
    /// One violation a line, as JSON, unchanged ones too
    #[arg(long)]
    json: bool,
    /// One violation a line, with commas, unchanged ones too
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Exit with code 1 if there is any of these
    #[arg(long, value_delimiter = ',', value_name = "WHAT")]
    fail_on: Vec<FailOn>,
}

/// What is not wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// A violation that would open
    New,
    /// One of at least severity warning
    NewWarning,
    /// A critical one
    NewCritical,
    /// A violation that would not be found
    Gone,
    /// Any difference
    Any,
    /// A policy that cannot be evaluated
    Error,
}

impl FailOn {
    fn is_met(self, summary: &Summary) -> bool {
        let differs =
            || Sort::ALL.into_iter().filter(|sort| *sort != Sort::Unchanged).any(|sort| summary.count(sort) > 0);
        match self {
            Self::New => summary.opens_at_least(Severity::Info) > 0,
            Self::NewWarning => summary.opens_at_least(Severity::Warning) > 0,
            Self::NewCritical => summary.opens_at_least(Severity::Critical) > 0,
            Self::Gone => summary.count(Sort::Gone) > 0,
            Self::Any => differs(),
            Self::Error => !summary.errors.is_empty(),
        }
    }
}

/// Tries the policies, and writes what they would have found to `out`; where nobody reads it any more, that is the end.
/// Within a runtime of several threads.
///
/// # Errors
/// [`BacktestError`].
pub async fn backtest(
    args: &BacktestArgs,
    config: &Config,
    dialect: Dialect,
    out: &mut impl Write,
) -> Result<Finished, BacktestError> {
    match run(args, config, dialect, out).await {
        Err(BacktestError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(Finished::Clean),
        finished => finished,
    }
}

async fn run(
    args: &BacktestArgs,
    config: &Config,
    dialect: Dialect,
    out: &mut impl Write,
) -> Result<Finished, BacktestError> {
    let policies = args.policies.clone().unwrap_or_else(|| PathBuf::from(&config.policies.path));
    let new = Bundle::load(&policies, dialect)?;
    let baseline = args.baseline.as_ref().map(|path| Bundle::load(path, dialect)).transpose()?;
    let tried = |window| Backtest {
        new: &new,
        baseline: baseline.as_ref(),
        environment_tags: &config.policies.environment_tags,
        window,
    };
    let mut report = Report { args, out, summary: Summary::default(), details: Vec::new(), left_off: 0, told: None };
    let window = match &args.input {
        Some(file) => {
            let lines = Lines::open(file)?;
            let window = lines.window;
            tokio::task::block_in_place(|| report.of(&tried(window), None, |give| lines.read(give)))?;
            window
        }
        None => {
            let window = Window { since: args.since, until: args.until };
            let options = NatsOptions { url: args.nats.clone(), access: args.access.clone() };
            let asked = Asked::connect(&options, window, (args.account.clone(), args.kind.clone())).await?;
            let size = asked.size.versions;
            tokio::task::block_in_place(|| report.of(&tried(window), Some(size), |give| asked.read(give)))?;
            window
        }
    };
    let compared =
        baseline.as_ref().map_or("what was recorded".to_owned(), |bundle| format!("bundle {}", short(bundle)));
    report.finish(window, short(&new), &compared)
}

fn short(bundle: &Bundle) -> &str {
    bundle.hash().get(..8).unwrap_or(bundle.hash())
}

/// What is gathered on the way, and what is written at once.
struct Report<'a, W> {
    args: &'a BacktestArgs,
    out: &'a mut W,
    summary: Summary,
    details: Vec<String>,
    /// Details that are not shown.
    left_off: usize,
    told: Option<Instant>,
}

impl<W: Write> Report<'_, W> {
    fn of(
        &mut self,
        tried: &Backtest,
        versions: Option<u64>,
        read: impl FnOnce(&mut dyn FnMut(Batch) -> bool) -> Result<(), BacktestError> + Send,
    ) -> Result<(), BacktestError> {
        if self.args.csv {
            self.out.write_all(show::csv_header().as_bytes())?;
        }
        replay(tried, read, |outcome| {
            self.take(&outcome)?;
            self.progress(versions);
            Ok(())
        })
    }

    fn take(&mut self, outcome: &Outcome) -> Result<(), BacktestError> {
        self.summary.add(outcome);
        for difference in &outcome.differences {
            if self.args.json {
                self.out.write_all(show::json_line(outcome, difference).as_bytes())?;
            } else if self.args.csv {
                self.out.write_all(show::csv_line(outcome, difference).as_bytes())?;
            } else if self.args.details && difference.sort != Sort::Unchanged {
                match self.details.len() {
                    DETAILS => self.left_off += 1,
                    _ => self.details.push(show::detail(outcome, difference)),
                }
            }
        }
        Ok(())
    }

    /// On a terminal; a log is not filled with it.
    fn progress(&mut self, versions: Option<u64>) {
        if !std::io::stderr().is_terminal() || self.told.is_some_and(|told| told.elapsed() < TELL_EVERY) {
            return;
        }
        let of = versions.map(|versions| format!(" of about {versions}")).unwrap_or_default();
        eprint!("\r{}{of} versions evaluated", self.summary.versions);
        self.told = Some(Instant::now());
    }

    fn finish(self, window: Window, bundle: &str, compared: &str) -> Result<Finished, BacktestError> {
        if self.told.is_some() {
            eprintln!();
        }
        let summary = show::report(&self.summary, window, bundle, compared);
        if self.args.json || self.args.csv {
            eprint!("{summary}");
        } else {
            self.out.write_all(summary.as_bytes())?;
            for detail in &self.details {
                self.out.write_all(format!("\n{detail}").as_bytes())?;
            }
            if self.left_off > 0 {
                writeln!(self.out, "\nand {} more differences; --json has all", self.left_off)?;
            }
        }
        self.out.flush()?;
        let met = self.args.fail_on.iter().find(|what| what.is_met(&self.summary));
        Ok(match met.and_then(|what| what.to_possible_value()) {
            Some(what) => {
                eprintln!("elava-enforcer: failed on {}", what.get_name());
                Finished::SomeRejected
            }
            None => Finished::Clean,
        })
    }
}
