//! The users' keys, each in a file of its own, and the part of the server's configuration that knows
//! their public halves.

use std::fmt::Write as _;
use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nkeys::KeyPair;

use super::{Grant, User};
use crate::nats::options::user_key;

/// What the server includes.
pub const CONFIG: &str = "access.conf";

/// Where it is when all is apart.
const SERVER: &str = "server";

/// Where in the folder the files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// In the folder itself: `<user>.nk` and `access.conf`.
    Together,
    /// Each in a folder of its own, so that nobody needs to be given more than one: `<user>/<user>.nk` and
    /// `server/access.conf`.
    Apart,
}

/// A user's key, as it lies in the folder.
#[derive(Clone, Debug)]
pub struct Key {
    /// Whose.
    pub user: User,
    /// The file with its seed.
    pub file: PathBuf,
    /// What the server knows.
    pub public: String,
    /// Whether it was made now.
    pub is_new: bool,
}

/// Why there is no key, or no configuration.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A file or the folder.
    #[error("cannot write {file}")]
    Write {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What is there is no seed.
    #[error("cannot read a user's seed from {file}; remove it to have a new one made")]
    Seed {
        /// Where.
        file: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Makes the keys that `folder` lacks, keeps the others, and writes the server's configuration anew.
///
/// # Errors
/// [`AccessError`]. What was written before it is whole.
pub fn write(folder: &Path, layout: Layout) -> Result<Vec<Key>, AccessError> {
    let keys = User::ALL.map(|user| key(&layout.folder(folder, user.name())?, user));
    let keys = keys.into_iter().collect::<Result<Vec<_>, _>>()?;
    let file = layout.folder(folder, SERVER)?.join(CONFIG);
    let place = |part: &Path| std::fs::rename(part, &file);
    put(&file, 0o644, &config(&keys), place).map_err(|source| AccessError::Write { file: file.clone(), source })?;
    Ok(keys)
}

impl Layout {
    /// Makes the folder for what `part` is to have, where it is missing.
    fn folder(self, folder: &Path, part: &str) -> Result<PathBuf, AccessError> {
        let folder = match self {
            Self::Together => folder.to_owned(),
            Self::Apart => folder.join(part),
        };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|source| AccessError::Write { file: folder.clone(), source })?;
        Ok(folder)
    }
}

fn key(folder: &Path, user: User) -> Result<Key, AccessError> {
    let file = folder.join(format!("{}.nk", user.name()));
    let seed = KeyPair::new_user().seed().expect("a new pair has its seed");
    // one that is there stays, also one that somebody else puts there now
    let place = |part: &Path| std::fs::hard_link(part, &file);
    let is_new = match put(&file, 0o600, &format!("{seed}\n"), place) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
        Err(source) => return Err(AccessError::Write { file, source }),
    };
    let text = std::fs::read_to_string(&file).map_err(|error| AccessError::seed(&file, error))?;
    let public = user_key(&text).map_err(|error| AccessError::seed(&file, error))?.public_key();
    Ok(Key { user, file, public, is_new })
}

/// Writes a file beside `file`, whole, which `place` then puts there.
fn put(file: &Path, mode: u32, text: &str, place: impl FnOnce(&Path) -> std::io::Result<()>) -> std::io::Result<()> {
    let part = file.with_extension(format!("{}.part", std::process::id()));
    let write = || {
        let mut open: File = File::options().write(true).create(true).truncate(true).mode(mode).open(&part)?;
        open.write_all(text.as_bytes())?;
        open.sync_all()?;
        place(&part)
    };
    let placed = write();
    // already gone where it was renamed
    drop(std::fs::remove_file(&part));
    placed
}

/// What stands in the server's configuration, in an `authorization` or an account.
fn config(keys: &[Key]) -> String {
    let mut text = String::from(
        "# Who may connect to Elava's bus, and what each may do there: docs/access.md.\n\
         # Written by `elava nats access`; what is changed here is lost when it runs again.\n\
         users: [\n",
    );
    for key in keys {
        let permissions = key.user.permissions();
        write!(text, "  {{ # {}\n    nkey: {}\n    permissions: {{\n", key.user.name(), key.public)
            .expect("writing to a String does not fail");
        grants(&mut text, "publish", &permissions.publish);
        grants(&mut text, "subscribe", &permissions.subscribe);
        text.push_str("    }\n  }\n");
    }
    text.push_str("]\n");
    text
}

fn grants(text: &mut String, verb: &str, grants: &[Grant]) {
    let mut line = |line: String| writeln!(text, "{line}").expect("writing to a String does not fail");
    line(format!("      {verb}: {{ allow: ["));
    for grant in grants {
        line(format!("        # {}", grant.purpose));
        grant.subjects.iter().for_each(|subject| line(format!("        \"{subject}\"")));
    }
    line("      ] }".to_owned());
}

impl AccessError {
    fn seed(file: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Seed { file: file.to_owned(), source: source.into() }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_kept_and_are_nobody_elses() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("access");
        let write = |folder: &Path| write(folder, Layout::Together);
        let first = write(&folder).expect("written");
        std::fs::write(folder.join(CONFIG), "of an older version").expect("writes");
        std::fs::remove_file(folder.join("decider.nk")).expect("removes");
        let second = write(&folder).expect("written again");
        for (first, second) in first.iter().zip(&second) {
            let is_rotated = first.user == User::Decider;
            assert_eq!((second.is_new, first.public != second.public), (is_rotated, is_rotated), "{first:?}");
            let mode = std::fs::metadata(&second.file).expect("is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(&folder).expect("is there").count(), User::ALL.len() + 1, "nothing is left over");
        let config = std::fs::read_to_string(folder.join(CONFIG)).expect("is there");
        assert!(second.iter().all(|key| config.contains(&key.public)) && !config.contains("\"SU"), "{config}");
        std::fs::write(folder.join("admin.nk"), "nonsense").expect("writes");
        let refused = write(&folder).expect_err("refused").to_string();
        assert!(refused.starts_with("cannot read a user's seed from "), "{refused}");
    }

    #[test]
    fn each_can_have_a_folder_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        // as volumes are: there, and not to be replaced
        std::fs::create_dir(folder.path().join("decider")).expect("a folder");
        let [first, second] = [(); 2].map(|()| write(folder.path(), Layout::Apart).expect("written"));
        assert!(first.iter().all(|key| key.is_new) && !second.iter().any(|key| key.is_new));
        let held = |part: &str| {
            let files = std::fs::read_dir(folder.path().join(part)).expect("is there");
            files.map(|file| file.expect("readable").file_name().into_string().expect("text")).collect::<Vec<_>>()
        };
        for user in User::ALL.map(User::name) {
            assert_eq!(held(user), [format!("{user}.nk")]);
        }
        assert_eq!(held(SERVER), [CONFIG]);
        assert_eq!(held("").len(), User::ALL.len() + 1);
    }
}
