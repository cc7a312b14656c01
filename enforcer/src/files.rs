//! The files of a bundle: which of a folder's files count, their bytes, and their common hash.

use std::path::{Path, PathBuf};
use std::{fs, io};

use elava_schemas::IdHasher;

/// Policies, their tests and their data, read once; sorted by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFiles {
    root: PathBuf,
    files: Vec<PolicyFile>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyFile {
    /// Relative to the folder, with `/`.
    pub(crate) path: String,
    pub(crate) role: Role,
    pub(crate) text: String,
}

/// What a file is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Policy,
    Test,
    /// `data.json`
    JsonData,
    /// `data.yaml` or `data.yml`
    YamlData,
}

impl PolicyFiles {
    /// Reads a folder, or a single file. Names that begin with a dot are skipped, so that a mounted
    /// Kubernetes ConfigMap is read once; symbolic links are followed.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        if fs::metadata(root)?.is_dir() {
            collect(root, "", &mut files)?;
        } else {
            let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if let Some(role) = role(&name) {
                files.push(PolicyFile { path: name, role, text: fs::read_to_string(root)? });
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { root: root.to_owned(), files })
    }

    /// The folder they were read from.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A hash of the paths and contents of all that can influence a result: tests are left out.
    #[must_use]
    pub fn hash(&self) -> String {
        let deciding = self.files.iter().filter(|file| file.role != Role::Test);
        deciding.fold(IdHasher::new("bundle"), |hasher, file| hasher.part(&file.path).part(&file.text)).hex()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &PolicyFile> {
        self.files.iter()
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<PolicyFile>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let path = format!("{prefix}{name}");
        if fs::metadata(entry.path())?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else if let Some(role) = role(&name) {
            files.push(PolicyFile { path, role, text: fs::read_to_string(entry.path())? });
        }
    }
    Ok(())
}

fn role(name: &str) -> Option<Role> {
    match name {
        "data.json" => Some(Role::JsonData),
        "data.yaml" | "data.yml" => Some(Role::YamlData),
        _ if name.ends_with("_test.rego") => Some(Role::Test),
        _ if name.ends_with(".rego") => Some(Role::Policy),
        _ => None,
    }
}
