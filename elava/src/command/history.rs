//! `elava history`: every version of one resource.

use clap::Args;
use elava_detector::Query;

use super::CommandError;
use crate::args::From;

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct HistoryArgs {
    #[command(flatten)]
    from: From,
    /// Resource key (aws/123456789012/us-east-1/ec2:instance/i-0abc), or the cloud's id alone
    resource: String,
}

impl HistoryArgs {
    /// Asks and shows.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        let columns = ["valid_from", "valid_to", "ended_by", "status", "name", "tags", "monthly_cost_usd"];
        let query = Query::History { key: self.resource.clone() };
        self.from.print_of(self.resource, query, &columns).await
    }
}
