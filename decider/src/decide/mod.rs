//! The decision table: pure functions of the input, the open findings and the configuration.
//!
//! | input | decision |
//! |---|---|
//! | baseline | audit |
//! | disappeared, blessed | alert at once, `alert_on.disappeared_blessed`; and protect what remains |
//! | disappeared, managed | after `behavior.grace_period` notify, `alert_on.disappeared_managed` |
//! | disappeared, otherwise | after `behavior.grace_period` notify, `alert_on.disappeared` |
//! | appeared again | resolves the disappearance; within the grace period nobody hears of either |
//! | appeared without required tags | auto_tag where switched on, else notify, `alert_on.new_untagged` |
//! | appeared otherwise, modified | audit, unless `alert_on` gives them a severity |
//! | tag drift | enforce_policy where remediation is on, else notify, `alert_on.tag_drift` |
//! | cost increase | notify, `alert_on.cost_increase` |
//! | violation | by severity, `policies.severity_actions`; of an orphan policy never more than notify |
//! | production, not protected | protect where `auto_protect_prod` and writing are on |
//! | execution failed | notify |
//!
//! The life of a finding (`life`): an exception covers it, it comes and goes, people are reminded, what stays for long
//! enough counts as how things are. What one scan opens is told when the scan has settled ([`crate::breaker`]).
//!
//! A setting of `off` records the event (audit) and keeps no finding. An event that `alert_on`
//! calls critical is an alert.

mod case;
mod change;
mod execution;
mod life;
mod past;
mod policy;
mod telling;
mod text;
mod trip;

pub use case::Context;
pub(crate) use case::delta;
pub use change::decide_change;
pub use execution::decide_execution;
pub(crate) use life::{What, about};
pub use life::{due, pass_time};
pub use policy::decide_result;
pub(crate) use trip::{Tripped, told, trip};
