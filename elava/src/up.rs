//! `elava up`: starts NATS and every stage as processes of their own, and watches over them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use clap::Args;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use elava_bus::CancellationToken;
use elava_schemas::config::{self, EnforcementMode};

/// The flags of `elava up`.
#[derive(Args, Clone, Debug)]
pub struct UpArgs {
    /// Configuration file of all stages [default: ./elava.yaml if there, else built-in settings]
    #[arg(long, short = 'c', env = "ELAVA_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder for history, streams and logs
    #[arg(long, env = "ELAVA_DATA", value_name = "DIR", default_value = ".elava")]
    data: PathBuf,
    /// Use this NATS server instead of starting one
    #[arg(long, env = "ELAVA_NATS_URL", value_name = "URL")]
    nats: Option<String>,
    /// Folder with the keys of that server's users, as `elava nats access` makes it: each stage comes with its own
    #[arg(long, value_name = "DIR", requires = "nats")]
    nats_access: Option<PathBuf>,
    /// Port of the NATS server that is started, on loopback
    #[arg(long, value_name = "PORT", default_value_t = 4222)]
    port: u16,
    /// Policies [default: the configuration's]
    #[arg(long, env = "ELAVA_POLICIES", value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Regions to watch [default: the configuration's, else the AWS profile's]
    #[arg(long, env = "ELAVA_REGIONS", value_name = "LIST")]
    regions: Option<String>,
    /// AWS endpoint to use instead of the real one
    #[arg(long, env = "ELAVA_ENDPOINT_URL", value_name = "URL")]
    endpoint_url: Option<String>,
}

/// Why the pipeline could not be started, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The data folder.
    #[error("cannot use folder {0}")]
    Folder(PathBuf, #[source] std::io::Error),
    /// A binary is missing.
    #[error("cannot start {0}; run `make build`")]
    Start(String, #[source] std::io::Error),
    /// No access to AWS.
    #[error(
        "no access to AWS. Set credentials as for the AWS CLI (AWS_PROFILE, AWS_ACCESS_KEY_ID, `aws sso login`), or see `make demo`, which needs none\n{0}"
    )]
    NoAccess(String),
    /// NATS did not start, or ended.
    #[error("nats-server has ended; is port {port} in use? see {log}")]
    Nats {
        /// Its port.
        port: u16,
        /// Its log.
        log: PathBuf,
    },
    /// A stage cannot run at all.
    #[error("{stage} ended with {status}; see {log}")]
    Stage {
        /// Which stage.
        stage: &'static str,
        /// How it ended.
        status: std::process::ExitStatus,
        /// Its log.
        log: PathBuf,
    },
}

/// How long children get to finish what they have begun.
const DRAIN: Duration = Duration::from_secs(30);
/// The stages, in the order in which they are started.
const STAGES: [&str; 5] = ["detector", "enforcer", "decider", "notifier", "observer"];
/// Started beside them where something may be written, or is to be said that would be.
const EXECUTOR: &str = "executor";

/// Starts everything and watches over it until `cancel`.
///
/// # Errors
/// [`UpError`]; everything started is stopped first.
pub async fn up(args: &UpArgs, cancel: CancellationToken) -> Result<(), UpError> {
    let logs = args.data.join("logs");
    std::fs::create_dir_all(&logs).map_err(|error| UpError::Folder(logs.clone(), error))?;
    check_access(args).await?;
    let mut url = args.nats.clone();
    let mut server = None;
    if url.is_none() {
        server = Some(start_nats(args, &logs).await?);
        url = Some(format!("nats://127.0.0.1:{}", args.port));
    }
    let url = url.unwrap_or_default();
    eprintln!("elava: watching; history, streams and logs are in {}; Ctrl-C stops", args.data.display());
    let mut stages = JoinSet::new();
    for stage in STAGES.into_iter().chain(has_executor(args).then_some(EXECUTOR)) {
        stages.spawn(keep_running(stage, args.clone(), url.clone(), logs.clone(), cancel.clone()));
    }
    let mut result = Ok(());
    loop {
        let ended = tokio::select! {
            ended = stages.join_next() => ended,
            () = ended_by_itself(&mut server), if result.is_ok() => {
                cancel.cancel();
                result = Err(UpError::Nats { port: args.port, log: logs.join("nats.log") });
                continue;
            }
        };
        let Some(ended) = ended else { break };
        if let Ok(Err(error)) = ended
            && result.is_ok()
        {
            cancel.cancel();
            result = Err(error);
        }
    }
    if let Some(mut server) = server {
        stop(&mut server).await;
    }
    result
}

/// Resolves when the server that was started here has ended.
async fn ended_by_itself(server: &mut Option<Child>) {
    match server {
        Some(server) => drop(server.wait().await),
        None => std::future::pending().await,
    }
}

/// Asks AWS who we are, so that missing credentials are said at once and in one place.
async fn check_access(args: &UpArgs) -> Result<(), UpError> {
    let mut command = stage_command("observer", args);
    let output =
        command.arg("--whoami").output().await.map_err(|error| UpError::Start("elava-observer".into(), error))?;
    if output.status.success() {
        eprintln!("elava: {}", String::from_utf8_lossy(&output.stderr).trim());
        return Ok(());
    }
    Err(UpError::NoAccess(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

async fn start_nats(args: &UpArgs, logs: &Path) -> Result<Child, UpError> {
    let folder = |error| UpError::Folder(args.data.clone(), error);
    let config = args.data.join("nats.conf");
    let store = std::path::absolute(args.data.join("jetstream")).map_err(folder)?;
    let log = logs.join("nats.log");
    // `sync_interval: always`: what is acknowledged survives a power cut. Pages make it affordable.
    let text = format!(
        "listen: \"127.0.0.1:{}\"\njetstream {{\n  store_dir: \"{}\"\n  sync_interval: always\n}}\n",
        args.port,
        store.display()
    );
    std::fs::write(&config, text).map_err(folder)?;
    let mut command = Command::new(nats_server());
    command.arg("--config").arg(&config).stdout(Stdio::null()).stderr(file(&log)?);
    let mut server = spawn("nats-server", &mut command)?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    match server.try_wait() {
        Ok(None) => Ok(server),
        _ => Err(UpError::Nats { port: args.port, log }),
    }
}

/// The server that `make setup` put beside the checkout, else the one on PATH.
fn nats_server() -> PathBuf {
    let local = PathBuf::from(".local/venv/bin/nats-server");
    if local.exists() { local } else { "nats-server".into() }
}

/// Runs one stage, and runs it again when it crashed: every stage goes on where it was.
async fn keep_running(
    stage: &'static str,
    args: UpArgs,
    url: String,
    logs: PathBuf,
    cancel: CancellationToken,
) -> Result<(), UpError> {
    let log = logs.join(format!("{stage}.log"));
    let mut pause = Duration::from_secs(1);
    loop {
        let mut command = stage_command(stage, &args);
        command.args(["--nats", &url, "--health-addr", "off"]).stderr(file(&log)?);
        if let Some(folder) = &args.nats_access {
            command.arg("--nats-nkey").arg(folder.join(format!("{stage}.nk")));
        }
        if stage != "notifier" {
            command.stdout(Stdio::null());
        }
        let mut child = spawn(stage, &mut command)?;
        let status = tokio::select! {
            () = cancel.cancelled() => {
                stop(&mut child).await;
                return Ok(());
            }
            status = child.wait() => status.map_err(|error| UpError::Start(stage.to_owned(), error))?,
        };
        // The observer ends well by itself where scanning is switched off.
        if cancel.is_cancelled() || (stage == "observer" && status.success()) {
            return Ok(());
        }
        if status.code() == Some(2) {
            return Err(UpError::Stage { stage, status, log });
        }
        eprintln!(
            "elava: {stage} ended with {status}; starting it again in {} s (see {})",
            pause.as_secs(),
            log.display()
        );
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(Duration::from_secs(30));
    }
}

/// The command line of one stage, without its transport.
fn stage_command(stage: &str, args: &UpArgs) -> Command {
    let name = format!("elava-{stage}");
    let beside = std::env::current_exe().ok().map(|path| path.with_file_name(&name)).filter(|path| path.exists());
    let mut command = Command::new(beside.unwrap_or_else(|| name.into()));
    if let Some(config) = config_file(args) {
        command.arg("--config").arg(config);
    }
    match stage {
        "detector" => {
            command.arg("--db").arg(args.data.join("history.duckdb"));
        }
        "enforcer" => {
            command
                .args(args.policies.iter().flat_map(|folder| ["--policies".into(), folder.clone().into_os_string()]));
        }
        "observer" => {
            command.args(args.regions.iter().flat_map(|regions| ["--regions", regions]));
            command.args(args.endpoint_url.iter().flat_map(|url| ["--endpoint-url", url]));
        }
        EXECUTOR => {
            command.args(args.endpoint_url.iter().flat_map(|url| ["--endpoint-url", url]));
        }
        _ => {}
    }
    command.stdin(Stdio::null());
    command
}

/// The configuration file that the stages read.
fn config_file(args: &UpArgs) -> Option<PathBuf> {
    let default = PathBuf::from("elava.yaml");
    args.config.clone().or_else(|| default.exists().then_some(default))
}

/// Whether the configuration lets anything be done. A wrong one is the observer's to tell.
fn has_executor(args: &UpArgs) -> bool {
    let config = config_file(args).and_then(|file| config::load(&file).ok()).unwrap_or_default();
    config.policies.enforcement_mode != EnforcementMode::Notify
}

/// In a process group of its own: on Ctrl-C, stages are stopped first and NATS last, by us.
fn spawn(name: &str, command: &mut Command) -> Result<Child, UpError> {
    command.process_group(0).kill_on_drop(true).spawn().map_err(|error| UpError::Start(name.to_owned(), error))
}

fn file(log: &Path) -> Result<std::fs::File, UpError> {
    let open = std::fs::OpenOptions::new().create(true).append(true).open(log);
    open.map_err(|error| UpError::Folder(log.to_owned(), error))
}

/// SIGTERM, a while to finish, then SIGKILL.
async fn stop(child: &mut Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid
        && rustix::process::kill_process(pid, rustix::process::Signal::TERM).is_ok()
        && tokio::time::timeout(DRAIN, child.wait()).await.is_ok()
    {
        return;
    }
    if let Err(error) = child.kill().await {
        eprintln!("elava: cannot stop a process: {error}");
    }
}
