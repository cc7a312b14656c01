//! Priorities of threads beside detection. Only Linux gives each thread one of its own.

/// What is added to the niceness of a thread that is to wait for others: it gets what they leave, or else a thirtieth of
/// what they get.
const NICER: i32 = 15;
/// What is taken from the niceness of a thread for which somebody waits: where both want a core it gets three times what
/// others get, and they no less than a quarter however many such threads there are.
const EAGER: i32 = 5;

/// How long a thread for which somebody waits may run, in nanoseconds, before others have a turn. Linux (from 6.12 on)
/// lets a thread of shorter turns go before the one that runs as soon as it wakes, though it gets no more of a core in
/// all: what is divided over several threads, as an answer is, waits less often for the end of another one's turn.
const TURN: u64 = 300_000;
/// As long as those of others.
const USUAL_TURN: u64 = 0;

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

    /// Goes before others, as do the threads that it starts from now on: it need not wait for the end of their turns, and
    /// gets more of the cores. The latter needs a permission that most processes lack (`CAP_SYS_NICE`, or a limit on
    /// niceness).
    pub(crate) fn raise(self) {
        if let Err(error) = self.take_turns(TURN) {
            tracing::debug!(%error, "the turns of a thread cannot be made shorter");
        }
        if let Err(error) = self.set(-EAGER) {
            tracing::debug!(%error, "the priority of a thread cannot be raised");
        }
    }

    /// Lets others go first. Only while the thread is known to run: its number is another one's later.
    pub(crate) fn lower(self) {
        if let Err(error) = self.set(NICER).and_then(|()| self.take_turns(USUAL_TURN)) {
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

    /// Has its turns take so long; older kernels do not care. No library has this call.
    #[cfg(target_os = "linux")]
    #[expect(unsafe_code, reason = "the kernel reads a structure whose size it is told, and writes nothing")]
    fn take_turns(self, nanoseconds: u64) -> std::io::Result<()> {
        let attributes = libc::sched_attr {
            size: u32::try_from(size_of::<libc::sched_attr>()).expect("it is small"),
            sched_policy: u32::try_from(libc::SCHED_OTHER).expect("it is none of the negative ones"),
            sched_flags: 0,
            // all are set at once: this one as it is
            sched_nice: rustix::process::getpriority_process(Some(self.0))?,
            sched_priority: 0,
            sched_runtime: nanoseconds,
            sched_deadline: 0,
            sched_period: 0,
        };
        let (thread, flags) = (self.0.as_raw_nonzero().get(), 0);
        // SAFETY: `attributes` lives longer than the call, and has the size that it says.
        let done = unsafe { libc::syscall(libc::SYS_sched_setattr, thread, &raw const attributes, flags) };
        if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    }

    /// Does nothing here.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as on Linux")]
    fn set(self, _nicer: i32) -> std::io::Result<()> {
        Ok(())
    }

    /// Does nothing here.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as on Linux")]
    fn take_turns(self, _nanoseconds: u64) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn niceness(thread: Thread) -> i32 {
        rustix::process::getpriority_process(Some(thread.0)).expect("the thread runs")
    }

    /// How long its turns are, where the kernel says it.
    fn turn(thread: Thread) -> Option<u64> {
        let said = std::fs::read_to_string(format!("/proc/self/task/{}/sched", thread.0.as_raw_nonzero())).ok()?;
        let slice = said.lines().find_map(|line| line.strip_prefix("se.slice"))?;
        slice.trim_start_matches([' ', ':']).parse().ok()
    }

    /// Where the kernel knows of such turns.
    #[test]
    fn turns_are_short_until_it_is_lowered() {
        let usual = turn(Thread::current());
        let there = std::thread::spawn(|| {
            let there = Thread::current();
            there.raise();
            let raised = turn(there);
            there.lower();
            (raised, turn(there))
        });
        let (raised, lowered) = there.join().expect("it ends");
        assert!([usual, Some(TURN)].contains(&raised), "{raised:?}");
        assert_eq!((lowered, turn(Thread::current())), (usual, usual));
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
