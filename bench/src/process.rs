//! Child processes that never outlive the benchmark.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// A child that is killed, and waited for, when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) name: String,
    child: Child,
    log: PathBuf,
}

/// A command without the settings of whoever runs the benchmark.
pub(crate) fn command(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("ELAVA_") || name.starts_with("AWS_")) {
            command.env_remove(name);
        }
    }
    command
}

impl Process {
    /// Starts it in `folder`; its standard error goes to `<name>.log` there.
    pub(crate) fn spawn(name: &str, mut command: Command, folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let program = command.get_program().display().to_string();
        let child = command
            .current_dir(folder)
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Fails if it has ended.
    pub(crate) fn expect_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended early with {status}\n{}", self.name, self.last_words()),
        }
    }

    /// Waits for its end, which has to be a good one.
    pub(crate) fn expect_success(&mut self) -> anyhow::Result<()> {
        let status = self.child.wait()?;
        self.check(status)
    }

    /// Asks it to end (SIGTERM) and waits so long.
    pub(crate) async fn terminate(&mut self, patience: Duration) -> anyhow::Result<()> {
        self.signal("TERM")?;
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return self.check(status);
            }
            ensure!(Instant::now() < deadline, "{} did not end within {patience:?}\n{}", self.name, self.last_words());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) -> anyhow::Result<()> {
        // `kill` because the standard library sends nothing but SIGKILL, and this crate has no unsafe code
        let status = Command::new("kill").args([format!("-{name}"), self.id().to_string()]).status()?;
        ensure!(status.success(), "{} cannot be sent SIG{name}", self.name);
        Ok(())
    }

    /// The end of its log: the folder it lies in goes away.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    fn check(&self, status: ExitStatus) -> anyhow::Result<()> {
        ensure!(status.success(), "{} ended with {status}\n{}", self.name, self.last_words());
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // it may have ended already
        drop(self.child.kill().and_then(|()| self.child.wait()));
    }
}
