//! Where programs are.

use std::path::{Path, PathBuf};

use crate::Error;

/// The root of the checkout.
///
/// # Panics
/// Never: the crate is in a folder of it.
#[must_use]
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the checkout").to_owned()
}

/// The nats-server: that of `ELAVA_NATS_SERVER`, else that of `make setup`, else the one on PATH.
///
/// # Errors
/// When there is none.
pub fn nats_server() -> Result<PathBuf, Error> {
    tool("ELAVA_NATS_SERVER", "nats-server")
}

/// A program: the one that the environment names, else that of `make setup`, else the one on PATH.
///
/// # Errors
/// When there is none.
pub fn tool(variable: &str, name: &str) -> Result<PathBuf, Error> {
    find(std::env::var_os(variable).map(PathBuf::from).as_deref(), name)
}

/// The same, with the one that is named. As an absolute path, since it may be started in another folder;
/// a bare name is looked up on PATH.
///
/// # Errors
/// When there is none.
pub fn find(given: Option<&Path>, name: &str) -> Result<PathBuf, Error> {
    let found = match given {
        Some(given) if given.components().count() > 1 || given.exists() => std::path::absolute(given).ok(),
        Some(bare) => on_path(bare),
        None => of_setup(name).or_else(|| on_path(Path::new(name))),
    };
    let missing = || Error::Missing(given.map_or_else(|| name.to_owned(), |given| given.display().to_string()));
    found.filter(|path| path.exists()).ok_or_else(missing)
}

fn of_setup(name: &str) -> Option<PathBuf> {
    let places = [".local/bin", ".local/venv/bin"].map(|folder| checkout().join(folder).join(name));
    places.into_iter().find(|path| path.exists())
}

fn on_path(name: &Path) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|file| file.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_made_absolute_or_looked_up() {
        // Tests run in the folder of their crate.
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let shell = on_path(Path::new("sh"));
        assert!(shell.as_ref().is_some_and(|path| path.is_absolute()));
        for (given, expected) in [
            (Some("src/lib.rs"), Some(manifest.join("src/lib.rs"))),
            (Some("Cargo.toml"), Some(manifest.join("Cargo.toml"))),
            (Some("src/nothing"), None),
            (Some("sh"), shell.clone()),
            (Some("no-such-program"), None),
            (None, shell),
        ] {
            assert_eq!(find(given.map(Path::new), "sh").ok(), expected, "{given:?}");
        }
    }
}
