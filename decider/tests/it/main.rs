//! The decider's tests: the decision table, and what holds whatever is given in whatever order.

mod account;
mod given;
mod play;
mod replay;
mod table;
