//! A real nats-server of a test's own.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use elava_bus::access;

use crate::bins::tool;
use crate::pipeline::free_port;

/// Where the users of a guarded server are, in its folder.
const ACCESS: &str = "access";

/// A running nats-server with JetStream; killed when dropped.
pub struct Server {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts one on a free port, syncing every write as our default is.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(tempfile::tempdir().expect("a temporary folder"), "")
    }

    /// One that knows Elava's users, and nobody else.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn guarded() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        access::write(&folder.path().join(ACCESS)).expect("keys are made");
        Self::start_with(folder, &format!("authorization {{ include ./{ACCESS}/{} }}\n", access::CONFIG))
    }

    fn start_with(folder: tempfile::TempDir, more: &str) -> Self {
        let port = free_port();
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\", sync_interval: always }}\n{more}",
            folder.path().display()
        );
        std::fs::write(folder.path().join("nats.conf"), config).expect("the folder can be written");
        Self { child: spawn(folder.path(), port), port, folder }
    }

    /// For clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The file with the key of a user of a guarded one.
    ///
    /// # Panics
    /// When the temporary folder's name is no text.
    #[must_use]
    pub fn key(&self, user: &str) -> String {
        let file = self.folder.path().join(ACCESS).join(format!("{user}.nk"));
        file.to_str().expect("it is text").to_owned()
    }

    /// SIGKILL, and a new one on the same store.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("and waited for");
        self.child = spawn(self.folder.path(), self.port);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(folder: &Path, port: u16) -> Child {
    let child = Command::new(tool("ELAVA_NATS_SERVER", "nats-server"))
        .arg("--config")
        .arg(folder.join("nats.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nats-server starts: `make setup` first");
    listening(port, "nats-server");
    child
}

/// Waits until somebody listens.
pub(crate) fn listening(port: u16, what: &str) {
    let begun = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} does not listen on {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
