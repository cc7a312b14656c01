//! Processes that can be kept from writing files, as by a full disk.

use std::path::Path;
use std::process::Command;

use elava_harness::Process;
use rustix::process::Pid;

/// `program`, which a write past the size limit of a file does not end: it fails, as on a full disk.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = elava_harness::command("sh");
    command.args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#]).arg(program);
    command
}

/// Lets a process write no file beyond so many bytes; `None`: as it likes.
pub(crate) fn limit_files(process: &mut Process, bytes: Option<u64>) -> anyhow::Result<()> {
    match process.ended()? {
        Some(_) => Ok(()),
        None => limit(process.pid(), bytes),
    }
}

#[cfg(target_os = "linux")]
fn limit(pid: Pid, bytes: Option<u64>) -> anyhow::Result<()> {
    use rustix::process::{Resource, Rlimit, prlimit};
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None })?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn limit(_pid: Pid, _bytes: Option<u64>) -> anyhow::Result<()> {
    anyhow::bail!("only Linux limits the files of another process: leave out the kind history-full")
}
