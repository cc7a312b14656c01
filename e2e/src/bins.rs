//! Where the binaries are.

use std::path::PathBuf;

/// A binary of ours, in the target folder that the running test is in.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.ancestors().nth(2).expect("tests are in target/<profile>/deps");
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing: `make build` first", path.display());
    path
}

/// A tool that `make setup` put into the checkout, else the one on PATH.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn tool(variable: &str, name: &str) -> PathBuf {
    elava_harness::tool(variable, name).expect(name)
}

/// A port nobody listens on.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    elava_harness::free_port().expect("a free port")
}
