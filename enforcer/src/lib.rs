//! Evaluates resources against policies written in Rego.
//!
//! No policy lives in Rust: this crate finds the policy files, builds the input document, asks the
//! engine and turns what it says into results. A policy that fails is an error, never a pass.

mod again;
mod annotations;
pub mod backtest;
mod bundle;
mod check;
mod engine;
mod evaluate;
mod files;
mod given;
pub mod input;
mod live;
mod rego_test;
mod stage;

pub use bundle::{Bundle, BundleError, Package};
pub use check::check;
pub use engine::{Dialect, RegoError};
pub use evaluate::Verdict;
pub use files::PolicyFiles;
pub use given::RowError;
pub use live::LiveBundle;
pub use rego_test::{TestCount, run_tests};
pub use stage::Enforcer;
