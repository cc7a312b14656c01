//! The decider's tests: the decision table, and what holds whatever is given in whatever order.

mod given;
mod replay;
mod table;
