//! Priorities of threads beside detection. Only Linux gives each thread one of its own.

/// What is added to the niceness of a thread that is to wait for others: it gets what they leave, or else a thirtieth of
/// what they get.
const NICER: i32 = 15;
/// What is taken from the niceness of a thread for which somebody waits: where both want a core it gets three times what
/// others get, and they no less than a quarter however many such threads there are.
const EAGER: i32 = 5;

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

    /// Goes before others, as do the threads that it starts from now on. Needs a permission that most processes lack
    /// (`CAP_SYS_NICE`, or a limit on niceness); without it nothing changes.
    pub(crate) fn raise(self) {
        if let Err(error) = self.set(-EAGER) {
            tracing::debug!(%error, "the priority of a thread cannot be raised");
        }
    }

    /// Lets others go first. Only while the thread is known to run: its number is another one's later.
    pub(crate) fn lower(self) {
        if let Err(error) = self.set(NICER) {
            tracing::debug!(%error, "the priority of a thread cannot be lowered");
        }
    }

    /// Makes it so much nicer than the process, which may have been started with a niceness of its own. The process has
    /// that of its first thread.
    #[cfg(target_os = "linux")]
    fn set(self, nicer: i32) -> std::io::Result<()> {
        use rustix::process::{getpid, getpriority_process, setpriority_process};

        let of_process = getpriority_process(Some(getpid()))?;
        Ok(setpriority_process(Some(self.0), (of_process + nicer).clamp(-20, 19))?)
    }

    /// Does nothing here.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as on Linux")]
    fn set(self, _nicer: i32) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn niceness(thread: Thread) -> i32 {
        rustix::process::getpriority_process(Some(thread.0)).expect("the thread runs")
    }

    /// Whoever may raise a priority sees it raised, and what is started then as well; nobody sees another one changed.
    #[test]
    fn a_raised_thread_starts_others_like_it() {
        let here = Thread::current();
        let before = niceness(here);
        let there = std::thread::spawn(|| {
            let there = Thread::current();
            there.raise();
            let raised = niceness(there);
            let started = std::thread::spawn(|| niceness(Thread::current())).join().expect("it ends");
            there.lower();
            (raised, started, niceness(there))
        });
        let (raised, started, lowered) = there.join().expect("it ends");
        assert!([before, (before - EAGER).max(-20)].contains(&raised), "{raised}");
        assert_eq!((started, lowered, niceness(here)), (raised, (before + NICER).min(19), before));
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
