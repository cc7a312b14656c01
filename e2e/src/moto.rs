//! The AWS emulator, over HTTP, and the proxy that lets a region fail.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::bins::{checkout, tool};
use crate::nats::listening;
use crate::pipeline::free_port;

/// A running emulator behind the faulty proxy; both killed when dropped.
pub struct Moto {
    children: [Child; 2],
    port: u16,
    proxy_port: u16,
}

impl Moto {
    /// Starts both on free ports, empty: without the images and snapshots of Amazon that moto brings.
    ///
    /// # Panics
    /// When they do not start.
    #[must_use]
    pub fn start() -> Self {
        let (port, proxy_port) = (free_port(), free_port());
        let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let moto = quiet(
            Command::new(tool("ELAVA_MOTO_SERVER", "moto_server"))
                .args(["-H", "127.0.0.1", "-p", &port.to_string()])
                .env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false"),
        )
        .expect("moto_server starts: `make setup` first");
        let proxy = quiet(
            Command::new(tool("ELAVA_PYTHON", "python"))
                .arg(checkout().join("demo/faulty_proxy.py"))
                .args(["--port", &proxy_port.to_string(), "--upstream", &format!("127.0.0.1:{port}")]),
        )
        .expect("the proxy starts");
        let moto = Self { children: [moto, proxy], port, proxy_port };
        listening(port, "moto_server");
        listening(proxy_port, "the proxy");
        moto
    }

    /// For the observer: through the proxy.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.proxy_port)
    }

    /// Runs a step of `demo/estate.py` against the emulator itself; returns the lines it printed.
    ///
    /// # Panics
    /// When the step fails.
    pub fn estate(&self, step: &str) -> Vec<Value> {
        let output = Command::new(tool("ELAVA_PYTHON", "python"))
            .arg(checkout().join("demo/estate.py"))
            .args([step, "--endpoint-url", &format!("http://127.0.0.1:{}", self.port)])
            .output()
            .expect("python starts");
        assert!(output.status.success(), "{step}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        for child in &mut self.children {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
