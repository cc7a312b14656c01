//! Where the binaries are.

use std::path::{Path, PathBuf};

/// The root of the checkout.
#[must_use]
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the crate is in the checkout")
}

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
#[must_use]
pub fn tool(variable: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let local = [".local/bin", ".local/venv/bin"].map(|folder| checkout().join(folder).join(name));
    local.into_iter().find(|path| path.exists()).unwrap_or_else(|| name.into())
}
