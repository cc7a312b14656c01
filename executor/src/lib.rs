//! The executor: the only one that writes to the cloud, and only what an approved decision says.
//!
//! Three actions, one file each in [`action`]: missing tags are added, drifted tags restored, and what must not be lost
//! is protected. Nothing is ever deleted but a tag that was not there before.
//!
//! Invariants:
//! - **Nothing is written unread.** A resource is read right before it is written; where it is not as the decision saw
//!   it, it is left alone.
//! - **`executing`, with what was there before, is stored before the write.** What was found out is kept as state first,
//!   and told from there in a step of its own: so a record and the state never disagree, whenever the process ends.
//! - **A write is a value for each tag and attribute it is about** ([`Step`]), so writing it twice is writing it once, and
//!   whether it has been written can be read. An undo is the same step the other way round.
//! - **Who was approved, denied or superseded is decided by the order of the streams**, and by when they stored it.
//!
//! The core ([`action::plan`], `job`, `jobs`, `words`) is pure; `cloud` reads and writes, `stage` joins them.

pub mod action;
mod cloud;
mod job;
mod jobs;
mod quiet;
mod reality;
mod stage;
mod step;
#[cfg(test)]
mod tests;
mod words;

pub use reality::Reality;
pub use stage::Executor;
pub use step::{Part, Standing, Step};

/// The executor's own flags.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct ExecutorArgs {
    /// Where the AWS APIs are, for an emulator [default: AWS]
    #[arg(long, env = "ELAVA_ENDPOINT_URL", value_name = "URL")]
    pub endpoint_url: Option<String>,
}
