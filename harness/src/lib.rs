//! Real servers and processes for tests and benchmarks, and what they have stored.
//!
//! Nothing here stands in for a part of ours, or knows one.

mod error;
mod process;
mod programs;
mod server;
mod stored;

use std::io;
use std::net::{Ipv4Addr, TcpListener};

pub use error::Error;
pub use process::{Process, command};
pub use programs::{checkout, find, nats_server, tool};
pub use rustix::process::Signal;
pub use server::{Folder, Server, Setup};
pub use stored::{messages, rows};

/// A port on loopback that nobody listens on.
///
/// # Errors
/// When there is none.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
