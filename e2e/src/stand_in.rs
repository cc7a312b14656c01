//! A slow stand-in for the EC2 API: a listing takes as long as a test needs to be in the middle of it.

use std::process::{Command, Stdio};

use elava_harness::{Process, command};

use crate::bins::binary;

/// A running stand-in; killed when dropped.
pub struct StandIn {
    // before the folder with its log
    _process: Process,
    _folder: tempfile::TempDir,
    url: String,
}

impl StandIn {
    /// Starts one with so many instances, every answer after so many milliseconds.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(instances: u32, latency: u32) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = command(binary("ec2-stand-in"));
        command.args(["--instances", &instances.to_string(), "--latency", &latency.to_string()]).stdout(Stdio::piped());
        let mut process = Process::spawn("stand-in", command, folder.path()).expect("the stand-in starts");
        let line = process.first_line().expect("it says where it listens");
        let url = format!("http://{}", line.trim_start_matches("listening on "));
        Self { _process: process, _folder: folder, url }
    }

    /// For the observer.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Changes a tag of this share of the instances, others each time.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn mutate(&self, percent: u32) {
        let url = format!("{}/mutate?percent={percent}", self.url);
        let status = Command::new("curl").args(["-sf", "-o", "/dev/null", "-X", "POST", &url]).status();
        assert!(status.expect("curl runs").success(), "{url}");
    }
}
