//! Loads files into the Rego engine, in either dialect, and makes its errors readable.

use std::num::NonZeroU32;
use std::time::Duration;

use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};

use crate::files::{PolicyFile, Role};

/// How long one set of one policy may run. A rule takes microseconds; this ends one that never would.
const EVALUATION_LIMIT: Duration = Duration::from_secs(5);
/// The clock is looked at every so many steps of the engine.
const CLOCK_EVERY: NonZeroU32 = NonZeroU32::new(10_000).expect("not zero");

/// Which Rego a bundle is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Rego v1, but v0 for a file that says `# rego: v0` at its top, or that only v0 can parse.
    #[default]
    PerFile,
    /// Rego v0 for every file.
    V0,
}

/// What the Rego engine has against a policy: `file:line:column: message`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RegoError(String);

impl RegoError {
    pub(crate) fn in_file(file: &str, line: usize, message: impl std::fmt::Display) -> Self {
        Self(format!("{file}:{line}: {message}"))
    }
}

impl From<anyhow::Error> for RegoError {
    /// The engine draws the place over five lines; one line is enough for a log or a message.
    fn from(error: anyhow::Error) -> Self {
        let text = format!("{error:#}");
        let place = text.lines().find_map(|line| line.strip_prefix("--> "));
        let message = text.lines().find_map(|line| line.strip_prefix("error: "));
        match (place, message) {
            (Some(place), Some(message)) => Self(format!("{place}: {message}")),
            _ => Self(text.split_whitespace().collect::<Vec<_>>().join(" ")),
        }
    }
}

/// An engine in which a builtin that fails is an error and not just undefined: a rule that cannot
/// be evaluated must not look like a rule that is not violated.
pub(crate) fn new_engine() -> Engine {
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    engine.set_execution_timer_config(ExecutionTimerConfig { limit: EVALUATION_LIMIT, check_interval: CLOCK_EVERY });
    engine
}

/// How a file was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As it, or the command line, says.
    AsTold,
    /// As Rego v0, because as v1 it does not parse.
    GuessedV0,
}

/// Adds a file: a policy, a test, or data below the path of its folder.
pub(crate) fn add_file(engine: &mut Engine, file: &PolicyFile, dialect: Dialect) -> Result<Reading, RegoError> {
    match file.role {
        Role::Policy | Role::Test => add_policy(engine, file, dialect),
        Role::JsonData => add_data(engine, file, Value::from_json_str(&file.text)),
        Role::YamlData => add_data(engine, file, Value::from_yaml_str(&file.text)),
    }
}

fn add_policy(engine: &mut Engine, file: &PolicyFile, dialect: Dialect) -> Result<Reading, RegoError> {
    let mut add = |v0| {
        engine.set_rego_v0(v0);
        let added = engine.add_policy(file.path.clone(), file.text.clone());
        engine.set_rego_v0(false);
        added
    };
    if dialect == Dialect::V0 || says_v0(&file.text) {
        add(true)?;
        return Ok(Reading::AsTold);
    }
    let Err(error) = add(false) else { return Ok(Reading::AsTold) };
    // A file that neither can parse is most likely meant as v1: that error is the useful one.
    add(true).map_err(|_| error)?;
    Ok(Reading::GuessedV0)
}

fn says_v0(text: &str) -> bool {
    text.lines()
        .map(str::trim)
        .take_while(|line| line.is_empty() || line.starts_with('#'))
        .any(|line| line.trim_start_matches('#').trim() == "rego: v0")
}

fn add_data(engine: &mut Engine, file: &PolicyFile, data: anyhow::Result<Value>) -> Result<Reading, RegoError> {
    let wrong = |error| RegoError(format!("{}: {}", file.path, RegoError::from(error)));
    let folders = file.path.split('/').rev().skip(1);
    let data = folders.fold(data.map_err(wrong)?, |below, folder| {
        Value::from(std::collections::BTreeMap::from([(Value::from(folder), below)]))
    });
    engine.add_data(data).map_err(wrong)?;
    Ok(Reading::AsTold)
}
