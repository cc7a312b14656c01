//! The bundle in use, and how a new one takes its place while the stage runs.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use crate::{Bundle, BundleError, Dialect, PolicyFiles};

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A bundle that follows its folder.
pub struct LiveBundle {
    path: PathBuf,
    dialect: Dialect,
    bundle: RwLock<Arc<Bundle>>,
    /// What was last refused, so that it is said once.
    refused: Mutex<Option<String>>,
}

impl LiveBundle {
    /// Loads the policies of a folder.
    pub fn open(path: PathBuf, dialect: Dialect) -> Result<Self, BundleError> {
        let bundle = RwLock::new(Arc::new(Bundle::load(&path, dialect)?));
        Ok(Self { path, dialect, bundle, refused: Mutex::default() })
    }

    /// The bundle in use. It stays whole for as long as it is held.
    #[must_use]
    pub fn current(&self) -> Arc<Bundle> {
        Arc::clone(&self.bundle.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the folder, and takes over what is there if it differs and compiles. What does not
    /// is logged with file and line, and the old bundle stays. Returns whether there is a new one.
    ///
    /// The contents are compared, not the times of the files: a bundle is a few hundred kilobytes,
    /// and a ConfigMap or a restored file can change without a newer time.
    pub fn look(&self) -> bool {
        let outcome = match PolicyFiles::read(&self.path) {
            Ok(files) if files.hash() == self.current().hash() => {
                self.remember(None);
                return false;
            }
            Ok(files) => Bundle::compile(&files, self.dialect),
            Err(source) => Err(BundleError::Read { path: self.path.clone(), source }),
        };
        match outcome {
            Ok(bundle) => {
                tracing::info!(bundle = bundle.hash(), packages = bundle.packages().len(), "new policies in use");
                *self.bundle.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(bundle);
                self.remember(None);
                true
            }
            Err(error) => {
                let error = elava_bus::cli::chain(&error);
                if self.remember(Some(error.clone())) {
                    tracing::error!(error, bundle = self.current().hash(), "new policies refused; the old ones stay");
                }
                false
            }
        }
    }

    /// Returns whether that is news.
    fn remember(&self, refusal: Option<String>) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let news = *refused != refusal;
        *refused = refusal;
        news
    }

    /// Looks at the folder every few seconds until the bundle is no longer held by anyone else.
    pub async fn follow(bundle: Weak<Self>) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let Some(bundle) = bundle.upgrade() else { return };
            if let Err(error) = tokio::task::spawn_blocking(move || bundle.look()).await {
                tracing::error!(%error, "could not look for new policies");
            }
        }
    }
}
