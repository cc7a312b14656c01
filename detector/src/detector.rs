//! The stage: batches in, changes out, everything between in one transaction of the history.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use elava_bus::cli::chain;
use elava_bus::{
    Batch, Consumes, Emit, Failure, Output, Peers, Position, Rejection, Resume, Source, Stage, StageSpec, Stream, ask,
};
use elava_schemas::config::{Config, RetentionRule};
use elava_schemas::{Kind, Timestamp};
use hashbrown::{HashMap, HashSet};
use tokio::task::{block_in_place, spawn_blocking};

use crate::aside::{Aside, lines};
use crate::background::Background;
use crate::batch::{self, Memory, Settings};
use crate::decode::{Line, Row, decode};
use crate::diff::Tracking;
use crate::effects::Effects;
use crate::export::{EXPORT_SUBJECT, ExportRequest};
use crate::index::Scope;
use crate::keeper::keep;
use crate::live::{LiveError, LiveOptions, LiveSql};
use crate::prices::{PriceError, Prices};
use crate::query::{QUERY_SUBJECT, Query};
use crate::record::Recorder;
use crate::retention::Run;
use crate::shard::Shard;
use crate::store::{History, HistoryError, Progress, Records};

/// The detector stage. Holds the history open for writing: only one can, per file.
pub struct Detector {
    /// The history for analysts; stops before the history closes.
    live: Option<LiveSql>,
    aside: Aside,
    /// Thins old versions; ends before the history closes.
    keeper: Option<Background>,
    settings: Settings,
    shard: Shard,
    state: Arc<Mutex<State>>,
}

/// Why the detector cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The price table is wrong.
    #[error("cannot use the price table")]
    Prices(#[source] PriceError),
    /// The history cannot be used.
    #[error("cannot use the history")]
    History(#[source] HistoryError),
    /// A thread.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}

/// After how many batches that changed nothing a source's position is stored all the same.
const MAX_UNSTORED: u32 = 100;

struct State {
    history: History,
    shard: Shard,
    memory: Memory,
    /// Up to where each source has been applied.
    applied: HashMap<Source, u64>,
    /// How many batches of a source were applied since its position was stored.
    unstored: HashMap<Source, u32>,
    /// The last input of a source whose outputs or dead letters the history still holds.
    held: HashMap<Source, u64>,
    /// Up to where outputs and dead letters are stored.
    stored: HashMap<Source, u64>,
    /// Resources with open violations.
    violators: HashSet<u64>,
}

impl Detector {
    /// Opens the file of one shard of the history, made or migrated as needed, and loads what exists.
    pub fn open(path: &Path, shard: Shard, config: &Config) -> Result<Self, SetupError> {
        let settings = settings(config)?;
        let state = State::open(path, shard).map_err(SetupError::History)?;
        tracing::info!(history = %path.display(), resources = state.memory.index.len(), "history opened");
        let exports = std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).with_file_name("export");
        let aside = Aside::open(&state.history, exports).map_err(SetupError::History)?;
        Ok(Self { live: None, aside, keeper: None, settings, shard, state: Arc::new(Mutex::new(state)) })
    }

    /// With exports below this folder, where one is given, instead of `export` beside the history. Before SQL is
    /// served.
    #[must_use]
    pub fn export_below(self, folder: Option<&Path>) -> Self {
        let Some(folder) = folder else { return self };
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        Self { aside: self.aside.exporting_to(folder), ..self }
    }

    /// Serves the history for live SQL from now on; what is in other shards is asked of `peers`.
    pub fn serve_sql(&mut self, options: &LiveOptions, peers: Peers) -> Result<(), LiveError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let shard = (self.shard, peers);
        self.live = Some(LiveSql::start(state.history.connection(), options, self.aside.exports(), shard)?);
        Ok(())
    }

    /// Thins old versions from now on, at once and then daily, between batches. Does nothing where nothing is to be
    /// thinned ever.
    pub fn thin_daily(&mut self, policy: &[RetentionRule], clock: fn() -> Timestamp) -> Result<(), SetupError> {
        let state = Arc::clone(&self.state);
        // without the state, because a batch panicked half-way, the detector ends
        let step = move |run: &mut Run| state.lock().ok().map(|state| run.step(&state.history));
        self.keeper = keep(policy, clock, step).map_err(SetupError::Thread)?;
        Ok(())
    }

    /// Checks the configuration and opens nothing.
    pub fn check(config: &Config) -> Result<(), SetupError> {
        settings(config).map(drop)
    }

    /// Asks every shard.
    async fn ask_all(&self, query: &Query) -> Result<Vec<Bytes>, String> {
        let live = self.live.as_ref().ok_or("live SQL is off, by which the shards of a history ask each other")?;
        let (readers, sql) = (live.readers(), query.text());
        let asked = spawn_blocking(move || readers.question(&sql)).await.map_err(|error| error.to_string())?;
        Ok(asked?.into_iter().map(Bytes::from).collect())
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, Failure> {
        self.state.lock().map_err(|_| Failure::Fatal("an earlier batch panicked half-way".into()))
    }
}

fn settings(config: &Config) -> Result<Settings, SetupError> {
    let prices = config.change_detection.prices.as_ref().map(PathBuf::from);
    Ok(Settings {
        tracking: Tracking::new(&config.change_detection),
        prices: Prices::load(prices.as_deref()).map_err(SetupError::Prices)?,
    })
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        match &error {
            // another process has it, or its disk is not there
            SetupError::History(HistoryError::Open { .. } | HistoryError::Sql { .. }) => {
                Self::Unavailable(error.into())
            }
            SetupError::Prices(_) | SetupError::History(_) | SetupError::Thread(_) => Self::Fatal(error.into()),
        }
    }
}

impl Stage for Detector {
    const SPEC: StageSpec = StageSpec {
        name: "detector",
        inputs: elava_bus::reads::DETECTOR,
        output: Some(Stream::Change),
        consumes,
        position: Position::Own,
        batch_pages: 20,
        // one being read, one applied, one stored downstream
        in_flight: 3,
        health_port: 9311,
    };

    async fn handle(&self, batch: &Batch) -> Result<Output, Failure> {
        block_in_place(|| {
            // the larger part of the work is reading, and needs no lock
            let mut rejected = Vec::new();
            let lines = decode(batch, consumes, &mut rejected);
            let handled = self.state()?.handle(batch, lines, rejected, &self.settings);
            if handled.as_ref().is_err_and(HistoryError::is_lack_of_memory) {
                self.aside.make_room();
                self.live.iter().for_each(LiveSql::make_room);
            }
            handled.map_err(failure)
        })
    }

    async fn resume(
        &self,
        source: &Source,
        checkpoint: Option<u64>,
        _state: Vec<(String, Bytes)>,
    ) -> Result<Resume, Failure> {
        block_in_place(|| self.state()?.resume(source, checkpoint.unwrap_or(0)).map_err(failure))
    }

    async fn stored(&self, source: &Source, sequence: u64) -> Result<(), Failure> {
        // removed from the outbox with the next batch
        let mut state = block_in_place(|| self.state())?;
        let stored = state.stored.entry(source.clone()).or_default();
        *stored = (*stored).max(sequence);
        Ok(())
    }

    fn subjects(&self) -> &'static [&'static str] {
        &[QUERY_SUBJECT, EXPORT_SUBJECT, ask::CURRENT]
    }

    fn about(&self) -> Option<String> {
        self.live.as_ref().map(LiveSql::about)
    }

    async fn answer(&self, subject: &str, body: Bytes) -> Result<Vec<Bytes>, String> {
        if subject == EXPORT_SUBJECT {
            let request = ExportRequest::parse(&body).map_err(|error| chain(&error))?;
            return lines(self.aside.export(request, self.shard).await.map_err(|error| chain(&error))?);
        }
        if subject == ask::CURRENT {
            let request = serde_json::from_slice(&body).map_err(|error| format!("bad request: {error}"))?;
            return self.aside.current(request).await.map_err(|error| chain(&error));
        }
        let query = Query::parse(&body).map_err(|error| chain(&error))?;
        if self.shard.of > 1 {
            return self.ask_all(&query).await;
        }
        let answer = self.aside.ask(query).await.map_err(|error| chain(&error))?;
        Ok(answer.into_iter().map(Bytes::from).collect())
    }

    async fn finish(&self) -> Result<Output, Failure> {
        let state = block_in_place(|| self.state())?;
        for (scope, scan) in state.memory.scans.iter() {
            let Scope { account, region, kind, .. } = state.memory.index.scope(scope);
            tracing::warn!(
                scan = scan.id,
                account,
                region,
                r#type = kind,
                received = scan.received(),
                "scan incomplete: its report has not come"
            );
        }
        Ok(Output::default())
    }
}

fn consumes(kind: Kind) -> Consumes {
    match kind {
        Kind::Observation | Kind::ScanReport => Consumes::Takes,
        Kind::Change | Kind::PolicyResult | Kind::Decision | Kind::Approval | Kind::Execution | Kind::Delivery => {
            Consumes::TakesAndPasses
        }
        Kind::DeadLetter | Kind::ScanRequest | Kind::EvaluationRequest => Consumes::Passes,
    }
}

fn failure(error: HistoryError) -> Failure {
    match &error {
        HistoryError::Sql { source, .. } if is_about_data(&source.to_string()) => Failure::Poison(error.into()),
        HistoryError::Sql { source, .. } if source.to_string().contains("database has been invalidated") => {
            Failure::Fatal(error.into())
        }
        HistoryError::Sql { .. } | HistoryError::Open { .. } => Failure::Unavailable(error.into()),
        HistoryError::Wrong { .. } | HistoryError::Missing { .. } | HistoryError::Panicked { .. } => {
            Failure::Poison(error.into())
        }
        HistoryError::Newer { .. }
        | HistoryError::Older { .. }
        | HistoryError::Migrate { .. }
        | HistoryError::Thread(_) => Failure::Fatal(error.into()),
    }
}

/// DuckDB gives its errors no codes; these classes come from the rows and not from the disk.
fn is_about_data(message: &str) -> bool {
    ["Conversion Error", "Constraint Error", "Out of Range Error"].iter().any(|class| message.contains(class))
}

impl State {
    fn open(path: &Path, shard: Shard) -> Result<Self, HistoryError> {
        let history = History::open(path)?;
        let streams = Stream::ALL.into_iter();
        let by_name: HashMap<&str, Stream> = streams.map(|stream| (stream.name(), stream)).collect();
        let positions = history.positions()?.into_iter().filter_map(|position| {
            let stream = *by_name.get(position.stream.as_str())?;
            Some((Source::Partition { stream, partition: position.partition }, position.applied))
        });
        let applied = positions.collect();
        let (memory, violators) = (history.memory()?, history.violators()?);
        Ok(Self {
            history,
            shard,
            memory,
            applied,
            unstored: HashMap::new(),
            held: HashMap::new(),
            stored: HashMap::new(),
            violators,
        })
    }

    fn resume(&mut self, source: &Source, checkpoint: u64) -> Result<Resume, HistoryError> {
        let Source::Partition { stream, partition } = *source else {
            return Ok(Resume { from: 1, pending: Vec::new(), rejected: Vec::new() });
        };
        let positions = self.history.positions()?;
        let position = positions.iter().find(|p| p.stream == stream.name() && p.partition == partition);
        let from = position.map_or(1, |position| position.resume);
        let pending = if stream == Stream::Observation {
            // what the open scans have seen is read again
            self.memory.scans.forget(partition);
            self.history.outbox(partition, checkpoint)?
        } else {
            Vec::new()
        };
        let rejected = self.history.rejections(stream.name(), partition)?;
        if let Some(position) = position.filter(|_| !pending.is_empty() || !rejected.is_empty()) {
            self.held.insert(source.clone(), position.applied);
        }
        Ok(Resume { from, pending, rejected })
    }

    fn handle(
        &mut self,
        batch: &Batch,
        lines: Vec<Line>,
        mut rejected: Vec<Rejection>,
        settings: &Settings,
    ) -> Result<Output, HistoryError> {
        let applied = match batch.source {
            Source::Pipe => 0,
            Source::Partition { .. } => self.applied.get(&batch.source).copied().unwrap_or(0),
        };
        rejected.retain(|rejection| rejection.sequence > applied);
        let mut effects = Effects { rejected, ..Effects::default() };
        // A panic too must leave the memory as the history is: other partitions go on with it.
        let store = AssertUnwindSafe(|| self.store(batch, lines, &mut effects, settings, applied));
        let stored = catch_unwind(store).unwrap_or_else(|panic| {
            self.history.roll_back();
            Err(HistoryError::Panicked { text: elava_bus::panic_text(panic.as_ref()).to_owned() })
        });
        if let Err(error) = stored {
            effects.undo(&mut self.memory);
            return Err(error);
        }
        if batch.last_sequence() > applied {
            self.applied.insert(batch.source.clone(), batch.last_sequence());
        }
        let mut rejected = effects.rejected;
        rejected.sort_by_key(|rejection| (rejection.sequence, rejection.line));
        let messages = effects.changes.into_iter().map(Emit::from).collect();
        Ok(Output { messages, rejected, state: Vec::new() })
    }

    /// Everything a batch leads to, in one transaction.
    fn store(
        &mut self,
        batch: &Batch,
        mut lines: Vec<Line>,
        effects: &mut Effects,
        settings: &Settings,
        applied: u64,
    ) -> Result<(), HistoryError> {
        let partition = match batch.source {
            Source::Pipe => None,
            Source::Partition { partition, .. } => Some(partition),
        };
        batch::run(&mut self.memory, &self.history, settings, (partition, applied), &mut lines, effects)?;
        let records = self.record(lines, applied)?;
        let is_empty = effects.is_empty() && effects.rejected.is_empty() && records.is_empty();
        if is_empty && self.can_wait(&batch.source) {
            return Ok(());
        }
        let progress = self.progress(batch, applied);
        self.history.apply(effects, &records, progress.as_ref())?;
        self.unstored.remove(&batch.source);
        if self.can_let_go(&batch.source) {
            self.held.remove(&batch.source);
        }
        if !effects.changes.is_empty() || !effects.rejected.is_empty() {
            self.held.insert(batch.source.clone(), batch.last_sequence());
        }
        self.remember(&records);
        Ok(())
    }

    /// Whether a batch that changed nothing needs no transaction: nothing is lost by handling it again after a crash.
    fn can_wait(&mut self, source: &Source) -> bool {
        let unstored = self.unstored.entry(source.clone()).or_default();
        *unstored += 1;
        *unstored < MAX_UNSTORED && !self.can_let_go(source)
    }

    /// Whether everything that the history still holds of a source's outputs is stored downstream.
    fn can_let_go(&self, source: &Source) -> bool {
        self.held.get(source).is_some_and(|held| self.stored.get(source).is_some_and(|stored| stored >= held))
    }

    /// What later stages said.
    fn record(&self, lines: Vec<Line>, applied: u64) -> Result<Records, HistoryError> {
        let mut recorder = Recorder::new(self.shard);
        for line in lines.into_iter().filter(|line| line.page.sequence > applied) {
            if let Row::Recorded(message) = line.row {
                let index = &self.memory.index;
                recorder.add(message, &|id| index.is_known(id), &self.violators);
            }
        }
        let evaluated = recorder.evaluated();
        let open = if evaluated.is_empty() { Vec::new() } else { self.history.open_violations(&evaluated)? };
        Ok(recorder.finish(open))
    }

    fn remember(&mut self, records: &Records) {
        for (id, _) in &records.keys {
            self.memory.index.insert_gone(*id);
        }
        let open = records.violations.iter().filter(|row| row.closed.is_none()).map(|row| row.resource);
        let open: HashSet<u64> = open.collect();
        for id in &records.settled {
            if open.contains(id) {
                self.violators.insert(*id)
            } else {
                self.violators.remove(id)
            };
        }
    }

    /// Where the history will be once this batch is in it.
    fn progress(&self, batch: &Batch, applied: u64) -> Option<Progress> {
        let Source::Partition { stream, partition } = batch.source else { return None };
        let last = batch.last_sequence();
        if last <= applied {
            return None;
        }
        let open = if stream == Stream::Observation { self.memory.scans.first_sequence(partition) } else { None };
        Some(Progress {
            stream: stream.name(),
            partition,
            applied: last,
            resume: open.map_or(last + 1, |first| first.min(last + 1)),
            stored: self.stored.get(&batch.source).copied().unwrap_or(0),
        })
    }
}
