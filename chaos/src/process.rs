//! Child processes that can be killed, frozen and kept from writing, and never outlive this one.

use std::fs::OpenOptions;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

/// A child, with a log that grows over its lives.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

/// `program`, without the settings of whoever runs this. A write past the size limit of a file fails,
/// as on a full disk, and does not end it.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#]).arg(program);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("ELAVA_") || name.starts_with("AWS_")) {
            command.env_remove(name);
        }
    }
    command
}

impl Process {
    /// Starts it; its standard error is appended to `log`.
    pub(crate) fn spawn(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let mut log = OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let mut errors = child.stderr.take().expect("it is piped");
        // written by us, so that a limit on its files does not concern its log
        std::thread::spawn(move || std::io::copy(&mut errors, &mut log));
        Ok(Self { child })
    }

    /// What it prints; once.
    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends it a signal, unless it has ended.
    pub(crate) fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        if self.ended()?.is_none() {
            kill_process(self.pid(), signal)?;
        }
        Ok(())
    }

    /// Lets it write no file beyond so many bytes; `None`: as it likes.
    pub(crate) fn limit_files(&mut self, bytes: Option<u64>) -> anyhow::Result<()> {
        if self.ended()?.is_none() {
            limit_files(self.pid(), bytes)?;
        }
        Ok(())
    }

    /// Asks it to end, and waits; it must end well.
    pub(crate) async fn terminate(&mut self, patience: Duration) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.ended()? {
                ensure!(status.success(), "ended with {}", said(status));
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "did not end within {patience:?} of SIGTERM");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

#[cfg(target_os = "linux")]
fn limit_files(pid: Pid, bytes: Option<u64>) -> anyhow::Result<()> {
    use rustix::process::{Resource, Rlimit, prlimit};
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None })?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn limit_files(_pid: Pid, _bytes: Option<u64>) -> anyhow::Result<()> {
    anyhow::bail!("only Linux limits the files of another process: leave out the kind history-full")
}

/// An exit status in a few words.
pub(crate) fn said(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // it may have ended already
        drop(self.kill());
    }
}

/// A log beside the others.
pub(crate) fn log(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}
