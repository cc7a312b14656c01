//! Connections of our own on which readers' statements run.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use duckdb::{Connection, params};

use super::args::LiveOptions;
use super::judge::{Refusal, judge};
use super::results::{ResultTable, Results};
use super::vocabulary::Vocabulary;
use crate::watchdog::{Ended, Watchdog};

/// Statements that run at once.
const AT_ONCE: usize = 4;
/// How long one waits for its turn.
const TURN: Duration = Duration::from_secs(5);

/// The readers of one history.
pub(super) struct Readers {
    idle: Mutex<Vec<Connection>>,
    returned: Condvar,
    /// For what is not a reader's statement.
    own: Mutex<Connection>,
    results: Mutex<Results>,
    vocabulary: Mutex<Vocabulary>,
    watchdog: Arc<Watchdog>,
}

/// A panic while one of these is held changes nothing in it by halves.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Readers {
    /// Connections to the database of `connection`.
    pub(super) fn open(connection: &Connection, options: &LiveOptions) -> duckdb::Result<Self> {
        let reader = || {
            let reader = connection.try_clone()?;
            reader.execute_batch(include_str!("reader.sql"))?;
            Ok(reader)
        };
        Ok(Self {
            idle: Mutex::new((0..AT_ONCE).map(|_| reader()).collect::<duckdb::Result<_>>()?),
            returned: Condvar::new(),
            own: Mutex::new(connection.try_clone()?),
            results: Mutex::default(),
            vocabulary: Mutex::new(Vocabulary::load(connection)?),
            watchdog: Watchdog::new(options.timeout),
        })
    }

    /// Runs a query and names the table that holds its result.
    pub(super) fn query(&self, session: &str, query: &str) -> Result<ResultTable, Refusal> {
        self.judge(query)?;
        self.run(session, |reader, table| {
            // lines of their own: the query may end in a comment
            reader.execute_batch(&format!("CREATE TABLE {table} AS SELECT * FROM (\n{query}\n)"))
        })
    }

    /// Explains `query`; `text` is the whole statement.
    pub(super) fn explain(&self, session: &str, text: &str, query: &str) -> Result<ResultTable, Refusal> {
        self.judge(query)?;
        self.run(session, |reader, table| {
            let plan: Vec<(String, String)> =
                reader.prepare(text)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
            reader.execute_batch(&format!("CREATE TABLE {table} (explain_key VARCHAR, explain_value VARCHAR)"))?;
            plan.into_iter().try_for_each(|(key, value)| {
                reader.execute(&format!("INSERT INTO {table} VALUES (?, ?)"), params![key, value]).map(drop)
            })
        })
    }

    fn judge(&self, query: &str) -> Result<(), Refusal> {
        let own = lock(&self.own);
        let failed = |error: duckdb::Error| Refusal::Failed(error.to_string());
        let parsed: String =
            own.query_row("SELECT json_serialize_sql(?::VARCHAR)", [query], |row| row.get(0)).map_err(failed)?;
        let mut vocabulary = lock(&self.vocabulary);
        match judge(&parsed, &vocabulary) {
            // unless it has come since the last look
            Err(Refusal::Rows(_)) => {
                vocabulary.look_again(&own).map_err(failed)?;
                judge(&parsed, &vocabulary)
            }
            judged => judged,
        }
    }

    fn run(
        &self,
        session: &str,
        work: impl FnOnce(&Connection, ResultTable) -> duckdb::Result<()>,
    ) -> Result<ResultTable, Refusal> {
        self.sweep(Some(session));
        let reader = self.take()?;
        let watched = self.watchdog.watch(reader.interrupt_handle(), Instant::now())?;
        let table = lock(&self.results).add(session, Instant::now());
        let done = work(&reader, table);
        let ended = watched.ended();
        drop(watched);
        self.give_back(reader);
        done.map(|()| table).map_err(|error| ended.map_or_else(|| failed(&error), Refusal::Ended))
    }

    fn take(&self) -> Result<Connection, Refusal> {
        let idle = lock(&self.idle);
        let waited = self.returned.wait_timeout_while(idle, TURN, |idle| idle.is_empty());
        let (mut idle, _) = waited.unwrap_or_else(PoisonError::into_inner);
        idle.pop().ok_or(Refusal::Busy)
    }

    fn give_back(&self, reader: Connection) {
        lock(&self.idle).push(reader);
        self.returned.notify_one();
    }

    /// Looks after what runs and what waits to be fetched.
    pub(super) fn tick(&self) {
        if self.watchdog.is_idle() {
            self.sweep(None);
            return;
        }
        self.watchdog.tick(Instant::now());
    }

    /// Ends what runs: detection lacks memory.
    pub(super) fn make_room(&self) {
        self.watchdog.make_room();
    }

    fn sweep(&self, session: Option<&str>) {
        let stale = lock(&self.results).take_stale(session, Instant::now());
        for table in stale {
            // not there when its statement has failed
            if let Err(error) = lock(&self.own).execute_batch(&format!("DROP TABLE IF EXISTS {table}")) {
                tracing::debug!(%error, "a result cannot be dropped");
            }
        }
    }

    /// Ends what runs, and the server at `uri`.
    pub(super) fn close(&self, uri: &str) {
        self.watchdog.close();
        let stopped = lock(&self.own).query_row("SELECT count(*) FROM quack_stop(?)", [uri], |_| Ok(()));
        if let Err(error) = stopped {
            tracing::debug!(%error, "the SQL server does not run any more");
        }
    }
}

fn failed(error: &duckdb::Error) -> Refusal {
    let text = error.to_string();
    if text.contains("Out of Memory Error") { Refusal::Ended(Ended::TooLarge) } else { Refusal::Failed(text) }
}
