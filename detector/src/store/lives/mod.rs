//! Ended versions once more, sorted by resource. `closed` has them in order of their end, so that a time is found
//! quickly; the versions of one resource lie in as many places there as it has, and each costs a vector of two thousand
//! rows of every column. Here they lie together.
//!
//! Made of `closed`, a step at a time: what was closed since is taken in and sorted by itself; once that has become
//! much, all rows are sorted as one, slice by slice, into a table that takes the place of the other. Meanwhile nothing
//! is taken in: what came later could not be told from the rest, since numbers of rows change when DuckDB merges row
//! groups. `lives.state` says how far that is, and changes with each step in one transaction. The steps run beside
//! detection, on a connection of their own; only retention changes these tables too, and takes turns.

use duckdb::{Connection, params};

use super::read::get;
use super::{History, HistoryError, Tried};

/// How many rows are sorted at a time. They are 50 MB, which DuckDB's memory has room for.
const TOGETHER: u64 = 32_768;
/// Rows wait in `closed` until there are so many of them,
const FEW: u64 = 8192;
/// or until they are this part of all, and there are [`TOGETHER`] at most.
const PART_THAT_WAITS: u64 = 64;
/// All rows are sorted as one when those that came since are this part of them,
const PART_THAT_IS_MUCH: u64 = 8;
/// sooner where nothing else is done (it costs nobody anything, and who asks later finds more in one place),
const PART_IN_QUIET: u64 = 32;
/// and so many times what is taken in at once.
const TAKEN_IN: u64 = 4;

/// How much is done in a step of sorting ended versions by resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Rows that wait at least.
    pub few: u64,
    /// Rows that are sorted at a time, at most; ties of time apart.
    pub together: u64,
    /// Nothing else is done at the moment.
    pub quiet: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self { few: FEW, together: TOGETHER, quiet: false }
    }
}

/// What a step of sorting ended versions by resource has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arranged {
    /// Took in what was closed since.
    TookIn(u64),
    /// Began to sort all as one, in so many slices.
    Began(u32),
    /// Sorted a slice.
    Sorted,
    /// Put what was sorted in its place.
    Swapped,
    /// Did not, since rows were missing.
    GaveUp,
}

/// The row of `lives.state`.
struct State {
    closed_in: u64,
    until: String,
    sorted: u64,
    added: u64,
    slices: u32,
    slice: u32,
}

const TABLES: [(&str, &str); 2] = [
    ("ended", "Versions that have ended, by resource; read the macro history"),
    ("next", "What is to take the place of lives.ended, while it is being made"),
];

/// Makes the tables where they are missing.
pub(super) fn make(connection: &Connection) -> duckdb::Result<()> {
    for (name, what) in TABLES {
        connection.execute_batch(&include_str!("create.sql").replace("$name", name).replace("$what", what))?;
    }
    let mut statement = connection.prepare(include_str!("comments.sql"))?;
    let comments: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<duckdb::Result<_>>()?;
    connection.execute_batch(&comments.join(";"))
}

/// Makes the macro that reads them, for what is in them now.
pub(super) fn define(connection: &Connection) -> duckdb::Result<()> {
    let state = State::read(connection)?;
    connection.execute_batch(&state.statement(include_str!("../macros/history_by_resource.sql")))
}

impl History {
    /// Does the next step; `None` when nothing is to be done.
    pub(crate) fn arrange(&self, pace: Pace) -> Result<Option<Arranged>, HistoryError> {
        let _memory = self.log.much_memory();
        self.uncounted(|| self.step(pace))
    }

    fn step(&self, pace: Pace) -> Result<Option<Arranged>, HistoryError> {
        let state = State::read(&self.connection).tried("read")?;
        if state.slices > 0 {
            return if state.slice < state.slices { self.sort(&state) } else { self.swap() }.map(Some);
        }
        let all = state.sorted + state.added;
        if let Some(rows) = self.take_in(&state, (all / PART_THAT_WAITS).clamp(pace.few, pace.together), pace)? {
            return Ok(Some(Arranged::TookIn(rows)));
        }
        let part = if pace.quiet { PART_IN_QUIET } else { PART_THAT_IS_MUCH };
        if state.added < (state.sorted / part).max(TAKEN_IN * pace.few) {
            return Ok(None);
        }
        let slices = u32::try_from(all.div_ceil(pace.together)).unwrap_or(u32::MAX);
        let begin = || {
            self.connection.execute_batch("DROP TABLE IF EXISTS lives.next")?;
            make(&self.connection)?;
            self.connection.execute("UPDATE lives.state SET slices = $1, slice = 0", [slices])
        };
        begin().tried("begin to sort")?;
        Ok(Some(Arranged::Began(slices)))
    }

    /// Takes in the next rows of `closed`, where at least `wanted` wait; how many there were.
    fn take_in(&self, state: &State, wanted: u64, pace: Pace) -> Result<Option<u64>, HistoryError> {
        let Some(least) = self.end_of(state, wanted)? else { return Ok(None) };
        // of no more than that, all that is there: what is closed later is closed in a later transaction
        let (closed_in, until) = match self.end_of(state, pace.together)? {
            Some(end) => end,
            None => (self.commits()?.max(least.0), "infinity".to_owned()),
        };
        let sql = state
            .statement(include_str!("take_in.sql"))
            .replace("$to_closed_in", &closed_in.to_string())
            .replace("$to_until", &until);
        let rows = self.connection.execute(&sql, []).tried("sort")? as u64;
        let took_in = || {
            self.connection.execute(include_str!("took_in.sql"), params![closed_in, until, rows])?;
            define(&self.connection)
        };
        took_in().tried("sort")?;
        Ok(Some(rows))
    }

    /// Where the first so many rows end that are still to be taken in; `None` where there are fewer.
    fn end_of(&self, state: &State, many: u64) -> Result<Option<(u64, String)>, HistoryError> {
        let sql = state.statement(include_str!("tail.sql")).replace("$many", &many.to_string());
        let mut statement = self.connection.prepare(&sql).tried("query")?;
        let mut rows = statement.query([]).tried("query")?;
        rows.next().tried("read")?.map(|row| Ok((get(row, 0)?, get(row, 1)?))).transpose()
    }

    fn sort(&self, state: &State) -> Result<Arranged, HistoryError> {
        let (first, last) = part(state.slice, state.slices);
        let sql = include_str!("slice.sql").replace("$first", &first.to_string()).replace("$last", &last.to_string());
        self.connection.execute_batch(&sql).tried("sort")?;
        self.connection.execute_batch("UPDATE lives.state SET slice = slice + 1").tried("sort")?;
        Ok(Arranged::Sorted)
    }

    fn swap(&self) -> Result<Arranged, HistoryError> {
        let rows = self.connection.query_row(include_str!("sorted.sql"), [], |row| Ok((row.get(0)?, row.get(1)?)));
        let (sorted, all): (u64, u64) = rows.tried("count")?;
        if sorted != all {
            // never seen; what is there is right, only not sorted as one, and that is begun again
            tracing::error!(sorted, all, "ended versions were not sorted as one: some are missing");
            self.connection.execute_batch("UPDATE lives.state SET slices = 0, slice = 0").tried("sort")?;
            return Ok(Arranged::GaveUp);
        }
        let swap = || {
            self.connection.execute_batch(include_str!("swap.sql"))?;
            make(&self.connection)?;
            self.connection.execute("UPDATE lives.state SET sorted = $1, added = 0, slices = 0, slice = 0", [sorted])
        };
        swap().tried("put in order")?;
        Ok(Arranged::Swapped)
    }
}

impl State {
    fn read(connection: &Connection) -> duckdb::Result<Self> {
        connection.query_row(include_str!("state.sql"), [], |row| {
            Ok(Self {
                closed_in: row.get(0)?,
                until: row.get(1)?,
                sorted: row.get(2)?,
                added: row.get(3)?,
                slices: row.get(4)?,
                slice: row.get(5)?,
            })
        })
    }

    fn statement(&self, sql: &str) -> String {
        sql.replace("$closed_in", &self.closed_in.to_string()).replace("$until", &self.until)
    }
}

/// The first and the last number of a resource that belong to this one of so many slices.
fn part(slice: u32, slices: u32) -> (u64, u64) {
    let begin = |slice: u32| (u128::from(slice) << 64) / u128::from(slices);
    let number = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
    (number(begin(slice)), number(begin(slice + 1) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ends so many versions of a thousand resources, in one transaction.
    fn end(history: &History, (first, last): (u32, u32)) {
        let rows = |closed_in: u64| {
            format!(
                "INSERT INTO closed BY NAME
            SELECT hash(i % 1000) AS resource_id, i AS version, 'aws' AS provider, '1' AS account, 'r' AS region,
                'ec2:vpc' AS type, 'aws/1/r/ec2:vpc' AS scope, (i % 1000)::VARCHAR AS local_id, false AS tags_carried,
                '{{}}' AS attributes, utc(i) AS valid_from, utc(i + 1) AS valid_to, utc(0) AS first_seen,
                utc(i) AS last_seen, 'changed' AS ended_by, {closed_in} AS closed_in
            FROM range({first}, {last}) r(i)"
            )
        };
        let end = || history.connection.execute_batch(&rows(history.commits()?)).tried("write");
        history.transaction(end).expect("rows");
    }

    fn number(history: &History, sql: &str) -> u64 {
        history.connection().query_row(sql, [], |row| row.get(0)).expect("a number")
    }

    /// Row groups of which rows are gone are merged by a checkpoint: the numbers of rows change.
    #[test]
    fn nothing_is_missed_when_row_groups_are_merged() {
        const LAST_ROW: &str = "SELECT max(rowid) FROM lives.ended";
        const KEY: &str = "INSERT INTO keys
            VALUES (hash(8::BIGINT), 'aws/1/r/ec2:vpc/8', 'aws', '1', 'r', 'ec2:vpc', '8', md5_number_lower('8'))";
        let folder = tempfile::tempdir().expect("a folder");
        let history = History::open(&folder.path().join("history.duckdb")).expect("a new history");
        let pace = Pace { few: 1000, together: 65_536, quiet: false };
        let arrange = || history.arrange(pace).expect("a step");
        history.connection().execute_batch(KEY).expect("a name");
        let of_one = || {
            ["count(*)", "count(DISTINCT version)"]
                .map(|what| number(&history, &format!("SELECT {what} FROM history('8')")))
        };
        end(&history, (0, 400_000));
        assert_eq!(of_one(), [400; 2], "all wait");
        assert_eq!(arrange(), Some(Arranged::TookIn(65_536)));
        assert_eq!(of_one(), [400; 2], "some wait");
        while arrange().is_some() {}
        assert_eq!(of_one(), [400; 2], "none wait");
        assert_eq!(number(&history, "SELECT count(*) FROM lives.ended"), 400_000);

        // as retention does, whose checkpoint comes later
        for table in ["closed", "lives.ended"] {
            let thin = format!("DELETE FROM {table} WHERE version::BIGINT % 4 > 0");
            history.connection().execute_batch(&thin).expect("fewer rows");
        }
        end(&history, (400_000, 460_000));
        assert_eq!((arrange(), arrange()), (Some(Arranged::TookIn(60_000)), Some(Arranged::Began(8))));
        assert_eq!(arrange(), Some(Arranged::Sorted));
        let before = number(&history, LAST_ROW);
        history.checkpoint();
        assert!(number(&history, LAST_ROW) < before, "the test is of no use");
        end(&history, (460_000, 465_000));
        while arrange().is_some() {}
        assert_eq!(of_one(), [465; 2]);
        assert_eq!(number(&history, "SELECT count(*) FROM closed"), 165_000);
        assert_eq!(number(&history, "SELECT count(*) FROM lives.ended"), 165_000);
        assert_eq!(number(&history, "SELECT slices FROM lives.state"), 0);
    }

    #[test]
    fn slices_are_all_numbers_once() {
        for slices in [1, 3, 64, 1000] {
            let parts: Vec<_> = (0..slices).map(|slice| part(slice, slices)).collect();
            assert_eq!((parts[0].0, parts[parts.len() - 1].1), (0, u64::MAX), "{slices}");
            assert!(parts.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "{slices}");
        }
    }
}
