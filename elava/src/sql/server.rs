//! Where the running detector is asked.

use std::str::FromStr;

use elava_detector::live::{Address, DEFAULT_ADDRESS};

use super::SqlError;

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
    /// For Quack; on loopback, unless `any` will do.
    pub(super) fn checked(&self, any: bool) -> Result<String, SqlError> {
        match self {
            Self::Address(address) => Ok(address.checked(any)?.ok_or(SqlError::Off)?.to_string()),
            Self::Name(name) if any || name.starts_with("localhost:") => Ok(name.clone()),
            Self::Name(name) => Err(SqlError::Name(name.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers() {
        let found = |text: &str, any| match text.parse::<Server>().map(|server| server.checked(any)) {
            Ok(Ok(address)) => address,
            Ok(Err(SqlError::Off)) => "off".to_owned(),
            Ok(Err(_)) => "exposed".to_owned(),
            Err(_) => "wrong".to_owned(),
        };
        for (text, expected, anywhere) in [
            ("off", "off", "off"),
            ("127.0.0.1:9494", "127.0.0.1:9494", "127.0.0.1:9494"),
            ("localhost:9494", "localhost:9494", "localhost:9494"),
            ("192.168.1.2:9494", "exposed", "192.168.1.2:9494"),
            ("detector:9494", "exposed", "detector:9494"),
            ("detector", "wrong", "wrong"),
            ("detector:x", "wrong", "wrong"),
            ("x' (TOKEN ':1", "wrong", "wrong"),
            ("300.0.0.1:1", "wrong", "wrong"),
        ] {
            assert_eq!((found(text, false).as_str(), found(text, true).as_str()), (expected, anywhere), "{text}");
        }
    }
}
