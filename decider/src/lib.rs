//! The decider: from changes, policy results and executions to decisions, one per transition of a finding.
//!
//! A *finding* is (resource, cause). It opens, may change, is reminded of and resolves; people hear once of each.
//! The core ([`decide_change`], [`decide_result`], [`decide_execution`], [`pass_time`]) is a function of the input, what
//! is kept of the findings so far, and the [`Context`]: configuration, exceptions, time. No clock, no I/O. [`Decider`]
//! is the thin shell around it that keeps the findings between inputs.
//!
//! Invariant: **each finding is driven by one stream only.** Findings of violations are opened,
//! changed and resolved by policy results alone (the enforcer sends a result with subject `gone`
//! when a resource disappears); those of failed executions by executions; all others by changes alone. So the order
//! between the streams does not matter, and each partition of each stream can be replayed by itself.

mod account;
mod breaker;
mod decide;
mod exceptions;
mod explain;
mod finding;
mod memory;
mod stage;

pub use decide::{Context, decide_change, decide_execution, decide_result, due, pass_time};
pub use exceptions::Exceptions;
pub use explain::{ExplainError, Settings, explain, explain_all};
pub use finding::{About, Cause, Entry, Finding, Origin, Past, Quiet};
pub use stage::{Clock, Decider};
