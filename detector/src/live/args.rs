//! The flags of live SQL.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use elava_schemas::config::Duration;

use super::address::{Address, DEFAULT_ADDRESS, Exposed};
use super::extension::Extension;
use super::token::{TOKEN_VARIABLE, Token, TokenError, token_file};

/// How the history is served for SQL. The token itself is never a flag: `ELAVA_SQL_TOKEN`, or a file.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Live SQL")]
pub struct LiveArgs {
    /// Where DuckDB clients reach the history, on loopback, or `off` [default: 127.0.0.1:9494; off in a pipe]
    #[arg(long, env = "ELAVA_SQL_ADDR", value_name = "ADDR")]
    sql_addr: Option<Address>,

    /// Permit an address beyond loopback. The protocol is plain HTTP with the token in it: for inside a container whose
    /// port is published on loopback, or behind a proxy that speaks TLS
    #[arg(long, env = "ELAVA_SQL_ANY_ADDRESS")]
    sql_any_address: bool,

    /// File with the token that clients must show; ELAVA_SQL_TOKEN holds one itself [default: made beside the history]
    #[arg(long, env = "ELAVA_SQL_TOKEN_FILE", value_name = "FILE")]
    sql_token_file: Option<PathBuf>,

    #[command(flatten)]
    extension: Extension,

    /// How long one statement may run
    #[arg(long, env = "ELAVA_SQL_TIMEOUT", value_name = "DURATION", default_value = "30s")]
    sql_timeout: Duration,

    /// Memory of all statements together, in MiB, on top of the detector's own
    #[arg(long, env = "ELAVA_SQL_MEMORY_MB", value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(64..=1_048_576))]
    sql_memory_mb: u64,
}

/// How the history is served, resolved.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Where.
    pub address: SocketAddr,
    /// What a client must show.
    pub token: TokenSource,
    /// The protocol.
    pub extension: Extension,
    /// How long one statement may run.
    pub timeout: std::time::Duration,
    /// Memory of all statements together, in bytes.
    pub memory: u64,
}

/// Where the token comes from. Shown without it.
#[derive(Clone, Debug)]
pub enum TokenSource {
    /// `ELAVA_SQL_TOKEN`.
    Environment(Token),
    /// A file that must be there.
    File(PathBuf),
    /// A file that is made when it is not there.
    Made(PathBuf),
}

impl TokenSource {
    pub(super) fn get(&self) -> Result<Token, TokenError> {
        match self {
            Self::Environment(token) => Ok(token.clone()),
            Self::File(file) => Token::read(file),
            Self::Made(file) => Token::read_or_make(file),
        }
    }
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(_) => f.write_str(TOKEN_VARIABLE),
            Self::File(file) | Self::Made(file) => write!(f, "{}", file.display()),
        }
    }
}

impl LiveArgs {
    /// What was asked for; `None` when nothing is served. `token` is the value of `ELAVA_SQL_TOKEN`.
    ///
    /// # Errors
    /// [`Exposed`].
    pub fn options(&self, history: &Path, piped: bool, token: Option<Token>) -> Result<Option<LiveOptions>, Exposed> {
        let default = if piped { Address::Off } else { Address::On(DEFAULT_ADDRESS) };
        let address = self.sql_addr.unwrap_or(default).checked(self.sql_any_address)?;
        let Some(address) = address else { return Ok(None) };
        // an empty one, as Compose mounts for a secret that is not set, is none
        let given = |file: &&PathBuf| file.metadata().map_or(true, |metadata| metadata.len() > 0);
        let token = match (token, self.sql_token_file.as_ref().filter(given)) {
            (Some(token), _) => TokenSource::Environment(token),
            (None, Some(file)) => TokenSource::File(file.clone()),
            (None, None) => TokenSource::Made(token_file(history)),
        };
        Ok(Some(LiveOptions {
            address,
            token,
            extension: self.extension.clone(),
            timeout: self.sql_timeout.get(),
            memory: self.sql_memory_mb << 20,
        }))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        live: LiveArgs,
    }

    #[test]
    fn on_over_nats_and_off_in_a_pipe() {
        for (flags, piped, expected) in [
            (&[][..], false, Some("127.0.0.1:9494 h.duckdb.sql-token")),
            (&[], true, None),
            (&["--sql-addr", "off"], false, None),
            (&["--sql-addr", "127.0.0.1:1"], true, Some("127.0.0.1:1 h.duckdb.sql-token")),
            (&["--sql-token-file", "t"], false, Some("127.0.0.1:9494 t")),
        ] {
            let cli = Cli::parse_from([&["x"][..], flags].concat());
            let options = cli.live.options(Path::new("h.duckdb"), piped, None).expect("on loopback");
            let shown = options.map(|options| format!("{} {}", options.address, options.token));
            assert_eq!(shown.as_deref(), expected, "{flags:?}");
        }
    }
}
