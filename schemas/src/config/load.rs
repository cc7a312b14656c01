//! Reads the configuration; an error names file, line, field and what is allowed.

use std::path::Path;

use serde_saphyr::{DefaultMessageFormatter, Error, MessageFormatter};

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
    parse(&file, &text, &|name| variable(name, &|name| std::env::var(name).ok()))
}

/// Reads a text. `file` is only for the error, `variable` gives the environment, or says why it cannot.
///
/// # Errors
/// [`ConfigError`], naming file and line.
pub fn parse(
    file: &str,
    text: &str,
    variable: &dyn Fn(&str) -> Result<Option<String>, String>,
) -> Result<Config, ConfigError> {
    let expanded = expand(text, variable).map_err(|error| ConfigError::Expand {
        file: file.to_owned(),
        line: error.line,
        message: error.message,
    })?;
    read_yaml(file, &expanded)
}

/// Reads YAML; an error names file, line and field.
pub(crate) fn read_yaml<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, ConfigError> {
    serde_saphyr::from_str(text).map_err(|error| wrong(file, text, &error))
}

/// A variable; where it is not set, the content of the file that `NAME_FILE` names, as container secrets are files.
fn variable(name: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>, String> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    if let Some(value) = set(name) {
        return Ok(Some(value));
    }
    let Some(file) = set(&format!("{name}_FILE")) else { return Ok(None) };
    let read =
        std::fs::read_to_string(&file).map_err(|error| format!("cannot read {file} (`{name}_FILE`): {error}"))?;
    Ok(Some(read.trim().to_owned()).filter(|value| !value.is_empty()))
}

fn wrong(file: &str, text: &str, error: &serde_saphyr::Error) -> ConfigError {
    let error = error.without_snippet();
    let line = error.location().map_or(1, |location| location.line());
    let mut field = field_at(text, line);
    if let Error::SerdeMissingField { field: missing, .. } = error {
        // the place is the first field that is not missing
        field.pop();
        field.push(missing);
    }
    let reason = DefaultMessageFormatter.format_message(error);
    let message = match error {
        // not YAML at all: there is no field yet
        Error::ExternalMessage { .. } | Error::Eof { .. } => reason.into_owned(),
        error => format!("{}: {}", field.join("."), allowed(error).unwrap_or(&reason)),
    };
    ConfigError::Wrong { file: file.to_owned(), line, message }
}

/// What is allowed, where the parser's own words do not say it to a person.
fn allowed(error: &Error) -> Option<&'static str> {
    match error {
        Error::SerdeMissingField { .. } => Some("is missing"),
        Error::DuplicateMappingKey { .. } => Some("is there twice"),
        Error::InvalidBooleanStrict { .. } | Error::InvalidScalar { ty: "boolean", .. } => {
            Some("not a boolean; allowed: true, false")
        }
        Error::InvalidScalar { ty: "floating point", .. } => Some("not a number"),
        Error::Unexpected { expected: "mapping start", .. } => Some("not a map; write its fields below it, indented"),
        Error::Unexpected { expected: "sequence start", .. } => {
            Some("not a list; write [a, b], or `- a` on lines below")
        }
        _ => None,
    }
}

/// The path of the field in a line (from 1) of block-style YAML, by indentation:
/// serde tells where a value is wrong, not what its field is called.
fn field_at(text: &str, line: u64) -> Vec<&str> {
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
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_variables_or_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("a file");
            path.display().to_string()
        };
        let (secret, empty) = (file("secret", "from the file\n"), file("empty", ""));
        let lost = folder.path().join("lost").display().to_string();
        let environment = |name: &str| match name {
            "GIVEN" => Some("given".to_owned()),
            "GIVEN_FILE" | "SECRET_FILE" => Some(secret.clone()),
            "EMPTY_FILE" => Some(empty.clone()),
            "LOST_FILE" => Some(lost.clone()),
            "SECRET" => Some(String::new()),
            _ => None,
        };
        for (name, expected) in
            [("GIVEN", Some("given")), ("SECRET", Some("from the file")), ("EMPTY", None), ("NONE", None)]
        {
            assert_eq!(variable(name, &environment), Ok(expected.map(str::to_owned)), "{name}");
        }
        assert!(variable("LOST", &environment).expect_err("it cannot be read").contains("LOST_FILE"));
    }
}
