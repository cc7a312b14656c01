//! Policies tried on the past, beside the same versions on the live path: a month of an estate is told to a detector in
//! a pipe, its changes are judged by the enforcer as a filter and recorded, and then tried again.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::Context;
use chrono::{TimeDelta, Utc};
use elava_harness::{Process, command};
use elava_schemas::{Timestamp, micros};

use crate::estate::Estate;
use crate::listing::{Used, watch};
use crate::report::Figure;
use crate::session::Programs;

const ACCOUNTS: usize = 50;
const LENGTH: TimeDelta = TimeDelta::days(30);
/// How often each resource changes meanwhile.
const ROUNDS: u32 = 4;
/// In so many steps each round is told.
const STEPS: usize = 25;

/// Tries the policies on so many resources.
pub async fn run(programs: &Programs, resources: usize) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("elava-bench-").tempdir()?;
    let folder = folder.path();
    let now = micros(Utc::now());
    eprintln!("backtest: making a month of {resources} resources");
    let mut detector = detector(programs, folder, "changes.ndjson", Stdio::piped())?;
    let input = detector.child().stdin.take().context("the detector has no standard input")?;
    tell(&Estate::of_accounts(resources, ACCOUNTS, now - LENGTH), resources, now, BufWriter::new(input))?;
    watch(&mut [detector]).await?;

    eprintln!("backtest: the live path");
    let policies = programs.policies.display().to_string();
    let begun = Instant::now();
    let mut filter = command(programs.binaries.join("elava-enforcer"));
    filter.args(["--policies", &policies]).current_dir(folder).stdin(File::open(folder.join("changes.ndjson"))?);
    filter.stdout(File::create(folder.join("results.ndjson"))?);
    let used = watch(&mut [Process::spawn("enforcer", filter, folder)?]).await?;
    let versions = resources as f64 * f64::from(ROUNDS + 1);
    let live = versions / begun.elapsed().as_secs_f64();
    figures("backtest.live", live, &used)?.print()?;

    eprintln!("backtest: recording");
    let results = File::open(folder.join("results.ndjson"))?;
    watch(&mut [self::detector(programs, folder, "recorded.ndjson", results.into())?]).await?;

    eprintln!("backtest: trying");
    let begun = Instant::now();
    let mut replay = command(programs.binaries.join("elava"));
    replay.args(["replay", "--db", "history.duckdb", "--since", "31d"]).current_dir(folder).stdout(Stdio::piped());
    let mut replay = Process::spawn("replay", replay, folder)?;
    let lines = replay.child().stdout.take().context("elava has no standard output")?;
    let mut tried = command(programs.binaries.join("elava-enforcer"));
    // the same policies find the same, or this fails
    tried.args(["backtest", "--policies", &policies, "--input", "-", "--fail-on", "any"]).current_dir(folder);
    tried.stdin(lines).stdout(File::create(folder.join("summary"))?);
    let used = watch(&mut [replay, Process::spawn("backtest", tried, folder)?]).await?;
    let rate = versions / begun.elapsed().as_secs_f64();
    figures("backtest.replay", rate, &used[..1])?.print()?;
    figures("backtest.tried", rate, &used[1..])?.against(live, "the enforcer as a filter").print()?;
    eprint!("{}", std::fs::read_to_string(folder.join("summary"))?);
    Ok(())
}

/// Prints what it used, and gives how fast it was.
fn figures(name: &str, rate: f64, used: &[Used]) -> anyhow::Result<Figure> {
    for used in used {
        Figure::new(format!("{name}.cpu"), used.cpu, "s").print()?;
        Figure::new(format!("{name}.peak_memory"), used.peak as f64 / 1e6, "MB").print()?;
    }
    Ok(Figure::new(name, rate, "rows/s"))
}

fn detector(programs: &Programs, folder: &Path, output: &str, input: Stdio) -> anyhow::Result<Process> {
    let mut detector = command(programs.binaries.join("elava-detector"));
    detector.args(["--db", "history.duckdb"]).current_dir(folder).stdin(input);
    detector.stdout(File::create(folder.join(output))?);
    Ok(Process::spawn("detector", detector, folder)?)
}

/// A first look, then each resource changed in every round.
fn tell(estate: &Estate, resources: usize, now: Timestamp, mut out: impl Write) -> anyhow::Result<()> {
    let begun = now - LENGTH;
    for page in estate.scan_at(begun, &|_| 0) {
        out.write_all(&page.body)?;
    }
    let steps = ROUNDS as usize * STEPS;
    let step_length = LENGTH / i32::try_from(steps + 1)?;
    for step in 0..steps {
        let at = micros(begun + step_length * i32::try_from(step + 1)?);
        let revision = u32::try_from(step / STEPS + 1)?;
        for number in (step % STEPS..resources).step_by(STEPS) {
            out.write_all(&estate.sighting(number, revision, at).to_line())?;
            out.write_all(b"\n")?;
        }
    }
    Ok(out.flush()?)
}
