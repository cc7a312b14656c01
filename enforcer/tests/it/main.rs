//! The crate against real policies, real files and the real engine.

mod documents;
mod original;
mod shipped;
mod stage;
mod support;
mod wrong;
