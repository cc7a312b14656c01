//! Serves the stand-in for the EC2, RDS and STS APIs.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use elava_bench::ec2::{Bucket, Counts, Limits, Options, StandIn};
use elava_bus::cli::{Finished, exit};

/// A fast stand-in for the EC2, RDS and STS APIs, for load
#[derive(Parser)]
#[command(
    version,
    after_help = "Example: ec2-stand-in --port 4600 --instances 5000 --latency 5 --bucket 100:20 --fail 0.01\n\
        GET /stats counts requests by action; POST /mutate?percent=1 changes a tag of that share of the items."
)]
struct Args {
    /// Port on the loopback interface; 0 is any free one, named on standard output
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// EC2 instances
    #[arg(long, default_value_t = 5000)]
    instances: usize,
    /// EBS volumes [default: one per instance]
    #[arg(long)]
    volumes: Option<usize>,
    /// Security groups [default: one per 50 instances, at least 5]
    #[arg(long)]
    security_groups: Option<usize>,
    /// RDS instances [default: one per 20 EC2 instances, at least 5]
    #[arg(long)]
    db_instances: Option<usize>,
    /// RDS clusters
    #[arg(long, default_value_t = 1)]
    db_clusters: usize,
    /// Milliseconds before every answer
    #[arg(long, default_value_t = 0)]
    latency: u64,
    /// Token bucket of every action, CAPACITY:REFILL_PER_SECOND [default: no throttling]
    #[arg(long)]
    bucket: Option<Bucket>,
    /// Share of requests that fail with status 500, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    fail: f64,
    /// Which requests fail
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit("ec2-stand-in", serve(Args::parse()).await.map(|()| Finished::Clean))
}

async fn serve(args: Args) -> anyhow::Result<()> {
    let usual = Counts::around(args.instances);
    let counts = Counts {
        instances: args.instances,
        volumes: args.volumes.unwrap_or(usual.volumes),
        security_groups: args.security_groups.unwrap_or(usual.security_groups),
        db_instances: args.db_instances.unwrap_or(usual.db_instances),
        db_clusters: args.db_clusters,
    };
    let limits = Limits::new(args.bucket, args.fail, args.seed);
    let options = Options { counts, latency: Duration::from_millis(args.latency), limits };
    let stand_in = StandIn::listen(args.port, options).await?;
    writeln!(std::io::stdout(), "listening on {}", stand_in.address()?)?;
    Ok(stand_in.serve().await?)
}
