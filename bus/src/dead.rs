//! dead
