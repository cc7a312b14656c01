//! The history at scale: what analysts wait for while a scan is ingested, what they cost it, what the file weighs.

mod after;
mod analyst;
mod asking;
mod ingest;
mod past;
mod questions;

use std::path::{Path, PathBuf};

use chrono::Utc;

use self::analyst::Access;
use self::past::Past;
use crate::report::Figure;
use crate::session::{Programs, Session};

/// How large, and where the past is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// Resources that exist.
    pub resources: usize,
    /// Versions, those of today included.
    pub versions: usize,
    /// A history made before is taken from here; one made now is put here.
    pub keep: Option<PathBuf>,
    /// Only compare so many unchanged scans.
    pub compare: Option<usize>,
}

/// Makes a history through a detector in a pipe, then asks and feeds one over JetStream.
pub async fn run(programs: &Programs, options: &Options) -> anyhow::Result<()> {
    let past = Past::new(options.resources, options.versions, Utc::now());
    let mut session = Session::serve(programs).await?;
    let history = session.history();
    let past = obtain(programs, options, past, &history)?;

    let access = Access::to(&history)?;
    session.add("detector", programs, &access.arguments()).await?;
    if let Some(scans) = options.compare {
        return ingest::compare(&mut session, &past, scans).await;
    }
    asking::quiet(&access, &past, "quiet").await?;
    let rows_per_page = ingest::run(&mut session, &access, &past).await?;
    asking::quiet(&access, &past, "after").await?;
    after::rebuild(&session, programs, rows_per_page).await?;
    for stage in &mut session.stages {
        let peak = stage.usage()?.peak as f64 / 1e6;
        Figure::new("history.detector.peak_memory", peak, "MB").print()?;
        stage.stop().await?;
    }
    after::export(programs, &past, &history)
}

/// Copies a history made before, or makes one. Its ended versions are sorted by resource then, as a detector has them
/// after some minutes.
fn obtain(programs: &Programs, options: &Options, past: Past, history: &Path) -> anyhow::Result<Past> {
    let kept = options.keep.as_ref().map(|folder| folder.join(past.file_name()));
    let Some(kept) = kept else {
        past::make(programs, &past, history)?;
        past::arrange(history)?;
        return Ok(past);
    };
    if !kept.exists() {
        past::make(programs, &past, history)?;
        std::fs::copy(history, &kept)?;
    }
    // relative times are seen from when it was made
    let made = kept.metadata()?.modified()?;
    eprintln!("history: taking {}", kept.display());
    std::fs::copy(&kept, history)?;
    if past::arrange(history)? {
        std::fs::copy(history, &kept)?;
        std::fs::File::options().write(true).open(&kept)?.set_modified(made)?;
    }
    Ok(past.made_at(made.into()))
}
