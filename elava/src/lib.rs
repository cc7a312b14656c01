//! The person's command line: asks the history, shows the pipeline's state, starts it.
//!
//! It holds nothing. What it shows comes from the detector over NATS, or from a history file that
//! nobody holds (`--db`).

pub mod args;
pub mod ask;
mod clean;
pub mod command;
pub mod fault;
pub mod paint;
mod report;
pub mod show;
pub mod sql;
pub mod up;

pub use elava_bus::time;
