//! A thread that works beside detection until nobody wants it any more.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// A thread; told to stop, and waited for, when this is dropped.
pub(crate) struct Background(Option<(Sender<()>, JoinHandle<()>)>);

/// How the thread knows that it is to stop.
pub(crate) struct Stopped(Receiver<()>);

impl Background {
    pub(crate) fn start(name: &str, work: impl FnOnce(&Stopped) + Send + 'static) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let stopped = Stopped(stopped);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&stopped))?;
        Ok(Self(Some((stop, thread))))
    }
}

impl Stopped {
    /// Waits; whether to go on.
    pub(crate) fn rest(&self, time: Duration) -> bool {
        self.0.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.0.take() {
            drop(stop);
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::warn!(thread = name, "a thread beside detection has panicked");
            }
        }
    }
}
