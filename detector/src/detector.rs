//! The stage: batches in, changes out; and what is asked of it. [`crate::state`] has what is between.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use elava_bus::cli::chain;
use elava_bus::{Batch, Consumes, Failure, Output, Peers, Position, Resume, Source, Stage, StageSpec, Stream, ask};
use elava_schemas::config::{Config, RetentionRule};
use elava_schemas::{Kind, Timestamp};
use tokio::task::{block_in_place, spawn_blocking};

use crate::arranger::{Turn, keep_arranged};
use crate::aside::{Aside, lines};
use crate::background::Background;
use crate::batch::Settings;
use crate::decode::decode;
use crate::diff::Tracking;
use crate::export::{EXPORT_SUBJECT, ExportRequest};
use crate::index::Scope;
use crate::keeper::keep;
use crate::live::{LiveError, LiveOptions, LiveSql};
use crate::merger::keep_merged;
use crate::prices::{PriceError, Prices};
use crate::query::{QUERY_SUBJECT, Query};
use crate::retention::Run;
use crate::shard::Shard;
use crate::state::State;
use crate::store::HistoryError;

/// The detector stage. Holds the history open for writing: only one can, per file.
pub struct Detector {
    /// The history for analysts; stops before the history closes.
    live: Option<LiveSql>,
    aside: Aside,
    /// Thins old versions; ends before the history closes.
    keeper: Option<Background>,
    /// Keeps ended versions sorted by resource; ends before the history closes.
    arranger: Option<Background>,
    /// Merges row groups; ends before the history closes.
    merger: Option<Background>,
    turn: Turn,
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

impl Detector {
    /// Opens the file of one shard of the history, made or migrated as needed, and loads what exists.
    pub fn open(path: &Path, shard: Shard, config: &Config) -> Result<Self, SetupError> {
        let settings = settings(config)?;
        let state = State::open(path, shard).map_err(SetupError::History)?;
        tracing::info!(history = %path.display(), resources = state.memory.index.len(), "history opened");
        let exports = std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).with_file_name("export");
        let aside = Aside::open(&state.history, exports).map_err(SetupError::History)?;
        let state = Arc::new(Mutex::new(state));
        Ok(Self {
            live: None,
            aside,
            keeper: None,
            arranger: None,
            merger: None,
            turn: Turn::default(),
            settings,
            shard,
            state,
        })
    }

    /// With exports below this folder, where one is given, instead of `export` beside the history. Before SQL is
    /// served.
    #[must_use]
    pub fn export_below(self, folder: Option<&Path>) -> Self {
        let Some(folder) = folder else { return self };
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        Self { aside: self.aside.exporting_to(folder), ..self }
    }

    /// Merges row groups in parts from now on. Before SQL is served, which lets nobody change a setting any more.
    pub(crate) fn merge_in_parts(&self) -> Result<(), SetupError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.history.merge_in_parts().map_err(SetupError::History)
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
        let (state, turn) = (Arc::clone(&self.state), Arc::clone(&self.turn));
        let step = move |run: &mut Run| {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            // without the state, because a batch panicked half-way, the detector ends
            state.lock().ok().map(|state| run.step(&state.history))
        };
        self.keeper = keep(policy, clock, step).map_err(SetupError::Thread)?;
        Ok(())
    }

    /// Keeps ended versions sorted by resource, and row groups merged, from now on, beside detection. After SQL is
    /// served, where it is.
    pub(crate) fn keep_in_order(&mut self) -> Result<(), SetupError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = || state.history.try_clone().map_err(SetupError::History);
        self.arranger = Some(keep_arranged(connection()?, Arc::clone(&self.turn)).map_err(SetupError::Thread)?);
        let live = self.live.iter().map(|live| live.readers().watchdog());
        let readers = self.aside.watchdogs().into_iter().chain(live).collect();
        self.merger = Some(keep_merged(connection()?, Arc::clone(&self.turn), readers).map_err(SetupError::Thread)?);
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

    /// Where the history could not be written for want of memory, ends what takes some.
    fn judged<T>(&self, written: Result<T, HistoryError>) -> Result<T, Failure> {
        if written.as_ref().is_err_and(HistoryError::is_lack_of_memory) {
            self.aside.make_room();
            self.live.iter().for_each(LiveSql::make_room);
        }
        written.map_err(failure)
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
            self.judged(handled)
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

    async fn settle(&self, source: &Source) -> Result<(), Failure> {
        block_in_place(|| {
            let settled = self.state()?.settle(source);
            self.judged(settled)
        })
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
        _ if error.is_given_up() => Failure::Fatal(error.into()),
        HistoryError::Sql { .. } | HistoryError::Open { .. } | HistoryError::NoRoom => {
            Failure::Unavailable(error.into())
        }
        HistoryError::Wrong { .. } | HistoryError::Missing { .. } | HistoryError::Panicked { .. } => {
            Failure::Poison(error.into())
        }
        HistoryError::Doubt(_)
        | HistoryError::Unusable(_)
        | HistoryError::Newer { .. }
        | HistoryError::Older { .. }
        | HistoryError::Migrate { .. }
        | HistoryError::Thread(_) => Failure::Fatal(error.into()),
    }
}

/// DuckDB gives its errors no codes; these classes come from the rows and not from the disk.
fn is_about_data(message: &str) -> bool {
    ["Conversion Error", "Constraint Error", "Out of Range Error"].iter().any(|class| message.contains(class))
}
