//! The command line's shape.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use elava_bus::NatsOptions;
use elava_schemas::Timestamp;

use crate::show::Format;
use crate::sql::SqlArgs;
use crate::time::parse_since;
use crate::up::UpArgs;

/// What really exists in your cloud, what changed, when and why.
#[derive(Debug, Parser)]
#[command(
    name = "elava",
    version,
    after_help = "Examples:
  elava changes --since 24h
  elava history i-0abc1234def567890
  elava violations --json | jq .severity
  elava sql 'FROM changes_since(now() - INTERVAL 24 HOUR)'
  elava status

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
    /// What changed
    Changes {
        /// From where.
        #[command(flatten)]
        from: From,
        /// How far back: 30m, 24h, 7d, or an instant such as 2026-11-01T12:00:00Z
        #[arg(long, default_value = "24h", value_parser = parse_since)]
        since: Timestamp,
        /// Show the first look at a scope too
        #[arg(long)]
        baseline: bool,
        /// At most this many, newest first
        #[arg(long, default_value_t = 1000)]
        limit: u32,
    },
    /// Every version of one resource
    History {
        /// From where.
        #[command(flatten)]
        from: From,
        /// Resource key (aws/123456789012/us-east-1/ec2:instance/i-0abc), or the cloud's id alone
        resource: String,
    },
    /// What exists now
    Resources {
        /// From where.
        #[command(flatten)]
        from: From,
        /// At most this many
        #[arg(long, default_value_t = 1000)]
        limit: u32,
    },
    /// Policy violations that are open now
    Violations {
        /// From where.
        #[command(flatten)]
        from: From,
    },
    /// How far the stages are, and how fresh each scope is
    Status {
        /// From where.
        #[command(flatten)]
        from: From,
    },
    /// The whole story in numbers
    Summary {
        /// From where.
        #[command(flatten)]
        from: From,
    },
    /// SQL over the history, while the detector writes it
    Sql(SqlArgs),
    /// Scan now
    Scan {
        /// Server.
        #[command(flatten)]
        nats: Nats,
        /// Only this type, such as ec2:instance
        #[arg(long = "type")]
        kind: Option<String>,
        /// Only this region
        #[arg(long)]
        region: Option<String>,
        /// Only this account
        #[arg(long)]
        account: Option<String>,
    },
}

/// Where answers come from, and how they are shown.
#[derive(Args, Clone, Debug)]
pub struct From {
    /// Server.
    #[command(flatten)]
    pub nats: Nats,
    /// Read this history file instead of asking the running detector. Nobody may hold it
    #[arg(long, env = "ELAVA_DB", value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// One JSON object a line, also on a terminal
    #[arg(long)]
    pub json: bool,
    /// A table, also when not on a terminal
    #[arg(long, conflicts_with = "json")]
    pub table: bool,
}

impl From {
    /// How rows are shown.
    #[must_use]
    pub fn format(&self) -> Format {
        if self.table { Format::Table } else { Format::choose(self.json) }
    }
}

/// How to reach NATS.
#[derive(Args, Clone, Debug)]
pub struct Nats {
    /// NATS server of the running pipeline
    #[arg(long = "nats", env = "ELAVA_NATS_URL", value_name = "URL", default_value = "nats://127.0.0.1:4222")]
    url: String,
    /// NATS credentials file
    #[arg(long = "nats-creds", env = "ELAVA_NATS_CREDS", value_name = "FILE")]
    creds: Option<PathBuf>,
}

impl Nats {
    /// For the bus.
    #[must_use]
    pub fn options(&self) -> NatsOptions {
        NatsOptions { url: self.url.clone(), creds: self.creds.clone() }
    }
}
