//! Looks at the cloud and says what is there: one observation a resource, one report a scan.
//!
//! Holds nothing, compares nothing, writes nothing to the cloud.

mod args;
pub mod aws;
mod coordinator;
mod observe;
mod observer;
mod schedule;

pub use args::{ObserverArgs, UnknownType};
pub use observe::{ObserveError, observe};
pub use observer::{Observer, Rhythm};
pub use schedule::{adapted, interval, jittered};
