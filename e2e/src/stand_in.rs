//! A slow stand-in for the EC2 API: a listing takes as long as a test needs to be in the middle of it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::bins::binary;

/// A running stand-in; killed when dropped.
pub struct StandIn {
    child: Child,
    url: String,
}

impl StandIn {
    /// Starts one with so many instances, every answer after so many milliseconds.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(instances: u32, latency: u32) -> Self {
        let mut child = Command::new(binary("ec2-stand-in"))
            .args(["--instances", &instances.to_string(), "--latency", &latency.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the stand-in starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its output is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let url = format!("http://{}", line.trim().trim_start_matches("listening on "));
        Self { child, url }
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

impl Drop for StandIn {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
