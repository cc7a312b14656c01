//! A stage as a filter: NDJSON on standard input and output.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::Utc;
use elava_schemas::{Message, peek_kind};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::cli::{Finished, StageArgs};
use crate::dead::{PIPE_SUBJECT, dead_letters};
use crate::metrics::Metrics;
use crate::run::BusError;
use crate::{
    Batch, Consumes, Failure, MAX_LINE_BYTES, MAX_PAGE_BYTES, MAX_PAGE_ROWS, Output, Page, Rejection, Source, Stage,
    StateChange,
};

/// How often a batch is tried before the pipe gives up: somebody is waiting for it.
const ATTEMPTS: u32 = 5;
/// How long to wait for more lines once some are there.
const LINGER: Duration = Duration::from_millis(5);
/// Pages read ahead of the stage: bounds memory.
const READ_AHEAD: usize = 16;

/// Runs until the input ends or somebody downstream closes the pipe.
pub(crate) async fn run<S: Stage>(
    args: &StageArgs,
    stage: S,
    metrics: Arc<Metrics>,
    cancel: CancellationToken,
) -> Result<Finished, BusError> {
    let mut pipe =
        Pipe { stage, metrics, out: BufWriter::new(std::io::stdout()), rejected: 0, args, state: State::load(args)? };
    let entries = pipe.state.entries();
    pipe.stage.resume(&Source::Pipe, None, entries).await.map_err(BusError::Stage)?;
    pipe.metrics.ready();
    match pipe.pump(cancel).await {
        Err(BusError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(Finished::Clean),
        Err(error) => Err(error),
        Ok(()) if pipe.rejected > 0 => Ok(Finished::SomeRejected),
        Ok(()) => Ok(Finished::Clean),
    }
}

struct Pipe<'a, S> {
    stage: S,
    metrics: Arc<Metrics>,
    out: BufWriter<std::io::Stdout>,
    rejected: u64,
    args: &'a StageArgs,
    state: State,
}

impl<S: Stage> Pipe<'_, S> {
    async fn pump(&mut self, cancel: CancellationToken) -> Result<(), BusError> {
        let (sender, mut pages) = mpsc::channel(READ_AHEAD);
        // Not joined: a read of a terminal cannot be interrupted, the process ends without it.
        std::thread::spawn(move || read_pages(BufReader::with_capacity(MAX_PAGE_BYTES, std::io::stdin()), &sender));
        loop {
            let first = tokio::select! {
                () = cancel.cancelled() => None,
                page = pages.recv() => page,
            };
            let Some(first) = first else { break };
            let mut batch = vec![first?];
            while batch.len() < S::SPEC.batch_pages
                && let Ok(Some(page)) = tokio::time::timeout(LINGER, pages.recv()).await
            {
                batch.push(page?);
            }
            self.batch(batch).await?;
        }
        let output = self.stage.finish().await.map_err(BusError::Stage)?;
        self.write(None, output)?;
        self.state.save()
    }

    async fn batch(&mut self, pages: Vec<ReadPage>) -> Result<(), BusError> {
        let mut rejected = Vec::new();
        let mut kept = Vec::new();
        let mut whole = Vec::new();
        for ReadPage { page, oversized } in pages {
            let body = self.pass_on(&page, &oversized)?;
            rejected.extend(oversized);
            kept.push(Page { body, ..page.clone() });
            whole.push(page);
        }
        let batch = Batch { source: Source::Pipe, pages: kept };
        let mut output = self.handle(&batch).await?;
        output.rejected.extend(rejected);
        self.metrics.handled(&batch, &output, 0);
        self.write(Some(&Batch { source: Source::Pipe, pages: whole }), output)
    }

    /// Writes what is only passed on, and returns the page without it and without what is too long
    /// to be read; line numbers stay.
    fn pass_on(&mut self, page: &Page, oversized: &[Rejection]) -> Result<Bytes, BusError> {
        let mut body = BytesMut::with_capacity(page.body.len());
        for (line, number) in page.body.split_inclusive(|byte| *byte == b'\n').zip(page.first_line..) {
            if oversized.iter().any(|rejection| rejection.line == number) {
                body.extend_from_slice(b"\n");
                continue;
            }
            let row = line.trim_ascii();
            let consumes = match peek_kind(row) {
                Ok(kind) if !row.is_empty() => (S::SPEC.consumes)(kind),
                _ => Consumes::Takes,
            };
            if consumes != Consumes::Takes {
                self.out.write_all(row).and_then(|()| self.out.write_all(b"\n")).map_err(BusError::Output)?;
            }
            body.extend_from_slice(if consumes == Consumes::Passes { b"\n" } else { line });
        }
        Ok(body.freeze())
    }

    async fn handle(&self, batch: &Batch) -> Result<Output, BusError> {
        let mut attempt = 1;
        loop {
            let busy = self.metrics.busy();
            let handled = self.stage.handle(batch).await;
            drop(busy);
            match handled {
                Err(failure @ (Failure::Unavailable(_) | Failure::Poison(_))) if attempt < ATTEMPTS => {
                    self.metrics.retried(&failure);
                    warn!(attempt, error = %crate::cli::chain(&failure), "batch failed; trying again");
                    tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
                    attempt += 1;
                }
                handled => return handled.map_err(BusError::Stage),
            }
        }
    }

    fn write(&mut self, batch: Option<&Batch>, output: Output) -> Result<(), BusError> {
        for emit in &output.messages {
            self.out.write_all(&emit.line).and_then(|()| self.out.write_all(b"\n")).map_err(BusError::Output)?;
        }
        self.out.flush().map_err(BusError::Output)?;
        self.rejected += output.rejected.len() as u64;
        if let Some(batch) = batch {
            self.report(batch, &output.rejected)?;
        }
        self.state.apply(output.state);
        Ok(())
    }

    fn report(&self, batch: &Batch, rejected: &[Rejection]) -> Result<(), BusError> {
        for rejection in rejected {
            error!(line = rejection.line, reason = rejection.reason, "row rejected");
        }
        let Some(path) = self.args.dead_letters.as_deref().filter(|_| !rejected.is_empty()) else { return Ok(()) };
        let mut lines = Vec::new();
        for letter in dead_letters(S::SPEC.name, batch, rejected) {
            lines.extend(Message::from(letter).to_line());
            lines.push(b'\n');
        }
        let append = || std::fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(&lines);
        append().map_err(|source| file_error(path, source))
    }
}

fn file_error(path: &Path, source: std::io::Error) -> BusError {
    BusError::File { file: path.display().to_string(), source }
}

/// What a stage keeps between two runs of a pipe: a JSON file, replaced as a whole.
struct State {
    file: Option<PathBuf>,
    entries: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct StateFile {
    version: u32,
    entries: BTreeMap<String, String>,
}

impl State {
    fn load(args: &StageArgs) -> Result<Self, BusError> {
        let Some(path) = &args.state else { return Ok(Self { file: None, entries: BTreeMap::new() }) };
        let entries = match std::fs::read(path) {
            Ok(text) => {
                serde_json::from_slice::<StateFile>(&text).map_err(|error| file_error(path, error.into()))?.entries
            }
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(file_error(path, error)),
        };
        Ok(Self { file: Some(path.clone()), entries })
    }

    fn entries(&self) -> Vec<(String, Bytes)> {
        self.entries.iter().map(|(key, value)| (key.clone(), Bytes::from(value.clone()))).collect()
    }

    fn apply(&mut self, changes: Vec<StateChange>) {
        for change in changes {
            match change.value {
                Some(value) => self.entries.insert(change.key, String::from_utf8_lossy(&value).into_owned()),
                None => self.entries.remove(&change.key),
            };
        }
    }

    fn save(&mut self) -> Result<(), BusError> {
        let Some(path) = &self.file else { return Ok(()) };
        let file = StateFile { version: 1, entries: std::mem::take(&mut self.entries) };
        let text = serde_json::to_vec_pretty(&file).expect("state is a map of strings");
        let beside = path.with_extension("tmp");
        std::fs::write(&beside, text)
            .and_then(|()| std::fs::rename(&beside, path))
            .map_err(|source| file_error(path, source))
    }
}

/// A page, and the lines of it that were too long to be read.
struct ReadPage {
    page: Page,
    oversized: Vec<Rejection>,
}

/// Cuts the input into pages; blocks while the stage is behind.
fn read_pages<R: Read>(mut input: BufReader<R>, sender: &mpsc::Sender<Result<ReadPage, BusError>>) {
    let mut sequence = 0;
    let mut next_line = 1;
    loop {
        sequence += 1;
        match read_page(&mut input, sequence, &mut next_line) {
            Ok(None) => return,
            Ok(Some(page)) => {
                if sender.blocking_send(Ok(page)).is_err() {
                    return;
                }
            }
            Err(error) => {
                // Nobody left to tell when the stage has ended.
                drop(sender.blocking_send(Err(BusError::Input(error))));
                return;
            }
        }
    }
}

/// One page: what is there without waiting, at least one line. `None` at the end of the input.
fn read_page<R: Read>(
    input: &mut BufReader<R>,
    sequence: u64,
    next_line: &mut u64,
) -> std::io::Result<Option<ReadPage>> {
    let mut body = BytesMut::new();
    let first_line = *next_line;
    let mut oversized = Vec::new();
    let mut rows = 0;
    while rows < MAX_PAGE_ROWS && body.len() < MAX_PAGE_BYTES {
        let begun = body.len();
        let length = read_line(input, &mut body)?;
        if length == 0 {
            break;
        }
        rows += 1;
        if length > MAX_LINE_BYTES {
            // What was kept of it goes to the dead letters.
            oversized.push(Rejection {
                sequence,
                line: *next_line,
                reason: format!("line of {length} bytes; at most {MAX_LINE_BYTES} are read"),
            });
        }
        *next_line += 1;
        let whole_line_waits = input.buffer().contains(&b'\n');
        if !whole_line_waits && body.len() > begun {
            break;
        }
    }
    if rows == 0 {
        return Ok(None);
    }
    let page = Page {
        sequence,
        subject: PIPE_SUBJECT.to_owned(),
        first_line,
        received_at: elava_schemas::micros(Utc::now()),
        body: body.freeze(),
    };
    Ok(Some(ReadPage { page, oversized }))
}

/// Appends one line, or only the beginning of one that is too long; returns its whole length.
fn read_line(input: &mut impl BufRead, body: &mut BytesMut) -> std::io::Result<usize> {
    let mut length = 0;
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok(length);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |end| end + 1);
        let room = MAX_LINE_BYTES.saturating_sub(length).min(used);
        body.extend_from_slice(&buffer[..room]);
        length += used;
        input.consume(used);
        if end.is_some() {
            if !body.ends_with(b"\n") {
                body.extend_from_slice(b"\n");
            }
            return Ok(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(text: &[u8]) -> Vec<(u64, usize, usize)> {
        let mut input = BufReader::with_capacity(1024 * 1024, text);
        let mut next_line = 1;
        let mut pages = Vec::new();
        while let Some(read) = read_page(&mut input, 1, &mut next_line).expect("reads from memory") {
            pages.push((read.page.first_line, read.page.lines().count(), read.oversized.len()));
        }
        pages
    }

    #[test]
    fn input_is_cut_into_pages() {
        assert_eq!(pages(b""), []);
        assert_eq!(pages(b"{}"), [(1, 1, 0)]);
        assert_eq!(pages(b"{}\n{}\n\n{}\n"), [(1, 3, 0)]);
        assert_eq!(pages("{}\n".repeat(450).as_bytes()), [(1, 200, 0), (201, 200, 0), (401, 50, 0)]);
        let mut long = vec![b'x'; 10 * 1024 * 1024];
        long.extend_from_slice(b"\n{}\n");
        let oversized: usize = pages(&long).iter().map(|page| page.2).sum();
        assert_eq!(oversized, 1);
    }
}
