//! The history served for live SQL, with DuckDB's Python client and with our own.

mod hostile;
mod limits;
mod process;
mod reading;
mod served;
