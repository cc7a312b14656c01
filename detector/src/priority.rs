//! Priorities of threads beside detection. Only Linux gives each thread one of its own.

/// What is added to the niceness of a thread that is to wait for others: it gets what they leave, or else a thirtieth of
/// what they get.
#[cfg(target_os = "linux")]
const NICER: i32 = 15;

/// A thread whose priority can be lowered, which cannot be taken back: only for threads that end with their work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thread(#[cfg(target_os = "linux")] rustix::process::Pid);

impl Thread {
    /// The one that asks.
    #[cfg(target_os = "linux")]
    pub(crate) fn current() -> Self {
        Self(rustix::thread::gettid())
    }

    /// The one that asks.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn current() -> Self {
        Self()
    }

    /// Lets others go first. Only while the thread is known to run: its number is another one's later.
    #[cfg(target_os = "linux")]
    pub(crate) fn lower(self) {
        use rustix::process::{getpriority_process, setpriority_process};

        let thread = Some(self.0);
        // as is what it came from, which may have been started with a niceness of its own
        let lowered = getpriority_process(thread).and_then(|nice| setpriority_process(thread, (nice + NICER).min(19)));
        if let Err(error) = lowered {
            tracing::debug!(%error, "the priority of a thread cannot be lowered");
        }
    }

    /// Does nothing here.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "as on Linux")]
    pub(crate) fn lower(self) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn niceness(thread: Thread) -> i32 {
        rustix::process::getpriority_process(Some(thread.0)).expect("the thread runs")
    }

    #[test]
    fn one_thread_is_lowered_and_no_other() {
        let here = Thread::current();
        let before = niceness(here);
        let there = std::thread::spawn(|| {
            let there = Thread::current();
            there.lower();
            niceness(there)
        });
        assert_eq!((there.join().expect("it ends"), niceness(here)), ((before + NICER).min(19), before));
    }
}
