//! The history: one DuckDB file. All SQL is in `.sql` files beside this one.

mod current;
mod divide;
mod fields;
mod lives;
mod log;
mod migrate;
mod read;
mod records;
mod thin;
mod whole;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use duckdb::{AccessMode, Config, Connection, InterruptHandle};

use crate::shard::{Shard, shards_of};

pub(crate) use divide::Place;
pub use lives::{Arranged, Pace};
use log::Log;
pub(crate) use log::ROW_GROUP;
pub(crate) use migrate::definitions;
pub(crate) use records::{Records, StoredViolation};
pub(crate) use thin::{DayPlan, FileBytes, TypeCount};
pub(crate) use write::Progress;

/// How often, and after which pause each time, it is asked whether a transaction was committed: for longer than readers'
/// statements may take, which have the memory meanwhile.
const DOUBTS: u32 = 600;
const DOUBT: Duration = Duration::from_millis(100);

/// DuckDB's own share of the detector's memory.
const MEMORY: &str = "256MB";
/// The file format. Files of DuckDB's default, older format silently take no zstd: 1,800 bytes a version.
pub(crate) const STORAGE: &str = "v1.5.0";

/// A history, opened.
pub struct History {
    connection: Connection,
    log: Arc<Log>,
}

/// Why the history cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file cannot be opened: another process writes it, or it is no DuckDB file.
    #[error("cannot open the history {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: duckdb::Error,
    },
    /// A newer build has written it.
    #[error("the history is of a newer version (migration {found}) than this build knows ({known})")]
    Newer {
        /// Its last migration.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// An older build has written it, and it is not to be changed now.
    #[error(
        "the history is of an older version (migration {found}) than this build reads ({known}): a detector that opens it brings it up to date"
    )]
    Older {
        /// Its last migration.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// A migration failed; the file is as it was.
    #[error("cannot migrate the history to {name}")]
    Migrate {
        /// The migration.
        name: &'static str,
        /// Why.
        source: duckdb::Error,
    },
    /// A statement failed.
    #[error("cannot {action} the history")]
    Sql {
        /// What was tried.
        action: &'static str,
        /// Why.
        source: duckdb::Error,
    },
    /// A commit failed, and whether it did all the same cannot be found out: only opening the file again tells.
    #[error("it is not known whether the last transaction is in the history")]
    Doubt(#[source] Box<Self>),
    /// A commit failed. What it has put into tables by then DuckDB does not take out again, and would write beside: it is
    /// used no more, and the file, opened again, is as it was before.
    #[error("a transaction could not be committed: the history has to be opened again")]
    Unusable(#[source] Option<duckdb::Error>),
    /// No thread to watch over what is asked of it.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// Something stored cannot be understood.
    #[error("the history holds a wrong {what}: {text}")]
    Wrong {
        /// What.
        what: &'static str,
        /// As it is stored.
        text: String,
    },
    /// Hardly any of DuckDB's memory is free, and a commit must not be left without.
    #[error("nothing is committed to the history while hardly any of DuckDB's memory is free")]
    NoRoom,
    /// A defect of ours, met in one batch; nothing of the batch is stored.
    #[error("panicked: {text}")]
    Panicked {
        /// What it said.
        text: String,
    },
    /// Something that must be there is not.
    #[error("the history lacks {what} ({id})")]
    Missing {
        /// What.
        what: &'static str,
        /// Number of the resource.
        id: u64,
    },
}

impl HistoryError {
    /// Whether DuckDB has found no memory; readers may have it.
    pub(crate) fn is_lack_of_memory(&self) -> bool {
        match self {
            Self::NoRoom => true,
            Self::Sql { source, .. } | Self::Open { source, .. } | Self::Migrate { source, .. } => {
                source.to_string().contains("Out of Memory Error")
            }
            _ => false,
        }
    }

    /// Whether only opening the file again helps: a commit has failed, or DuckDB has given it up, as after a checkpoint that
    /// did.
    pub(crate) fn is_given_up(&self) -> bool {
        match self {
            Self::Unusable(_) => true,
            Self::Sql { source, .. } => {
                ["database has been invalidated", "FATAL Error"].iter().any(|words| source.to_string().contains(words))
            }
            _ => false,
        }
    }
}

/// Names what was tried when a statement fails.
pub(crate) trait Tried<T> {
    fn tried(self, action: &'static str) -> Result<T, HistoryError>;
}

impl<T> Tried<T> for duckdb::Result<T> {
    fn tried(self, action: &'static str) -> Result<T, HistoryError> {
        self.map_err(|source| HistoryError::Sql { action, source })
    }
}

impl History {
    /// Opens a history for writing, made or migrated as needed. Only one process can.
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        let history = Self::connect(path, AccessMode::ReadWrite)?;
        migrate::migrate(&history.connection)?;
        history.build_fields()?;
        Ok(history)
    }

    /// Opens a history that nobody writes at the moment, in however many files it is.
    pub fn open_read_only(path: &Path) -> Result<Self, HistoryError> {
        Self::open_with(path, config(AccessMode::ReadOnly, 4), config(AccessMode::Automatic, 4))
    }

    /// The same for statements of people, with as much memory and as many threads as there are.
    pub fn open_for_people(path: &Path) -> Result<Connection, HistoryError> {
        let config = |mode| Config::default().access_mode(mode);
        Ok(Self::open_with(path, config(AccessMode::ReadOnly), config(AccessMode::Automatic))?.connection)
    }

    /// `file` is for one, `several` for a database that joins them.
    fn open_with(
        path: &Path,
        file: duckdb::Result<Config>,
        several: duckdb::Result<Config>,
    ) -> Result<Self, HistoryError> {
        let failed = |source| HistoryError::Open { path: path.to_owned(), source };
        let prepare = |connection: Connection| {
            connection.execute_batch(include_str!("session.sql")).map_err(failed)?;
            Ok(Self { connection, log: Arc::default() })
        };
        match shards_of(path) {
            Some(of) if of > 1 => {
                let files: Vec<PathBuf> = Shard::all(of).map(|shard| shard.file(path)).collect();
                let connection = several.and_then(Connection::open_in_memory_with_flags).map_err(failed)?;
                let history = prepare(connection)?;
                whole::attach(&history.connection, &files)?;
                whole::unite(&history.connection, files.len())?;
                Ok(history)
            }
            _ => prepare(file.and_then(|config| Connection::open_with_flags(path, config)).map_err(failed)?),
        }
    }

    /// Opens a history that nobody writes at the moment, to be copied: DuckDB writes no other file beside one that
    /// is opened read-only itself.
    pub fn open_to_export(path: &Path) -> Result<Self, HistoryError> {
        let open = || {
            let temporary = format!("{}.tmp", path.display());
            // each thread gathers a row group of its own
            let config = config(AccessMode::ReadWrite, 1)?.with("temp_directory", temporary)?;
            let connection = Connection::open_in_memory_with_flags(config)?;
            connection.execute_batch(include_str!("session.sql"))?;
            connection.execute_batch(&include_str!("attach.sql").replace("'$file'", &quoted(path)))?;
            Ok(connection)
        };
        let connection = open().map_err(|source| HistoryError::Open { path: path.to_owned(), source })?;
        migrate::check(&connection)?;
        Ok(Self { connection, log: Arc::default() })
    }

    /// Another connection to the same database.
    pub(crate) fn try_clone(&self) -> Result<Self, HistoryError> {
        let connection = self.connection.try_clone().tried("open a connection to")?;
        Ok(Self { connection, log: Arc::clone(&self.log) })
    }

    /// For whoever watches what this connection runs.
    pub(crate) fn interrupt_handle(&self) -> Arc<InterruptHandle> {
        self.connection.interrupt_handle()
    }

    fn connect(path: &Path, mode: AccessMode) -> Result<Self, HistoryError> {
        let open = || {
            // While writing, with more than one the thread that asks spins while another works: a tenth
            // of the CPU time of a first scan.
            let threads = if matches!(mode, AccessMode::ReadWrite) { 1 } else { 4 };
            let connection = Connection::open_with_flags(path, config(mode, threads)?)?;
            connection.execute_batch(include_str!("session.sql"))?;
            Ok(connection)
        };
        let connection = open().map_err(|source| HistoryError::Open { path: path.to_owned(), source })?;
        Ok(Self { connection, log: Arc::new(Log::of(path)) })
    }

    /// The connection, for queries.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs `work` in one transaction.
    pub(crate) fn transaction<T>(&self, work: impl FnOnce() -> Result<T, HistoryError>) -> Result<T, HistoryError> {
        self.begin().tried("begin to write")?;
        let result = self.count_commit().and_then(|number| Ok((number, work()?)));
        let (number, value) = match result {
            Ok(done) => done,
            Err(error) => {
                self.tell_of_memory(&error);
                self.roll_back();
                return Err(error);
            }
        };
        // a step of sorting ends soon
        let memory = self.log.much_memory();
        self.commit(|| Ok(self.commits_in_doubt()? == number))?;
        drop(memory);
        self.committed();
        Ok(value)
    }

    /// Runs `work` on one moment of the history, which it does not change.
    pub(crate) fn snapshot<T, E: From<HistoryError>>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.begun(work, || self.connection.execute_batch("COMMIT").tried("end a transaction of"))
    }

    /// Runs `work` in one transaction that changes nothing but what is derived: exports need not know of it.
    fn uncounted<T>(&self, work: impl FnOnce() -> Result<T, HistoryError>) -> Result<T, HistoryError> {
        let work = || work().inspect_err(|error| self.tell_of_memory(error));
        self.begun(work, || self.commit(|| Ok(false)))
    }

    fn begun<T, E: From<HistoryError>>(
        &self,
        work: impl FnOnce() -> Result<T, E>,
        end: impl FnOnce() -> Result<(), HistoryError>,
    ) -> Result<T, E> {
        self.begin().tried("begin a transaction of")?;
        let done = work().and_then(|value| {
            end()?;
            Ok(value)
        });
        if done.is_err() {
            self.roll_back();
        }
        done
    }

    /// Ends a transaction that has changed something. Where that fails, `is_stored` says whether it is stored all the same.
    ///
    /// For want of memory it can fail half-way through the rows. DuckDB 1.5.5 leaves those where they are
    /// (`LocalTableStorage::AppendToTable` in its source): the next ones are put behind them, and read in their place. So
    /// nothing is written after that, by no connection, not even when the file is closed; and nothing is begun for which
    /// there may be no memory.
    fn commit(&self, is_stored: impl FnOnce() -> Result<bool, HistoryError>) -> Result<(), HistoryError> {
        let begin = || {
            let writing = self.log.writing()?;
            if self.has_room() { Ok(writing) } else { Err(HistoryError::NoRoom) }
        };
        let mut writing = begin().inspect_err(|error| {
            self.tell_of_memory(error);
            self.roll_back();
        })?;
        let Err(error) = self.connection.execute_batch("COMMIT") else { return Ok(()) };
        tracing::warn!(%error, memory = self.memory_in_words(), "a transaction could not be committed");
        self.roll_back();
        // DuckDB also says so when only the checkpoint after the commit has failed, for want of memory
        // or disk. Doing the work again would do it twice.
        let failed = match is_stored() {
            Ok(true) => {
                tracing::warn!(%error, "committed; the checkpoint after it failed and will be tried again");
                return Ok(());
            }
            // every row was in its table by then, and DuckDB has taken them out again
            Ok(false) if self.log.is_what_failed(&error) => return Err(error).tried("commit to"),
            Ok(false) => HistoryError::Unusable(Some(error)),
            Err(doubt) => doubt,
        };
        writing.give_up();
        if let Err(error) = self.connection.execute_batch("PRAGMA disable_checkpoint_on_shutdown") {
            // it has given the file up itself, and writes nothing
            tracing::debug!(%error, "what DuckDB does when it closes the file cannot be set");
        }
        Err(failed)
    }

    /// Whether enough of DuckDB's memory is free, or would be of blocks that can be read again. It is not where there is none
    /// to find that out.
    fn has_room(&self) -> bool {
        self.connection.query_row(include_str!("room.sql"), [], |row| row.get(0)).unwrap_or(false)
    }

    /// Says what DuckDB's memory is taken for, where there was none.
    fn tell_of_memory(&self, error: &HistoryError) {
        if error.is_lack_of_memory() {
            tracing::warn!(memory = self.memory_in_words(), "DuckDB has found no memory");
        }
    }

    fn memory_in_words(&self) -> String {
        // a connection of its own: nothing more is answered in a transaction that has failed
        let other = self.connection.try_clone();
        let said = other
            .and_then(|other| other.query_row(include_str!("memory.sql"), [], |row| row.get::<_, Option<String>>(0)));
        said.ok().flatten().unwrap_or_default()
    }

    /// Begins a transaction; where one was left open, for which there was no memory to begin it or to end it, ends that.
    fn begin(&self) -> duckdb::Result<()> {
        self.connection.execute_batch("BEGIN").or_else(|_| {
            self.roll_back();
            self.connection.execute_batch("BEGIN")
        })
    }

    /// The number of the transaction begun.
    fn count_commit(&self) -> Result<u64, HistoryError> {
        let count = || {
            self.connection.prepare_cached("UPDATE commits SET number = number + 1")?.execute([])?;
            self.connection.prepare_cached("SELECT number FROM commits")?.query_row([], |row| row.get(0))
        };
        count().tried("count the transactions of")
    }

    /// How many transactions are committed.
    fn commits(&self) -> Result<u64, HistoryError> {
        let commits = self.connection.query_row("SELECT number FROM commits", [], |row| row.get(0));
        commits.tried("count the transactions of")
    }

    /// The same, when the last one may be one of them or not: waits until there is memory to find that out.
    fn commits_in_doubt(&self) -> Result<u64, HistoryError> {
        for _ in 0..DOUBTS {
            match self.commits() {
                Ok(number) => return Ok(number),
                Err(error) if error.is_given_up() => return Err(HistoryError::Doubt(error.into())),
                Err(error) => tracing::warn!(
                    error = elava_bus::cli::chain(&error),
                    "whether the last transaction is committed cannot be read now"
                ),
            }
            self.roll_back();
            std::thread::sleep(DOUBT);
        }
        self.commits().map_err(|error| HistoryError::Doubt(error.into()))
    }

    /// Ends the transaction that a failure left open, if it did.
    pub(crate) fn roll_back(&self) {
        if let Err(error) = self.connection.execute_batch("ROLLBACK") {
            // a failed commit has rolled back already
            tracing::debug!(%error, "no transaction to roll back");
        }
    }
}

fn config(mode: AccessMode, threads: i64) -> duckdb::Result<Config> {
    Config::default()
        .access_mode(mode)?
        .max_memory(MEMORY)?
        .threads(threads)?
        .with("storage_compatibility_version", STORAGE)
}

/// A name as SQL has it, whatever is in it.
pub(crate) fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A path as SQL has it.
pub(crate) fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As one is that there was no memory to begin or to end.
    #[test]
    fn a_transaction_left_open_is_in_nobodys_way() {
        let connection = Connection::open_in_memory().expect("a database");
        migrate::migrate(&connection).expect("a fresh history");
        let history = History { connection, log: Arc::default() };
        for left_open in ["BEGIN", "BEGIN; SELECT error('failed')"] {
            _ = history.connection.execute_batch(left_open);
            history.transaction(|| Ok(())).expect(left_open);
            _ = history.connection.execute_batch(left_open);
            history.snapshot(|| Ok::<_, HistoryError>(())).expect(left_open);
        }
        assert_eq!(history.commits().expect("a number"), 2);
    }

    #[test]
    fn whether_a_commit_is_stored_is_in_doubt_where_duckdb_has_given_the_file_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let history = History::open(&folder.path().join("history.duckdb")).expect("a new history");
        let fail = "SET checkpoint_threshold = '1KB'; SET debug_checkpoint_abort = 'before_header'";
        history.connection.execute_batch(fail).expect("settings");
        let write = || history.connection.execute_batch("CREATE TABLE t AS FROM range(10_000)").tried("write");
        let error = history.transaction(write).expect_err("its checkpoint failed");
        assert!(matches!(error, HistoryError::Doubt(_)), "{error}");
    }
}
