//! One run of an input through the stages, with faults or without.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use elava_bench::Programs;
use tokio::time::Instant;

use crate::active::stages;
use crate::cloud::Cloud;
use crate::compare::Outcome;
use crate::feed::{Fed, Feed};
use crate::instance::{Setting, history};
use crate::streams::Stored;
use crate::world::World;

/// How long the end of everything may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What is run.
pub(crate) struct Run<'a> {
    pub(crate) programs: &'a Programs,
    /// Where everything is kept.
    pub(crate) folder: &'a Path,
    pub(crate) feed: Feed<'a>,
    /// Instances in the cloud; 0: nothing is observed.
    pub(crate) cloud: usize,
    /// By which a cloud that throttles and fails chooses its victims.
    pub(crate) faulty: Option<u64>,
    pub(crate) crowd: Crowd,
}

/// How many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    /// Of each stage.
    pub(crate) instances: fn(&str) -> usize,
    /// Files of the history.
    pub(crate) shards: u16,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) fed: Fed,
    pub(crate) ended: BTreeMap<String, usize>,
    pub(crate) seconds: f64,
}

impl Run<'_> {
    pub(crate) async fn run(self) -> anyhow::Result<Ran> {
        let begun = Instant::now();
        fs::create_dir_all(self.folder)?;
        let is_empty = fs::read_dir(self.folder)?.next().is_none();
        ensure!(is_empty, "{} is not empty: it holds another run", self.folder.display());
        let cloud = Cloud::start(&self.programs.binaries, self.folder, self.cloud.max(1), self.faulty).await?;
        let stages = stages(self.cloud > 0);
        let mut world = World::start(self.setting(&cloud), cloud, &stages, self.crowd.instances).await?;
        let live = (self.cloud > 0).then(|| tokio::spawn(world.cloud.live(world.js.clone())));
        let fed = self.feed.run(&mut world).await?;
        if let Some(live) = live {
            world.meanwhile(live).await?.context("the cloud")??;
        }
        world.healed().await?;
        let mut problems = world.stop_observers().await;
        // the streams are read in any case: what is there tells what is missing
        if let Err(error) = world.settled(PATIENCE).await {
            problems.push(format!("{error:#}"));
        }
        let stored = Stored::read(&world.js).await?;
        problems.extend(world.stop(|_| true).await);
        problems.extend(panics(self.folder)?);
        join(self.programs, &history(self.folder), self.crowd.shards)?;
        let outcome = Outcome { history: history(self.folder), told: world.receiver.told(), stored, problems };
        Ok(Ran { outcome, fed, ended: world.ended.clone(), seconds: begun.elapsed().as_secs_f64() })
    }
}

impl Run<'_> {
    fn setting(&self, cloud: &Cloud) -> Setting {
        Setting {
            programs: self.programs.clone(),
            folder: self.folder.to_owned(),
            config: self.folder.join("elava.yaml"),
            cloud: cloud.address(),
            stream_bytes: self.feed.input.stream_bytes(),
            shards: self.crowd.shards,
        }
    }
}

/// Makes one file of the history, to be compared.
fn join(programs: &Programs, history: &Path, shards: u16) -> anyhow::Result<()> {
    if shards == 1 {
        return Ok(());
    }
    let mut reshard = Command::new(programs.binaries.join("elava-detector"));
    let output = reshard.args(["reshard", "--to", "1", "--db"]).arg(history).output()?;
    ensure!(output.status.success(), "the shards cannot be joined: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// No stage panics, whatever happens.
fn panics(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut panics = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let text = fs::read_to_string(&path)?;
            let lines = text.lines().filter(|line| line.contains("panicked"));
            panics.extend(lines.map(|line| format!("{}: {line}", path.display())));
        }
    }
    Ok(panics)
}
