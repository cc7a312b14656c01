//! A real nats-server that can be killed, frozen and started again.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{Process, command};
use crate::{Error, nats_server};

/// How long one may take to listen: a busy machine, and a store to be read.
const PATIENCE: Duration = Duration::from_secs(60);
/// Its configuration, in its folder.
const CONFIG: &str = "nats.conf";

/// How a server is set up.
#[derive(Debug)]
pub struct Setup<'a> {
    /// The program; none: [`nats_server`].
    pub program: Option<&'a Path>,
    /// Where its files are.
    pub folder: Folder,
    /// How much its streams may reserve. Without it a server allows three quarters of what is free on
    /// the disk, and on a nearly full one no stream can be made.
    pub max_file_store: &'a str,
    /// More lines of configuration.
    pub config: &'a str,
}

/// The folder of a server: configuration, store, log, and what its configuration refers to.
#[derive(Debug, Default)]
pub enum Folder {
    /// A new one, that goes away with the server.
    #[default]
    New,
    /// One that goes away with the server.
    Temporary(TempDir),
    /// One that stays.
    Kept(PathBuf),
}

/// A running server with JetStream, which syncs every write before it acknowledges it, as our default
/// is; killed when dropped.
#[derive(Debug)]
pub struct Server {
    // before the folder: it is killed before that goes away
    process: Option<Process>,
    program: PathBuf,
    port: u16,
    folder: Folder,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self { program: None, folder: Folder::New, max_file_store: "64GB", config: "" }
    }
}

impl Folder {
    fn made(self) -> Result<Self, Error> {
        match self {
            Self::New => {
                tempfile::tempdir().map(Self::Temporary).map_err(|error| Error::File(std::env::temp_dir(), error))
            }
            there => Ok(there),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::New => unreachable!("it is made before it is used"),
            Self::Temporary(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}

impl Server {
    /// Starts one on a free port of loopback, and waits until it listens.
    ///
    /// # Errors
    /// When there is no such program, or it does not start.
    pub fn start(setup: Setup<'_>) -> Result<Self, Error> {
        let Setup { program, folder, max_file_store, config } = setup;
        let program = program.map_or_else(nats_server, |program| Ok(program.to_owned()))?;
        let folder = folder.made()?;
        let file = folder.path().join(CONFIG);
        let store = folder.path();
        let text = format!(
            "jetstream {{ store_dir: {store:?}, sync_interval: always, max_file_store: {max_file_store} }}\n{config}\n"
        );
        std::fs::write(&file, text).map_err(|error| Error::File(file, error))?;
        // it chooses the port itself: no other process can take it in between
        let mut process = spawn(&program, folder.path(), "-1")?;
        let port = listening(&mut process, folder.path())?;
        Ok(Self { process: Some(process), program, port, folder })
    }

    /// For clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A file in its folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its process, unless it was killed.
    #[must_use]
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// SIGKILL, unless it is dead already.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn kill(&mut self) -> Result<(), Error> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    /// Starts it again on the same store and port, and does not wait until it listens.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn revive(&mut self) -> Result<(), Error> {
        self.kill()?;
        self.process = Some(spawn(&self.program, self.folder.path(), &self.port.to_string())?);
        Ok(())
    }

    /// SIGKILL, and a new one on the same store and port, which listens.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.revive()?;
        let listens = self.process.as_mut().map(|process| listening(process, self.folder.path()));
        listens.map_or(Ok(()), |port| port.map(drop))
    }

    /// Sends it a signal, unless it is dead: STOP freezes it, CONT lets it go on, HUP has it read its
    /// configuration again.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn signal(&mut self, signal: Signal) -> Result<(), Error> {
        self.process.as_mut().map_or(Ok(()), |process| process.signal(signal))
    }

    /// Has it read its configuration again.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn reload(&mut self) -> Result<(), Error> {
        self.signal(Signal::HUP)
    }
}

fn spawn(program: &Path, folder: &Path, port: &str) -> Result<Process, Error> {
    let mut command = command(program);
    command.arg("--config").arg(folder.join(CONFIG)).args(["--addr", "127.0.0.1", "--port", port]);
    command.arg("--ports_file_dir").arg(folder);
    Process::spawn("nats-server", command, folder)
}

/// Waits until it listens; where.
fn listening(process: &mut Process, folder: &Path) -> Result<u16, Error> {
    let begun = Instant::now();
    loop {
        if let Some(port) = port(process.id(), folder) {
            return Ok(port);
        }
        process.expect_running()?;
        if begun.elapsed() > PATIENCE {
            return Err(process.too_long("listened", PATIENCE));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The server writes `<program>_<pid>.ports` once it listens.
fn port(pid: u32, folder: &Path) -> Option<u16> {
    let own = format!("_{pid}.ports");
    let mut files = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let ports = files.find(|path| path.to_str().is_some_and(|path| path.ends_with(&own)))?;
    let ports: serde_json::Value = serde_json::from_slice(&std::fs::read(ports).ok()?).ok()?;
    ports["nats"][0].as_str()?.rsplit_once(':')?.1.parse().ok()
}
