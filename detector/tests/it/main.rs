//! The detector over real DuckDB files: batches in, changes and history out.

mod backtest;
mod cookbook;
mod current;
mod detect;
mod export;
mod harness;
mod live;
mod put_off;
mod recorder;
mod released;
mod restart;
mod retention;
mod sql;
mod story;
mod types;
mod vocabulary;
