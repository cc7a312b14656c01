//! `elava`, the person's command line: wiring only.

use std::process::ExitCode;

use clap::Parser;
use elava::args::{Command, Elava};
use elava::command::approve::Word;
use elava::{fault, sql, up};
use elava_bus::CancellationToken;
use elava_bus::cli::{self, Finished};

#[tokio::main]
async fn main() -> ExitCode {
    let command = Elava::parse().command;
    match &command {
        Command::Up(_) => cli::start_logging(None),
        _ => cli::start_logging_of_command(),
    }
    cli::exit("elava", go(command).await.map_err(|error| fault::plain(error.as_ref())))
}

async fn go(command: Command) -> anyhow::Result<Finished> {
    match command {
        Command::Up(args) => {
            let cancel = CancellationToken::new();
            elava_bus::stop_on_signals(cancel.clone());
            up::up(&args, cancel).await?;
        }
        Command::Changes(args) => args.run().await?,
        Command::Diff(args) => args.run().await?,
        Command::History(args) => args.run().await?,
        Command::Audit(args) => args.run().await?,
        Command::Explain(args) => args.run().await?,
        Command::Resources(args) => args.run().await?,
        Command::Violations(args) => args.run().await?,
        Command::Exceptions(args) => args.run().await?,
        Command::Orphans(args) => args.run().await?,
        Command::Approvals(args) => args.run().await?,
        Command::Approve(args) => args.run(Word::Approve).await?,
        Command::Deny(args) => args.run(Word::Deny).await?,
        Command::Undo(args) => args.run(Word::Undo).await?,
        Command::Release(args) => args.run(Word::Release).await?,
        Command::Cost(args) => args.run().await?,
        Command::Flapping(args) => args.run().await?,
        Command::Coverage(args) => args.run().await?,
        Command::Status(args) => args.run().await?,
        Command::Summary(args) => args.run().await?,
        Command::Sql(args) => tokio::task::block_in_place(|| sql::sql(&args))?,
        Command::Export(args) => args.run().await?,
        Command::Report(args) => args.run().await?,
        Command::Replay(args) => args.run().await?,
        Command::Scan(args) => args.run().await?,
        Command::Evaluate(args) => args.run().await?,
        Command::Nats(command) => command.run().await?,
    }
    Ok(Finished::Clean)
}
