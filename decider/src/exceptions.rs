//! Exceptions: findings that are accepted for a while, from a file under version control.
//!
//! The file is read again when it has changed; one that cannot be read leaves the last one in use.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use elava_schemas::exceptions::{Exception, ExceptionsError, load};
use elava_schemas::{ResourceKey, Tags, Timestamp};
use tracing::{error, info};

use crate::finding::Cause;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The exceptions there are.
#[derive(Debug, Default)]
pub struct Exceptions {
    all: Vec<Exception>,
    /// Grows with every change of the file.
    pub(crate) generation: u64,
}

/// What an exception can be about.
pub(crate) struct Facts<'a> {
    pub(crate) key: &'a ResourceKey,
    pub(crate) tags: Option<&'a Tags>,
    pub(crate) cause: Cause,
    pub(crate) policy: Option<&'a str>,
    pub(crate) rule: Option<&'a str>,
}

impl Exceptions {
    /// These.
    #[must_use]
    pub fn new(all: Vec<Exception>) -> Self {
        Self { all, generation: 0 }
    }

    /// The one that covers a finding now, and longest.
    pub(crate) fn covering(&self, facts: &Facts<'_>, now: Timestamp) -> Option<&Exception> {
        let Facts { key, tags, cause, policy, rule } = *facts;
        let covers = |exception: &&Exception| {
            exception.expires > now && exception.matches.covers(key, tags, cause.as_str(), policy, rule)
        };
        self.all.iter().filter(covers).max_by_key(|exception| exception.expires)
    }
}

/// The exceptions of a file, as they are now.
#[derive(Debug)]
pub(crate) struct LiveExceptions {
    file: Option<PathBuf>,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    exceptions: Arc<Exceptions>,
    looked: Instant,
    modified: Option<SystemTime>,
}

impl LiveExceptions {
    /// Reads the file, if there is to be one.
    pub(crate) fn open(file: Option<&Path>) -> Result<Self, ExceptionsError> {
        let all = file.map(load).transpose()?.unwrap_or_default();
        let modified = file.and_then(modified);
        let current = Current { exceptions: Arc::new(Exceptions::new(all)), looked: Instant::now(), modified };
        Ok(Self { file: file.map(Path::to_path_buf), current: Mutex::new(current) })
    }

    /// Those in use.
    pub(crate) fn current(&self) -> Arc<Exceptions> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &self.file
            && current.looked.elapsed() >= LOOK
        {
            current.looked = Instant::now();
            let modified = modified(file);
            if modified != current.modified {
                current.modified = modified;
                current.read(file);
            }
        }
        Arc::clone(&current.exceptions)
    }
}

impl Current {
    fn read(&mut self, file: &Path) {
        match load(file) {
            Ok(all) => {
                info!(file = %file.display(), exceptions = all.len(), "exceptions were read again");
                let generation = self.exceptions.generation + 1;
                self.exceptions = Arc::new(Exceptions { all, generation });
            }
            Err(error) => {
                let error = elava_bus::cli::chain(&error);
                error!(error, "the exceptions have changed and cannot be read; those from before stay in use");
            }
        }
    }
}

fn modified(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}
