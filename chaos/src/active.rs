//! Faults at work: how each is done, and undone when its time is over.

use std::fs;

use anyhow::Context as _;
use async_nats::jetstream::stream::Config;
use elava_harness::Signal;
use tokio::time::Instant;

use crate::instance::Instance;
use crate::limited::limit_files;
use crate::plan::{Blow, Fault, Kind, OBSERVER, READERS};
use crate::proxy::Mode;
use crate::world::World;

/// A fault that is not undone yet.
#[derive(Debug)]
pub(crate) struct Active {
    blow: Blow,
    until: Instant,
    /// Of the stream that is full: its limit.
    limit: i64,
}

impl World {
    /// Does it. What is still wrong in the same place is undone before.
    pub(crate) async fn strike(&mut self, fault: &Fault) -> anyhow::Result<()> {
        let blow = fault.blow;
        for active in self.active.extract_if(.., |active| same_place(&active.blow, &blow)).collect::<Vec<_>>() {
            self.undo(&active).await?;
        }
        self.excuse(&blow);
        let mut limit = 0;
        match blow {
            Blow::Instance(kind, _) => strike_instance(self.victim(&blow)?, kind)?,
            Blow::Server(Kind::ServerKill) => self.server.kill()?,
            Blow::Server(_) => self.server.signal(Signal::STOP)?,
            Blow::StreamFull(stream) => match self.fill(stream).await? {
                Some(before) => limit = before,
                None => return Ok(()),
            },
            Blow::HistoryFull => self.limit_history(true)?,
            Blow::ReceiverDown => self.receiver.set_away(true),
            Blow::CloudCut => self.cloud.proxy.set(Mode::Cut),
            Blow::Duplicate { .. } | Blow::Late { .. } => return Ok(()),
        }
        self.active.push(Active { blow, until: Instant::now() + fault.lasts, limit });
        Ok(())
    }

    /// Undoes what is over by then.
    pub(crate) async fn undo_due(&mut self, by: Instant) -> anyhow::Result<()> {
        for active in self.active.extract_if(.., |active| active.until <= by).collect::<Vec<_>>() {
            if !self.undo(&active).await? {
                self.active.push(active);
            }
        }
        Ok(())
    }

    /// Whether it could be undone now.
    async fn undo(&mut self, active: &Active) -> anyhow::Result<bool> {
        self.excuse(&active.blow);
        match active.blow {
            Blow::Instance(kind, _) => undo_instance(self.victim(&active.blow)?, kind)?,
            Blow::Server(Kind::ServerKill) => self.server.revive()?,
            Blow::Server(_) => self.server.signal(Signal::CONT)?,
            Blow::StreamFull(stream) => return Ok(self.limit(stream, |_| active.limit).await.is_some()),
            Blow::HistoryFull => self.limit_history(false)?,
            Blow::ReceiverDown => self.receiver.set_away(false),
            Blow::CloudCut => self.cloud.proxy.set(Mode::Pass),
            Blow::Duplicate { .. } | Blow::Late { .. } => {}
        }
        Ok(true)
    }

    /// A notifier that is struck may have told something and not recorded it yet.
    fn excuse(&self, blow: &Blow) {
        match blow {
            Blow::Instance(_, target) if target.stage != "notifier" => {}
            Blow::Instance(..) | Blow::Server(_) | Blow::StreamFull("EXECUTION" | "KV_elava_state") => {
                self.receiver.excuse();
            }
            _ => {}
        }
    }

    fn victim(&mut self, blow: &Blow) -> anyhow::Result<&mut Instance> {
        let Blow::Instance(_, target) = blow else { anyhow::bail!("{blow:?} strikes no instance") };
        let victim = self.instances.iter_mut().find(|instance| instance.target == *target);
        victim.with_context(|| format!("there is no {target:?}"))
    }

    /// The disk is everybody's: all detectors are struck.
    fn limit_history(&mut self, full: bool) -> anyhow::Result<()> {
        // enough for a page or two of the log that DuckDB writes ahead, too little for what follows
        let logs = self.history.iter().map(|file| file.with_extension("duckdb.wal"));
        let written = logs.map(|log| fs::metadata(log).map_or(0, |metadata| metadata.len())).max().unwrap_or(0);
        let limit = full.then_some(written + 4096);
        let detectors = self.instances.iter_mut().filter(|instance| instance.target.stage == READERS[0]);
        detectors.filter_map(|detector| detector.process.as_mut()).try_for_each(|process| limit_files(process, limit))
    }

    /// Leaves a stream no room; the limit it had, or `None` when the server did not do it.
    async fn fill(&mut self, stream: &'static str) -> anyhow::Result<Option<i64>> {
        let deadline = Instant::now() + std::time::Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(before) = self.limit(stream, |used| used.max(1)).await {
                return Ok(Some(before));
            }
            self.meanwhile(tokio::time::sleep(std::time::Duration::from_millis(100))).await?;
        }
        Ok(None)
    }

    /// Changes the byte limit of a stream, given what is used of it; the limit before.
    async fn limit(&self, stream: &str, to: impl Fn(i64) -> i64) -> Option<i64> {
        let found = self.js.get_stream(stream).await.ok()?;
        let info = found.cached_info();
        let used = i64::try_from(info.state.bytes).unwrap_or(i64::MAX);
        let config = Config { max_bytes: to(used), ..info.config.clone() };
        self.js.update_stream(config).await.ok()?;
        Some(info.config.max_bytes)
    }
}

fn strike_instance(victim: &mut Instance, kind: Kind) -> anyhow::Result<()> {
    match (kind, &mut victim.process) {
        (Kind::Freeze, Some(process)) => Ok(process.signal(Signal::STOP)?),
        (Kind::Cut, _) => {
            victim.proxy.set(Mode::Cut);
            Ok(())
        }
        (Kind::Stall, _) => {
            victim.proxy.set(Mode::Stall);
            Ok(())
        }
        _ => victim.kill(),
    }
}

fn undo_instance(victim: &mut Instance, kind: Kind) -> anyhow::Result<()> {
    match (kind, &mut victim.process) {
        (Kind::Freeze, Some(process)) => Ok(process.signal(Signal::CONT)?),
        (Kind::Cut | Kind::Stall, _) => {
            victim.proxy.set(Mode::Pass);
            Ok(())
        }
        _ => victim.revive(),
    }
}

/// Two things wrong with one process, or one connection, would hide each other.
fn same_place(one: &Blow, other: &Blow) -> bool {
    match (one, other) {
        (Blow::Instance(_, one), Blow::Instance(_, other)) => one == other,
        (Blow::Server(_), Blow::Server(_)) => true,
        _ => one == other,
    }
}

/// The stages to start: observers as well, where there is a cloud to observe.
pub(crate) fn stages(cloud: bool) -> Vec<&'static str> {
    READERS.into_iter().chain(cloud.then_some(OBSERVER)).collect()
}
