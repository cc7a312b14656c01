//! What copies of the history cost: rebuilding it from the stream, exporting it.

use std::path::Path;
use std::time::Instant;

use elava_bus::Stream;
use elava_harness::{Process, command};

use super::past::Past;
use crate::report::Figure;
use crate::session::{Programs, Session};

/// A fresh history of what the stream holds, beside the detector that runs.
pub(super) async fn rebuild(session: &Session, programs: &Programs, rows_per_page: f64) -> anyhow::Result<()> {
    eprintln!("history: rebuilding from the stream");
    let pages = session.js.get_stream(Stream::Observation.name()).await?.cached_info().state.messages;
    let rebuilt = session.folder.path().join("rebuilt.duckdb");
    let mut command = command(programs.binaries.join("elava-detector"));
    command.args(["rebuild", "--nats", &session.server.url(), "--db"]).arg(&rebuilt);
    let seconds = run("rebuild", command, session.folder.path())?;
    #[expect(clippy::cast_precision_loss, reason = "counts of pages are far below 2^52")]
    let millions = pages as f64 * rows_per_page / 1e6;
    Ok(Figure::new("history.rebuild", seconds / millions, "s per million observations").print()?)
}

/// Both exports of a history that nobody holds, and one with nothing new.
pub(super) fn export(programs: &Programs, past: &Past, history: &Path) -> anyhow::Result<()> {
    eprintln!("history: exporting");
    let folder = history.with_file_name("exports");
    #[expect(clippy::cast_precision_loss, reason = "counts of versions are far below 2^52")]
    let versions = past.versions() as f64;
    for (name, to) in [("duckdb", "copy.duckdb"), ("parquet", "lake"), ("parquet_again", "lake")] {
        let to = folder.join(to);
        let mut command = command(programs.binaries.join("elava"));
        command.arg("export").arg("--db").arg(history).arg("--to").arg(&to);
        let seconds = run("export", command, history.parent().unwrap_or(Path::new(".")))?;
        Figure::new(format!("history.export.{name}"), seconds, "s").print()?;
        #[expect(clippy::cast_precision_loss, reason = "bytes of files are far below 2^52")]
        let bytes = size(&to)? as f64;
        Figure::new(format!("history.export.{name}.bytes_per_version"), bytes / versions, "bytes").print()?;
    }
    Ok(())
}

fn run(name: &str, mut command: std::process::Command, folder: &Path) -> anyhow::Result<f64> {
    command.current_dir(folder);
    let begun = Instant::now();
    Process::spawn(name, command, folder)?.expect_success()?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Bytes of a file, or of all files below a folder.
fn size(path: &Path) -> std::io::Result<u64> {
    if path.is_file() {
        return Ok(path.metadata()?.len());
    }
    std::fs::read_dir(path)?.map(|entry| size(&entry?.path())).sum()
}
