//! The AWS emulator, over HTTP, and the proxy that lets a region fail.

use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use elava_harness::{Process, checkout, command};
use serde_json::Value;

use crate::bins::{free_port, tool};

/// A running emulator behind the faulty proxy; both killed when dropped.
pub struct Moto {
    // before the folder with their logs
    _processes: [Process; 2],
    _folder: tempfile::TempDir,
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
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut moto = command(tool("ELAVA_MOTO_SERVER", "moto_server"));
        moto.args(["-H", "127.0.0.1", "-p", &port.to_string()]).env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false");
        let mut proxy = command(tool("ELAVA_PYTHON", "python"));
        proxy.arg(checkout().join("demo/faulty_proxy.py"));
        proxy.args(["--port", &proxy_port.to_string(), "--upstream", &format!("127.0.0.1:{port}")]);
        let processes = [("moto_server", moto, port), ("proxy", proxy, proxy_port)].map(|(name, command, port)| {
            let mut process = Process::spawn(name, command, folder.path()).expect("it starts: `make setup` first");
            listening(&mut process, port);
            process
        });
        Self { _processes: processes, _folder: folder, port, proxy_port }
    }

    /// For the observer: through the proxy.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.proxy_port)
    }

    /// Calls the emulator itself, in one region, as boto3 would; returns the answer.
    ///
    /// # Panics
    /// When the call fails.
    pub fn call(&self, service: &str, operation: &str, parameters: &Value) -> Value {
        const SCRIPT: &str = "import boto3, json, sys\n\
            url, service, operation, parameters = sys.argv[1:]\n\
            key = {'aws_access_key_id': 'test', 'aws_secret_access_key': 'test'}\n\
            client = boto3.client(service, endpoint_url=url, region_name='us-east-1', **key)\n\
            answer = getattr(client, operation)(**json.loads(parameters))\n\
            print(json.dumps(answer, default=str))\n";
        let url = format!("http://127.0.0.1:{}", self.port);
        let output = Command::new(tool("ELAVA_PYTHON", "python"))
            .args(["-c", SCRIPT, &url, service, operation, &parameters.to_string()])
            .output()
            .expect("python starts");
        assert!(output.status.success(), "{operation}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
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

/// Waits until it listens.
fn listening(process: &mut Process, port: u16) {
    let begun = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        process.expect_running().expect("it goes on");
        assert!(begun.elapsed() < Duration::from_secs(60), "{} does not listen on {port}", process.name());
        std::thread::sleep(Duration::from_millis(20));
    }
}
