//! Statements over a history in several files, of which this detector has one: it asks the others.

mod plan;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use duckdb::Connection;
use elava_bus::Peers;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::judge::Refusal;
use super::results::ResultTable;
use super::token::Token;
use crate::shard::Shard;
use crate::store::quoted_name;
use plan::{Catalog, Part, plan};

/// Before a statement that is about one shard alone, and the moment at which it is asked, in microseconds.
const MARK: &str = "/* elava shard ";
const MARK_END: &str = " */ ";

/// How long to wait for a shard that changes hands, and how often to look.
const TAKE_OVER: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);
/// What Quack says when a detector serves no more where it did.
const AWAY: [&str; 3] = ["Invalid connection id", "Could not connect", "Failed to send message"];

/// Whether a statement may run, for which the result may have tables.
type Judge<'a> = dyn Fn(&str, Option<ResultTable>) -> Result<(), Refusal> + 'a;

/// The other shards.
pub(crate) struct Whole {
    shard: Shard,
    peers: Peers,
    token: Token,
}

/// What a detector says of itself to the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    /// Where it serves SQL: a host and a port.
    pub(crate) sql: String,
}

/// A statement that is about one shard alone, and its moment.
pub(super) fn of_one_shard(text: &str) -> Option<(i64, &str)> {
    let (moment, statement) = text.trim_start().strip_prefix(MARK)?.split_once(MARK_END)?;
    Some((moment.parse().ok()?, statement))
}

/// Runs `work` as if it were that moment, in microseconds.
pub(super) fn at<T>(reader: &Connection, moment: i64, work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    let set = format!("SET VARIABLE now = make_timestamp({moment})::TIMESTAMPTZ");
    reader.execute_batch(&set).map_err(failed)?;
    let done = work();
    // the reader is another one's next
    tidy_up(reader, "RESET VARIABLE now")?;
    done
}

/// Runs what must be done whatever became of a statement. An interruption that was meant for the statement may still hit
/// it; the next one comes later than this takes.
fn tidy_up(reader: &Connection, sql: &str) -> Result<(), Refusal> {
    reader.execute_batch(sql).or_else(|_| reader.execute_batch(sql)).map_err(failed)
}

impl Whole {
    pub(crate) fn new(shard: Shard, peers: Peers, token: Token) -> Self {
        Self { shard, peers, token }
    }

    /// Puts the answer to a statement, as `json_serialize_sql` gives it, into `table`. What is run in its place here
    /// passes `judge` as well, which is told of the tables that were made for it.
    pub(super) fn answer(
        &self,
        reader: &Connection,
        parsed: &str,
        (moment, table): (i64, ResultTable),
        judge: &Judge,
    ) -> Result<(), Refusal> {
        let parsed: Value = serde_json::from_str(parsed).map_err(|_| Refusal::Deep)?;
        let begun = Instant::now();
        loop {
            // a shard is between two detectors for some seconds, and is known to be a moment later
            match at(reader, moment, || self.try_answer(reader, &parsed, (moment, table), judge)) {
                Err(Refusal::Away(_)) if begun.elapsed() < TAKE_OVER => std::thread::sleep(PAUSE),
                done => return done,
            }
        }
    }

    fn try_answer(
        &self,
        reader: &Connection,
        parsed: &Value,
        (moment, table): (i64, ResultTable),
        judge: &Judge,
    ) -> Result<(), Refusal> {
        let known = Known(reader);
        let plan = plan(parsed, &known, &|number| table.part(number))?;
        let others = if plan.parts.is_empty() { Vec::new() } else { self.others()? };
        let names: Vec<String> = (0..plan.parts.len()).map(|number| table.part(number).join(".")).collect();
        let done = plan.parts.iter().zip(&names).try_for_each(|(part, name)| {
            let own = known.text(&part.query)?;
            // one that only others know is judged by them
            if part.is_known {
                judge(&own, None)?;
            }
            let remote = format!("{MARK}{moment}{MARK_END}{own}");
            self.gather(reader, part, name, (&own, &remote), &others)
        });
        let done = done.and_then(|()| {
            let (statement, names) = (known.text(&plan.statement)?, known.names(parsed));
            judge(&statement, Some(table))?;
            reader
                .execute_batch(&format!("CREATE TABLE {table} AS SELECT * FROM (\n{statement}\n){names}"))
                .map_err(failed)
        });
        for name in &names {
            tidy_up(reader, &format!("DROP TABLE IF EXISTS {name}"))?;
        }
        done
    }

    /// Where the other shards are.
    fn others(&self) -> Result<Vec<(Shard, String)>, Refusal> {
        let peers = self.peers.all();
        let others = Shard::all(self.shard.of).filter(|shard| *shard != self.shard);
        let address = |shard: Shard| {
            let about = peers.get(&shard.index).and_then(|about| serde_json::from_str::<About>(about).ok());
            about.map(|about| (shard, about.sql)).ok_or(Refusal::Away(shard))
        };
        others.map(address).collect()
    }

    /// Gathers the rows of a part from all shards that have the relation.
    fn gather(
        &self,
        reader: &Connection,
        part: &Part,
        table: &str,
        (own, remote): (&str, &str),
        others: &[(Shard, String)],
    ) -> Result<(), Refusal> {
        let asked = others.iter().map(|(_, address)| self.remote(address, remote));
        let all: Vec<String> = std::iter::once(own.to_owned()).chain(asked).collect();
        let error = match reader.execute_batch(&creation(table, part, &all)) {
            Ok(()) => return Ok(()),
            Err(error) => self.said(&error),
        };
        if !error.contains("does not exist") {
            let away = others.iter().find(|(_, address)| {
                AWAY.iter().any(|words| error.contains(words)) && error.contains(address.as_str())
            });
            return Err(away.map_or(Refusal::Failed(error), |(shard, _)| Refusal::Away(*shard)));
        }
        // a resource type that some shards have not seen
        let has = format!(
            "{}{}{MARK_END}{}",
            MARK,
            0,
            include_str!("has.sql").replace("$name", &part.relation.replace('\'', "''"))
        );
        let (_, has_own) = of_one_shard(&has).expect("it is marked");
        let questions =
            std::iter::once(has_own.to_owned()).chain(others.iter().map(|(_, address)| self.remote(address, &has)));
        let mut having = Vec::new();
        for (question, rows) in questions.zip(&all) {
            let has: bool =
                reader.query_row(&question, [], |row| row.get(0)).map_err(|e| Refusal::Failed(self.said(&e)))?;
            having.extend(has.then(|| rows.clone()));
        }
        if having.is_empty() || having.len() == all.len() {
            return Err(Refusal::Failed(error));
        }
        reader.execute_batch(&creation(table, part, &having)).map_err(|error| Refusal::Failed(self.said(&error)))
    }

    /// The rows that another detector answers with.
    fn remote(&self, address: &str, statement: &str) -> String {
        // plain HTTP, as it is served
        format!(
            "SELECT * FROM quack_query('quack:{address}', '{}', token = '{}', disable_ssl = true)",
            statement.replace('\'', "''"),
            self.token.secret().replace('\'', "''"),
        )
    }

    /// DuckDB's words, without the token.
    fn said(&self, error: &duckdb::Error) -> String {
        error.to_string().replace(self.token.secret(), "…")
    }
}

fn creation(table: &str, part: &Part, rows: &[String]) -> String {
    // every shard has them all
    let union = if REPEATED.contains(&part.relation.as_str()) { " UNION BY NAME " } else { " UNION ALL BY NAME " };
    format!("CREATE TABLE {table} AS {}", rows.join(union))
}

/// Tables that are the same in all shards: what they say names no resource.
pub(crate) const REPEATED: [&str; 2] = ["approvals", "deliveries"];

/// What this shard's database knows.
struct Known<'a>(&'a Connection);

impl Known<'_> {
    /// What the columns of a statement's result are called, which may be its own text; nothing where DuckDB has to see
    /// to it that they differ.
    fn names(&self, parsed: &Value) -> String {
        let names = self.columns(parsed).unwrap_or_default();
        let differ = names.iter().map(|name| name.to_lowercase()).collect::<HashSet<_>>().len() == names.len();
        if names.is_empty() || !differ {
            return String::new();
        }
        let quoted: Vec<String> = names.iter().map(|name| quoted_name(name)).collect();
        format!(" AS answer({})", quoted.join(", "))
    }

    fn text(&self, parsed: &Value) -> Result<String, Refusal> {
        let text = self.0.query_row("SELECT json_deserialize_sql(?::VARCHAR)", [parsed.to_string()], |row| row.get(0));
        text.map_err(failed)
    }
}

impl Catalog for Known<'_> {
    fn columns(&self, query: &Value) -> Option<Vec<String>> {
        let sql = format!("SELECT * FROM ({}) LIMIT 0", self.text(query).ok()?);
        let mut statement = self.0.prepare(&sql).ok()?;
        drop(statement.query([]).ok()?);
        Some(statement.column_names())
    }

    fn is_macro(&self, name: &str) -> bool {
        self.0.query_row(include_str!("macro.sql"), [name], |_| Ok(())).is_ok()
    }

    fn order_of(&self, name: &str) -> Option<Value> {
        let parsed: String = self.0.query_row(include_str!("macro.sql"), [name], |row| row.get(0)).ok()?;
        let parsed: Value = serde_json::from_str(&parsed).ok()?;
        let modifiers = parsed["statements"][0]["node"]["modifiers"].as_array()?;
        modifiers.iter().find(|modifier| modifier["type"] == "ORDER_MODIFIER").cloned()
    }
}

fn failed(error: duckdb::Error) -> Refusal {
    Refusal::of(&error)
}
