//! `elava`, the person's command line.

use std::process::ExitCode;

use clap::Parser;
use elava::args::{Command, Elava, From};
use elava::show;
use elava::{ask, sql, status, up};
use elava_bus::cli::{self, Finished};
use elava_bus::{CancellationToken, Client};
use elava_detector::Query;
use elava_schemas::ScanRequest;

#[tokio::main]
async fn main() -> ExitCode {
    cli::start_logging(None);
    cli::exit("elava", go(Elava::parse().command).await)
}

async fn go(command: Command) -> anyhow::Result<Finished> {
    match command {
        Command::Up(args) => {
            let cancel = CancellationToken::new();
            elava_bus::stop_on_signals(cancel.clone());
            up::up(&args, cancel).await?;
        }
        Command::Changes { from, since, baseline, limit } => {
            let query = Query::Changes { since: Some(since), limit: Some(limit), baseline };
            let columns = ["detected_at", "type", "details", "key"];
            print(&from, &query, &columns, "nothing changed").await?;
        }
        Command::History { from, resource } => {
            let query = Query::History { key: resource };
            let columns = ["valid_from", "valid_to", "ended_by", "status", "name", "tags", "monthly_cost_usd"];
            print(&from, &query, &columns, "never seen").await?;
        }
        Command::Resources { from, limit } => {
            let columns = ["key", "name", "status", "monthly_cost_usd", "first_seen"];
            print(&from, &Query::Resources { limit: Some(limit) }, &columns, "nothing was seen yet").await?;
        }
        Command::Violations { from } => {
            let columns = ["severity", "policy", "message", "key", "opened_at"];
            print(&from, &Query::Violations {}, &columns, "no open violations").await?;
        }
        Command::Summary { from } => {
            print(&from, &Query::Summary {}, &["measure", "name", "value"], "nothing yet").await?;
        }
        Command::Status { from } => {
            if from.db.is_none() {
                let progress = Client::connect(&from.nats.options()).await?.progress().await?;
                let columns = ["stage", "reads", "state", "partitions", "pending", "in_progress"];
                show::rows(&status::stages(&progress), &columns, from.format(), "no stage has run yet")?;
            }
            let columns = ["provider", "account", "region", "type", "last_outcome", "last_complete_at", "age_seconds"];
            print(&from, &Query::Coverage {}, &columns, "nothing was scanned yet").await?;
        }
        Command::Sql(args) => tokio::task::block_in_place(|| sql::sql(&args))?,
        Command::Scan { nats, kind, region, account } => {
            let request = serde_json::to_vec(&ScanRequest { provider: None, account, region, kind })?;
            let lines = Client::connect(&nats.options()).await?.request("elava.scan.request", request.into()).await?;
            for line in lines {
                show::print(&format!("{}\n", String::from_utf8_lossy(&line)))?;
            }
        }
    }
    Ok(Finished::Clean)
}

async fn print(from: &From, query: &Query, columns: &[&str], nothing: &str) -> anyhow::Result<()> {
    let rows = ask::ask(from, query).await?;
    show::rows(&rows, columns, from.format(), nothing)?;
    Ok(())
}
