//! `elava audit`: all that is known of one resource, in order.

use clap::Args;
use elava_detector::Query;

use super::CommandError;
use crate::args::From;

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct AuditArgs {
    #[command(flatten)]
    from: From,
    /// Resource key (aws/123456789012/us-east-1/ec2:instance/i-0abc), or the cloud's id alone
    resource: String,
}

impl AuditArgs {
    /// Asks and shows.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        let columns = ["happened_at", "step", "what"];
        let query = Query::Audit { key: self.resource.clone() };
        self.from.print_of(self.resource, query, &columns).await
    }
}
