//! `elava summary`: the whole story in numbers.

use clap::Args;
use elava_detector::Query;

use super::CommandError;
use crate::args::From;

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct SummaryArgs {
    #[command(flatten)]
    from: From,
}

impl SummaryArgs {
    /// Asks and shows.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        self.from.print(&Query::Summary {}, &["measure", "name", "value"], "nothing yet").await
    }
}
