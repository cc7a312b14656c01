//! nats
/// How to reach NATS.
#[derive(Clone, Debug)]
pub struct NatsOptions { /// Server.
 pub url: String, /// Credentials file.
 pub creds: Option<std::path::PathBuf> }
