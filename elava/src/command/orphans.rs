//! `elava orphans`: what nobody uses or owns.

use clap::Args;
use elava_detector::Query;

use super::CommandError;
use crate::args::{From, Scope};

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct OrphansArgs {
    #[command(flatten)]
    from: From,
    #[command(flatten)]
    scope: Scope,
}

impl OrphansArgs {
    /// Asks and shows.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        let columns = ["monthly_cost_usd", "message", "key", "name", "opened_at"];
        self.from.print(&Query::Orphans { scope: self.scope.into() }, &columns, "no orphans").await
    }
}
