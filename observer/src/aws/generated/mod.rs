//! Every field of every SDK type that resources are made of; written by `tests/it/generate.rs`.

mod ec2;
mod rds;
