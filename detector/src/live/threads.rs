//! Threads on which statements run, one at a time. They are kept, since a new one begins with nothing: its caches of
//! memory cost a short statement a good part of its time.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};

use crate::priority::Thread as Priority;

/// What a thread does.
type Work = Box<dyn FnOnce() + Send>;

/// Whether a thread can do more when its work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Again,
    /// Its priority is lower now, and stays so.
    End,
}

/// Threads that wait for work: as many as ever worked at once.
#[derive(Default)]
pub(super) struct Threads(Mutex<Vec<Thread>>);

/// One of them.
pub(super) struct Thread(Sender<Work>);

impl Threads {
    /// One that does nothing at the moment.
    pub(super) fn take(&self) -> std::io::Result<Thread> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(Thread::start, Ok)
    }

    /// Has a thread do `work`, which must not panic, and waits for it.
    pub(super) fn run<T: Send + 'static>(
        &self,
        thread: Thread,
        work: impl FnOnce() -> (T, Then) + Send + 'static,
    ) -> T {
        let (done, is_done) = channel();
        // fails only where the thread has ended, and then nothing comes
        drop(thread.0.send(Box::new(move || drop(done.send(work())))));
        let (value, then) = is_done.recv().expect("a thread works as long as it can be asked");
        if then == Then::Again {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        value
    }
}

impl Thread {
    /// Works until nobody can ask it any more.
    fn start() -> std::io::Result<Self> {
        let (sender, all) = channel::<Work>();
        let thread = std::thread::Builder::new().name("statement".to_owned()).stack_size(STACK);
        thread.spawn(move || {
            Priority::current().raise();
            all.into_iter().for_each(|work| work());
        })?;
        Ok(Self(sender))
    }
}

/// Bytes that the stack of a statement may take: as much as a process has, for what is nested deeply.
const STACK: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_works_until_it_is_told_to_end() {
        let threads = Threads::default();
        let run = |then| threads.run(threads.take().expect("a thread"), move || (thread::current().id(), then));
        let first = run(Then::Again);
        assert_eq!(run(Then::End), first);
        assert_ne!(run(Then::Again), first);
        assert_eq!(threads.0.lock().expect("no panic").len(), 1);
    }
}
