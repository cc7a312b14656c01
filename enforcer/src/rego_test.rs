//! Runs the tests that people write in Rego, as `opa test` does.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

use regorus::{Engine, Value};

use crate::engine::{add_file, new_engine};
use crate::files::Role;
use crate::{BundleError, Dialect, PolicyFiles, RegoError};

/// How tests went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestCount {
    /// True.
    pub passed: usize,
    /// False, undefined, or not to be evaluated.
    pub failed: usize,
    /// Named `todo_test_…`.
    pub skipped: usize,
}

/// Runs every `test_…` rule of every `*_test.rego` file under the paths, each path with the
/// policies and data beside it, and writes one line per test and a last one with the count.
pub fn run_tests(paths: &[PathBuf], dialect: Dialect, out: &mut impl Write) -> Result<TestCount, TestError> {
    let mut count = TestCount::default();
    for path in paths {
        let read = |source| BundleError::Read { path: path.clone(), source };
        let files = PolicyFiles::read(path).map_err(read)?;
        let mut engine = new_engine();
        for file in files.iter() {
            add_file(&mut engine, file, dialect).map_err(BundleError::from)?;
        }
        for file in files.iter().filter(|file| file.role == Role::Test) {
            run_file(&mut engine, &file.path, &file.text, &mut count, out)?;
        }
    }
    writeln!(out, "{} passed, {} failed, {} skipped", count.passed, count.failed, count.skipped)?;
    Ok(count)
}

/// Why tests could not be run.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// The files cannot be loaded.
    #[error("cannot load the tests")]
    Load(#[from] BundleError),
    /// The outcome cannot be written.
    #[error("cannot write the outcome")]
    Write(#[from] io::Error),
}

fn run_file(
    engine: &mut Engine,
    path: &str,
    text: &str,
    count: &mut TestCount,
    out: &mut impl Write,
) -> Result<(), TestError> {
    let package = package_path(engine, path)?;
    for name in test_names(text) {
        if name.starts_with("todo_") {
            count.skipped += 1;
            writeln!(out, "SKIP {package}.{name} ({path})")?;
            continue;
        }
        match engine.eval_rule(format!("{package}.{name}")) {
            Ok(Value::Bool(true)) => {
                count.passed += 1;
                writeln!(out, "PASS {package}.{name}")?;
            }
            Ok(value) => {
                count.failed += 1;
                let value = if value == Value::Undefined { "undefined".to_owned() } else { value.to_string() };
                writeln!(out, "FAIL {package}.{name} ({path}): {value}")?;
            }
            Err(error) => {
                count.failed += 1;
                writeln!(out, "FAIL {package}.{name} ({path}): {}", RegoError::from(error))?;
            }
        }
    }
    Ok(())
}

fn package_path(engine: &Engine, path: &str) -> Result<String, BundleError> {
    let packages = engine.get_policy_package_components().map_err(RegoError::from)?;
    let package = packages.into_iter().find(|package| package.source_file == path);
    Ok(package.map_or_else(String::new, |package| format!("data.{}", package.components.join("."))))
}

/// Names of rules begin a line; the engine offers no list of them.
fn test_names(text: &str) -> BTreeSet<&str> {
    text.lines()
        .filter_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_').next())
        .filter(|name| name.starts_with("test_") || name.starts_with("todo_test_"))
        .collect()
}
