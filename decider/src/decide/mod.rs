//! The decision table: pure functions of the input, the open findings and the configuration.
//!
//! | input | decision |
//! |---|---|
//! | baseline | audit |
//! | disappeared, blessed | alert at once, `alert_on.disappeared_blessed`; and protect what remains |
//! | disappeared, managed | notify, `alert_on.disappeared_managed` |
//! | disappeared, otherwise | notify, `alert_on.disappeared` |
//! | appeared again | resolves the disappearance |
//! | appeared without required tags | auto_tag where switched on, else notify, `alert_on.new_untagged` |
//! | appeared otherwise, modified | audit, unless `alert_on` gives them a severity |
//! | tag drift | enforce_policy where remediation is on, else notify, `alert_on.tag_drift` |
//! | cost increase | notify, `alert_on.cost_increase` |
//! | violation | by severity, `policies.severity_actions`; of an orphan policy never more than notify |
//!
//! A setting of `off` records the event (audit) and keeps no finding. An event that `alert_on`
//! calls critical is an alert.

mod case;
mod change;
mod policy;
mod text;

pub use change::decide_change;
pub use policy::decide_result;
