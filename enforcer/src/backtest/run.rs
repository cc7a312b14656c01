//! Evaluates many resources on all cores, with few of them in memory at a time.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{Backtest, BacktestError, Outcome};
use crate::given::key_of;

/// Lines that are evaluated together, and how many such batches wait.
const LINES: usize = 200;
const WAITING: usize = 2;

/// Lines of whole resources, each with its key.
pub type Batch = Vec<(String, Vec<Vec<u8>>)>;

/// Makes batches of lines that come resource by resource.
#[derive(Debug, Default)]
pub struct Batcher {
    batch: Batch,
    lines: usize,
}

impl Batcher {
    /// Adds a line; gives a batch where one is full.
    ///
    /// # Errors
    /// Where it is no line of a resource.
    pub fn push(&mut self, line: Vec<u8>) -> Result<Option<Batch>, BacktestError> {
        let key = key_of(&line)?.ok_or_else(|| BacktestError::Key(String::new()))?;
        if let Some((last, lines)) = self.batch.last_mut()
            && *last == key
        {
            lines.push(line);
            self.lines += 1;
            return Ok(None);
        }
        let full = if self.lines >= LINES { self.finish() } else { None };
        self.batch.push((key, vec![line]));
        self.lines += 1;
        Ok(full)
    }

    /// What is left.
    pub fn finish(&mut self) -> Option<Batch> {
        self.lines = 0;
        Some(std::mem::take(&mut self.batch)).filter(|batch| !batch.is_empty())
    }
}

/// What became of a batch; batches are numbered, so that resources keep their order.
type Evaluated = (u64, Result<Vec<Outcome>, BacktestError>);

/// Evaluates what `read` hands to its argument, which returns false once nothing more is wanted; `take` is given what
/// became of each resource, in order.
///
/// # Errors
/// The first of `read`, of a line, or of `take`.
pub fn replay(
    backtest: &Backtest,
    read: impl FnOnce(&mut dyn FnMut(Batch) -> bool) -> Result<(), BacktestError> + Send,
    mut take: impl FnMut(Outcome) -> Result<(), BacktestError>,
) -> Result<(), BacktestError> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let (batches, waiting) = sync_channel::<(u64, Batch)>(WAITING);
    let waiting = Mutex::new(waiting);
    thread::scope(|scope| {
        let (evaluated, outcomes) = sync_channel::<Evaluated>(WAITING);
        let reader = scope.spawn(move || {
            let mut number = 0;
            read(&mut |batch| {
                number += 1;
                batches.send((number - 1, batch)).is_ok()
            })
        });
        for _ in 0..workers {
            let evaluated = evaluated.clone();
            let waiting = &waiting;
            scope.spawn(move || work(backtest, waiting, &evaluated));
        }
        drop(evaluated);
        let taken = in_order(outcomes, &mut take);
        // whoever still waits to be given batches ends
        drain(&waiting, taken.is_err());
        let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        taken.and(read)
    })
}

fn work(backtest: &Backtest, waiting: &Mutex<Receiver<(u64, Batch)>>, evaluated: &SyncSender<Evaluated>) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, batch)) = next else { return };
        let outcomes = batch.iter().map(|(key, lines)| backtest.resource(key, lines)).collect();
        if evaluated.send((number, outcomes)).is_err() {
            return;
        }
    }
}

fn in_order(
    outcomes: Receiver<Evaluated>,
    take: &mut impl FnMut(Outcome) -> Result<(), BacktestError>,
) -> Result<(), BacktestError> {
    let (mut early, mut next) = (BTreeMap::new(), 0);
    for (number, outcome) in outcomes {
        early.insert(number, outcome);
        while let Some(outcome) = early.remove(&next) {
            next += 1;
            outcome?.into_iter().try_for_each(&mut *take)?;
        }
    }
    Ok(())
}

/// Takes what is left, where nobody else will.
fn drain(waiting: &Mutex<Receiver<(u64, Batch)>>, has_failed: bool) {
    if has_failed {
        let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.iter().for_each(drop);
    }
}
