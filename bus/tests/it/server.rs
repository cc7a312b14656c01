//! A real nats-server of a test's own, on a free port, that can be killed and started again.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CONFIG: &str = "nats.conf";

pub(crate) struct Server {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

fn binary() -> PathBuf {
    let local = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.local/venv/bin/nats-server");
    match std::env::var_os("ELAVA_NATS_SERVER") {
        Some(path) => path.into(),
        None if local.exists() => local,
        None => "nats-server".into(),
    }
}

fn spawn(port: u16, folder: &std::path::Path) -> Child {
    let child = Command::new(binary())
        .args(["--jetstream", "--addr", "127.0.0.1", "--port", &port.to_string(), "--store_dir"])
        .arg(folder)
        .arg("--config")
        .arg(folder.join(CONFIG))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nats-server starts: run `make setup`, or set ELAVA_NATS_SERVER");
    let begun = Instant::now();
    while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "nats-server does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// With these lines as its configuration.
    pub(crate) fn start_with(config: &str) -> Self {
        Self::start_in(tempfile::tempdir().expect("a temporary folder"), config)
    }

    /// In a folder with what these lines refer to.
    pub(crate) fn start_in(folder: tempfile::TempDir, config: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        drop(listener);
        std::fs::write(folder.path().join(CONFIG), config).expect("the folder can be written");
        Self { child: spawn(port, folder.path()), port, folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Has it read its configuration again.
    pub(crate) fn reload(&self) {
        let sent = Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success(), "the server runs");
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("and waited for");
    }

    pub(crate) fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.port, self.folder.path());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already dead after a test that killed it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
