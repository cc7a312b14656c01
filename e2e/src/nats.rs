//! The nats-servers of tests: one that asks nobody who they are, and one that does.

use elava_bus::access::{self, Layout};
use elava_harness::{Folder, Server, Setup};

/// Where the users of a guarded server are, in its folder.
const ACCESS: &str = "access";

/// One of a test's own.
///
/// # Panics
/// When it does not start.
#[must_use]
pub fn server() -> Server {
    start(Setup::default())
}

/// One that knows Elava's users, and nobody else.
///
/// # Panics
/// When it does not start.
#[must_use]
pub fn guarded() -> Server {
    let folder = tempfile::tempdir().expect("a temporary folder");
    access::write(&folder.path().join(ACCESS), Layout::Together).expect("keys are made");
    let config = format!("authorization {{ include ./{ACCESS}/{} }}", access::CONFIG);
    start(Setup { folder: Folder::Temporary(folder), config: &config, ..Setup::default() })
}

/// The file with the key of a user of a guarded one.
///
/// # Panics
/// When the temporary folder's name is no text.
#[must_use]
pub fn key(server: &Server, user: &str) -> String {
    let file = server.file(&format!("{ACCESS}/{user}.nk"));
    file.to_str().expect("it is text").to_owned()
}

fn start(setup: Setup<'_>) -> Server {
    Server::start(setup).expect("nats-server starts")
}
