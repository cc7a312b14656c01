//! Child processes that never outlive the benchmark.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// A child that is killed, and waited for, when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) name: String,
    child: Child,
}

impl Process {
    pub(crate) fn spawn(name: &str, command: &mut Command) -> anyhow::Result<Self> {
        let child = command
            .spawn()
            .map_err(|error| anyhow::anyhow!("cannot start {name} ({}): {error}", command.get_program().display()))?;
        Ok(Self { name: name.to_owned(), child })
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
            Some(status) => anyhow::bail!("{} ended early: {status}", self.name),
        }
    }

    /// Asks it to end (SIGTERM) and waits so long.
    pub(crate) async fn terminate(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        // `kill` because the standard library sends nothing but SIGKILL, and this crate has no unsafe code
        Command::new("kill").args(["-TERM", &self.id().to_string()]).status()?;
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            anyhow::ensure!(Instant::now() < deadline, "{} did not end within {patience:?}", self.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let killed: io::Result<()> = self.child.kill();
        // it may have ended already
        drop(killed.and_then(|()| self.child.wait()));
    }
}
