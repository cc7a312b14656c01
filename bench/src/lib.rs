//! Benchmarks: the real stages as processes, a real nats-server, synthetic resources; every figure
//! beside what raw JetStream, or Cloud Custodian, needs for the same.
//!
//! Measures from outside only (files, `/proc`, consumers, `/metrics`, live SQL): nothing of a stage is linked but its
//! client.

pub mod backtest;
pub mod ec2;
pub mod estate;
pub mod history;
pub mod http;
pub mod idle;
mod lag;
pub mod listing;
mod measure;
pub mod pipeline;
mod publish;
mod raw;
pub mod report;
pub mod scale;
mod session;
mod stages;

pub use session::Programs;
