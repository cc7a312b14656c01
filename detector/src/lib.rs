//! The detector: compares observations with the history, keeps the history in DuckDB, and reports
//! what changed. As recorder it also keeps what the later stages said.
//!
//! The core (`batch`, `content`, `diff`, `details`, `fields`, `prices`, `record`) is pure: times and previous versions
//! are arguments. `store` is all SQL. No cloud and no NATS here.

mod arranger;
mod aside;
mod background;
mod batch;
mod change;
mod compact;
mod content;
mod decode;
mod details;
mod detect;
mod detector;
mod diff;
mod effects;
pub mod export;
mod fields;
mod index;
mod keeper;
pub mod live;
mod merger;
mod prices;
mod priority;
mod put_off;
pub mod query;
mod rebuild;
mod record;
mod reshard;
mod retention;
mod scans;
mod shard;
mod state;
mod store;
mod version;
mod watchdog;

pub use arranger::{arrange_file, merge_file};
pub use compact::{CompactArgs, CompactError, Thinned, compact, thin_file};
pub use detect::{DetectArgs, DetectError, detect};
pub use detector::{Detector, SetupError};
pub use query::{CostBy, Query, ScopeFilter};
pub use rebuild::{RebuildArgs, RebuildError, rebuild};
pub use reshard::{ReshardArgs, ReshardError, reshard};
pub use retention::Mode;
pub use shard::{OtherShards, Shard, shards_of};
pub use store::{Arranged, History, HistoryError, Pace};
