//! How long a lease lasts without a sign of life of its holder.

use std::time::Duration;

/// Of what a stage's instances share.
pub(crate) const PARTITION: Duration = Duration::from_secs(3);
/// Of a scope that is being scanned.
pub(crate) const SCAN: Duration = Duration::from_secs(30);

/// A time that the server can keep: it counts in seconds.
///
/// # Errors
/// When it is none.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let ttl = text.parse::<elava_schemas::config::Duration>()?.get();
    if ttl < Duration::from_secs(1) || ttl.subsec_nanos() > 0 {
        return Err(format!("`{text}` is no time for a lease; write whole seconds, 1s at least"));
    }
    Ok(ttl)
}

/// How often to renew: two renewals may fail.
pub(crate) fn renewal(ttl: Duration) -> Duration {
    ttl / 3
}

/// For how long after asking for it a lease is certainly ours: the server counts from when it was
/// asked, and some time is left for clocks that do not run alike.
pub(crate) fn certain(ttl: Duration) -> Duration {
    ttl - ttl / 10
}

#[cfg(test)]
mod tests {
    #[test]
    fn whole_seconds() {
        for (text, millis) in [
            ("1s", Some(1000)),
            ("2000ms", Some(2000)),
            ("1m", Some(60_000)),
            ("1500ms", None),
            ("0s", None),
            ("3", None),
        ] {
            assert_eq!(super::parse(text).ok().map(|ttl| ttl.as_millis()), millis, "{text}");
        }
    }
}
