//! The detector over real DuckDB files: batches in, changes and history out.

mod detect;
mod harness;
mod live;
mod recorder;
mod restart;
mod sql;
