//! One instance of a stage, behind a proxy of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use elava_bench::Programs;
use elava_harness::Process;

use crate::limited::command;
use crate::plan::{OBSERVER, Target};
use crate::proxy::Proxy;

/// Short, and longer than a busy machine takes to renew it.
const LEASE_TTL: &str = "2s";
/// What the stand-in has.
const TYPES: &str = "ec2:instance,ec2:volume,ec2:security-group,rds:db,rds:cluster";

/// What all instances of a run have in common.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) programs: Programs,
    pub(crate) folder: PathBuf,
    pub(crate) config: PathBuf,
    /// Where the cloud is.
    pub(crate) cloud: SocketAddr,
    /// What the server reserves for each stream.
    pub(crate) stream_bytes: u64,
    /// In how many files the history is.
    pub(crate) shards: u16,
}

#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) target: Target,
    pub(crate) proxy: Proxy,
    /// `None` while it is dead.
    pub(crate) process: Option<Process>,
    setting: Setting,
}

impl Instance {
    pub(crate) async fn start(target: Target, server: SocketAddr, setting: Setting) -> anyhow::Result<Self> {
        let mut instance = Self { target, proxy: Proxy::start(server).await?, process: None, setting };
        instance.revive()?;
        Ok(instance)
    }

    /// Starts it again.
    pub(crate) fn revive(&mut self) -> anyhow::Result<()> {
        self.process = Some(Process::spawn_with_log_aside(&self.name(), self.command(), &self.setting.folder)?);
        Ok(())
    }

    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.process.take().map_or(Ok(()), |mut process| process.kill())?)
    }

    /// What it logs, over all its lives.
    pub(crate) fn log(&self) -> PathBuf {
        self.setting.folder.join(format!("{}.log", self.name()))
    }

    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.target.stage, self.target.number)
    }

    fn command(&self) -> Command {
        let Setting { programs, folder, config, cloud, stream_bytes, shards } = &self.setting;
        let stage = self.target.stage;
        let mut command = command(&programs.binaries.join(format!("elava-{stage}")));
        command
            .args([
                "--nats",
                &format!("nats://{}", self.proxy.address()),
                "--health-addr",
                "off",
                "--lease-ttl",
                LEASE_TTL,
                "--config",
            ])
            .arg(config)
            .env("ELAVA_STREAM_MAX_BYTES", stream_bytes.to_string());
        match stage {
            "detector" => {
                command.arg("--db").arg(history(folder)).args(["--sql-addr", "off", "--shards", &shards.to_string()])
            }
            "enforcer" => command.arg("--policies").arg(&programs.policies),
            OBSERVER => command
                .args(["--types", TYPES, "--regions", "us-east-1", "--interval", "3s", "--endpoint-url"])
                .arg(format!("http://{cloud}"))
                .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
                .env("AWS_EC2_METADATA_DISABLED", "true"),
            _ => &mut command,
        };
        command
    }
}

/// The history of a run.
pub(crate) fn history(folder: &Path) -> PathBuf {
    folder.join("history.duckdb")
}
