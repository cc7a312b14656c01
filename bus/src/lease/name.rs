//! The name of an instance: where it runs, and what tells it from all others.

/// `host-pid-random`, as one token of a key.
pub(crate) fn instance() -> String {
    format!("{}-{}-{:06x}", token(&host()), std::process::id(), fastrand::u32(..) >> 8)
}

/// The name of this machine, or of this container, which others of its network find it by; empty where it has none.
#[must_use]
pub fn host() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    host.unwrap_or_default().trim().to_owned()
}

fn token(host: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    if host.is_empty() { "host".to_owned() } else { host.chars().map(plain).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        for (host, expected) in [("", "host"), ("web-1", "web-1"), ("web.example.org", "web_example_org")] {
            assert_eq!(token(host), expected);
        }
        assert_ne!(instance(), instance());
    }
}
