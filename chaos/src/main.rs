//! `elava-chaos`: flags, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use elava_bus::cli::{Finished, exit};
use elava_chaos::Args;

#[tokio::main]
async fn main() -> ExitCode {
    exit("elava-chaos", go(Args::parse()).await)
}

async fn go(args: Args) -> anyhow::Result<Finished> {
    let programs = args.programs()?;
    let mut temporary = tempfile::Builder::new().prefix("elava-chaos-").tempdir()?;
    let folder = std::path::absolute(args.keep.as_deref().unwrap_or(temporary.path()))?;
    let options = args.options(&folder);
    let mut out = std::io::stdout();
    let same = tokio::select! {
        same = elava_chaos::run(&programs, &options, &mut out) => same,
        // what was started is ended
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    if !matches!(same, Ok(true)) {
        temporary.disable_cleanup(args.keep.is_none());
        eprintln!("histories, streams and logs are in {}; to repeat it: {options}", folder.display());
    }
    Ok(if same? { Finished::Clean } else { Finished::SomeRejected })
}
