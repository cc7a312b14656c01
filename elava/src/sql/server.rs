//! Where the running detector is asked.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use elava_detector::live::{Address, DEFAULT_ADDRESS};

use super::SqlError;

/// How long a detector may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// An address, or a name and a port, as containers of one network have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Server {
    Address(Address),
    Name(String),
}

impl Default for Server {
    fn default() -> Self {
        Self::Address(Address::On(DEFAULT_ADDRESS))
    }
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_plain = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        };
        match (text.parse::<Address>(), text.rsplit_once(':')) {
            (Err(_), Some((name, port))) if is_plain(name) && port.parse::<u16>().is_ok() => {
                Ok(Self::Name(text.to_owned()))
            }
            (address, _) => address.map(Self::Address),
        }
    }
}

impl Server {
    /// Its address: on loopback, unless `any` will do.
    pub(super) fn address(&self, any: bool) -> Result<SocketAddr, SqlError> {
        match self {
            Self::Address(address) => address.checked(any)?.ok_or(SqlError::Off),
            Self::Name(name) if any => listening(name),
            Self::Name(name) => Err(SqlError::Name(name.clone())),
        }
    }
}

/// Several detectors have one name, of which those that stand by do not listen. Quack's client would ask another one
/// each time.
fn listening(name: &str) -> Result<SocketAddr, SqlError> {
    let failed = |source| SqlError::Connect { server: name.to_owned(), source };
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in name.to_socket_addrs().map_err(failed)? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(address),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn servers() {
        let found = |text: &str, any| match text.parse::<Server>().map(|server| server.address(any)) {
            Ok(Ok(address)) => address.to_string(),
            Ok(Err(SqlError::Off)) => "off".to_owned(),
            Ok(Err(_)) => "exposed".to_owned(),
            Err(_) => "wrong".to_owned(),
        };
        for (text, expected, anywhere) in [
            ("off", "off", "off"),
            ("127.0.0.1:9494", "127.0.0.1:9494", "127.0.0.1:9494"),
            ("192.168.1.2:9494", "exposed", "192.168.1.2:9494"),
            ("detector", "wrong", "wrong"),
            ("detector:x", "wrong", "wrong"),
            ("x' (TOKEN ':1", "wrong", "wrong"),
            ("300.0.0.1:1", "wrong", "wrong"),
        ] {
            assert_eq!((found(text, false).as_str(), found(text, true).as_str()), (expected, anywhere), "{text}");
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let name = format!("localhost:{}", address.port());
        assert_eq!((found(&name, false), found(&name, true)), ("exposed".to_owned(), address.to_string()));
        drop(listener);
        let refused = Server::Name(name).address(true).expect_err("nobody listens").to_string();
        assert!(refused.starts_with("no detector serves SQL at localhost:"), "{refused}");
    }
}
