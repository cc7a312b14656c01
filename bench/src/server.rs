//! A nats-server of the benchmark's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Deserialize;

use crate::process::{Process, command};

/// A running nats-server with JetStream in a folder of its own.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) url: String,
}

#[derive(Deserialize)]
struct Ports {
    nats: Vec<String>,
}

impl Server {
    /// Starts one on a free port; every write is synced to disk before it is acknowledged.
    pub(crate) async fn start(binary: &Path, folder: &Path) -> anyhow::Result<Self> {
        let config = folder.join("nats.conf");
        let text = format!(
            "listen: \"127.0.0.1:-1\"\nports_file_dir: {folder:?}\njetstream {{ store_dir: {folder:?}, sync_interval: always }}\n"
        );
        fs::write(&config, text)?;
        let mut command = command(binary);
        command.arg("--config").arg(&config).stdin(Stdio::null()).stdout(Stdio::null());
        let mut process = Process::spawn("nats-server", command, folder)?;

        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(url) = url(folder) {
                return Ok(Self { process, url });
            }
            process.expect_running()?;
            anyhow::ensure!(Instant::now() < deadline, "nats-server did not start\n{}", process.last_words());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The server writes `<binary>_<pid>.ports` once it listens.
fn url(folder: &Path) -> Option<String> {
    let ports = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "ports"))?;
    let ports: Ports = serde_json::from_slice(&fs::read(ports).ok()?).ok()?;
    ports.nats.into_iter().next()
}

/// The nats-server to use: the one given, else that of `make setup`, else the one on PATH. As an
/// absolute path, since it is started in another folder; a bare name is looked up on PATH.
pub fn find(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    let local = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.local/venv/bin/nats-server");
    let wanted = match given {
        Some(given) if given.components().count() > 1 || given.exists() => given,
        Some(bare) => return on_path(bare),
        None if local.exists() => &local,
        None => return on_path(Path::new("nats-server")),
    };
    std::path::absolute(wanted)
        .ok()
        .filter(|path| path.exists())
        .with_context(|| format!("there is no nats-server at {}", wanted.display()))
}

fn on_path(name: &Path) -> anyhow::Result<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|file| file.exists());
    found.context("no nats-server found: run `make setup`, or set ELAVA_NATS_SERVER")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_is_made_absolute() {
        // Tests run in the folder of their crate.
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (given, expected) in [
            ("src/main.rs", Some(manifest.join("src/main.rs"))),
            ("Cargo.toml", Some(manifest.join("Cargo.toml"))),
            ("src/nothing", None),
            ("sh", on_path(Path::new("sh")).ok()),
            ("no-such-server", None),
        ] {
            assert_eq!(find(Some(Path::new(given))).ok(), expected, "{given}");
        }
        assert!(on_path(Path::new("sh")).is_ok_and(|path| path.is_absolute()));
    }
}
