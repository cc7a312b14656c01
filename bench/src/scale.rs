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

/// Runs it with so many resources, each with one change.
pub async fn run(programs: &Programs, resources: usize) -> anyhow::Result<()> {
    eprintln!("scale: making the changes of {resources} resources");
    let changes = changes(programs, resources).await?;
    let mut alone = None;
    for instances in INSTANCES {
        eprintln!("scale: {instances} enforcers");
        let rate = share(programs, &changes, instances, resources).await?;
        let name = format!("scale.enforcers.{instances}");
        Figure::new(name, rate, "changes/s").against(*alone.get_or_insert(rate), "one enforcer").print()?;
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

/// Changes a second, from the first publish until all are acknowledged by so many enforcers.
async fn share(programs: &Programs, changes: &[Page], instances: usize, rows: usize) -> anyhow::Result<f64> {
    let mut session = Session::serve(programs).await?;
    for _ in 0..instances {
        session.add("enforcer", programs, &[]).await?;
    }
    let largest = balanced(&session, instances).await?;
    let before = session.server_cpu()?;
    let begun = Instant::now();
    publish(&session.js, changes, "", "scale").await?;
    session.caught_up("enforcer", &[Stream::Change], begun + Duration::from_secs(600)).await?;
    let seconds = begun.elapsed().as_secs_f64();

    let (mut received, mut cpu) = (Vec::new(), 0.0);
    for stage in &session.stages {
        received.push(stage.counters().await?.received);
        cpu += stage.usage()?.cpu;
    }
    let all: f64 = received.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^52")]
    let (rows, instances_f) = (rows as f64, instances as f64);
    ensure!((all - rows).abs() < 0.5, "{all} changes were read of {rows}");
    let prefix = format!("scale.enforcers.{instances}");
    Figure::new(format!("{prefix}.partitions"), largest, "at one instance, most").print()?;
    let most = received.iter().copied().fold(0.0, f64::max);
    Figure::new(format!("{prefix}.most_work"), most * instances_f / all, "of an even share").print()?;
    Figure::new(format!("{prefix}.cpu"), cpu, "s").print()?;
    let server = session.server_cpu()? - before;
    Figure::new(format!("{prefix}.nats.cpu"), server, "s").print()?;
    Ok(rows / seconds)
}

/// Waits until every partition has its instance and none has too many; how many one has at most.
async fn balanced(session: &Session, instances: usize) -> anyhow::Result<f64> {
    let fair = f64::from(PARTITIONS.div_ceil(u16::try_from(instances)?));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut held = Vec::new();
        for stage in &session.stages {
            held.push(stage.leases().await?);
        }
        let most = held.iter().copied().fold(0.0, f64::max);
        if held.iter().sum::<f64>() >= f64::from(PARTITIONS) && most <= fair {
            session.reading("enforcer", &[Stream::Change]).await.context("an enforcer")?;
            return Ok(most);
        }
        ensure!(Instant::now() < deadline, "{instances} enforcers hold {held:?} partitions after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
