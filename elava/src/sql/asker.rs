//! Statements at the prompt, each on a thread of its own: Ctrl-C ends one, or at least the waiting for it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use super::SqlError;
use super::answer::Answer;
use super::source::{Source, SourceError};

/// How long a statement that is interrupted may take to end. Quack's client waits for the detector whatever happens.
const PATIENCE: Duration = Duration::from_secs(1);

/// Opens the history.
pub(super) type Open<'a> = &'a dyn Fn() -> Result<Source, SqlError>;

/// Asks, and hears of Ctrl-C meanwhile.
pub(super) struct Asker<'a> {
    open: Open<'a>,
    /// None while a statement runs, and after one that was given up.
    source: Option<Source>,
    /// How many statements there were.
    asked: u64,
    events: Receiver<Event>,
    sender: Sender<Event>,
}

enum Event {
    /// Ctrl-C.
    Interrupt,
    /// The statement of this number has ended.
    Done(u64, Box<(Source, Result<Answer, SourceError>)>),
}

impl<'a> Asker<'a> {
    /// From now on, Ctrl-C does not end the process.
    pub(super) fn new(open: Open<'a>, source: Source) -> std::io::Result<Self> {
        let (sender, events) = channel();
        let told = sender.clone();
        let mut interrupts = signal(SignalKind::interrupt())?;
        tokio::spawn(async move { while interrupts.recv().await.is_some() && told.send(Event::Interrupt).is_ok() {} });
        Ok(Self { open, source: Some(source), asked: 0, events, sender })
    }

    /// The answer; none where Ctrl-C came first.
    pub(super) fn ask(&mut self, statement: &str) -> Result<Option<Answer>, SqlError> {
        let source = self.source.take().map_or_else(self.open, Ok)?;
        let stop = source.interrupt_handle();
        self.asked += 1;
        let (asked, sender, statement) = (self.asked, self.sender.clone(), statement.to_owned());
        std::thread::spawn(move || {
            let answer = source.ask(&statement);
            // whoever asked may have gone
            sender.send(Event::Done(asked, Box::new((source, answer)))).ok();
        });
        let mut given_up_at = None;
        loop {
            let patience =
                given_up_at.map_or(Duration::MAX, |at: Instant| at.saturating_duration_since(Instant::now()));
            match self.events.recv_timeout(patience) {
                Ok(Event::Interrupt) => {
                    stop.interrupt();
                    given_up_at.get_or_insert_with(|| Instant::now() + PATIENCE);
                }
                Ok(Event::Done(number, done)) if number == asked => {
                    let (source, answer) = *done;
                    self.source = Some(source);
                    return if given_up_at.is_some() { Ok(None) } else { Ok(Some(answer?)) };
                }
                // of a statement that was given up
                Ok(Event::Done(..)) => {}
                Err(_) => return Ok(None),
            }
        }
    }

    /// Whether Ctrl-C came since it was asked for last.
    pub(super) fn is_interrupted(&self) -> bool {
        self.events.try_iter().any(|event| matches!(event, Event::Interrupt))
    }
}
