//! What the contract promises to whoever writes or reads a message or a configuration.

mod config_errors;
mod config_example;
mod json_schemas;
mod parse_errors;
mod round_trip;
mod samples;
