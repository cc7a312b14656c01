//! Where live SQL is served: on loopback, or not at all, unless somebody knows better.

use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// Quack's own default port, so that `ATTACH 'quack:localhost'` finds it.
pub const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9494);

/// Where live SQL is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// Nowhere.
    Off,
    /// There.
    On(SocketAddr),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let address: SocketAddr = text.parse().map_err(|_| {
            format!("`{text}` is not an address; write an IP and a port, such as 127.0.0.1:9494, or off")
        })?;
        Ok(Self::On(address))
    }
}

/// It can be reached from elsewhere: the protocol is plain HTTP, and the token is in it.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not on loopback; others reach it through an SSH tunnel or a proxy that speaks TLS")]
pub struct Exposed(SocketAddr);

impl Address {
    /// The address to use, where there is one.
    ///
    /// # Errors
    /// [`Exposed`], unless `any` will do.
    pub fn checked(self, any: bool) -> Result<Option<SocketAddr>, Exposed> {
        match self {
            Self::Off => Ok(None),
            Self::On(address) if any || address.ip().is_loopback() => Ok(Some(address)),
            Self::On(address) => Err(Exposed(address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let found = |text: &str, any| match text.parse::<Address>().map(|address| address.checked(any)) {
            Ok(Ok(address)) => address.map_or("off".to_owned(), |address| address.to_string()),
            Ok(Err(_)) => "exposed".to_owned(),
            Err(_) => "wrong".to_owned(),
        };
        for (text, expected, anywhere) in [
            ("off", "off", "off"),
            ("127.0.0.1:9494", "127.0.0.1:9494", "127.0.0.1:9494"),
            ("[::1]:1", "[::1]:1", "[::1]:1"),
            ("0.0.0.0:9494", "exposed", "0.0.0.0:9494"),
            ("192.168.1.2:9494", "exposed", "192.168.1.2:9494"),
            ("localhost:9494", "wrong", "wrong"),
            ("9494", "wrong", "wrong"),
            ("", "wrong", "wrong"),
        ] {
            assert_eq!((found(text, false).as_str(), found(text, true).as_str()), (expected, anywhere), "{text}");
        }
    }
}
