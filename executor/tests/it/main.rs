//! What is written because of a decision, given what is there.

mod plan;
