//! Where an export is written: one at a time, under other names, which are given up once all of it is on disk.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::ExportError;

/// A hidden folder in which what is not whole yet is written; it goes when dropped, and what a crash has left
/// of it with the next export.
#[derive(Debug)]
pub(super) struct Workspace {
    folder: PathBuf,
    partial: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> ExportError + use<'_> {
    |source| ExportError::Write { path: path.to_owned(), source }
}

impl Workspace {
    /// A place for `name` in `folder`, which is made when it is not there.
    pub(super) fn open(folder: &Path, name: &str) -> Result<Self, ExportError> {
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let lock = File::open(folder).map_err(failed(folder))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ExportError::Busy(folder.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(folder)(source)),
        }
        let partial = folder.join(name);
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(failed(&partial))?;
        }
        fs::create_dir(&partial).map_err(failed(&partial))?;
        Ok(Self { folder: folder.to_owned(), partial, _lock: lock })
    }

    /// Where `name` is to be written.
    pub(super) fn partial(&self, name: &str) -> Result<PathBuf, ExportError> {
        let path = self.partial.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        Ok(path)
    }

    /// Gives what was written as `from` its place as `to`, once it is on disk.
    pub(super) fn publish(&self, from: &str, to: &str) -> Result<(), ExportError> {
        let (from, to) = (self.partial.join(from), self.folder.join(to));
        File::open(&from).and_then(|file| file.sync_all()).map_err(failed(&from))?;
        let parent = to.parent().unwrap_or(&self.folder);
        fs::create_dir_all(parent).map_err(failed(parent))?;
        fs::rename(&from, &to).map_err(failed(&to))?;
        File::open(parent).and_then(|folder| folder.sync_all()).map_err(failed(parent))
    }

    /// The same for a text.
    pub(super) fn publish_text(&self, name: &str, text: &str) -> Result<(), ExportError> {
        let path = self.partial(name)?;
        fs::write(&path, text).map_err(failed(&path))?;
        self.publish(name, name)
    }

    /// Removes the export files of these folders that are not `kept`: a crash has left them, or they are outdated.
    pub(super) fn sweep(&self, folders: &[String], kept: &dyn Fn(&str) -> bool) -> Result<(), ExportError> {
        folders.iter().try_for_each(|folder| self.sweep_one(folder, kept))
    }

    fn sweep_one(&self, folder: &str, kept: &dyn Fn(&str) -> bool) -> Result<(), ExportError> {
        let path = self.folder.join(folder);
        if !path.is_dir() {
            return Ok(());
        }
        for entry in fs::read_dir(&path).map_err(failed(&path))? {
            let entry = entry.map_err(failed(&path))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let inside = format!("{folder}/{name}");
            if name.starts_with("day=") {
                self.sweep_one(&inside, kept)?;
            } else if is_ours(&name) && !kept(&inside) {
                fs::remove_file(entry.path()).map_err(failed(&path))?;
            }
        }
        Ok(())
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.partial) {
            tracing::debug!(%error, "what an export has left is removed by the next one");
        }
    }
}

/// Writes a text where several may write the same at once.
pub(super) fn put_text(folder: &Path, name: &str, text: &str) -> Result<(), ExportError> {
    let (partial, path) = (folder.join(format!(".{name}.{}", std::process::id())), folder.join(name));
    fs::write(&partial, text).map_err(failed(&partial))?;
    File::open(&partial).and_then(|file| file.sync_all()).map_err(failed(&partial))?;
    fs::rename(&partial, &path).map_err(failed(&path))
}

/// The name of the file that a transaction gives a table: sorted by name, they are in order.
pub(super) fn file_name(commit: u64) -> String {
    format!("{commit:012}.parquet")
}

/// Nothing else is ever removed.
fn is_ours(name: &str) -> bool {
    name.strip_suffix(".parquet")
        .is_some_and(|number| number.len() >= 12 && number.bytes().all(|byte| byte.is_ascii_digit()))
}
