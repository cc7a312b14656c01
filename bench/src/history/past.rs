//! A past of ninety days, told to a detector in a pipe: a first look, then changes in 900 steps, and a scope in which
//! resources come and go.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::Context;
use chrono::TimeDelta;
use elava_detector::{Arranged, History, Pace, Query, arrange_file, merge_file, query};
use elava_harness::{Process, command};
use elava_schemas::{Provider, Scope, Timestamp, micros};

use crate::estate::{Estate, scan_of};
use crate::measure;
use crate::report::Figure;
use crate::session::Programs;

const ACCOUNTS: usize = 50;
const LENGTH: TimeDelta = TimeDelta::days(90);
/// A resource changes once in so many steps.
const STEPS_A_ROUND: usize = 100;
/// Resources of the scope in which they come and go, how many do so, and after how many steps.
const FLEETING: usize = 2000;
const FLEETING_AT_ONCE: usize = 200;
const FLEETING_EVERY: usize = 10;

/// What there was.
#[derive(Clone, Debug)]
pub(super) struct Past {
    pub(super) estate: Estate,
    pub(super) resources: usize,
    pub(super) rounds: usize,
    now: Timestamp,
}

impl Past {
    pub(super) fn new(resources: usize, versions: usize, now: Timestamp) -> Self {
        let rounds = (versions / resources).saturating_sub(1);
        let now = micros(now);
        Self { estate: Estate::of_accounts(resources, ACCOUNTS, now - LENGTH), resources, rounds, now }
    }

    /// The same past as it is told at that time.
    pub(super) fn made_at(self, now: Timestamp) -> Self {
        Self::new(self.resources, self.resources * (self.rounds + 1), now)
    }

    /// A history of this past may be kept under this name.
    pub(super) fn file_name(&self) -> String {
        format!("history-{}-{}.duckdb", self.resources, self.rounds)
    }

    /// When it was told.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// How often each resource has changed by now.
    pub(super) fn revision(&self) -> u32 {
        u32::try_from(self.rounds).expect("few rounds")
    }

    /// How many versions there are.
    pub(super) fn versions(&self) -> usize {
        self.resources * (self.rounds + 1) + FLEETING + self.steps() / FLEETING_EVERY * FLEETING_AT_ONCE
    }

    fn steps(&self) -> usize {
        self.rounds * STEPS_A_ROUND
    }

    /// Writes all of it.
    fn tell(&self, out: &mut impl Write) -> std::io::Result<()> {
        let begun = self.now - LENGTH;
        for page in self.estate.scan_at(begun, &|_| 0) {
            out.write_all(&page.body)?;
        }
        self.tell_fleeting(out, 0, begun)?;
        let step_length = LENGTH / i32::try_from(self.steps().max(1) + 1).expect("few steps");
        for step in 0..self.steps() {
            let at = micros(begun + step_length * i32::try_from(step + 1).expect("few steps"));
            let revision = u32::try_from(step / STEPS_A_ROUND + 1).expect("few rounds");
            for number in (step % STEPS_A_ROUND..self.resources).step_by(STEPS_A_ROUND) {
                out.write_all(&self.estate.sighting(number, revision, at).to_line())?;
                out.write_all(b"\n")?;
            }
            if (step + 1) % FLEETING_EVERY == 0 {
                self.tell_fleeting(out, (step + 1) / FLEETING_EVERY, at)?;
            }
        }
        out.flush()
    }

    /// The whole scan of a scope in which the oldest have gone and new ones have come.
    fn tell_fleeting(&self, out: &mut impl Write, time: usize, at: Timestamp) -> std::io::Result<()> {
        let scope = Scope {
            provider: Provider::Aws,
            account: "300000000000".to_owned(),
            region: "us-east-1".to_owned(),
            kind: "ec2:volume".to_owned(),
            filter: None,
        };
        let first = time * FLEETING_AT_ONCE;
        // numbers that no other resource has: ids are made of them
        let numbers = (first..first + FLEETING).map(|number| 1_000_000_000 + number);
        scan_of(&scope, numbers, at, &|_| 0).iter().try_for_each(|page| out.write_all(&page.body))
    }
}

/// Makes the history by a detector in a pipe, and says what that cost.
pub(super) fn make(programs: &Programs, past: &Past, history: &Path) -> anyhow::Result<()> {
    eprintln!("history: making {} versions of {} resources", past.versions(), past.resources);
    let folder = history.parent().context("the history is in no folder")?;
    let mut command = command(programs.binaries.join("elava-detector"));
    command.arg("--db").arg(history).stdin(Stdio::piped()).current_dir(folder);
    let begun = Instant::now();
    let mut detector = Process::spawn("detector", command, folder)?;
    let input = detector.child().stdin.take().context("the detector has no standard input")?;
    let told = past.tell(&mut BufWriter::with_capacity(1 << 20, input));
    while !measure::cpu(detector.id())?.1 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let (cpu, _) = measure::cpu(detector.id())?;
    detector.expect_success()?;
    told?;
    #[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^52")]
    let versions = past.versions() as f64;
    Figure::new("history.make.rate", versions / begun.elapsed().as_secs_f64(), "rows/s").print()?;
    Figure::new("history.make.detector.cpu", cpu / versions * 1e6, "s per million versions").print()?;
    #[expect(clippy::cast_precision_loss, reason = "bytes of a file are far below 2^52")]
    let bytes = history.metadata()?.len() as f64;
    Figure::new("history.bytes", bytes / 1e6, "MB").print()?;
    Ok(Figure::new("history.bytes_per_version", bytes / versions, "bytes")
        .against(300.0, "budget: 300 bytes")
        .print()?)
}

/// Sorts ended versions by resource and merges row groups, as a detector does while nothing else is done; whether
/// anything was left to do.
pub(super) fn arrange(history: &Path) -> anyhow::Result<bool> {
    eprintln!("history: sorting ended versions by resource");
    let begun = Instant::now();
    let done = arrange_file(history, Pace { quiet: true, ..Pace::default() }, usize::MAX)?;
    let arranged = begun.elapsed();
    eprintln!("history: merging row groups");
    let merged = merge_file(history)?;
    if merged > 0 {
        Figure::new("history.merge", (begun.elapsed() - arranged).as_secs_f64(), "s").print()?;
    }
    if !done.iter().any(|done| matches!(done, Arranged::TookIn(_))) {
        return Ok(merged > 0 || !done.is_empty());
    }
    Figure::new("history.arrange", arranged.as_secs_f64(), "s").print()?;
    let storage = query::run(&History::open_read_only(history)?, &Query::Storage {})?;
    let lives = storage.iter().find(|part| part["part"] == "lives").context("nothing is sorted")?;
    let [bytes, rows] = ["bytes", "rows"].map(|name| lives[name].as_f64());
    let (bytes, rows) = bytes.zip(rows).context("its bytes or rows are no number")?;
    Figure::new("history.arrange.bytes_per_version", bytes / rows, "bytes").print()?;
    Ok(true)
}
