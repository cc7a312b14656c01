//! `elava scan`: look now.

use clap::Args;
use elava_bus::ask;
use elava_schemas::ScanRequest;

use super::{CommandError, ask_and_show};
use crate::args::Nats;

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct ScanArgs {
    #[command(flatten)]
    nats: Nats,
    /// Only this type, such as ec2:instance
    #[arg(long = "type")]
    kind: Option<String>,
    /// Only this region
    #[arg(long)]
    region: Option<String>,
    /// Only this account
    #[arg(long)]
    account: Option<String>,
}

impl ScanArgs {
    /// Asks the observers, and shows what they say.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        let request = ScanRequest { provider: None, account: self.account, region: self.region, kind: self.kind };
        ask_and_show(&self.nats, ask::SCAN, &request).await
    }
}
