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
    serde_saphyr::from_str(&expanded).map_err(|error| wrong(file, &expanded, &error))
}

fn wrong(file: &str, text: &str, error: &serde_saphyr::Error) -> ConfigError {
    let line = error.location().map_or(1, |location| location.line());
    let options = serde_saphyr::render_options! { snippets: serde_saphyr::SnippetMode::Off };
    let mut message = error.render_with_options(options);
    if let Some(location) = error.location() {
        // it stands before the message already
        let suffix = format!(" at line {}, column {}", location.line(), location.column());
        message.truncate(message.trim_end_matches(&suffix).len());
    }
    let field = field_at(text, line);
    let message = if field.is_empty() { message } else { format!("{field}: {message}") };
    ConfigError::Wrong { file: file.to_owned(), line, message }
}

/// The dotted path of the field in a line (from 1) of block-style YAML, by indentation:
/// serde tells where a value is wrong, not what its field is called.
fn field_at(text: &str, line: u64) -> String {
    let line = usize::try_from(line).unwrap_or(usize::MAX);
    let mut path: Vec<&str> = Vec::new();
    let mut within = usize::MAX;
    for line in text.lines().take(line).collect::<Vec<_>>().into_iter().rev() {
        let entry = line.trim_start_matches([' ', '-']);
        let indent = line.len() - entry.len();
        let Some((key, _)) = entry.split_once(':') else { continue };
        if indent < within && !key.starts_with('#') {
            path.push(key.trim_matches(['"', '\'', ' ']));
            within = indent;
        }
    }
    path.reverse();
    path.join(".")
}
