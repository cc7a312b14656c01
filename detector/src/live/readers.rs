//! Connections of our own on which readers' statements run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use duckdb::{Connection, params};
use elava_bus::panic_text;

use super::args::LiveOptions;
use super::judge::{Refusal, judge};
use super::native;
use super::results::{ResultTable, Results};
use super::threads::{Then, Threads};
use super::vocabulary::Vocabulary;
use super::whole::{Whole, at};
use crate::watchdog::{Watchdog, Watched};

/// Statements that run at once.
const AT_ONCE: usize = 4;
/// How long one waits for its turn.
const TURN: Duration = Duration::from_secs(5);

/// How many questions of ours were asked.
static QUESTIONS: AtomicU64 = AtomicU64::new(0);

/// The readers of one history.
pub(crate) struct Readers {
    people: Pool,
    /// Other shards, whose readers wait for these: a pool of their own, or all could wait for one another.
    shards: Pool,
    /// Set where the history is in several files.
    whole: Option<Whole>,
    /// Drops results, and opens further connections.
    own: Mutex<Connection>,
    /// Reads statements.
    judging: Mutex<Connection>,
    results: Mutex<Results>,
    /// What is to be dropped soon: nobody waits for that.
    given_up: Mutex<Vec<ResultTable>>,
    vocabulary: Mutex<Vocabulary>,
    threads: Threads,
    watchdog: Arc<Watchdog>,
}

/// Connections that wait for something to run.
struct Pool {
    idle: Mutex<Vec<Connection>>,
    returned: Condvar,
}

impl Pool {
    fn of(connection: &Connection, many: usize) -> duckdb::Result<Self> {
        let reader = |_| {
            let reader = connection.try_clone()?;
            reader.execute_batch(include_str!("reader.sql"))?;
            Ok(reader)
        };
        let idle = (0..many).map(reader).collect::<duckdb::Result<_>>()?;
        Ok(Self { idle: Mutex::new(idle), returned: Condvar::new() })
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
}

/// A panic while one of these is held changes nothing in it by halves.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Readers {
    /// Connections to the database of `connection`.
    pub(super) fn open(connection: &Connection, options: &LiveOptions, whole: Option<Whole>) -> duckdb::Result<Self> {
        native::register(connection)?;
        Ok(Self {
            people: Pool::of(connection, AT_ONCE)?,
            shards: Pool::of(connection, if whole.is_some() { AT_ONCE } else { 0 })?,
            whole,
            own: Mutex::new(connection.try_clone()?),
            judging: Mutex::new(connection.try_clone()?),
            results: Mutex::default(),
            given_up: Mutex::default(),
            vocabulary: Mutex::new(Vocabulary::load(connection)?),
            threads: Threads::default(),
            watchdog: Watchdog::new(options.timeout),
        })
    }

    /// Whether others have parts of the history.
    pub(super) fn is_sharded(&self) -> bool {
        self.whole.is_some()
    }

    /// Runs a query and names the table that holds its result.
    pub(super) fn query(self: &Arc<Self>, session: &str, query: &str) -> Result<ResultTable, Refusal> {
        let parsed = self.judge(query, None)?;
        let (readers, query) = (Arc::clone(self), query.to_owned());
        self.run(&self.people, session, move |reader, table| match &readers.whole {
            None => create(reader, table, &query),
            Some(whole) => {
                let judge = |text: &str, result| readers.judge(text, result).map(drop);
                whole.answer(reader, &parsed, (Utc::now().timestamp_micros(), table), &judge)
            }
        })
    }

    /// Runs a query of another shard, which is about this one alone.
    pub(super) fn query_shard(&self, session: &str, query: &str, moment: i64) -> Result<ResultTable, Refusal> {
        self.judge(query, None)?;
        let query = query.to_owned();
        self.run(&self.shards, session, move |reader, table| at(reader, moment, || create(reader, table, &query)))
    }

    /// The rows, as JSON, of a question of ours that takes no part in any session.
    pub(crate) fn question(self: &Arc<Self>, query: &str) -> Result<Vec<String>, String> {
        self.rows(query).map_err(|refusal| refusal.to_string())
    }

    fn rows(self: &Arc<Self>, query: &str) -> Result<Vec<String>, Refusal> {
        // a session of its own: nothing else ends what it has asked
        let session = format!("question {}", QUESTIONS.fetch_add(1, Ordering::Relaxed));
        let table =
            self.query(&session, &format!("SELECT to_json(answer)::VARCHAR AS line FROM (\n{query}\n) answer"))?;
        let rows = || {
            // a connection of its own: there may be many of them
            let connection = lock(&self.own).try_clone()?;
            let mut statement = connection.prepare(&format!("SELECT line FROM {table}"))?;
            let rows = statement.query_map([], |row| row.get(0))?;
            rows.collect::<duckdb::Result<_>>()
        };
        let rows = rows().map_err(|error| Refusal::of(&error));
        self.give_up(Some(&session));
        rows
    }

    /// Explains `query`; `text` is the whole statement.
    pub(super) fn explain(&self, session: &str, text: &str, query: &str) -> Result<ResultTable, Refusal> {
        self.judge(query, None)?;
        let text = text.to_owned();
        let explain = move |reader: &Connection, table: ResultTable| {
            let plan: Vec<(String, String)> = reader
                .prepare(&text)?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            reader.execute_batch(&format!("CREATE TABLE {table} (explain_key VARCHAR, explain_value VARCHAR)"))?;
            plan.into_iter().try_for_each(|(key, value)| {
                reader.execute(&format!("INSERT INTO {table} VALUES (?, ?)"), params![key, value]).map(drop)
            })
        };
        self.run(&self.people, session, move |reader, table| {
            explain(reader, table).map_err(|error: duckdb::Error| Refusal::of(&error))
        })
    }

    /// What DuckDB's parser says of a query that may run.
    fn judge(&self, query: &str, result: Option<ResultTable>) -> Result<String, Refusal> {
        let judging = lock(&self.judging);
        let failed = |error: duckdb::Error| Refusal::Failed(error.to_string());
        let parsed: String = parse(&judging, query).map_err(failed)?;
        let mut vocabulary = lock(&self.vocabulary);
        match judge(&parsed, &vocabulary, result) {
            // unless it has come since the last look
            Err(Refusal::Rows(_)) => {
                vocabulary.look_again(&judging).map_err(failed)?;
                judge(&parsed, &vocabulary, result)
            }
            judged => judged,
        }?;
        Ok(parsed)
    }

    fn run(
        &self,
        pool: &Pool,
        session: &str,
        work: impl FnOnce(&Connection, ResultTable) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<ResultTable, Refusal> {
        self.give_up(Some(session));
        let reader = pool.take()?;
        let thread = match self.threads.take() {
            Ok(thread) => thread,
            Err(error) => {
                pool.give_back(reader);
                return Err(Refusal::Failed(format!("no thread for the statement: {error}")));
            }
        };
        let table = lock(&self.results).add(session, Instant::now());
        let watchdog = Arc::clone(&self.watchdog);
        let work = move || {
            let (done, then) = match watchdog.watch(reader.interrupt_handle(), Instant::now()) {
                Ok(watched) => watch(watched, || work(&reader, table)),
                Err(ended) => (Err(ended.into()), Then::Again),
            };
            ((reader, done), then)
        };
        let (reader, done) = self.threads.run(thread, work);
        pool.give_back(reader);
        done.map(|()| table)
    }

    /// Looks after what runs and what waits to be fetched.
    pub(super) fn tick(&self) {
        self.watchdog.tick(Instant::now());
        self.give_up(None);
        self.sweep();
    }

    /// What watches over statements.
    pub(crate) fn watchdog(&self) -> Arc<Watchdog> {
        Arc::clone(&self.watchdog)
    }

    /// Ends what runs: detection lacks memory.
    pub(super) fn make_room(&self) {
        self.watchdog.make_room();
    }

    /// Has what nobody will fetch any more dropped; of this session, everything.
    fn give_up(&self, session: Option<&str>) {
        let stale = lock(&self.results).take_stale(session, Instant::now());
        lock(&self.given_up).extend(stale);
    }

    fn sweep(&self) {
        let given_up = std::mem::take(&mut *lock(&self.given_up));
        for table in given_up {
            // not there when its statement has failed
            if let Err(error) = lock(&self.own).execute_batch(&format!("DROP TABLE IF EXISTS {table}")) {
                tracing::debug!(%error, "a result cannot be dropped");
            }
        }
    }

    /// Ends what runs.
    pub(super) fn close(&self) {
        self.watchdog.close();
    }
}

/// What DuckDB's parser makes of a statement, as JSON. The question is planned once.
fn parse(judging: &Connection, query: &str) -> duckdb::Result<String> {
    judging.prepare_cached("SELECT json_serialize_sql(?::VARCHAR)")?.query_row([query], |row| row.get(0))
}

/// Runs a statement on this thread, as the watchdog lets it.
fn watch(watched: Watched, work: impl FnOnce() -> Result<(), Refusal>) -> (Result<(), Refusal>, Then) {
    watched.has_a_thread();
    let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(Refusal::Failed(format!("the statement panicked: {}", panic_text(panic.as_ref()))))
    });
    let done = done.map_err(|error| watched.ended().map_or(error, Refusal::Ended));
    (done, if watched.leave() { Then::End } else { Then::Again })
}

fn create(reader: &Connection, table: ResultTable, query: &str) -> Result<(), Refusal> {
    // lines of their own: the query may end in a comment
    let created = reader.execute_batch(&format!("CREATE TABLE {table} AS SELECT * FROM (\n{query}\n)"));
    created.map_err(|error| Refusal::of(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{DEFAULT_ADDRESS, Extension, TokenSource};
    use crate::store::History;

    #[test]
    fn what_a_session_has_given_up_is_dropped_soon() {
        let folder = tempfile::tempdir().expect("a folder");
        let history = History::open(&folder.path().join("history.duckdb")).expect("a new history");
        let connection = history.connection();
        connection.execute_batch("ATTACH ':memory:' AS elava_results").expect("room for results");
        let options = LiveOptions {
            address: DEFAULT_ADDRESS,
            token: TokenSource::Made(folder.path().join("token")),
            extension: Extension { file: None, install: false },
            timeout: Duration::from_secs(60),
            memory: 64 << 20,
        };
        let readers = Arc::new(Readers::open(connection, &options, None).expect("readers"));
        let kept = || {
            let sql = "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'elava_results'";
            connection.query_row(sql, [], |row| row.get::<_, u64>(0)).expect("a count")
        };
        let ask = |session| readers.query(session, "SELECT 1").expect("an answer").to_string();
        let (first, second, other) = (ask("a"), ask("a"), ask("b"));
        readers.tick();
        assert_eq!(kept(), 2);
        for (table, is_kept) in [(first, false), (second, true), (other, true)] {
            assert_eq!(connection.execute_batch(&format!("FROM {table}")).is_ok(), is_kept, "{table}");
        }
        assert_eq!(readers.question("SELECT 2 AS n"), Ok(vec![r#"{"n":2}"#.to_owned()]));
        readers.tick();
        assert_eq!(kept(), 2);
    }
}
