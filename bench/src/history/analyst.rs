//! An analyst: a client of live SQL, as `elava sql` is one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use elava::sql::Source;
use elava_detector::live::{Extension, Token, token_file};

use crate::stages::free_address;

/// How a history is reached.
#[derive(Clone, Debug)]
pub(super) struct Access {
    address: SocketAddr,
    token: PathBuf,
    extension: PathBuf,
}

impl Access {
    pub(super) fn to(history: &Path) -> anyhow::Result<Self> {
        let local = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.local/duckdb/quack.duckdb_extension");
        let extension = std::env::var_os("ELAVA_SQL_EXTENSION").map_or(local, PathBuf::from);
        let extension =
            extension.canonicalize().context("no extension: run `make setup`, or set ELAVA_SQL_EXTENSION")?;
        Ok(Self { address: free_address()?, token: token_file(history), extension })
    }

    /// What makes a detector serve it.
    pub(super) fn arguments(&self) -> Vec<String> {
        let extension = self.extension.display().to_string();
        vec!["--sql-addr".to_owned(), self.address.to_string(), "--sql-extension".to_owned(), extension]
    }

    /// Another analyst.
    pub(super) fn connect(&self) -> anyhow::Result<Source> {
        let extension = Extension { file: Some(self.extension.clone()), install: false };
        Ok(Source::live(self.address, &Token::read(&self.token)?, &extension)?)
    }
}

/// Asks, and says how long it took until all rows were here, and how many came.
pub(super) fn ask(source: &Source, sql: &str) -> anyhow::Result<(Duration, usize)> {
    let begun = Instant::now();
    let answer = source.ask(sql).with_context(|| sql.to_owned())?;
    Ok((begun.elapsed(), answer.rows.len()))
}
