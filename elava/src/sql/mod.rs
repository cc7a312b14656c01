//! `elava sql`: SQL over the history, of the running detector or of a file that nobody holds.

mod answer;
mod asker;
mod complete;
mod prompt;
mod said;
mod server;
mod source;

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use elava_detector::live::{Exposed, Extension, Token, TokenError, token_file};
use elava_detector::query::statements;

use crate::show::{self, FormatArgs};

use server::Server;

pub use answer::Answer;
pub use source::{Source, SourceError};

/// The flags of `elava sql`. The token is never one of them.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Values are shown as DuckDB has them. Where a table has too many columns for the terminal (or for COLUMNS), its rows
are below one another. JSON has no words for numbers that are none: there they are \"nan\", \"inf\" and \"-inf\".

Examples:
  elava sql \"FROM changes_since('24h')\"
  elava sql --db history.duckdb < statements.sql"
)]
pub struct SqlArgs {
    /// Statements, with a semicolon after each but the last; without them, they are asked for (or read from standard
    /// input, when that is no terminal). The first that fails ends it
    #[arg(value_name = "STATEMENTS")]
    statements: Option<String>,
    /// Read this history file instead of asking the running detector. Nobody may hold it
    #[arg(long, env = "ELAVA_DB", value_name = "FILE")]
    db: Option<PathBuf>,
    /// Where the running detector serves SQL [default: 127.0.0.1:9494]
    #[arg(long, env = "ELAVA_SQL_ADDR", value_name = "ADDR")]
    sql_addr: Option<Server>,
    /// Permit an address beyond loopback, or a name. The token goes there in plain HTTP: for a network of containers
    #[arg(long, env = "ELAVA_SQL_ANY_ADDRESS")]
    sql_any_address: bool,
    /// File with the detector's token; ELAVA_SQL_TOKEN holds one itself [default: beside the history, in . or .elava]
    #[arg(long, env = "ELAVA_SQL_TOKEN_FILE", value_name = "FILE")]
    sql_token_file: Option<PathBuf>,
    #[command(flatten)]
    extension: Extension,
    #[command(flatten)]
    format: FormatArgs,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// Where it is asked.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// No token was given and none found.
    #[error("no token: run where the detector's history is, or give --sql-token-file or ELAVA_SQL_TOKEN")]
    NoToken,
    /// The detector is told not to serve SQL.
    #[error("live SQL is off (ELAVA_SQL_ADDR)")]
    Off,
    /// The token would go over a network in the clear.
    #[error(transparent)]
    Exposed(#[from] Exposed),
    /// The same.
    #[error("`{0}` may not be on loopback; give an address that is, or --sql-any-address")]
    Name(String),
    /// By name, none was found.
    #[error("no detector serves SQL at {server}")]
    Connect {
        /// Where.
        server: String,
        /// Why.
        source: std::io::Error,
    },
    /// Standard input or output.
    #[error("cannot read or write")]
    Io(#[from] std::io::Error),
    /// The terminal.
    #[error("cannot use the terminal")]
    Terminal(#[from] rustyline::error::ReadlineError),
}

/// Runs `elava sql`.
///
/// # Errors
/// [`SqlError`].
pub fn sql(args: &SqlArgs) -> Result<(), SqlError> {
    let format = args.format.chosen();
    let text = match &args.statements {
        Some(statements) => statements.clone(),
        None if std::io::stdin().is_terminal() => return prompt::run(&|| args.source(), format),
        None => std::io::read_to_string(std::io::stdin())?,
    };
    let source = args.source()?;
    for statement in statements(&text) {
        show::print(&source.ask(statement)?.write(format))?;
    }
    Ok(())
}

impl SqlArgs {
    fn source(&self) -> Result<Source, SqlError> {
        if let Some(file) = &self.db {
            return Ok(Source::file(file)?);
        }
        let server = self.sql_addr.clone().unwrap_or_default().address(self.sql_any_address)?;
        Ok(Source::live(server, &self.token()?, &self.extension)?)
    }

    fn token(&self) -> Result<Token, SqlError> {
        if let Some(token) = Token::from_environment()? {
            return Ok(token);
        }
        let beside = ["history.duckdb", ".elava/history.duckdb"].map(|history| token_file(history.as_ref()));
        let file = self.sql_token_file.clone().or_else(|| beside.into_iter().find(|file| file.exists()));
        Ok(Token::read(&file.ok_or(SqlError::NoToken)?)?)
    }
}
