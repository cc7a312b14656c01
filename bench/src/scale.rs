//! What it brings, and costs, to share a stage's work among several instances on one machine.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chrono::{TimeDelta, Utc};
use elava_bus::{PARTITIONS, Stream};

use crate::estate::{Changed, Estate, Page};
use crate::publish::publish;
use crate::report::Figure;
use crate::session::{Programs, Session};

/// How many instances share the partitions.
const INSTANCES: [usize; 3] = [1, 2, 4];
/// How long instances may take to find their shares.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stage of which there are several.
struct Fleet {
    stage: &'static str,
    /// As figures call them.
    name: &'static str,
    reads: Stream,
    /// What each is started with, where there are so many.
    flags: fn(usize) -> Vec<String>,
}

const ENFORCERS: Fleet = Fleet { stage: "enforcer", name: "enforcers", reads: Stream::Change, flags: |_| Vec::new() };
/// Each with a file of its own.
const DETECTORS: Fleet = Fleet {
    stage: "detector",
    name: "detectors",
    reads: Stream::Observation,
    flags: |instances| ["--shards", &instances.to_string(), "--sql-addr", "off"].map(str::to_owned).to_vec(),
};

/// Runs it with so many resources, each with one change.
pub async fn run(programs: &Programs, resources: usize) -> anyhow::Result<()> {
    eprintln!("scale: making the changes of {resources} resources");
    let changes = changes(programs, resources).await?;
    compare(programs, &ENFORCERS, &[("", changes)]).await?;
    let estate = Estate::new(resources, Utc::now() - TimeDelta::hours(1));
    let scans = [(".first", 1), (".unchanged", 2)];
    let scans = scans.map(|(name, number)| (name, estate.scan(number, Changed { one_in: 0 })));
    compare(programs, &DETECTORS, &scans).await
}

/// One, two and four of them, each given the same rounds of pages.
async fn compare(programs: &Programs, fleet: &Fleet, rounds: &[(&str, Vec<Page>)]) -> anyhow::Result<()> {
    let mut alone = Vec::new();
    for instances in INSTANCES {
        eprintln!("scale: {instances} {}", fleet.name);
        let rates = share(programs, fleet, rounds, instances).await?;
        if alone.is_empty() {
            alone.clone_from(&rates);
        }
        for (((round, _), rate), alone) in rounds.iter().zip(rates).zip(&alone) {
            let name = format!("scale.{}.{instances}{round}", fleet.name);
            Figure::new(name, rate, "rows/s").against(*alone, format!("one {}", fleet.stage)).print()?;
        }
    }
    Ok(())
}

/// What a detector says of a first scan, as it would be published.
async fn changes(programs: &Programs, resources: usize) -> anyhow::Result<Vec<Page>> {
    let mut session = Session::start(programs, &["detector"]).await?;
    let pages = Estate::new(resources, Utc::now() - TimeDelta::hours(1)).scan(1, Changed { one_in: 0 });
    session.flow(&pages, "scale").await?;
    let mut changes = Vec::new();
    elava_harness::messages(&session.js, Stream::Change.name(), "elava.change.>", 1, |_, message| {
        // the stream has put the partition behind the second token
        let tokens = message.subject.split('.').enumerate().filter(|(place, _)| *place != 2);
        let subject = tokens.map(|(_, token)| token).collect::<Vec<_>>().join(".");
        changes.push(Page { subject, body: message.payload });
    })
    .await?;
    ensure!(!changes.is_empty(), "no change is stored");
    Ok(changes)
}

/// Rows a second of each round, from the first publish until all are acknowledged by so many instances.
async fn share(
    programs: &Programs,
    fleet: &Fleet,
    rounds: &[(&str, Vec<Page>)],
    instances: usize,
) -> anyhow::Result<Vec<f64>> {
    let mut session = Session::serve(programs).await?;
    for _ in 0..instances {
        session.join(fleet.stage, programs, &(fleet.flags)(instances)).await?;
    }
    let largest = balanced(&session, fleet, instances).await?;
    let before = session.server_cpu()?;
    let (mut rates, mut all_rows) = (Vec::new(), 0.0);
    for (round, pages) in rounds {
        let begun = Instant::now();
        publish(&session.js, pages, "", &format!("scale{round}")).await?;
        session.caught_up(fleet.stage, &[fleet.reads], begun + Duration::from_secs(600)).await?;
        let rows = rows(pages);
        rates.push(rows / begun.elapsed().as_secs_f64());
        all_rows += rows;
    }

    let (mut received, mut cpu) = (Vec::new(), 0.0);
    for stage in &session.stages {
        received.push(stage.counters().await?.received);
        cpu += stage.usage()?.cpu;
    }
    let all: f64 = received.iter().sum();
    ensure!((all - all_rows).abs() < 0.5, "{all} rows were read of {all_rows}");
    #[expect(clippy::cast_precision_loss, reason = "there are few instances")]
    let even = all / instances as f64;
    let prefix = format!("scale.{}.{instances}", fleet.name);
    Figure::new(format!("{prefix}.partitions"), largest, "at one instance, most").print()?;
    let most = received.iter().copied().fold(0.0, f64::max);
    Figure::new(format!("{prefix}.most_work"), most / even, "of an even share").print()?;
    Figure::new(format!("{prefix}.cpu"), cpu, "s").print()?;
    let server = session.server_cpu()? - before;
    Figure::new(format!("{prefix}.nats.cpu"), server, "s").print()?;
    Ok(rates)
}

#[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^52")]
fn rows(pages: &[Page]) -> f64 {
    pages.iter().map(|page| page.body.iter().filter(|byte| **byte == b'\n').count()).sum::<usize>() as f64
}

/// Waits until every partition has its instance and none has too many; how many one has at most.
async fn balanced(session: &Session, fleet: &Fleet, instances: usize) -> anyhow::Result<f64> {
    let fair = f64::from(PARTITIONS.div_ceil(u16::try_from(instances)?));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut held = Vec::new();
        for stage in &session.stages {
            held.push(stage.leases().await?);
        }
        let most = held.iter().copied().fold(0.0, f64::max);
        if held.iter().sum::<f64>() >= f64::from(PARTITIONS) && most <= fair {
            session.reading(fleet.stage, &[fleet.reads]).await.context(fleet.name)?;
            return Ok(most);
        }
        ensure!(Instant::now() < deadline, "{} hold {held:?} partitions after {PATIENCE:?}", fleet.name);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
