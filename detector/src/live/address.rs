//! Where live SQL is served: on loopback, or not at all.

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
        // the protocol is plain HTTP and the token is in it
        if !address.ip().is_loopback() {
            return Err(format!(
                "`{text}` is not on loopback; others reach it through an SSH tunnel or a proxy that speaks TLS"
            ));
        }
        Ok(Self::On(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("off", Some(Address::Off)),
            ("127.0.0.1:9494", Some(Address::On(DEFAULT_ADDRESS))),
            ("[::1]:1", Some(Address::On("[::1]:1".parse().expect("an address")))),
            ("0.0.0.0:9494", None),
            ("192.168.1.2:9494", None),
            ("localhost:9494", None),
            ("9494", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }
}
