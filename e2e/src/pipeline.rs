//! The stages as processes, over JetStream and over a shell pipe.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use elava_harness::{Process, Signal, checkout, command};

use crate::bins::binary;

/// The stages that read a stream, in order.
pub const STAGES: [&str; 4] = ["detector", "enforcer", "decider", "notifier"];

/// Short, and longer than a busy machine takes to renew it.
const LEASE_TTL: &str = "5s";
/// How long a stage may take to end: 25 s, as promised, and a busy machine.
const END: Duration = Duration::from_secs(60);

/// Stages at work on one nats-server, with a history of their own.
pub struct Pipeline {
    url: String,
    folder: tempfile::TempDir,
    environment: Vec<(&'static str, String)>,
    running: Vec<Process>,
}

impl Pipeline {
    /// Nothing started yet.
    ///
    /// # Panics
    /// When there is no temporary folder.
    #[must_use]
    pub fn new(url: String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { url, folder, environment: Vec::new(), running: Vec::new() }
    }

    /// With all stages that read a stream started.
    #[must_use]
    pub fn started(url: String) -> Self {
        let mut pipeline = Self::new(url);
        for stage in STAGES {
            pipeline.start(stage, &[]);
        }
        pipeline
    }

    /// Sets an environment variable of what is started from now on.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.environment.push((name, value.to_owned()));
    }

    /// The history file.
    #[must_use]
    pub fn db(&self) -> PathBuf {
        self.folder.path().join("history.duckdb")
    }

    /// What the notifier has written.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn notifications(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("notifier.out")).expect("the notifier's output")
    }

    /// A stage's log.
    #[must_use]
    pub fn log(&self, stage: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("{stage}.log"))).unwrap_or_default()
    }

    /// Starts a stage, again after it was killed.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(&mut self, stage: &'static str, extra: &[&str]) {
        let output = self.folder.path().join(format!("{stage}.out"));
        let output = std::fs::OpenOptions::new().create(true).append(true).open(output).expect("a file for its output");
        let mut command = stage_command(stage, &self.db());
        if stage == "enforcer" && !extra.contains(&"--policies") {
            command.args(["--policies", "policies"]);
        }
        command.args(["--nats", &self.url]).args(extra).envs(self.environment.iter().cloned()).stdout(output);
        if !extra.contains(&"--health-addr") {
            command.args(["--health-addr", "off"]);
        }
        if stage == "detector" && !extra.contains(&"--sql-addr") {
            // one address, many tests at once
            command.args(["--sql-addr", "off"]);
        }
        self.running.push(Process::spawn(stage, command, self.folder.path()).expect("the stage starts"));
    }

    /// The running process of a stage that was started first.
    fn first(&self, stage: &str) -> usize {
        self.running.iter().position(|process| process.name() == stage).expect("the stage runs")
    }

    /// Sends a signal, such as STOP, to the process of a stage that was started first.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&mut self, stage: &str, signal: Signal) {
        let first = self.first(stage);
        self.running[first].expect_running().expect("it can be signalled");
        self.running[first].signal(signal).expect("it can be signalled");
    }

    /// The process of a stage that was started first.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self, stage: &str) -> u32 {
        self.running[self.first(stage)].id()
    }

    /// SIGTERM to the process that was started first; waits until it has ended well.
    ///
    /// # Panics
    /// When it ends with an error.
    pub fn terminate(&mut self, stage: &str) {
        self.running.remove(self.first(stage)).terminate(END).expect("it ends well");
    }

    /// Whether the process that was started first has ended by itself, and its exit code; it is
    /// forgotten then.
    ///
    /// # Panics
    /// When it does not run.
    pub fn ended(&mut self, stage: &str) -> Option<i32> {
        let first = self.first(stage);
        let status = self.running[first].ended().expect("it can be asked")?;
        self.running.remove(first);
        Some(status.code().unwrap_or(-1))
    }

    /// SIGKILL to the process that was started first.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self, stage: &str) {
        self.running.remove(self.first(stage)).kill().expect("it can be killed");
    }

    /// SIGTERM to all, and waits until each has ended well.
    ///
    /// # Panics
    /// When one ends with an error.
    pub fn stop(&mut self) {
        for mut process in self.running.drain(..) {
            process.terminate(END).expect("it ends well");
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.running.clear();
        if std::thread::panicking() {
            for stage in ["observer", "detector", "enforcer", "decider", "notifier", "executor"] {
                let log = self.log(stage);
                let tail: Vec<&str> = log.lines().rev().take(8).collect();
                if !tail.is_empty() {
                    eprintln!("--- {stage}\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
                }
            }
        }
    }
}

fn stage_command(stage: &str, db: &Path) -> Command {
    let mut command = command(binary(&format!("elava-{stage}")));
    // whoever is killed is followed soon
    command.current_dir(checkout()).env("ELAVA_LEASE_TTL", LEASE_TTL);
    match stage {
        "detector" => {
            command.arg("--db").arg(db);
        }
        "notifier" => {
            command.args(["--format", "ndjson"]);
        }
        "observer" | "executor" => {
            command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
            command.env("AWS_EC2_METADATA_DISABLED", "true");
        }
        _ => {}
    }
    command
}

/// Runs `script` in a shell, with our binaries on PATH; returns standard output, standard error, exit code.
///
/// # Panics
/// When there is no shell.
#[must_use]
pub fn pipe(folder: &Path, script: &str) -> (String, String, i32) {
    let bins = binary("elava-detector");
    let path = format!("{}:{}", bins.parent().expect("a folder").display(), std::env::var("PATH").unwrap_or_default());
    let output = command("bash")
        .args(["-c", script])
        .current_dir(folder)
        .env("PATH", path)
        .env("POLICIES", checkout().join("policies"))
        .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_EC2_METADATA_DISABLED", "true")])
        .stdout(Stdio::piped())
        .output()
        .expect("bash runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap_or(-1))
}
