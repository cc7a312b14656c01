//! `elava nats`: what the server of the bus needs: who may do what, and the streams.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use elava_bus::Client;
use elava_bus::access::{self, CONFIG, Key, Layout};
use serde_json::json;

use super::{CommandError, row};
use crate::args::Nats;
use crate::show::{self, FormatArgs};

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum NatsCommand {
    /// Make a key for every user, and the configuration with which nats-server knows what each may do. Keys
    /// that are there stay, the configuration is written anew; nothing is contacted
    Access(AccessArgs),
    /// Make the streams that are missing, and bring those of older versions up to date. For the user `admin`,
    /// where stages may not do it
    Streams(StreamsArgs),
}

/// The flags of `elava nats access`.
#[derive(Args, Clone, Debug)]
pub struct AccessArgs {
    /// Folder for access.conf, which the server includes, and one <user>.nk each, for --nats-nkey
    #[arg(long, env = "ELAVA_NATS_ACCESS", value_name = "DIR")]
    dir: PathBuf,
    /// Each file in a folder of its own, to be mounted alone: <user>/<user>.nk, server/access.conf
    #[arg(long)]
    apart: bool,
    #[command(flatten)]
    format: FormatArgs,
}

/// The flags of `elava nats streams`.
#[derive(Args, Clone, Debug)]
pub struct StreamsArgs {
    #[command(flatten)]
    nats: Nats,
}

impl NatsCommand {
    /// Does it.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        match self {
            Self::Access(args) => args.run(),
            Self::Streams(args) => Ok(Client::connect(&args.nats.options()).await?.make_streams().await?),
        }
    }
}

impl AccessArgs {
    fn run(self) -> Result<(), CommandError> {
        let layout = if self.apart { Layout::Apart } else { Layout::Together };
        let keys = access::write(&self.dir, layout)?;
        let shown = |Key { user, file, public, is_new }: &Key| {
            let state = if *is_new { "made" } else { "kept" };
            row(json!({ "user": user.name(), "key": state, "file": file, "nkey": public }))
        };
        let rows: Vec<_> = keys.iter().map(shown).collect();
        show::rows(&rows, &["user", "key", "file", "nkey"], self.format.chosen(), "")?;
        eprintln!("elava: the server's part is {CONFIG} in {}", self.dir.display());
        Ok(())
    }
}
