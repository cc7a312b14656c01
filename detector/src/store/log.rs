//! When the log of the history (DuckDB's WAL) goes into the file: by checkpoints of ours, of two sorts.
//!
//! The one that DuckDB makes by itself, with a commit, once the log is long, also merges row groups as soon as deleted
//! rows let four of them become three: each version that ends leaves such a row in `current`. Most of a large estate was
//! compressed anew once in 75,000 changes, while detection waited. So after a commit only what is new is written, and row
//! groups are merged when nothing else is, or once half of what `current` takes is deleted rows; where others wait for
//! that, a part at a time.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{History, HistoryError, Tried, lives};

/// How long the log may become. Each checkpoint writes what was begun of row groups again: fewer, larger ones.
const LONG: u64 = 64 << 20;
/// After so many checkpoints that merge nothing there is something to merge. About as many, of a full log each, fill a
/// row group.
const MANY: u32 = 8;
/// Rows of a row group of DuckDB.
pub(crate) const ROW_GROUP: u64 = 122_880;

/// The log of one file, whatever connections write to it.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// None where the history is in memory, or read only.
    path: Option<PathBuf>,
    /// Transactions since it was opened.
    commits: AtomicU64,
    /// Checkpoints since row groups were merged, or how many row groups too many a file had when it was opened: each such
    /// checkpoint leaves one.
    unmerged: AtomicU32,
    /// Half of the rows that `current` takes room for was deleted when the last checkpoint was made.
    much_deleted: AtomicBool,
    /// A quarter was, of `current` or `closed`, or the last merging left less room taken: more may.
    some_deleted: AtomicBool,
    /// Held by whoever commits or makes a checkpoint. Set once nothing may be written any more.
    given_up: Mutex<bool>,
    /// Held by whoever needs a good part of DuckDB's memory for a while: a step of sorting, a checkpoint, a commit of
    /// detection's.
    memory: Mutex<()>,
}

/// Nobody else writes meanwhile.
pub(super) struct Writing<'a>(MutexGuard<'a, bool>);

impl Writing<'_> {
    /// Nobody does from now on.
    pub(super) fn give_up(&mut self) {
        *self.0 = true;
    }
}

/// What a table takes.
#[derive(Clone, Copy, Debug)]
struct Room {
    rows: u64,
    /// Of so many rows, deleted ones included.
    all: u64,
}

impl Room {
    /// Whether one row in so many is deleted, and so many are that a row group less can hold the rest.
    fn is_deleted(self, one_in: u64) -> bool {
        let deleted = self.all.saturating_sub(self.rows);
        deleted >= ROW_GROUP && deleted * one_in >= self.all
    }
}

impl Log {
    /// As DuckDB names it.
    pub(super) fn of(file: &Path) -> Self {
        let mut path = file.as_os_str().to_owned();
        path.push(".wal");
        Self { path: Some(path.into()), ..Self::default() }
    }

    /// Whether it could not be written, as on a full disk: DuckDB names the file, wherever it is seen from.
    pub(super) fn is_what_failed(&self, error: &duckdb::Error) -> bool {
        let name = self.path.as_ref().and_then(|path| path.file_name());
        name.is_some_and(|name| error.to_string().contains(&format!("/{}\"", name.display())))
    }

    /// Waits until nobody else commits or makes a checkpoint.
    pub(super) fn writing(&self) -> Result<Writing<'_>, HistoryError> {
        let given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        if *given_up { Err(HistoryError::Unusable(None)) } else { Ok(Writing(given_up)) }
    }

    /// Waits until nobody else needs much memory.
    pub(super) fn much_memory(&self) -> MutexGuard<'_, ()> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes(&self) -> u64 {
        self.path.as_ref().and_then(|path| path.metadata().ok()).map_or(0, |file| file.len())
    }
}

impl History {
    /// How many transactions were committed since the file was opened: as long as it is the same, nothing is written.
    pub(crate) fn written(&self) -> u64 {
        self.log.commits.load(Ordering::Relaxed)
    }

    /// Whether merging row groups may be worth the while.
    pub(crate) fn is_in_pieces(&self) -> bool {
        self.log.unmerged.load(Ordering::Relaxed) >= MANY || self.log.some_deleted.load(Ordering::Relaxed)
    }

    /// From now on a checkpoint merges, of each table, the first row groups that can be, into three at most, and the next
    /// one goes on. So whoever writes meanwhile does not wait the longer the more resources there are.
    pub(crate) fn merge_in_parts(&self) -> Result<(), HistoryError> {
        self.connection.execute_batch("SET GLOBAL max_vacuum_tasks = 1").tried("limit what is merged at once in")
    }

    /// Whether the log is to be written into the file.
    pub(crate) fn has_long_log(&self) -> bool {
        self.log.bytes() >= LONG
    }

    /// A transaction was committed.
    pub(super) fn committed(&self) {
        self.log.commits.fetch_add(1, Ordering::Relaxed);
        if self.has_long_log() {
            self.write_out();
        }
    }

    /// Writes what is in the log to the file. DuckDB refuses while a transaction is open that began before the last one
    /// was committed: it is tried again after the next. Whether the file can still be used.
    pub(crate) fn write_out(&self) -> bool {
        let much_deleted = self.log.much_deleted.load(Ordering::Relaxed);
        tell(if much_deleted { self.merge() } else { self.write_only() })
    }

    /// A checkpoint that merges nothing: DuckDB leaves that out where another connection has begun to insert or delete.
    fn write_only(&self) -> Result<(), HistoryError> {
        let _memory = self.log.much_memory();
        let _writing = self.log.writing()?;
        let other = self.try_clone()?;
        other.connection.execute_batch("BEGIN; DELETE FROM commits WHERE false").tried("begin a transaction of")?;
        self.connection.execute_batch("CHECKPOINT").tried("write the log into")?;
        self.log.unmerged.fetch_add(1, Ordering::Relaxed);
        self.look().map(drop)
    }

    /// A checkpoint that also merges row groups which are small, as deleted rows have left them or as they were written.
    /// Whoever writes meanwhile waits. Beside one that inserts DuckDB merges nothing.
    fn merge(&self) -> Result<(), HistoryError> {
        if self.log.path.is_none() {
            return Ok(());
        }
        let _memory = self.log.much_memory();
        if self.log.bytes() == 0 {
            // with nothing in the log DuckDB makes none; this says again what is there
            self.uncounted(|| lives::define(&self.connection).tried("write to"))?;
        }
        let _writing = self.log.writing()?;
        let before = self.look()?;
        self.connection.execute_batch("CHECKPOINT").tried("merge row groups of")?;
        let log = &self.log;
        log.unmerged.store(log.unmerged.load(Ordering::Relaxed).saturating_sub(MANY), Ordering::Relaxed);
        let after = self.look()?;
        log.some_deleted.store(after < before, Ordering::Relaxed);
        Ok(())
    }

    /// Merges until nothing is in pieces; how often.
    pub(crate) fn merge_all(&self) -> Result<u32, HistoryError> {
        self.look_at_pieces()?;
        let mut merged = 0;
        while self.is_in_pieces() {
            self.merge()?;
            merged += 1;
        }
        Ok(merged)
    }

    /// Finds out whether there is something to merge that was left so when the file was closed. Whether it can be used.
    pub(crate) fn look_for_pieces(&self) -> bool {
        tell(self.look_at_pieces())
    }

    /// A file that was written without a pause, or by a detector that was started again all the time, has its rows in many
    /// small row groups, each of which is looked at by every statement.
    fn look_at_pieces(&self) -> Result<(), HistoryError> {
        self.look()?;
        let sql = include_str!("pieces.sql").replace("$row_group", &ROW_GROUP.to_string());
        let pieces = self.connection.query_row(&sql, [], |row| row.get(0)).tried("count the row groups of")?;
        self.log.unmerged.fetch_max(pieces, Ordering::Relaxed);
        Ok(())
    }

    /// Sees how much is deleted rows, and how many rows there is room for in all.
    fn look(&self) -> Result<u64, HistoryError> {
        let room = |table| {
            let sql = format!("SELECT count(*), coalesce(max(rowid) + 1, 0) FROM {table}");
            let room = self.connection.query_row(&sql, [], |row| Ok(Room { rows: row.get(0)?, all: row.get(1)? }));
            room.tried("count the rows of")
        };
        let (current, closed) = (room("current")?, room("closed")?);
        self.log.much_deleted.store(current.is_deleted(2), Ordering::Relaxed);
        self.log.some_deleted.fetch_or(current.is_deleted(4) || closed.is_deleted(4), Ordering::Relaxed);
        Ok(current.all + closed.all)
    }

    /// Merges row groups, or else has that done when nothing is written or read, which also does what this leaves. Whether
    /// the file can still be used.
    pub(crate) fn checkpoint(&self) -> bool {
        self.log.unmerged.fetch_max(MANY, Ordering::Relaxed);
        tell(self.merge())
    }
}

/// That another transaction is in the way happens all the time. After anything else DuckDB may give the file up: then the
/// next statement fails too, and detection ends. Whether it has not.
fn tell(done: Result<(), HistoryError>) -> bool {
    let Err(error) = done else { return true };
    let text = elava_bus::cli::chain(&error);
    if text.contains("TransactionContext Error") {
        tracing::debug!(error = text, "no checkpoint now");
    } else {
        tracing::warn!(error = text, "the log could not be written into the history's file");
    }
    !error.is_given_up()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row_count(history: &History) -> (u64, u64) {
        let sql = "SELECT count(*), coalesce(max(rowid) + 1, 0) FROM current";
        history.connection().query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("a count")
    }

    /// Adds so many resources of a kilobyte; as a transaction, which then may write the log into the file.
    fn add(history: &History, first: u32, many: u32) {
        add_of(1000, history, first, many);
    }

    /// The same, of so many bytes.
    fn add_of(bytes: u32, history: &History, first: u32, many: u32) {
        history.transaction(|| insert(bytes, history, first, many)).expect("rows");
    }

    fn insert(bytes: u32, history: &History, first: u32, many: u32) -> Result<(), HistoryError> {
        let sql = format!(
            "INSERT INTO current BY NAME
            SELECT i AS resource_id, i AS version, 'aws' AS provider, '1' AS account, 'r' AS region, 'ec2:vpc' AS type,
                'aws/1/r/ec2:vpc' AS scope, i::VARCHAR AS local_id, false AS tags_carried,
                to_json(repeat('a', {bytes})) AS attributes, utc(0) AS valid_from, utc(0) AS first_seen, utc(0) AS last_seen
            FROM range({first}, {first} + {many}) r(i)"
        );
        history.connection().execute_batch(&sql).tried("write")
    }

    fn delete(history: &History, rows: &str) {
        let sql = format!("DELETE FROM current WHERE {rows}");
        history.transaction(|| history.connection().execute_batch(&sql).tried("write")).expect("fewer rows");
    }

    /// A commit that fails half-way through its rows, which DuckDB then has in its tables without counting them.
    #[test]
    fn nothing_is_written_once_a_commit_has_failed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.duckdb");
        let history = History::open(&path).expect("a new history");
        let beside = history.try_clone().expect("another connection");
        let set = |sql: &str| beside.connection().execute_batch(sql).expect("a setting");
        add(&history, 0, 10_000);
        let (commits, rows) = (history.commits().expect("a number"), row_count(&history));
        // a commit that cannot put other blocks on disk to have room for its own
        set("SET GLOBAL temp_directory = ''");
        let fail = || {
            insert(1000, &history, 10_000, 40_000)?;
            // as little as is possible
            let limit = |mb| beside.connection().execute_batch(&format!("SET GLOBAL memory_limit = '{mb}MB'"));
            let taken = (1..50).map(|step| 256 - 5 * step).find(|mb| limit(*mb).is_err());
            limit(taken.expect("rows take memory") + 15).tried("limit")
        };
        let error = history.transaction(fail).expect_err("there is no room for its rows");
        assert!(matches!(error, HistoryError::Unusable(Some(_))), "{error:?} {}", history.memory_in_words());
        set("SET GLOBAL memory_limit = '256MB'");

        for connection in [&history, &beside] {
            let error = connection.transaction(|| insert(1, connection, 20_000, 1)).expect_err("as before");
            assert!(error.is_given_up(), "{error:?}");
            assert!(!connection.checkpoint());
            assert!(!connection.write_out());
        }
        drop((history, beside));
        let history = History::open(&path).expect("the same history");
        assert_eq!((history.commits().expect("a number"), row_count(&history)), (commits, rows));
        add(&history, 10_000, 40_000);
        let wrong = "SELECT count(*) FROM current WHERE local_id <> resource_id::VARCHAR OR version <> resource_id";
        let wrong: u64 = history.connection().query_row(wrong, [], |row| row.get(0)).expect("a count");
        assert_eq!((row_count(&history).0, wrong), (50_000, 0));
    }

    #[test]
    fn nothing_is_committed_where_there_may_be_no_memory_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let history = History::open(&folder.path().join("history.duckdb")).expect("a new history");
        let beside = history.try_clone().expect("another connection");
        // what aggregates hold is not put on disk while the statement lasts
        let hold = "SELECT i % 4000 AS k, list(i) FROM range(4_000_000) r(i) GROUP BY k";
        let mut statement = beside.connection().prepare(hold).expect("a statement");
        let mut held = statement.stream_arrow([]).expect("rows");
        held.next().expect("some rows");
        let taken = "SELECT sum(memory_usage_bytes) FROM duckdb_memory() WHERE tag = 'ALLOCATOR'";
        let taken: u64 = history.connection().query_row(taken, [], |row| row.get(0)).expect("a sum");
        let limit = format!("SET GLOBAL memory_limit = '{} bytes'", taken * 5 / 4);
        history.connection().execute_batch(&limit).expect("a limit");
        let error = history.transaction(|| insert(1, &history, 0, 1)).expect_err("no room");
        assert!(error.is_lack_of_memory(), "{error:?}");
        drop(held);
        drop(statement);
        drop(beside);
        let stored = history.transaction(|| insert(1, &history, 0, 1));
        assert!(stored.is_ok(), "{stored:?} {}", history.memory_in_words());
        assert_eq!(row_count(&history).0, 1);
    }

    #[test]
    fn row_groups_are_merged_when_asked_for_or_when_much_is_deleted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.duckdb");
        let history = History::open(&path).expect("a new history");
        // more than the log is to be long, in short transactions as those of detection are
        let fill = |first: u32| (0..7).for_each(|part| add(&history, first + 10_000 * part, 10_000));
        let is_written_out = || history.log.bytes() < LONG;

        // two row groups, which would be one
        add(&history, 0, 150_000);
        history.checkpoint();
        history.log.unmerged.store(0, Ordering::Relaxed);
        delete(&history, "resource_id % 3 = 0");
        assert_eq!(row_count(&history), (100_000, 150_000));
        fill(150_000);
        assert!(is_written_out());
        assert_eq!(row_count(&history), (170_000, 220_000));
        assert_eq!(history.log.unmerged.load(Ordering::Relaxed), 1);

        history.log.unmerged.store(MANY, Ordering::Relaxed);
        assert!(history.is_in_pieces());
        history.checkpoint();
        assert_eq!(row_count(&history), (170_000, 170_000));
        assert_eq!(history.log.unmerged.load(Ordering::Relaxed), 0);

        delete(&history, "resource_id < 150_000");
        fill(1_000_000);
        assert!(is_written_out());
        assert_eq!(row_count(&history), (140_000, 240_000));
        delete(&history, "resource_id < 1_000_000");
        fill(2_000_000);
        assert!(is_written_out());
        assert_eq!(row_count(&history), (140_000, 310_000), "it is seen now");
        fill(3_000_000);
        assert!(is_written_out());
        assert_eq!(row_count(&history), (210_000, 210_000));

        drop(history);
        let history = History::open(&path).expect("the same history");
        assert_eq!(row_count(&history).0, 210_000);
    }

    #[test]
    fn a_file_that_was_left_in_pieces_is_merged() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.duckdb");
        let history = History::open(&path).expect("a new history");
        let groups = |history: &History| {
            let sql = "SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('current')";
            history.connection().query_row(sql, [], |row| row.get::<_, u64>(0)).expect("a count")
        };
        for part in 0..24 {
            add_of(1, &history, 10_000 * part, 10_000);
            history.write_only().expect("a checkpoint");
        }
        assert_eq!(groups(&history), 24);
        drop(history);

        let history = History::open(&path).expect("the same history");
        assert!(!history.is_in_pieces());
        assert!(history.look_for_pieces());
        assert!(history.is_in_pieces());
        history.merge_in_parts().expect("a setting");
        // the second time nothing is in the log
        assert_eq!(history.merge_all().expect("checkpoints"), 2);
        assert_eq!((groups(&history), row_count(&history)), (2, (240_000, 240_000)));
        assert!(!history.is_in_pieces());
    }

    #[test]
    fn row_groups_are_merged_in_parts_until_there_are_no_fewer() {
        let folder = tempfile::tempdir().expect("a folder");
        let history = History::open(&folder.path().join("history.duckdb")).expect("a new history");
        history.merge_in_parts().expect("a setting");
        let row_group = 122_880;
        (0..4).for_each(|part| add_of(1, &history, part * row_group, row_group));
        delete(&history, "resource_id % 2 = 0");
        history.checkpoint();
        assert_eq!(row_count(&history), (245_760, 368_640), "two into one");
        // as after a start
        history.log.some_deleted.store(false, Ordering::Relaxed);
        assert!(history.look_for_pieces());
        let next = || {
            assert!(history.is_in_pieces());
            add_of(1, &history, 1_000_000, 1);
            history.checkpoint();
            row_count(&history)
        };
        assert_eq!(next(), (245_761, 245_761));
        assert_eq!(next(), (245_762, 245_762));
        assert!(!history.is_in_pieces());
    }

    #[test]
    fn the_log_waits_for_a_reader_of_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let history = History::open(&folder.path().join("history.duckdb")).expect("a new history");
        let reader = history.try_clone().expect("a connection");
        reader.begin().expect("a transaction");
        assert_eq!(row_count(&reader).0, 0);
        add(&history, 0, 10_000);
        history.write_out();
        assert!(history.log.bytes() > 0, "it was refused");
        assert_eq!(row_count(&reader).0, 0);
        reader.roll_back();
        history.write_out();
        assert_eq!((history.log.bytes(), row_count(&reader).0), (0, 10_000));
    }
}
