//! The crate against real policies, real files and the real engine.

fn main_placeholder() {}
