//! A server, the stages over it, a cloud and a receiver of notifications, and what is wrong with them
//! at the moment.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use elava_bus::{Client, NatsOptions, Progress, reads};
use elava_detector::Shard;
use elava_harness::{Folder, Server, Setup};
use tokio::time::{Instant, sleep, timeout};

use crate::active::Active;
use crate::cloud::Cloud;
use crate::instance::{Instance, Setting, history};
use crate::plan::{OBSERVER, Target};
use crate::receiver::Receiver;

/// How often what is over is undone, and who has ended is started again.
const TICK: Duration = Duration::from_millis(50);
/// How long nothing must happen: what a scan has opened is told when it has settled.
const QUIET: Duration = Duration::from_secs(5);
/// How often the server is asked how far the stages are: to ask costs it something.
const ASK: Duration = Duration::from_millis(200);
/// How long a question to the server may take: it may be frozen, or starting.
const ANSWER: Duration = Duration::from_secs(3);
/// How long a stage may take to end: 25 s, as promised, and a busy machine.
const END: Duration = Duration::from_secs(60);

/// The stage that tells people.
const NOTIFIER: &str = "notifier";
/// What a stage says when a lease of its own is gone.
const LOST: [&str; 2] = ["lease not renewed in time", "lease lost"];

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) instances: Vec<Instance>,
    pub(crate) server: Server,
    pub(crate) cloud: Cloud,
    pub(crate) receiver: Receiver,
    pub(crate) js: Context,
    client: Client,
    pub(crate) active: Vec<Active>,
    /// Its files.
    pub(crate) history: Vec<PathBuf>,
    /// How much of the notifiers' logs has been read.
    heard: BTreeMap<PathBuf, u64>,
    /// How often a process has ended that was not killed, by stage and how.
    pub(crate) ended: BTreeMap<String, usize>,
}

impl World {
    /// Starts everything, `instances` of each stage.
    pub(crate) async fn start(
        setting: Setting,
        cloud: Cloud,
        stages: &[&'static str],
        instances: impl Fn(&str) -> usize,
    ) -> anyhow::Result<Self> {
        let program = Some(&*setting.programs.nats_server);
        let folder = Folder::Kept(setting.folder.clone());
        let server = Server::start(Setup { program, folder, ..Setup::default() })?;
        let address = (Ipv4Addr::LOCALHOST, server.port()).into();
        let receiver = Receiver::start().await?;
        std::fs::write(&setting.config, CONFIG.replace("URL", &receiver.url()))?;
        let (js, client) = connect(&server.url()).await?;
        let mut started = Vec::new();
        for &stage in stages {
            for number in 0..instances(stage) {
                let target = Target { stage, number };
                started.push(Instance::start(target, address, setting.clone()).await?);
            }
        }
        let history = Shard::all(setting.shards).map(|shard| shard.file(&history(&setting.folder))).collect();
        let (active, ended, heard) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        Ok(Self { instances: started, server, cloud, receiver, js, client, active, history, heard, ended })
    }

    /// Does something, and looks after everything meanwhile.
    pub(crate) async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> anyhow::Result<T> {
        tokio::pin!(work);
        loop {
            self.tend().await?;
            tokio::select! {
                done = &mut work => return Ok(done),
                () = sleep(TICK) => {}
            }
        }
    }

    /// Undoes what is over, and starts again what has ended, as a supervisor does.
    pub(crate) async fn tend(&mut self) -> anyhow::Result<()> {
        self.undo_due(Instant::now()).await?;
        self.hear_of_leases()?;
        for instance in &mut self.instances {
            let Some(process) = &mut instance.process else { continue };
            if let Some(status) = process.ended()? {
                *self.ended.entry(format!("{} ended with {status}", instance.target.stage)).or_default() += 1;
                instance.revive()?;
            }
        }
        Ok(())
    }

    /// A notifier that has lost its lease, as on a machine with too much to do, may be repeated by the next one.
    fn hear_of_leases(&mut self) -> anyhow::Result<()> {
        let notifiers = self.instances.iter().filter(|instance| instance.target.stage == NOTIFIER);
        for log in notifiers.map(Instance::log) {
            let heard = self.heard.entry(log.clone()).or_default();
            let Ok(mut file) = fs::File::open(&log) else { continue };
            if file.metadata()?.len() <= *heard {
                continue;
            }
            file.seek(SeekFrom::Start(*heard))?;
            let mut news = Vec::new();
            *heard += file.read_to_end(&mut news)? as u64;
            let news = String::from_utf8_lossy(&news);
            if LOST.iter().any(|words| news.contains(words)) {
                self.receiver.excuse();
            }
        }
        Ok(())
    }

    /// How far the stages are; `None` when the server does not say.
    pub(crate) async fn progress(&mut self) -> anyhow::Result<Option<Vec<Progress>>> {
        let client = self.client.clone();
        let asked = self.meanwhile(timeout(ANSWER, client.progress())).await?;
        Ok(asked.ok().and_then(Result::ok))
    }

    /// Waits until a stage has at most so many messages to read, but not for ever: whom it waits for
    /// may be struck. Whether it came to that.
    pub(crate) async fn read(&mut self, stage: &str, unread: u64, patience: Duration) -> anyhow::Result<bool> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(progress) = self.progress().await? {
                let own = progress.iter().filter(|one| one.stage == stage);
                if own.map(|one| one.pending + one.in_progress).sum::<u64>() <= unread {
                    return Ok(true);
                }
            }
            self.meanwhile(sleep(ASK)).await?;
        }
        Ok(false)
    }

    /// Waits until nothing is wrong any more.
    pub(crate) async fn healed(&mut self) -> anyhow::Result<()> {
        while !self.active.is_empty() {
            self.meanwhile(sleep(TICK)).await?;
        }
        Ok(())
    }

    /// Waits until nothing is wrong and everything is handled.
    pub(crate) async fn settled(&mut self, patience: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        let shards = u16::try_from(self.history.len()).expect("there are few");
        let mut quiet: Option<Instant> = None;
        let mut last = None;
        while quiet.is_none_or(|since| since.elapsed() < QUIET) {
            ensure!(Instant::now() < deadline, "not settled within {patience:?}: {}", stuck(last.as_deref(), shards));
            self.meanwhile(sleep(ASK)).await?;
            let progress = self.progress().await?;
            let idle = self.active.is_empty() && progress.as_deref().is_some_and(|all| Progress::are_idle(all, shards));
            quiet = idle.then(|| quiet.unwrap_or_else(Instant::now));
            last = progress.or(last);
        }
        Ok(())
    }

    /// SIGTERM to all of `which`; what did not end well.
    pub(crate) async fn stop(&mut self, which: impl Fn(&str) -> bool) -> Vec<String> {
        let mut problems = Vec::new();
        for instance in self.instances.extract_if(.., |instance| which(instance.target.stage)) {
            let Instance { process: Some(mut process), .. } = instance else { continue };
            if let Err(error) = process.terminated(END).await {
                problems.push(error.to_string());
            }
        }
        problems
    }

    /// Ends the observers.
    pub(crate) async fn stop_observers(&mut self) -> Vec<String> {
        self.stop(|stage| stage == OBSERVER).await
    }
}

fn stuck(progress: Option<&[Progress]>, shards: u16) -> String {
    let Some(progress) = progress else { return "the server does not answer".to_owned() };
    let waiting = progress.iter().filter(|one| !one.is_idle());
    let waiting = waiting.map(|one| {
        let Progress { stage, stream, partition, partitions: _, pending, in_progress, reading } = one;
        format!("{stage} {stream} {partition}: {pending} pending, {in_progress} in progress, reading: {reading}")
    });
    format!(
        "{} of {} partitions; {}",
        progress.len(),
        reads::partitions(shards),
        waiting.collect::<Vec<_>>().join("; ")
    )
}

async fn connect(url: &str) -> anyhow::Result<(Context, Client)> {
    let client = Client::connect(&NatsOptions::new(url)).await?;
    let connected = async_nats::connect(url).await.context("cannot connect to nats-server")?;
    Ok((ContextBuilder::new().timeout(ANSWER).ack_timeout(ANSWER).build(connected), client))
}

/// Everybody is told of everything, one by one and at once: how much of a scan a breaker holds depends on how fast it
/// comes, and whether something is back in time on the clock, while what is replayed is years old.
const CONFIG: &str = "\
version: \"2.0\"
provider: aws
behavior:
  grace_period: 0s
  breaker: {findings: 1000000, percent: 100, at_least: 1000000}
policies:
  severity_actions: {critical: alert, warning: notify, info: audit}
actions:
  notifications:
    stdout: {enabled: false}
    webhook: {enabled: true, url: \"URL\", min_severity: info}
";
