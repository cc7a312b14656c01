//! The chaos suite: several instances of every stage under faults from a seed; what they come to must be
//! what an undisturbed run of the same input comes to.
//!
//! Everything is real: the binaries, nats-server, DuckDB files, HTTP. Nothing of a stage is linked but its
//! client.

mod active;
mod args;
mod cloud;
mod compare;
mod feed;
mod input;
mod instance;
mod limited;
mod plan;
mod proxy;
mod receiver;
mod report;
mod run;
mod streams;
mod world;

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

pub use args::Args;
use clap::ValueEnum;
pub use elava_bench::Programs;
pub use plan::Kind;

use crate::feed::Feed;
use crate::input::{Input, Size};
use crate::plan::{Extent, instances, plan};
use crate::run::{Crowd, Run};

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// All that happens follows from it.
    pub seed: u64,
    /// How many resources are replayed.
    pub resources: usize,
    /// How many times each scope is scanned.
    pub rounds: usize,
    /// Rows in a page at most.
    pub page_rows: usize,
    /// How many instances the cloud of the observers has; 0: no observers.
    pub cloud: usize,
    /// How many faults.
    pub faults: usize,
    /// Of which kinds.
    pub kinds: Vec<Kind>,
    /// How many freezes last longer than the time after which the server delivers again.
    pub long_freezes: usize,
    /// In how many files the history is that is struck.
    pub shards: u16,
    /// Where everything is kept while it is needed, and when something differs.
    pub folder: PathBuf,
}

/// The command that repeats it.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, resources, rounds, page_rows, cloud, faults, kinds, long_freezes, shards, folder: _ } = self;
        write!(
            f,
            "elava-chaos --seed {seed} --resources {resources} --rounds {rounds} --page-rows {page_rows} --cloud {cloud} \
             --faults {faults} --long-freezes {long_freezes} --shards {shards}"
        )?;
        if kinds[..] != *Kind::value_variants() {
            let names: Vec<String> = kinds.iter().map(|kind| kind.name()).collect();
            write!(f, " --kinds {}", names.join(","))?;
        }
        Ok(())
    }
}

/// Runs undisturbed, then disturbed, and compares; prints what happened. Whether both came to the same.
///
/// # Errors
/// When something cannot be run at all.
pub async fn run(programs: &Programs, options: &Options, out: &mut impl Write) -> anyhow::Result<bool> {
    let Options { seed, resources, rounds, page_rows, .. } = *options;
    // scopes of about four pages
    let accounts = (resources / (page_rows * 16)).clamp(4, 50);
    let input = Input::new(seed, Size { resources, rounds, accounts, page_rows });
    let pages = input.pages();
    // what is published again is of this round or of the one before
    let remembered = pages / rounds;
    let Options { faults, kinds, long_freezes, .. } = options;
    let stages = active::stages(options.cloud > 0);
    let extent = Extent { faults: *faults, stages: &stages, kinds, pages, remembered, long_freezes: *long_freezes };
    let faults = plan(seed ^ 0xfa17, extent);
    writeln!(
        out,
        "seed {seed}: {resources} resources in {} scopes, {rounds} rounds, {pages} pages, {} faults",
        input.scopes(),
        faults.len()
    )?;

    eprintln!("undisturbed");
    let run = |name: &str| options.folder.join(name);
    let feed = Feed { input: &input, rounds, faults: &[], mix: None, remembered };
    let crowd = Crowd { instances: |_| 1, shards: 1 };
    let undisturbed = one(programs, &run("undisturbed"), feed, options.cloud, None, crowd).await?;
    eprintln!("disturbed");
    let mix = Some(fastrand::Rng::with_seed(seed ^ 0x317));
    let feed = Feed { input: &input, rounds, faults: &faults, mix, remembered };
    let crowd = Crowd { instances, shards: options.shards };
    let disturbed = one(programs, &run("disturbed"), feed, options.cloud, Some(seed), crowd).await?;
    let compared = compare::compare(&input, &undisturbed.outcome, &disturbed.outcome)?;
    Ok(report::print(out, &faults, [&undisturbed, &disturbed], &compared)?)
}

async fn one(
    programs: &Programs,
    folder: &Path,
    feed: Feed<'_>,
    cloud: usize,
    faulty: Option<u64>,
    crowd: Crowd,
) -> anyhow::Result<run::Ran> {
    Run { programs, folder, feed, cloud, faulty, crowd }.run().await
}
