//! The detector: compares observations with the history, keeps the history in DuckDB, and reports
//! what changed. As recorder it also keeps what the later stages said.
//!
//! The core (`batch`, `content`, `diff`, `details`, `fields`, `prices`, `record`) is pure: times and previous versions
//! are arguments. `store` is all SQL. No cloud and no NATS here.

mod batch;
mod change;
mod content;
mod decode;
mod details;
mod detector;
mod diff;
mod effects;
mod fields;
mod index;
pub mod live;
mod prices;
pub mod query;
mod rebuild;
mod record;
mod scans;
mod store;
mod version;

pub use detector::{Detector, SetupError};
pub use query::{CostBy, Query, ScopeFilter};
pub use rebuild::{RebuildArgs, RebuildError, rebuild};
pub use store::{History, HistoryError};
