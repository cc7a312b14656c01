//! A stage as a filter: NDJSON on standard input and output.

mod read;
mod state;

use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::Utc;
use elava_schemas::{Message, micros, peek_kind};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::cli::{Finished, StageArgs};
use crate::dead::dead_letters;
use crate::handling::{ATTEMPTS, Handling, until_due};
use crate::metrics::Metrics;
use crate::run::BusError;
use crate::{Batch, Consumes, Lease, MAX_PAGE_BYTES, Output, Page, Rejection, Source, Stage};
use read::{ReadPage, read_pages};
use state::State;

/// How long to wait for more lines once some are there.
const LINGER: Duration = Duration::from_millis(5);
/// Pages read ahead of the stage: bounds memory.
const READ_AHEAD: usize = 16;

/// Runs until the input ends or somebody downstream closes the pipe.
pub(crate) async fn run<S: Stage>(
    args: &StageArgs,
    stage: S,
    (input, output): (impl Read + Send + 'static, impl Write),
    metrics: Arc<Metrics>,
    cancel: CancellationToken,
) -> Result<Finished, BusError> {
    let state = State::load(args.pipe.state.as_deref())?;
    let mut pipe = Pipe { stage, metrics, cancel, out: BufWriter::new(output), rejected: 0, args, state };
    let entries = pipe.state.entries();
    pipe.stage.resume(&Source::Pipe, None, entries).await.map_err(BusError::Stage)?;
    pipe.metrics.ready();
    match pipe.pump(input).await {
        Err(BusError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(Finished::Clean),
        Err(error) => Err(error),
        Ok(()) if pipe.rejected > 0 => Ok(Finished::SomeRejected),
        Ok(()) => Ok(Finished::Clean),
    }
}

struct Pipe<'a, S, W: Write> {
    stage: S,
    metrics: Arc<Metrics>,
    cancel: CancellationToken,
    out: BufWriter<W>,
    rejected: u64,
    args: &'a StageArgs,
    state: State,
}

impl<S: Stage, W: Write> Pipe<'_, S, W> {
    async fn pump(&mut self, input: impl Read + Send + 'static) -> Result<(), BusError> {
        let (sender, mut pages) = mpsc::channel(READ_AHEAD);
        // Not joined: a read of a terminal cannot be interrupted, the process ends without it.
        std::thread::spawn(move || read_pages(BufReader::with_capacity(MAX_PAGE_BYTES, input), &sender));
        loop {
            let first = tokio::select! {
                () = self.cancel.cancelled() => None,
                page = pages.recv() => page,
                () = until_due(&self.stage, &Source::Pipe) => {
                    self.pass_time().await?;
                    continue;
                }
            };
            let Some(first) = first else { break };
            let mut batch = vec![first?];
            while batch.len() < S::SPEC.batch_pages
                && let Ok(Some(page)) = tokio::time::timeout(LINGER, pages.recv()).await
            {
                batch.push(page?);
            }
            if !self.batch(batch).await? {
                break;
            }
        }
        self.pass_time().await?;
        let output = self.stage.finish().await.map_err(BusError::Stage)?;
        self.passed(output)?;
        self.state.save()
    }

    /// What is due by now. Once everything was read, nobody waits for what is due later.
    async fn pass_time(&mut self) -> Result<(), BusError> {
        let now = micros(Utc::now());
        while self.stage.due(&Source::Pipe).is_some_and(|at| at <= now) {
            let output = self.stage.tick(&Source::Pipe, now).await.map_err(BusError::Stage)?;
            self.passed(output)?;
        }
        Ok(())
    }

    /// Writes what followed from the time, or from the end of the input.
    fn passed(&mut self, mut output: Output) -> Result<(), BusError> {
        self.metrics.ticked(&output);
        let unread = Batch { source: Source::Pipe, pages: Vec::new() };
        self.metrics.tracer().draw(&unread, &[], &mut output.messages);
        self.write(None, output)
    }

    /// Handles pages and writes what that leads to; whether it could before being told to stop.
    async fn batch(&mut self, pages: Vec<ReadPage>) -> Result<bool, BusError> {
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
        let (stage, metrics, cancel) = (&self.stage, &self.metrics, &self.cancel);
        // Somebody is waiting for the pipe: what is missing outside is given up in the end.
        let (lease, patience) = (&Lease::unlimited(), Some(ATTEMPTS));
        let handling = Handling { stage, metrics, cancel, lease, patience };
        let Some(mut output) = handling.handle(&batch).await.map_err(BusError::Stage)? else { return Ok(false) };
        output.rejected.extend(rejected);
        self.metrics.handled(&batch, &output, (batch.source.to_string(), 0));
        self.metrics.tracer().draw(&batch, &[], &mut output.messages);
        self.write(Some(&Batch { source: Source::Pipe, pages: whole }), output)?;
        Ok(true)
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

    fn write(&mut self, batch: Option<&Batch>, output: Output) -> Result<(), BusError> {
        for emit in &output.messages {
            self.out.write_all(&emit.line).and_then(|()| self.out.write_all(b"\n")).map_err(BusError::Output)?;
        }
        self.out.flush().map_err(BusError::Output)?;
        self.metrics.tracer().stored(output.messages.into_iter().flat_map(|emit| emit.traced.spans));
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
        let Some(path) = self.args.pipe.dead_letters.as_deref().filter(|_| !rejected.is_empty()) else { return Ok(()) };
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
