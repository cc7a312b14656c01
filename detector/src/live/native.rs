//! Parts of the history's macros as functions of ours, which mean the same and are planned sooner. A reader's connection
//! has macros that call them (`reader.sql`) in place of those in the file, which every other client of that file has.
//!
//! DuckDB resolves every function that a macro is made of in each statement, and the macro's argument wherever it stands:
//! planning `instant` took longer than counting all that existed at that time.

use std::error::Error;
use std::sync::Arc;

use duckdb::Connection;
use duckdb::arrow::array::{Array, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use duckdb::arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use duckdb::vscalar::{ArrowFunctionSignature, VArrowScalar};
use elava_bus::time::time_seen_from;
use elava_schemas::percent_encoded;

/// Makes them known to every connection of the database.
pub(super) fn register(connection: &Connection) -> duckdb::Result<()> {
    connection.register_scalar_function::<Instant>("elava_instant")?;
    connection.register_scalar_function::<LastPart>("elava_last_part")
}

type Column = Result<Arc<dyn Array>, Box<dyn Error>>;

/// `elava_instant(word, present)`: what a text means as a time, seen from then.
struct Instant;

impl VArrowScalar for Instant {
    type State = ();

    fn invoke((): &(), input: RecordBatch) -> Column {
        let words = input.column(0).as_string::<i32>();
        let present = input.column(1).as_primitive::<TimestampMicrosecondType>();
        let instant = |(word, present): (Option<&str>, Option<i64>)| {
            let Some((word, present)) = word.zip(present) else { return Ok(None) };
            let present = chrono::DateTime::from_timestamp_micros(present).ok_or("the present is no time")?;
            Ok(Some(time_seen_from(word, present)?.timestamp_micros()))
        };
        let instants = words.iter().zip(present).map(instant).collect::<Result<TimestampMicrosecondArray, String>>()?;
        Ok(Arc::new(instants.with_timezone("UTC")))
    }

    fn signatures() -> Vec<ArrowFunctionSignature> {
        let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        vec![ArrowFunctionSignature::exact(vec![DataType::Utf8, instant.clone()], instant)]
    }
}

/// `elava_last_part(key_or_id)`: the last part of a resource's key, or of the keys that have this id.
struct LastPart;

impl VArrowScalar for LastPart {
    type State = ();

    fn invoke((): &(), input: RecordBatch) -> Column {
        let names = input.column(0).as_string::<i32>();
        Ok(Arc::new(names.iter().map(|name| name.map(last_part)).collect::<StringArray>()))
    }

    fn signatures() -> Vec<ArrowFunctionSignature> {
        vec![ArrowFunctionSignature::exact(vec![DataType::Utf8], DataType::Utf8)]
    }
}

/// What has the form of a key is one: no bare id of a cloud has.
fn last_part(key_or_id: &str) -> String {
    match key_or_id.split('/').collect::<Vec<_>>()[..] {
        ["aws" | "gcp", _, _, _, last] => last.to_owned(),
        _ => percent_encoded(key_or_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::History;

    /// A reader's connection to a history that knows `keys`.
    fn reader(folder: &tempfile::TempDir, keys: &[&str]) -> Connection {
        let history = History::open(&folder.path().join("history.duckdb")).expect("a new history");
        let reader = history.connection().try_clone().expect("a connection");
        register(&reader).expect("functions");
        for (number, key) in keys.iter().enumerate() {
            let sql = "INSERT INTO keys
                SELECT $1, $2, k[1], k[2], k[3], k[4], url_decode(k[5]), md5_number_lower(k[5])
                FROM (SELECT split($2, '/') AS k)";
            reader.execute(sql, duckdb::params![number as u64, key]).expect("a key");
        }
        reader.execute_batch(include_str!("reader.sql")).expect("macros");
        reader
    }

    #[test]
    fn times_mean_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let reader = reader(&folder, &[]);
        let set = "SET TimeZone = 'UTC'; SET VARIABLE now = TIMESTAMPTZ '2026-11-23T12:00:00.123456Z'";
        reader.execute_batch(set).expect("settings");
        let read = |macros: &str, time: &str| {
            reader.query_row(&format!("SELECT {macros}instant({time})::VARCHAR"), [], |row| {
                row.get::<_, Option<String>>(0)
            })
        };
        let texts = include_str!("../../tests/times.txt").lines().filter(|line| !line.starts_with('#'));
        let texts = texts.map(|row| format!("'{}'", row.split(" | ").next().expect("a text")));
        let others = [
            "NULL",
            "5",
            "''",
            "'infinity'",
            "TIMESTAMPTZ 'infinity'",
            "present()",
            "present() - INTERVAL 5 MINUTE",
            "TIMESTAMP '2026-02-03 04:05:06.789'",
            "DATE '2026-02-03'",
            "INTERVAL 1 MONTH - INTERVAL 1 SECOND",
        ];
        let mut understood = 0;
        for time in texts.chain(others.map(str::to_owned)) {
            let [ours, macros] = ["", "history.main."].map(|of| read(of, &time));
            understood += i32::from(ours.is_ok());
            assert_eq!(ours.as_ref().ok(), macros.as_ref().ok(), "{time}: {ours:?}, {macros:?}");
        }
        assert!(understood > 30, "{understood}");
        let refused = read("", "'soon'").expect_err("no time").to_string();
        assert!(refused.contains("`soon` is no time; write now, 30m"), "{refused}");
        // a constant, by which whole parts of a table are left out
        let times = "CREATE TEMP TABLE times AS SELECT unnest([now(), TIMESTAMPTZ '2020-01-01']) AS happened_at";
        reader.execute_batch(times).expect("times");
        let plan = "EXPLAIN (FORMAT json) FROM times WHERE happened_at > instant('2026-11-20')";
        let plan: String = reader.query_row(plan, [], |row| row.get(1)).expect("a plan");
        assert!(plan.contains("happened_at>'2026-11-20 00:00:00+00'"), "{plan}");
    }

    #[test]
    fn names_mean_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = [
            "aws/1/r/ec2:instance/i-1",
            "aws/2/r/ec2:instance/i-1",
            "aws/1/r/s3:bucket/a%20b%2Fc",
            "aws/1/r/sns:topic/arn:aws:sns:r:1:t~_.%C3%A4",
            "gcp/p/global/compute.googleapis.com%2FInstance/%2F%2Fcompute%2Fx",
        ];
        let reader = reader(&folder, &keys);
        let of = |macros: &str, name: Option<&str>| -> Vec<u64> {
            let sql = format!("SELECT resource_id FROM {macros}named($1) ORDER BY ALL");
            let mut statement = reader
                .prepare(&sql.replace("$1", &name.map_or("NULL".to_owned(), |name| format!("'{name}'"))))
                .expect("a statement");
            statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("numbers")
        };
        let ids = ["i-1", "a b/c", "arn:aws:sns:r:1:t~_.ä", "//compute/x"];
        let others =
            ["", "/", "aws/1/r/ec2:instance", "aws/1/r/ec2:instance/i-1/x", "azure/1/r/t/i-1", "i-2", "a%20b%2Fc"];
        for name in keys.iter().chain(&ids).chain(&others) {
            assert_eq!(of("", Some(name)), of("history.main.", Some(name)), "{name}");
        }
        assert_eq!(
            [of("", Some("i-1")), of("", Some(keys[2])), of("", Some("i-2")), of("", None)],
            [vec![0, 1], vec![2], vec![], vec![]]
        );
    }
}
