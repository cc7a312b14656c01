//! Child processes that never outlive this one.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Error;

/// How often it is looked whether one has ended.
const POLL: Duration = Duration::from_millis(20);

/// A child with a log; killed, and waited for, when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// `program` without the settings of whoever runs this, without input, its output nowhere.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("ELAVA_") || name.starts_with("AWS_")) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

impl Process {
    /// Starts it; its standard error is appended to `<name>.log` in `folder`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(name: &str, mut command: Command, folder: &Path) -> Result<Self, Error> {
        let (log, file) = log(name, folder)?;
        Ok(Self { name: name.to_owned(), child: start(command.stderr(file))?, log })
    }

    /// The same with its log written by this process, so that a limit on the child's files does not
    /// concern it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn_with_log_aside(name: &str, mut command: Command, folder: &Path) -> Result<Self, Error> {
        let (log, mut file) = log(name, folder)?;
        let mut child = start(command.stderr(Stdio::piped()))?;
        let mut errors = child.stderr.take().expect("it is piped");
        std::thread::spawn(move || io::copy(&mut errors, &mut file));
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// How it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The same, for rustix.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// To take its input or output, where the command has it piped.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// What it prints first, where its output is piped; the rest is not read.
    ///
    /// # Errors
    /// When it ends before.
    pub fn first_line(&mut self) -> Result<String, Error> {
        let mut line = String::new();
        if let Some(output) = self.child.stdout.take() {
            let read = BufReader::new(output).read_line(&mut line);
            read.map_err(|error| Error::Process(self.name.clone(), error))?;
        }
        if line.is_empty() { self.expect_success().map(|()| line) } else { Ok(line.trim_end().to_owned()) }
    }

    /// How it has ended, if it has.
    ///
    /// # Errors
    /// When that cannot be asked.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.child.try_wait().map_err(|error| Error::Process(self.name.clone(), error))
    }

    /// # Errors
    /// When it has ended.
    pub fn expect_running(&mut self) -> Result<(), Error> {
        self.ended()?.map_or(Ok(()), |status| Err(self.has_ended(status)))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When that is not a good one.
    pub fn expect_success(&mut self) -> Result<(), Error> {
        let status = self.child.wait().map_err(|error| Error::Process(self.name.clone(), error))?;
        if status.success() { Ok(()) } else { Err(self.has_ended(status)) }
    }

    /// Sends it a signal, unless it has ended.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn signal(&mut self, signal: Signal) -> Result<(), Error> {
        match self.ended()? {
            Some(_) => Ok(()),
            None => kill_process(self.pid(), signal).map_err(|error| Error::Process(self.name.clone(), error.into())),
        }
    }

    /// SIGKILL, and waits for its end.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn kill(&mut self) -> Result<(), Error> {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        killed.map(drop).map_err(|error| Error::Process(self.name.clone(), error))
    }

    /// SIGTERM, and waits so long for a good end; the thread is kept.
    ///
    /// # Errors
    /// When there is none by then, or not a good one.
    pub fn terminate(&mut self, patience: Duration) -> Result<(), Error> {
        self.signal(Signal::TERM)?;
        let begun = Instant::now();
        while !self.has_ended_well(begun, patience)? {
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// SIGTERM, and waits so long for a good end.
    ///
    /// # Errors
    /// When there is none by then, or not a good one.
    pub async fn terminated(&mut self, patience: Duration) -> Result<(), Error> {
        self.signal(Signal::TERM)?;
        let begun = Instant::now();
        while !self.has_ended_well(begun, patience)? {
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    fn has_ended_well(&mut self, begun: Instant, patience: Duration) -> Result<bool, Error> {
        match self.ended()? {
            Some(status) if status.success() => Ok(true),
            Some(status) => Err(self.has_ended(status)),
            None if begun.elapsed() < patience => Ok(false),
            None => Err(self.too_long("ended", patience)),
        }
    }

    pub(crate) fn too_long(&self, what: &'static str, patience: Duration) -> Error {
        Error::TooLong { name: self.name.clone(), what, patience, last_words: self.last_words() }
    }

    fn has_ended(&self, status: ExitStatus) -> Error {
        Error::Ended { name: self.name.clone(), status, last_words: self.last_words() }
    }

    /// The end of its log: the folder that it lies in may go away.
    #[must_use]
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // it may have ended already
        drop(self.kill());
    }
}

fn log(name: &str, folder: &Path) -> Result<(PathBuf, File), Error> {
    let log = folder.join(format!("{name}.log"));
    match OpenOptions::new().create(true).append(true).open(&log) {
        Ok(file) => Ok((log, file)),
        Err(error) => Err(Error::File(log, error)),
    }
}

fn start(command: &mut Command) -> Result<Child, Error> {
    command.spawn().map_err(|error| Error::Start(command.get_program().display().to_string(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> (tempfile::TempDir, Process) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = command("sh");
        command.args(["-c", script]).stdout(Stdio::piped());
        let process = Process::spawn("shell", command, folder.path()).expect("it starts");
        (folder, process)
    }

    #[test]
    fn how_it_ends_is_said_with_its_last_words() {
        let (_folder, mut process) = shell("echo careful >&2; exit 3");
        let said = process.expect_success().expect_err("it fails").to_string();
        assert_eq!(said, "shell has ended with exit status: 3\ncareful");
        assert!(process.expect_running().is_err());
        process.signal(Signal::TERM).expect("nobody is signalled");

        let (_folder, mut process) = shell("echo ready; exec sleep 60");
        assert_eq!(process.first_line().expect("a line"), "ready");
        process.expect_running().expect("it runs");
        let said = process.terminate(Duration::from_secs(20)).expect_err("it is killed by the signal").to_string();
        assert_eq!(said, "shell has ended with signal: 15 (SIGTERM)\n");
    }

    #[tokio::test]
    async fn patience_ends() {
        let (_folder, mut process) = shell(r#"trap "echo no >&2" TERM; echo ready; while true; do sleep 0.1; done"#);
        process.first_line().expect("a line");
        process.signal(Signal::TERM).expect("signalled");
        while process.last_words().is_empty() {
            tokio::time::sleep(POLL).await;
        }
        let said = process.terminated(Duration::from_millis(500)).await.expect_err("it goes on").to_string();
        assert!(said.starts_with("shell has not ended within 500ms\nno"), "{said}");
        let pid = process.pid();
        drop(process);
        assert!(rustix::process::test_kill_process(pid).is_err(), "nothing is left of it");
    }
}
