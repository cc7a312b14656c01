//! A fast stand-in for the EC2, RDS and STS APIs: pre-rendered items, real paging, latency,
//! throttling and faults. Emulators are far too slow to measure over: one needs 7.5 s of CPU to
//! list 1,000 instances.
//!
//! Every region shows the same items. Ids and filters are refused, not ignored.

mod answer;
mod items;
mod limits;
mod serve;

pub use items::{Counts, Sort};
pub use limits::{Bucket, BucketError, Limits};
pub use serve::{Options, StandIn};
