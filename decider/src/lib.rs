//! The decider: from changes and policy results to decisions, one per transition of a finding.
//!
//! A *finding* is (resource, cause). It opens, may change and resolves; people hear once of each.
//! The core ([`decide_change`], [`decide_result`]) is a function of the input, the findings open so
//! far and the configuration: no clock, no I/O. [`Decider`] is the thin shell around it that keeps
//! the open findings between inputs.
//!
//! Invariant: **each finding is driven by one stream only.** Findings of violations are opened,
//! changed and resolved by policy results alone (the enforcer sends a result with subject `gone`
//! when a resource disappears); all others by changes alone. So the order between the two streams
//! does not matter, and each partition of each stream can be replayed by itself.
//!
//! Not here yet, each with its place: a grace period sets `not_before` where `decide/change.rs`
//! tells of a disappearance; exceptions are looked up where `decide/case.rs` raises a finding;
//! approvals and executions are read where [`Decider`]'s `consumes` passes them on.

mod decide;
mod finding;
mod memory;
mod stage;

pub use decide::{decide_change, decide_result};
pub use finding::{Cause, Entry, Finding, Origin};
pub use stage::Decider;
