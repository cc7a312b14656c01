//! `elava evaluate`: ask the policies again.

use clap::Args;
use elava_bus::ask;
use elava_schemas::{EvaluationRequest, ResourceKey};

use super::{CommandError, ask_and_show};
use crate::args::Nats;

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct EvaluateArgs {
    #[command(flatten)]
    nats: Nats,
    /// Only the resource with this key, such as aws/123456789012/eu-west-1/ec2:instance/i-0abc [default: all current ones]
    key: Option<ResourceKey>,
}

impl EvaluateArgs {
    /// Asks the enforcers, and shows what the first says.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        ask_and_show(&self.nats, ask::EVALUATE, &EvaluationRequest { resource_key: self.key }).await
    }
}
