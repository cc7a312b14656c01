//! A nats-server that can be killed and frozen, and comes back on the same store and port.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use crate::process::{Process, command, log};

#[derive(Debug)]
pub(crate) struct Server {
    program: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    /// `None` while it is dead.
    pub(crate) process: Option<Process>,
}

impl Server {
    /// Starts one that syncs every write before it acknowledges it, as our default is.
    pub(crate) fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = format!("listen: \"{address}\"\njetstream {{ store_dir: {folder:?}, sync_interval: always }}\n");
        std::fs::write(folder.join("nats.conf"), config)?;
        let mut server = Self { program: program.to_owned(), folder: folder.to_owned(), address, process: None };
        server.revive()?;
        Ok(server)
    }

    /// Starts it again.
    pub(crate) fn revive(&mut self) -> anyhow::Result<()> {
        let mut command = command(&self.program);
        command.arg("--config").arg(self.folder.join("nats.conf"));
        self.process = Some(Process::spawn(command, &log(&self.folder, "nats-server"))?);
        Ok(())
    }

    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        url(self.address)
    }
}

pub(crate) fn url(address: SocketAddr) -> String {
    format!("nats://{address}")
}
