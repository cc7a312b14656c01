//! What is asked of the detector beside its work: on connections of their own, so that detection never waits for
//! it, and bounded.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use elava_schemas::CurrentRequest;
use serde::Serialize;
use tokio::task::{JoinError, spawn_blocking};

use crate::background::Background;
use crate::export::{ExportError, ExportRequest, Written};
use crate::query::{self, Query, QueryError};
use crate::shard::Shard;
use crate::store::{History, HistoryError};
use crate::watchdog::{Ended, Watchdog, look_after};

/// How long a question may take; as a statement of live SQL by default.
const LIMIT: Duration = Duration::from_secs(30);
/// How many bytes an answer may have, which is held as a whole before it is sent.
const LARGEST: usize = 256 << 20;

/// Answers questions and makes exports.
pub(crate) struct Aside {
    /// Opens connections.
    root: Mutex<History>,
    /// The folder below which exports are written.
    exports: PathBuf,
    /// One export at a time.
    exporting: Arc<tokio::sync::Mutex<()>>,
    questions: Arc<Watchdog>,
    long: Arc<Watchdog>,
    _ticker: Background,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AsideError {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Ended(#[from] Ended),
    #[error("an export is being made already; try again when it has ended")]
    Exporting,
    #[error("a thread panicked")]
    Panicked(#[source] JoinError),
}

impl Aside {
    /// Beside the connection of `history`.
    pub(crate) fn open(history: &History, exports: PathBuf) -> Result<Self, HistoryError> {
        let (questions, long) = (Watchdog::new(LIMIT), Watchdog::new(Duration::MAX));
        let watched = [Arc::clone(&questions), Arc::clone(&long)];
        let tick = move || watched.iter().for_each(|watchdog| watchdog.tick(Instant::now()));
        let ticker = look_after("watchdog", tick).map_err(HistoryError::Thread)?;
        let root = Mutex::new(history.try_clone()?);
        Ok(Self { root, exports, exporting: Arc::default(), questions, long, _ticker: ticker })
    }

    /// Answers a question, of one moment, a line a row.
    pub(crate) async fn ask(&self, query: Query) -> Result<Vec<String>, AsideError> {
        self.run(&self.questions, move |history, _| query::lines_up_to(LARGEST, history, &query)).await
    }

    /// Current resources as policies are given them: what the answer begins with, and a line each.
    pub(crate) async fn current(&self, request: CurrentRequest) -> Result<Vec<Bytes>, AsideError> {
        let (head, lines) = self.run(&self.questions, move |history, _| history.current(&request)).await?;
        let head = Bytes::from(serde_json::to_vec(&head).expect("it has string keys"));
        Ok(std::iter::once(head).chain(lines.into_iter().map(Bytes::from)).collect())
    }

    /// Makes an export, unless another one is being made.
    pub(crate) async fn export(&self, request: ExportRequest, shard: Shard) -> Result<Vec<Written>, AsideError> {
        let export = request.below(&self.exports, shard)?;
        let turn = Arc::clone(&self.exporting).try_lock_owned().map_err(|_| AsideError::Exporting)?;
        let work = move |history: &History, ended: &dyn Fn() -> Option<Ended>| {
            let _turn = turn;
            export.run_until(history, ended)
        };
        self.run(&self.long, work).await
    }

    /// Where exports are written.
    pub(crate) fn exports(&self) -> &std::path::Path {
        &self.exports
    }

    /// The same, with another folder for exports.
    pub(crate) fn exporting_to(self, exports: PathBuf) -> Self {
        Self { exports, ..self }
    }

    /// What watches over it.
    pub(crate) fn watchdogs(&self) -> [Arc<Watchdog>; 2] {
        [Arc::clone(&self.questions), Arc::clone(&self.long)]
    }

    /// Ends everything: detection lacks memory.
    pub(crate) fn make_room(&self) {
        self.questions.make_room();
        self.long.make_room();
    }

    /// Runs `work` on a connection and a thread of its own; ends it when nobody waits for it any more.
    async fn run<T, E>(
        &self,
        watchdog: &Arc<Watchdog>,
        work: impl FnOnce(&History, &dyn Fn() -> Option<Ended>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, AsideError>
    where
        T: Send + 'static,
        E: Into<AsideError> + Send + 'static,
    {
        let history = self.root.lock().unwrap_or_else(PoisonError::into_inner).try_clone()?;
        let watched = watchdog.watch(history.interrupt_handle(), Instant::now())?;
        let _wanted = watched.wanted();
        let work = move || {
            let done = work(&history, &|| watched.ended());
            done.map_err(|error| watched.ended().map_or_else(|| error.into(), AsideError::Ended))
        };
        spawn_blocking(work).await.map_err(AsideError::Panicked)?
    }
}

/// The lines of an answer.
pub(crate) fn lines<T: Serialize>(rows: Vec<T>) -> Result<Vec<Bytes>, String> {
    let line = |row| serde_json::to_vec(&row).map(Bytes::from).map_err(|error| error.to_string());
    rows.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDLESS: &str = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b";

    fn beside(folder: &std::path::Path, limit: Duration) -> Aside {
        let history = History::open(&folder.join("history.duckdb")).expect("a history");
        let aside = Aside::open(&history, folder.join("export")).expect("connections");
        Aside { questions: Watchdog::new(limit), ..aside }
    }

    fn endless(history: &History, _: &dyn Fn() -> Option<Ended>) -> Result<(), HistoryError> {
        use crate::store::Tried;
        history.connection().execute_batch(ENDLESS).tried("query")
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_takes_too_long_is_ended_and_the_next_is_answered() {
        let folder = tempfile::tempdir().expect("a folder");
        let aside = beside(folder.path(), Duration::ZERO);
        let ticking = Arc::clone(&aside.questions);
        let _ticker = look_after("test", move || ticking.tick(Instant::now())).expect("a thread");
        let error = aside.run(&aside.questions, endless).await.expect_err("it is endless");
        assert_eq!(error.to_string(), "ended after 0 s, the limit of one statement");
        let aside = beside(folder.path(), LIMIT);
        assert!(!aside.ask(Query::Summary {}).await.expect("an answer").is_empty());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_nobody_waits_for_is_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let aside = Arc::new(beside(folder.path(), LIMIT));
        let running = Arc::clone(&aside);
        let asked = tokio::spawn(async move { running.run(&running.long, endless).await });
        while aside.long.is_idle() {
            tokio::task::yield_now().await;
        }
        asked.abort();
        drop(asked.await);
        while !aside.long.is_idle() {
            tokio::task::yield_now().await;
        }
    }
}
