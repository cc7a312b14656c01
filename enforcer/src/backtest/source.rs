//! Where the past comes from: the running detector, part by part, or lines that `elava replay` has written.

use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::Path;

use elava_bus::{Client, NatsOptions, ask};
use elava_schemas::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::{BacktestError, Batch, Batcher};
use crate::given::Window;

/// Longest line: a version, and the one before it.
const CAPACITY: usize = 1 << 16;

/// Lines as `elava replay` writes them, the window first.
pub(super) struct Lines {
    input: Box<dyn BufRead + Send>,
    file: std::path::PathBuf,
    pub(super) window: Window,
}

impl Lines {
    /// Of a file, or of standard input where that is `-`.
    pub(super) fn open(file: &Path) -> Result<Self, BacktestError> {
        let failed = |source| BacktestError::Read { file: file.to_owned(), source };
        let mut input: Box<dyn BufRead + Send> = match file.to_str() {
            Some("-") => Box::new(BufReader::with_capacity(CAPACITY, stdin())),
            _ => Box::new(BufReader::with_capacity(CAPACITY, File::open(file).map_err(failed)?)),
        };
        let mut first = Vec::new();
        input.read_until(b'\n', &mut first).map_err(failed)?;
        let window = serde_json::from_slice(&first).map_err(|_| BacktestError::NoWindow)?;
        Ok(Self { input, file: file.to_owned(), window })
    }

    /// All of them.
    pub(super) fn read(self, give: &mut dyn FnMut(Batch) -> bool) -> Result<(), BacktestError> {
        let mut batcher = Batcher::default();
        for line in self.input.split(b'\n') {
            let line = line.map_err(|source| BacktestError::Read { file: self.file.clone(), source })?;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if let Some(batch) = batcher.push(line)?
                && !give(batch)
            {
                return Ok(());
            }
        }
        batcher.finish().map(give);
        Ok(())
    }
}

/// The running detector.
pub(super) struct Asked {
    client: Client,
    runtime: Handle,
    window: Window,
    scope: Value,
    /// How many versions there are, and in how many parts they are asked for.
    pub(super) size: Size,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Size {
    pub(super) versions: u64,
    pub(super) parts: u64,
}

impl Asked {
    pub(super) async fn connect(
        options: &NatsOptions,
        window: Window,
        (account, kind): (Option<String>, Option<String>),
    ) -> Result<Self, BacktestError> {
        let client = Client::connect(options).await?;
        let scope = [("account", account), ("type", kind)];
        let scope = scope.into_iter().filter_map(|(name, like)| Some((name.to_owned(), json!(like?)))).collect();
        let mut asked =
            Self { client, runtime: Handle::current(), window, scope, size: Size { versions: 0, parts: 0 } };
        let lines = asked.ask(asked.question("replay_size")).await?;
        let line = lines.first().ok_or(BacktestError::NoWindow)?;
        asked.size = serde_json::from_slice(line).map_err(|_| BacktestError::NoWindow)?;
        Ok(asked)
    }

    fn question(&self, name: &str) -> Value {
        let until: Option<Timestamp> = self.window.until;
        json!({"query": name, "since": self.window.since, "until": until, "scope": self.scope})
    }

    async fn ask(&self, question: Value) -> Result<Vec<Vec<u8>>, BacktestError> {
        let lines = self.client.request(ask::QUERY, question.to_string().into()).await?;
        Ok(lines.iter().map(|line| line.to_vec()).collect())
    }

    /// Part after part; on a thread that is none of the runtime's.
    pub(super) fn read(self, give: &mut dyn FnMut(Batch) -> bool) -> Result<(), BacktestError> {
        let mut batcher = Batcher::default();
        for part in 0..self.size.parts {
            let mut question = self.question("replay");
            question["part"] = json!(part);
            question["parts"] = json!(self.size.parts);
            for line in self.runtime.block_on(self.ask(question))? {
                if let Some(batch) = batcher.push(line)?
                    && !give(batch)
                {
                    return Ok(());
                }
            }
        }
        batcher.finish().map(give);
        Ok(())
    }
}
