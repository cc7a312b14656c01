//! Observations in, decisions out, over JetStream: first scan, unchanged scan, 1 % changed.

use std::time::{Duration, Instant};

use anyhow::ensure;
use chrono::{TimeDelta, Utc};

use crate::estate::{Changed, Estate, Page};
use crate::raw;
use crate::report::Figure;
use crate::session::{Programs, Session};
use crate::stages::Counters;

const RAW: &str = "raw JetStream, same bytes";
const NOTHING: Changed = Changed { one_in: 0 };
const ONE_PERCENT: Changed = Changed { one_in: 100 };

/// Runs it with so many resources.
pub async fn run(programs: &Programs, resources: usize) -> anyhow::Result<()> {
    let mut session = Session::start(programs, &["detector", "enforcer", "decider"]).await?;
    let estate = Estate::new(resources, Utc::now() - TimeDelta::hours(1));

    eprintln!("pipeline: making {resources} resources");
    let pages = estate.scan(1, NOTHING);
    let bytes: usize = pages.iter().map(|page| page.body.len()).sum();
    Figure::new("pipeline.row", bytes as f64 / resources as f64, "bytes").print()?;
    Figure::new("pipeline.page", resources as f64 / pages.len() as f64, "rows").print()?;

    let raw = raw_rate(&session, &pages, resources).await?;
    Figure::new("pipeline.raw", raw, "rows/s").print()?;

    let scope_reports = estate.scopes();
    let run = Run { resources, scope_reports, raw };
    run.scan(&mut session, "first_scan", &pages, resources).await?;
    drop(pages);
    run.scan(&mut session, "unchanged_scan", &estate.scan(2, NOTHING), 0).await?;
    let changed = ONE_PERCENT.among(resources);
    run.scan(&mut session, "changed_scan", &estate.scan(3, ONE_PERCENT), changed).await?;

    for stage in &session.stages {
        let peak = stage.usage()?.peak as f64 / 1e6;
        let figure = Figure::new(format!("pipeline.{}.peak_memory", stage.name), peak, "MB");
        match stage.name {
            "detector" => figure.against(500.0, "budget: 500 MB").print()?,
            _ => figure.print()?,
        }
    }
    // a detector that has ended has written everything into its file
    for stage in &mut session.stages {
        stage.stop().await?;
    }
    let versions = resources + changed;
    Figure::new("pipeline.history.bytes_per_version", session.history_bytes()? as f64 / versions as f64, "bytes")
        .against(300.0, "budget: 300 bytes")
        .print()?;
    Ok(())
}

/// The faster of two rounds: the reference is at its best.
async fn raw_rate(session: &Session, pages: &[Page], resources: usize) -> anyhow::Result<f64> {
    let mut best = Duration::MAX;
    for round in 1..=2 {
        eprintln!("pipeline: raw JetStream, round {round}");
        best = best.min(raw::round_trip(&session.js, pages).await?);
    }
    Ok(resources as f64 / best.as_secs_f64())
}

struct Run {
    resources: usize,
    scope_reports: usize,
    raw: f64,
}

impl Run {
    /// One scan; `changes` is how many the detector must find.
    async fn scan(&self, session: &mut Session, name: &str, pages: &[Page], changes: usize) -> anyhow::Result<()> {
        eprintln!("pipeline: {name}");
        let before = snapshot(session).await?;
        let begun = Instant::now();
        let flow = session.flow(pages, name).await?;
        eprintln!("pipeline: {name} took {:.1} s", begun.elapsed().as_secs_f64());
        let after = snapshot(session).await?;

        let decided = flow.stages.iter().copied().fold(0.0, f64::max);
        self.rate(&format!("pipeline.{name}"), decided).print()?;
        self.rate(&format!("pipeline.{name}.recorded"), flow.recorded).print()?;
        for (((stage, seconds), before), after) in
            session.stages.iter().zip(flow.stages).zip(before.stages).zip(after.stages)
        {
            let counted = after.counters.since(before.counters);
            self.check(stage.name, name, counted, changes)?;
            let prefix = format!("pipeline.{name}.{}", stage.name);
            // the detector also counts what it records later
            match stage.name {
                "detector" => self.rate(&format!("{prefix}.rate"), seconds).print()?,
                _ => Figure::new(format!("{prefix}.rate"), counted.received / seconds, "rows/s").print()?,
            }
            Figure::new(format!("{prefix}.emitted"), counted.emitted, "rows").print()?;
            Figure::new(format!("{prefix}.cpu"), after.cpu - before.cpu, "s").print()?;
        }
        Figure::new(format!("pipeline.{name}.nats.cpu"), after.server - before.server, "s").print().map_err(Into::into)
    }

    fn rate(&self, bench: &str, seconds: f64) -> Figure {
        Figure::new(bench, self.resources as f64 / seconds, "rows/s").against(self.raw, RAW)
    }

    /// A figure of work that was not done is worth nothing.
    fn check(&self, stage: &str, scan: &str, counted: Counters, changes: usize) -> anyhow::Result<()> {
        ensure!(counted.rejected == 0.0, "{stage} rejected {} rows of {scan}", counted.rejected);
        #[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^52")]
        let (all, changes) = ((self.resources + self.scope_reports) as f64, changes as f64);
        let right = match stage {
            "detector" => counted.received >= all && counted.emitted == changes,
            "enforcer" => counted.received == changes,
            _ => true,
        };
        ensure!(right, "{stage} read {} rows of {scan} and wrote {}", counted.received, counted.emitted);
        Ok(())
    }
}

struct Snapshot {
    stages: Vec<StageSnapshot>,
    server: f64,
}

struct StageSnapshot {
    counters: Counters,
    cpu: f64,
}

async fn snapshot(session: &Session) -> anyhow::Result<Snapshot> {
    let mut stages = Vec::new();
    for stage in &session.stages {
        stages.push(StageSnapshot { counters: stage.counters().await?, cpu: stage.usage()?.cpu });
    }
    Ok(Snapshot { stages, server: session.server_cpu()? })
}
