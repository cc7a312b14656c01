//! One nats-server and some stages over it, in a folder that goes away with them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use async_nats::jetstream::{self, Context};
use chrono::{DateTime, Utc};
use elava_bus::Stream;
use elava_harness::{Folder, Server, Setup};
use tempfile::TempDir;

use crate::estate::Page;
use crate::lag::{made, readers, unacknowledged};
use crate::measure;
use crate::publish::publish;
use crate::stages::Stage;

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Folder of the stages' binaries.
    pub binaries: PathBuf,
    /// The nats-server.
    pub nats_server: PathBuf,
    /// Folder of the policies.
    pub policies: PathBuf,
}

/// How long anything may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often the server is asked how far the stages are.
const POLL: Duration = Duration::from_millis(20);

/// Fields end in the order they are written here: the stages, the server, the folder.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) stages: Vec<Stage>,
    pub(crate) server: Server,
    pub(crate) js: Context,
    pub(crate) folder: TempDir,
}

impl Session {
    /// Starts a server.
    pub(crate) async fn serve(programs: &Programs) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("elava-bench-").tempdir()?;
        let program = Some(&*programs.nats_server);
        let setup = Setup { program, folder: Folder::Kept(folder.path().to_owned()), ..Setup::default() };
        let server = Server::start(setup)?;
        let js = jetstream::new(async_nats::connect(server.url()).await?);
        Ok(Self { stages: Vec::new(), server, js, folder })
    }

    /// Starts a server and these stages, and waits until they read.
    pub(crate) async fn start(programs: &Programs, names: &[&'static str]) -> anyhow::Result<Self> {
        let mut session = Self::serve(programs).await?;
        for name in names {
            // one after the other: the first makes the streams
            session.add(name, programs, &[]).await?;
        }
        Ok(session)
    }

    /// Starts a stage, and waits until it reads.
    pub(crate) async fn add(&mut self, name: &'static str, programs: &Programs, more: &[String]) -> anyhow::Result<()> {
        self.join(name, programs, more).await?;
        self.reading(name, inputs(name)).await
    }

    /// Starts an instance of a stage, which may have nothing to read yet.
    pub(crate) async fn join(
        &mut self,
        name: &'static str,
        programs: &Programs,
        more: &[String],
    ) -> anyhow::Result<()> {
        let policies = programs.policies.display().to_string();
        let arguments: &[&str] = match name {
            "detector" => &["--db", DATABASE],
            "enforcer" => &["--policies", &policies],
            _ => &[],
        };
        let arguments: Vec<&str> = arguments.iter().copied().chain(more.iter().map(String::as_str)).collect();
        let mut stage = Stage::start(name, &programs.binaries, &self.server.url(), self.folder.path(), &arguments)?;
        stage.ready().await?;
        self.stages.push(stage);
        Ok(())
    }

    /// Waits until every partition of these streams is read.
    pub(crate) async fn reading(&self, name: &str, streams: &[Stream]) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        for stream in streams {
            while readers(&self.js, name, *stream).await? < usize::from(stream.partitions()) {
                ensure!(Instant::now() < deadline, "{name} does not read all of {}", stream.name());
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(())
    }

    /// Waits until a stage that has lost its lease reads a stream again; when it began to.
    pub(crate) async fn reads_again(
        &self,
        name: &str,
        stream: Stream,
        since: DateTime<Utc>,
    ) -> anyhow::Result<DateTime<Utc>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(made) = made(&self.js, name, stream, since).await? {
                return Ok(made);
            }
            ensure!(Instant::now() < deadline, "{name} does not read {} again", stream.name());
            tokio::time::sleep(POLL).await;
        }
    }

    /// CPU seconds that the server has used.
    pub(crate) fn server_cpu(&self) -> anyhow::Result<f64> {
        let server = self.server.process().context("the server was killed")?;
        Ok(measure::usage(server.id())?.cpu)
    }

    /// The detector's file.
    pub(crate) fn history(&self) -> PathBuf {
        self.folder.path().join(DATABASE)
    }

    /// Publishes a scan and waits until everything that follows from it is done.
    pub(crate) async fn flow(&mut self, pages: &[Page], scan: &str) -> anyhow::Result<Flow> {
        let begun = Instant::now();
        publish(&self.js, pages, "", scan).await?;
        let mut stages = Vec::new();
        // a stage acknowledges what its outputs are stored of: then the next one has all its input
        for name in self.stages.iter().map(|stage| stage.name).collect::<Vec<_>>() {
            self.caught_up(name, inputs(name), begun + PATIENCE).await?;
            stages.push(begun.elapsed().as_secs_f64());
        }
        self.caught_up("detector", &[Stream::Policy, Stream::Decision], begun + PATIENCE).await?;
        Ok(Flow { stages, recorded: begun.elapsed().as_secs_f64() })
    }

    /// Waits until a stage has acknowledged all of these streams.
    pub(crate) async fn caught_up(&mut self, name: &str, streams: &[Stream], deadline: Instant) -> anyhow::Result<()> {
        loop {
            let pages = unacknowledged(&self.js, name, streams).await?;
            if pages == 0 {
                return Ok(());
            }
            for stage in &mut self.stages {
                stage.expect_running()?;
            }
            ensure!(Instant::now() < deadline, "{name} has {pages} pages still to read after {PATIENCE:?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Bytes of the history on disk.
    pub(crate) fn history_bytes(&self) -> anyhow::Result<u64> {
        let file = self.history();
        let log = file.with_extension("duckdb.wal");
        Ok(file.metadata()?.len() + log.metadata().map_or(0, |metadata| metadata.len()))
    }
}

/// How long a scan took, in seconds from its first page.
#[derive(Debug)]
pub(crate) struct Flow {
    /// Until each stage had handled all that the one before gave it, in their order.
    pub(crate) stages: Vec<f64>,
    /// Until the detector had also recorded all policy results and decisions.
    pub(crate) recorded: f64,
}

/// The history's file in the session's folder.
const DATABASE: &str = "history.duckdb";

/// What a stage handles on the way to the decisions.
fn inputs(stage: &str) -> &'static [Stream] {
    match stage {
        "detector" => &[Stream::Observation],
        "enforcer" => &[Stream::Change],
        "decider" => &[Stream::Change, Stream::Policy],
        _ => &[Stream::Decision],
    }
}
