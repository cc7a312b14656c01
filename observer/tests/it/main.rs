//! The observer over HTTP: an AWS emulator, and a server with canned answers for what goes wrong.

mod binary;
mod canned;
mod collect;
mod conformance;
mod failures;
mod generate;
mod generated;
mod mapping;
mod moto;
