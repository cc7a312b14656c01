//! The function that Quack asks about every statement. What it answers is run instead of the statement.

use std::error::Error;
use std::sync::{Arc, Weak};

use duckdb::Connection;
use duckdb::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use duckdb::arrow::datatypes::DataType;
use duckdb::vscalar::{ArrowFunctionSignature, VArrowScalar};

use super::judge::{Refusal, Shape, check_length, shape};
use super::readers::Readers;
use super::results::ResultTable;
use super::whole::of_one_shard;

/// `elava_admit(session, statement)`: a statement to run, or null when there is none.
struct Admit;

/// Weak: the database keeps it, and the readers keep the database.
#[derive(Clone, Default)]
struct Gate(Weak<Readers>);

/// Makes the function known to every connection of the database.
pub(super) fn register(connection: &Connection, readers: &Arc<Readers>) -> duckdb::Result<()> {
    connection.register_scalar_function_with_state::<Admit>("elava_admit", &Gate(Arc::downgrade(readers)))
}

impl VArrowScalar for Admit {
    type State = Gate;

    fn invoke(Gate(readers): &Gate, input: RecordBatch) -> Result<Arc<dyn Array>, Box<dyn Error>> {
        let readers = readers.upgrade().ok_or("the server is stopping")?;
        let (sessions, statements) = (input.column(0).as_string::<i32>(), input.column(1).as_string::<i32>());
        let answers = sessions.iter().zip(statements).map(|(session, statement)| admit(&readers, session?, statement?));
        Ok(Arc::new(answers.collect::<StringArray>()))
    }

    fn signatures() -> Vec<ArrowFunctionSignature> {
        vec![ArrowFunctionSignature::exact(vec![DataType::Utf8, DataType::Utf8], DataType::Utf8)]
    }

    /// Run once per call, and not while the call is planned.
    fn volatile() -> bool {
        true
    }
}

fn admit(readers: &Arc<Readers>, session: &str, text: &str) -> Option<String> {
    if let Err(refusal) = check_length(text) {
        return said(Err(refusal));
    }
    if let Some((moment, query)) = of_one_shard(text).filter(|_| readers.is_sharded()) {
        return said(readers.query_shard(session, query, moment));
    }
    let run = match shape(text) {
        Shape::Transaction => return Some("SELECT true AS ok".to_owned()),
        Shape::Write => Err(Refusal::NotARead),
        Shape::Query(query) => readers.query(session, query),
        Shape::Explain(query) => readers.explain(session, text, query),
    };
    said(run)
}

/// The statement by which Quack gives an answer.
fn said(run: Result<ResultTable, Refusal>) -> Option<String> {
    match run {
        Ok(result) => Some(format!("FROM {result}")),
        Err(Refusal::NotARead) => None,
        // as a statement: Quack has no words of its own for a refusal
        Err(refusal) => Some(format!("SELECT error('{}')", refusal.to_string().replace('\'', "''"))),
    }
}
