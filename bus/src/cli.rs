//! The command line that all stages share, their logs and their exit codes.

use std::error::Error;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use elava_schemas::config::Config;
use tracing_subscriber::EnvFilter;

use crate::{NatsAccess, NatsOptions};

/// Exit codes, for `--help`.
pub const EXIT_CODES: &str = "\
Standard output is data (NDJSON), standard error is logs. Traces go where OTEL_EXPORTER_OTLP_ENDPOINT says, if set.
Exit codes: 0 done, 1 failed or some records were rejected, 2 wrong usage or configuration.";

/// The flags that every stage has.
#[derive(Args, Clone, Debug)]
pub struct StageArgs<P: Args = PipeArgs> {
    /// NATS server, such as nats://127.0.0.1:4222. Without it the stage is a filter: NDJSON in, NDJSON out
    #[arg(long, env = "ELAVA_NATS_URL", value_name = "URL")]
    pub nats: Option<String>,

    /// As whom.
    #[command(flatten)]
    pub nats_access: NatsAccess,

    /// Configuration file [default: built-in settings]
    #[arg(long, short = 'c', env = "ELAVA_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Check flags and configuration, contact nothing, and exit
    #[arg(long)]
    pub check: bool,

    /// How long what an instance holds stays its own without a sign of life, in whole seconds [default: 3s; a scope that is being scanned 30s]
    #[arg(long, env = "ELAVA_LEASE_TTL", value_name = "DURATION", value_parser = crate::lease::ttl::parse)]
    pub lease_ttl: Option<Duration>,

    /// Where /healthz, /readyz and /metrics are served, or `off` [default: a loopback port of the stage's own; off in a pipe]
    #[arg(long, env = "ELAVA_HEALTH_ADDR", value_name = "ADDR")]
    pub health_addr: Option<String>,

    /// How logs are written [default: text on a terminal, json otherwise]
    #[arg(long, env = "ELAVA_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    /// What is used in a pipe only.
    #[command(flatten)]
    pub pipe: P,
}

/// The flags of a stage that reads a pipe.
#[derive(Args, Clone, Debug)]
pub struct PipeArgs {
    /// In a pipe: file to which what cannot be handled is appended [default: only logged]
    #[arg(long, env = "ELAVA_DEAD_LETTERS", value_name = "FILE")]
    pub dead_letters: Option<PathBuf>,

    /// In a pipe: file in which the stage keeps what it must remember between runs, such as open findings
    #[arg(long, env = "ELAVA_STATE", value_name = "FILE")]
    pub state: Option<PathBuf>,
}

/// For a program that only writes: it has nothing to reject and nothing to remember.
#[derive(Args, Clone, Copy, Debug)]
pub struct NoPipeArgs {}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

impl<P: Args> StageArgs<P> {
    /// How to reach NATS; `None` in a pipe.
    #[must_use]
    pub fn nats_options(&self) -> Option<NatsOptions> {
        self.nats.clone().map(|url| NatsOptions { url, access: self.nats_access.clone() })
    }

    /// Starts logging and reads the configuration. Ends the process with exit code 2 when that is wrong.
    #[must_use]
    pub fn start(&self, binary: &str) -> Config {
        start_logging(self.log_format);
        match self.config.as_deref().map(elava_schemas::config::load) {
            None => Config::default(),
            Some(Ok(config)) => config,
            Some(Err(error)) => usage_error(binary, &error),
        }
    }
}

/// Starts logging to standard error. `RUST_LOG` chooses levels; the default is `info` for ours.
pub fn start_logging(format: Option<LogFormat>) {
    start_logging_from(
        "warn,aws_config=error,elava_bus=info,elava_observer=info,elava_detector=info,elava_enforcer=info,elava_decider=info,elava_notifier=info,elava_executor=info",
        format,
    );
}

/// The same for a command that a person waits for: by default only warnings, to whom all else would be in the way.
pub fn start_logging_of_command() {
    start_logging_from("warn,aws_config=error", None);
}

fn start_logging_from(levels: &str, format: Option<LogFormat>) {
    let terminal = std::io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(levels));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let builder = builder.with_ansi(shows_colors(&std::io::stderr()));
    // A second start, as in tests, keeps the first subscriber.
    let started = match format {
        LogFormat::Text => builder.compact().with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    drop(started);
}

/// Whether what is written there may have colours: on a terminal, unless `NO_COLOR` (no-color.org) is set.
pub fn shows_colors(output: &impl IsTerminal) -> bool {
    output.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// How a run ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Everything was handled.
    Clean,
    /// Everything was read, but some records were rejected.
    SomeRejected,
}

/// The process's exit code; prints an error with all its causes.
pub fn exit<E: Into<Box<dyn Error + Send + Sync>>>(binary: &str, result: Result<Finished, E>) -> ExitCode {
    match result {
        Ok(Finished::Clean) => ExitCode::SUCCESS,
        Ok(Finished::SomeRejected) => ExitCode::from(1),
        Err(error) => {
            let error = error.into();
            print_error(binary, error.as_ref());
            ExitCode::from(1)
        }
    }
}

/// Ends the process because of wrong usage or configuration.
pub fn usage_error(binary: &str, error: &dyn Error) -> ! {
    print_error(binary, error);
    std::process::exit(2)
}

fn print_error(binary: &str, error: &dyn Error) {
    eprintln!("{binary}: {}", chain(error));
}

/// An error and its causes in one line, each once.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            write!(text, ": {cause_text}").expect("writing to a String does not fail");
        }
        source = cause.source();
    }
    text
}
