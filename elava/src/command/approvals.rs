//! `elava approvals`: what waits for somebody to say yes.

use clap::Args;
use elava_detector::Query;

use super::CommandError;
use crate::args::{From, Scope};

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct ApprovalsArgs {
    #[command(flatten)]
    from: From,
    #[command(flatten)]
    scope: Scope,
}

impl ApprovalsArgs {
    /// Asks and shows.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        let columns = ["decision_id", "action", "severity", "reason", "key", "decided_at", "approve_by"];
        self.from.print(&Query::Approvals { scope: self.scope.into() }, &columns, "nothing waits for approval").await
    }
}
