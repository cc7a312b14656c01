//! Reads the configuration; an error names file, line, field and what is allowed.

use std::path::Path;

use super::Config;
use super::expand::expand;

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read configuration {file}")]
    Read {
        /// Which file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// An environment variable is missing.
    #[error("{file}:{line}: {message}")]
    Expand {
        /// Which file.
        file: String,
        /// Which line, from 1.
        line: usize,
        /// What is missing.
        message: String,
    },
    /// A wrong field, type or value.
    #[error("{file}:{line}: {message}")]
    Wrong {
        /// Which file.
        file: String,
        /// Which line, from 1.
        line: u64,
        /// Field, and what is allowed.
        message: String,
    },
}

/// Reads a file, with the process's environment.
///
/// # Errors
/// [`ConfigError`], naming file and line.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { file: file.clone(), source })?;
    parse(&file, &text, &|name| std::env::var(name).ok())
}

/// Reads a text. `file` is only for the error, `variable` gives the environment.
///
/// # Errors
/// [`ConfigError`], naming file and line.
pub fn parse(file: &str, text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
    let expanded = expand(text, variable).map_err(|error| ConfigError::Expand {
        file: file.to_owned(),
        line: error.line,
        message: error.message,
    })?;
    serde_saphyr::from_str(&expanded).map_err(|error| ConfigError::Wrong {
        file: file.to_owned(),
        line: error.location().map_or(1, |location| location.line()),
        message: error.without_snippet().to_string(),
    })
}
