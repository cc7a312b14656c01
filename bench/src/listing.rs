//! The whole pipe over the stand-in: what one listing with five rules costs, all processes added up.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::ensure;
use elava_harness::{Process, command};

use crate::ec2::{Counts, Limits, Options, StandIn};
use crate::measure;
use crate::report::Figure;
use crate::session::Programs;

/// Cloud Custodian 0.9.53 on 5,000 instances of the same estate over the same API with five equal
/// rules, measured once on 2 cores: CPU seconds and resident MB.
const CUSTODIAN: &str = "Cloud Custodian 0.9.53 on 5,000 instances";
const CUSTODIAN_CPU: f64 = 19.4;
const CUSTODIAN_MEMORY: f64 = 247.0;
const CUSTODIAN_INSTANCES: usize = 5000;

/// What the five rules look at.
const TYPES: &str = "ec2:instance,ec2:volume,ec2:security-group,rds:db";

/// How often the processes are looked at: what they used last may be missed by this much.
const POLL: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(300);

/// Lists so many instances, and the volumes, groups and databases around them.
pub async fn run(programs: &Programs, instances: usize) -> anyhow::Result<()> {
    let options =
        Options { counts: Counts::around(instances), latency: Duration::ZERO, limits: Limits::new(None, 0.0, 0) };
    eprintln!("listing: making {instances} instances");
    let stand_in = StandIn::listen(0, options).await?;
    let endpoint = format!("http://{}", stand_in.address()?);
    let serving = tokio::spawn(stand_in.serve());

    let folder = tempfile::Builder::new().prefix("elava-bench-").tempdir()?;
    eprintln!("listing: running the pipe");
    let begun = Instant::now();
    let mut pipe = start(programs, &endpoint, folder.path())?;
    let used = watch(&mut pipe).await;
    let wall = begun.elapsed().as_secs_f64();
    serving.abort();
    let used = used?;

    let told = std::fs::read(folder.path().join(OUTPUT))?.iter().filter(|byte| **byte == b'\n').count();
    for (process, used) in pipe.iter().zip(&used) {
        Figure::new(format!("listing.{}.cpu", process.name()), used.cpu, "s").print()?;
        Figure::new(format!("listing.{}.peak_memory", process.name()), used.peak as f64 / 1e6, "MB").print()?;
    }
    let cpu = Figure::new("listing.cpu", used.iter().map(|used| used.cpu).sum(), "s");
    let memory = Figure::new("listing.peak_memory", used.iter().map(|used| used.peak as f64).sum::<f64>() / 1e6, "MB");
    // other sizes have no reference
    let reference = |figure: Figure, custodian| {
        if instances == CUSTODIAN_INSTANCES { figure.against(custodian, CUSTODIAN) } else { figure }
    };
    reference(cpu, CUSTODIAN_CPU).print()?;
    reference(memory, CUSTODIAN_MEMORY).print()?;
    Figure::new("listing.wall", wall, "s").print()?;
    Figure::new("listing.output", told as f64, "rows").print()?;
    Ok(())
}

/// What the notifier wrote.
const OUTPUT: &str = "notifications.ndjson";

/// `observer | detector | enforcer | decider | notifier > file`; logs go to `<name>.log`.
fn start(programs: &Programs, endpoint: &str, folder: &Path) -> anyhow::Result<Vec<Process>> {
    let policies = programs.policies.display().to_string();
    let stages: [(&str, &[&str]); 5] = [
        ("observer", &["--once", "--types", TYPES, "--regions", "us-east-1", "--endpoint-url", endpoint]),
        ("detector", &["--db", "history.duckdb"]),
        ("enforcer", &["--policies", &policies]),
        ("decider", &[]),
        ("notifier", &["--format", "ndjson"]),
    ];
    let mut pipe = Vec::new();
    let mut input = Stdio::null();
    for (index, (name, arguments)) in stages.into_iter().enumerate() {
        let last = index + 1 == stages.len();
        let output = if last { File::create(folder.join(OUTPUT))?.into() } else { Stdio::piped() };
        let mut command = command(programs.binaries.join(format!("elava-{name}")));
        command
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", "bench")
            .env("AWS_SECRET_ACCESS_KEY", "bench")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .current_dir(folder)
            .stdin(input)
            .stdout(output);
        let mut process = Process::spawn(name, command, folder)?;
        input = process.child().stdout.take().map_or_else(Stdio::null, Stdio::from);
        pipe.push(process);
    }
    Ok(pipe)
}

/// What a process has used in all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) cpu: f64,
    pub(crate) peak: u64,
    ended: bool,
}

/// Watches the processes until all have ended well. None is waited for before its CPU time is read.
pub(crate) async fn watch(pipe: &mut [Process]) -> anyhow::Result<Vec<Used>> {
    let deadline = Instant::now() + PATIENCE;
    let mut used = vec![Used::default(); pipe.len()];
    while used.iter().any(|used| !used.ended) {
        ensure!(Instant::now() < deadline, "the pipe did not end within {PATIENCE:?}");
        for (process, used) in pipe.iter().zip(&mut used).filter(|(_, used)| !used.ended) {
            (used.cpu, used.ended) = measure::cpu(process.id())?;
            used.peak = used.peak.max(measure::usage(process.id())?.peak);
        }
        tokio::time::sleep(POLL).await;
    }
    for process in pipe {
        process.expect_success()?;
    }
    Ok(used)
}
